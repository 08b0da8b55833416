//! Invoices: amount, parties and payment status.

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
        /// The customer that gets the invoice.
        "billToCustomer" => pub bill_to_customer: Customer,
        /// The customer that gets the goods.
        "shipToCustomer" => pub ship_to_customer: Customer,
        /// The customer that bought.
        "soldToCustomer" => pub sold_to_customer: Customer,
        /// The day of the invoice.
        "dateInvoiced" => pub date_invoiced: Date,
        /// The address of the invoice.
        "billToAddress" => pub bill_to_address: InvoiceAddress,
        /// The address of the goods.
        "shipToAddress" => pub ship_to_address: InvoiceAddress,
        /// The currency of its amount, as an ISO 4217 code.
        "currencyIsoCode" => pub currency_iso_code: String,
        /// The payment status.
        "paymentStatus" => pub payment_status: PaymentStatus,
        /// The terms of payment, as the vendor words them.
        "paymentTerms" => pub payment_terms: String,
        /// The URL of the payment page.
        "paymentLink" => pub payment_link: String,
        /// The customer's purchase order.
        "customerPoNumber" => pub customer_po_number: String,
        /// The type of invoice, as the vendor names it.
        "customerInvoiceType" => pub customer_invoice_type: String,
        /// Its amount.
        "amount" => pub amount: Amount,
    }
}

open_enum! {
    /// The payment status of an invoice.
    pub enum PaymentStatus {
        /// The invoice is paid.
        Paid = "Paid",
        /// The invoice is unpaid.
        Unpaid = "Unpaid",
    }
}

model! {
    /// An address on an invoice. **Preview:** the vendor may change its shape.
    pub struct InvoiceAddress {
        /// The day from which the address is valid.
        "dateEffective" => pub date_effective: Date,
        /// The type of address.
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
        /// A part of that region.
        "regionSubdivision2" => pub region_subdivision2: String,
        /// The country, by name.
        "country" => pub country: String,
    }
}

open_enum! {
    /// The type of an address.
    pub enum AddressType {
        /// The address of the customer that gets the invoice.
        BillTo = "BillTo",
        /// The address of the customer that gets the goods.
        ShipTo = "ShipTo",
        /// The address of the end user.
        EndUser = "EndUser",
        /// The address of the customer that bought.
        SoldTo = "SoldTo",
    }
}
