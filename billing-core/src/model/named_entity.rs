//! A reference to something that has an id and a name.

use super::model;

model! {
    /// Something that has an id and a name, such as an organisation.
    pub struct NamedEntity {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
    }
}
