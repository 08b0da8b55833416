//! A reference with an id and a name.

use super::model;

model! {
    /// A reference with an id and a name, for example to an organisation.
    pub struct NamedEntity {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
    }
}
