//! The lines of an invoice.

use super::{NamedEntity, Product, UnitOfMeasure, model};
use crate::model::list::cursor_list;
use crate::{Amount, Date};

cursor_list! {
    /// A page of the lines of an invoice. **Preview:** the vendor may change its shape.
    pub struct InvoiceLineList of InvoiceLine
}

model! {
    /// A line of an invoice; its amount is in the currency of the [`Invoice`](super::Invoice). **Preview:** the vendor may
    /// change its shape.
    pub struct InvoiceLine {
        /// Its id.
        "id" => pub id: String,
        /// The product.
        "product" => pub product: Product,
        /// What it is, in the vendor's words.
        "description" => pub description: String,
        /// When it was booked.
        "dateTransacted" => pub date_transacted: Date,
        /// The first day that it is for.
        "dateStart" => pub date_start: Date,
        /// The last day that it is for.
        "dateEnd" => pub date_end: Date,
        /// The organisation that it is for.
        "organization" => pub organization: NamedEntity,
        /// How much.
        "quantity" => pub quantity: Amount,
        /// The unit of the quantity.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
        /// What it comes to.
        "amount" => pub amount: Amount,
    }
}
