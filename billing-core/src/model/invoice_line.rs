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
        /// The description of the vendor.
        "description" => pub description: String,
        /// The day of the booking.
        "dateTransacted" => pub date_transacted: Date,
        /// The first day that the line covers.
        "dateStart" => pub date_start: Date,
        /// The last day that the line covers.
        "dateEnd" => pub date_end: Date,
        /// The organisation that the line is about.
        "organization" => pub organization: NamedEntity,
        /// The quantity.
        "quantity" => pub quantity: Amount,
        /// The unit of the quantity.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
        /// The amount of the line.
        "amount" => pub amount: Amount,
    }
}
