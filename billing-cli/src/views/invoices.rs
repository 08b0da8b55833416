//! The views of invoices and of the lines of an invoice.

use billing_core::InvoiceId;
use billing_core::model::{Invoice, InvoiceLine, PaymentStatus};

use super::contracts::{customer, unit};
use super::sums::by_currency;
use crate::format::document::{Cell, Column, Document, Emphasis, Formats, Group, Note, Row, Sheet, Sum};
use crate::text::count;

/// Builds one row per invoice, with the total and the unpaid amount.
pub(crate) fn invoices(invoices: &[Invoice]) -> Document {
    let columns = vec![
        Column::text("id", "Id"),
        Column::date("dateInvoiced", "Date"),
        Column::money("amount", "Amount"),
        Column::text("currencyIsoCode", "Currency"),
        Column::text("paymentStatus", "Status"),
        Column::text("billToCustomer", "Billed to").drop_rank(1),
        Column::text("customerPoNumber", "Purchase order").drop_rank(3),
        Column::text("customerInvoiceType", "Type").drop_rank(4),
        Column::text("paymentTerms", "Terms").drop_rank(2),
        Column::text("paymentLink", "Payment link").only(Formats::SPREADSHEETS),
    ];
    let rows = invoices.iter().map(|invoice| {
        let currency = invoice.currency_iso_code.as_deref();
        let status = invoice.payment_status.as_ref().map(|status| status.as_str());
        Row::new(vec![
            Cell::name(invoice.id.as_deref()),
            Cell::day(invoice.date_invoiced),
            Cell::sent_money(invoice.amount.as_ref(), currency),
            Cell::optional_text(currency),
            Cell::optional_text(status),
            Cell::optional_text(customer(invoice.bill_to_customer.as_ref())),
            Cell::optional_text(invoice.customer_po_number.as_deref()),
            Cell::optional_text(invoice.customer_invoice_type.as_deref()),
            Cell::optional_text(invoice.payment_terms.as_deref()),
            Cell::optional_text(invoice.payment_link.as_deref()),
        ])
    });
    let amounts = |only: fn(&Invoice) -> bool| {
        invoices.iter().filter(move |invoice| only(invoice)).map(|invoice| {
            (invoice.id.as_deref(), invoice.amount.as_ref(), invoice.currency_iso_code.as_deref())
        })
    };
    let keys = ("amount", "currencyIsoCode");
    let mut sums = by_currency("Total", amounts(|_| true), keys);
    let unpaid = amounts(|invoice| invoice.payment_status == Some(PaymentStatus::Unpaid));
    // The unpaid amount has no column of its own.
    sums.extend(by_currency("Unpaid", unpaid, keys).into_iter().map(|sum| Sum {
        sum_of: None,
        tone: Emphasis::Plain,
        ..sum
    }));
    let sheet = Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums,
        notes: vec![Note::new(Emphasis::Strong, count(invoices.len(), "invoice", "invoices"))],
        ..Sheet::new("Invoices", columns)
    };
    Document { title: "Invoices".to_owned(), facts: Vec::new(), sheets: vec![sheet] }
}

/// Builds one row per invoice line. The lines have no currency field; the invoice has it.
pub(crate) fn invoice_lines(invoice: &InvoiceId, lines: &[InvoiceLine]) -> Document {
    let columns = vec![
        Column::text("id", "Id").only(Formats::SPREADSHEETS),
        Column::text("description", "Line"),
        Column::text("product", "Product").drop_rank(4).aside(),
        Column::text("sku", "SKU").drop_rank(3).aside(),
        Column::text("organization", "Organisation").drop_rank(5).aside(),
        Column::date("dateTransacted", "Booked").drop_rank(6),
        Column::date("dateStart", "From").drop_rank(2),
        Column::date("dateEnd", "To").drop_rank(2),
        Column::number("quantity", "Quantity"),
        Column::text("unitOfMeasure", "Unit").drop_rank(1),
        Column::money("amount", "Amount"),
    ];
    let rows = lines.iter().map(|line| {
        let product = line.product.as_ref();
        let organization = line.organization.as_ref();
        Row::new(vec![
            Cell::optional_text(line.id.as_deref()),
            Cell::name(line.description.as_deref()),
            Cell::optional_text(product.and_then(|product| product.name.as_deref())),
            Cell::optional_text(product.and_then(|product| product.sku.as_deref())),
            Cell::optional_text(organization.and_then(|o| o.name.as_deref().or(o.id.as_deref()))),
            Cell::day(line.date_transacted),
            Cell::day(line.date_start),
            Cell::day(line.date_end),
            Cell::optional_quantity(line.quantity.as_ref()),
            Cell::optional_text(unit(line.unit_of_measure.as_ref(), product)),
            Cell::sent_money(line.amount.as_ref(), None),
        ])
    });
    let amounts = lines.iter().map(|line| (line.description.as_deref(), line.amount.as_ref(), None));
    let sums = by_currency("Total", amounts, ("amount", "amount"))
        .into_iter()
        .map(|sum| Sum { remark: Some("in the currency of the invoice".to_owned()), ..sum });
    let sheet = Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums: sums.collect(),
        notes: vec![Note::new(Emphasis::Strong, count(lines.len(), "line", "lines"))],
        ..Sheet::new("Lines", columns)
    };
    Document { title: format!("Invoice {invoice}"), facts: Vec::new(), sheets: vec![sheet] }
}
