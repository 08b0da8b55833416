//! The invoices of your own organisation, with their lines: one invoice for each closed billing period, three
//! days after its end.

use chrono::{DateTime, Days, NaiveDate, Utc};
use http::Uri;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use super::contracts::{Period, SimulatedCharge, closed_periods, customer, decimal, organizations, product};
use super::draws::SeededRandom;
use super::envelope::{ApiError, exact};
use super::listing;

/// A page of the invoices.
pub(super) fn page(uri: &Uri, now: DateTime<Utc>, draws: SeededRandom) -> Result<Value, ApiError> {
    let status = listing::one_of(uri, "paymentStatus", &["Paid", "Unpaid"])?;
    let dates = listing::date_filter(uri)?;
    let invoices: Vec<Value> = all(now)
        .filter(|invoice| status.as_deref().is_none_or(|status| status == invoice.status(now)))
        .filter(|invoice| dates(invoice.date, invoice.date))
        .map(|invoice| invoice.json(now, draws))
        .collect();
    listing::page(uri, &invoices)
}

/// A page of the lines of an invoice.
pub(super) fn lines(
    uri: &Uri,
    id: &str,
    now: DateTime<Utc>,
    draws: SeededRandom,
) -> Option<Result<Value, ApiError>> {
    let invoice = find(id, now)?;
    let lines: Vec<Value> = invoice.lines(draws).iter().map(|line| invoice.line_json(line)).collect();
    Some(listing::page(uri, &lines))
}

/// Returns the text on the document of an invoice.
pub(super) fn document(id: &str, now: DateTime<Utc>, draws: SeededRandom) -> Option<Vec<String>> {
    let invoice = find(id, now)?;
    let mut text = vec![
        format!("Invoice {}", invoice.id()),
        format!("of {}, for {} to {}", invoice.date, invoice.period.start, invoice.period.end),
    ];
    text.extend(invoice.lines(draws).iter().map(|line| format!("{}: {}", line.description, line.amount)));
    text.push(format!("Total: {} {}", invoice.amount(draws), invoice.period.contract.currency));
    Some(text)
}

/// An invoice for a period.
#[derive(Debug)]
struct Invoice {
    period: Period,
    date: NaiveDate,
}

/// A line of an invoice.
#[derive(Debug)]
struct Line {
    id: String,
    description: String,
    product: Value,
    unit: &'static str,
    quantity: Decimal,
    amount: Decimal,
}

impl Invoice {
    fn id(&self) -> String {
        SeededRandom::new(0).derive("invoice").derive(self.period.id()).uuid(0)
    }

    fn status(&self, now: DateTime<Utc>) -> &'static str {
        if now.date_naive() >= self.date + Days::new(DUE_DAYS) { "Paid" } else { "Unpaid" }
    }

    fn amount(&self, draws: SeededRandom) -> Decimal {
        self.lines(draws).iter().map(|line| line.amount).sum()
    }

    /// Returns the commitment and the overage of each product.
    fn lines(&self, draws: SeededRandom) -> Vec<Line> {
        let line = |n: u32, charge: &SimulatedCharge, what: &str, quantity: Decimal, amount: Decimal| Line {
            id: SeededRandom::new(0).derive("line").derive(self.id()).derive(charge.terms.name).uuid(n),
            description: format!("{}, {what}", charge.terms.name),
            product: product(charge.terms),
            unit: charge.terms.unit,
            quantity,
            amount: amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero),
        };
        let lines = self.period.charges(draws).into_iter().flat_map(|charge| {
            let prepaid = Decimal::from(charge.terms.prepaid_quantity);
            [
                line(0, &charge, "committed", prepaid, prepaid * decimal(charge.terms.price)),
                // The published schema has only whole quantities here.
                line(
                    1,
                    &charge,
                    "over the commitment",
                    charge.overage_quantity.ceil(),
                    charge.overage_charge,
                ),
            ]
        });
        lines.filter(|line| !line.quantity.is_zero()).collect()
    }

    fn line_json(&self, line: &Line) -> Value {
        json!({
            "id": line.id,
            "product": line.product,
            "description": line.description,
            "dateTransacted": self.date.to_string(),
            "dateStart": self.period.start.to_string(),
            "dateEnd": self.period.end.to_string(),
            "organization": organizations()[0],
            "quantity": exact(line.quantity),
            "unitOfMeasure": line.unit,
            "amount": exact(line.amount),
        })
    }

    fn json(&self, now: DateTime<Utc>, draws: SeededRandom) -> Value {
        let contract = self.period.contract;
        let address = |kind: &str| {
            json!({
                "dateEffective": "2019-04-01",
                "addressType": kind,
                "currencyIsoCode": contract.currency,
                "line1": "1 Example Street",
                "line2": null,
                "cityName": "Springfield",
                "postalCode": "00042",
                "stateCode": "XX",
                "countryCode": "US",
                "country": "United States",
            })
        };
        json!({
            "id": self.id(),
            "billToCustomer": customer(),
            "shipToCustomer": customer(),
            "soldToCustomer": customer(),
            "dateInvoiced": self.date.to_string(),
            "billToAddress": address("BillTo"),
            "shipToAddress": address("ShipTo"),
            "currencyIsoCode": contract.currency,
            "paymentStatus": self.status(now),
            "paymentTerms": format!("Net {DUE_DAYS}"),
            "paymentLink": "https://pay.example.com/",
            "customerPoNumber": contract.orders.first(),
            "customerInvoiceType": "Standard",
            "amount": exact(self.amount(draws)),
        })
    }
}

/// Returns all invoices up to `now`, the latest first.
fn all(now: DateTime<Utc>) -> impl Iterator<Item = Invoice> {
    let invoices =
        closed_periods(now).into_iter().map(|period| Invoice { period, date: period.end + Days::new(3) });
    invoices.filter(move |invoice| invoice.date <= now.date_naive())
}

fn find(id: &str, now: DateTime<Utc>) -> Option<Invoice> {
    all(now).find(|invoice| invoice.id().eq_ignore_ascii_case(id))
}

/// The number of days from its date after which an invoice counts as paid.
const DUE_DAYS: u64 = 30;
