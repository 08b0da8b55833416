//! Customers: the parties of contracts and invoices.

use super::model;

model! {
    /// A party of a contract or an invoice. **Preview:** the vendor may change its shape.
    pub struct Customer {
        /// Its id.
        "id" => pub id: String,
        /// Its customer number.
        "number" => pub number: String,
        /// Its name.
        "name" => pub name: String,
    }
}
