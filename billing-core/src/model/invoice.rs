//! Invoices: what was billed, to whom, and whether it is paid.

use super::{Customer, model, open_enum};
use crate::model::list::cursor_list;
use crate::{Amount, Date};

cursor_list! {
    /// A page of invoices. **Preview:** the vendor may change its shape.
    pub struct InvoiceList of Invoice
}

model! {
    /// An invoice. **Preview:** the vendor may change its shape.
    pub struct Invoice {
        /// Its id.
        "id" => pub id: String,
        /// Who gets it.
        "billToCustomer" => pub bill_to_customer: Customer,
        /// Who gets the goods.
        "shipToCustomer" => pub ship_to_customer: Customer,
        /// Who has bought.
        "soldToCustomer" => pub sold_to_customer: Customer,
        /// Its day.
        "dateInvoiced" => pub date_invoiced: Date,
        /// Where it goes to.
        "billToAddress" => pub bill_to_address: InvoiceAddress,
        /// Where the goods go to.
        "shipToAddress" => pub ship_to_address: InvoiceAddress,
        /// The currency of its amount, as an ISO 4217 code.
        "currencyIsoCode" => pub currency_iso_code: String,
        /// Whether it is paid.
        "paymentStatus" => pub payment_status: PaymentStatus,
        /// The terms of payment, in the vendor's words.
        "paymentTerms" => pub payment_terms: String,
        /// Where it can be paid.
        "paymentLink" => pub payment_link: String,
        /// The customer's purchase order.
        "customerPoNumber" => pub customer_po_number: String,
        /// What sort of invoice it is, in the vendor's words.
        "customerInvoiceType" => pub customer_invoice_type: String,
        /// Its amount.
        "amount" => pub amount: Amount,
    }
}

open_enum! {
    /// Whether an invoice is paid.
    pub enum PaymentStatus {
        /// It is.
        Paid = "Paid",
        /// It is not.
        Unpaid = "Unpaid",
    }
}

model! {
    /// An address on an invoice. **Preview:** the vendor may change its shape.
    pub struct InvoiceAddress {
        /// Since when it holds.
        "dateEffective" => pub date_effective: Date,
        /// Whose address it is.
        "addressType" => pub address_type: AddressType,
        /// The currency of the party, as an ISO 4217 code.
        "currencyIsoCode" => pub currency_iso_code: String,
        /// The first line.
        "line1" => pub line1: String,
        /// The second line.
        "line2" => pub line2: String,
        /// The third line.
        "line3" => pub line3: String,
        /// The city.
        "cityName" => pub city_name: String,
        /// The postal code.
        "postalCode" => pub postal_code: String,
        /// The state or province, as a code.
        "stateCode" => pub state_code: String,
        /// The country, as a code.
        "countryCode" => pub country_code: String,
        /// A part of the city.
        "citySubdivision1" => pub city_subdivision1: String,
        /// A part of the country.
        "regionSubdivision1" => pub region_subdivision1: String,
        /// A part of that part.
        "regionSubdivision2" => pub region_subdivision2: String,
        /// The country, by name.
        "country" => pub country: String,
    }
}

open_enum! {
    /// Whose address it is.
    pub enum AddressType {
        /// Of who gets the invoice.
        BillTo = "BillTo",
        /// Of who gets the goods.
        ShipTo = "ShipTo",
        /// Of who uses them.
        EndUser = "EndUser",
        /// Of who has bought.
        SoldTo = "SoldTo",
    }
}
