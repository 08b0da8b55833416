//! The contracts of your own organisation, and their billing periods.
//!
//! Two contracts are in force, one in dollars and one in euros, and one has ended. The server keeps the
//! periods of the last 60 months; the figures of a period depend on the seed and on the period.

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use http::Uri;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::draws::SeededRandom;
use super::envelope::{ApiError, exact};
use super::listing;
use super::route::query_parameter;
use super::trustors::own_organization;

/// Returns a page of the contracts.
pub(super) fn page(uri: &Uri, now: DateTime<Utc>) -> Result<Value, ApiError> {
    let status = listing::one_of(uri, "status", &["Active", "Inactive"])?;
    let number = query_parameter(uri, "externalNumber");
    let dates = listing::date_filter(uri)?;
    let contracts: Vec<Value> = CONTRACTS
        .iter()
        .filter(|contract| status.as_deref().is_none_or(|status| status == contract.status(now)))
        .filter(|contract| number.as_deref().is_none_or(|number| number == contract.number))
        .filter(|contract| dates(contract.start(), contract.end()))
        .map(|contract| contract.json(now))
        .collect();
    listing::page(uri, &contracts)
}

/// Returns one contract.
pub(super) fn contract(id: &str, now: DateTime<Utc>) -> Option<Value> {
    Some(find(id)?.json(now))
}

/// Returns one billing period of a contract, with its charges and its wallet.
pub(super) fn period(contract: &str, id: &str, now: DateTime<Utc>, draws: SeededRandom) -> Option<Value> {
    let contract = find(contract)?;
    let period = contract.periods(now).find(|period| period.id().eq_ignore_ascii_case(id))?;
    let mut json = period.json(now);
    json["charges"] = period.charges(draws).iter().map(SimulatedCharge::json).collect();
    json["wallets"] = json!([period.wallet(draws)]);
    Some(json)
}

/// Returns the periods of all contracts that are closed at `now`, the latest first.
pub(super) fn closed_periods(now: DateTime<Utc>) -> Vec<Period> {
    let periods = CONTRACTS.iter().flat_map(|contract| contract.periods(now));
    let mut closed: Vec<Period> = periods.filter(|period| period.is_closed(now)).collect();
    closed.sort_by_key(|period| (std::cmp::Reverse(period.start), period.contract.number));
    closed
}

/// The terms of a contract.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) number: &'static str,
    model: &'static str,
    pub(super) orders: &'static [&'static str],
    pub(super) currency: &'static str,
    /// The first day and the first day after the last, as year, month and day.
    term: [(i32, u32, u32); 2],
    terms: &'static [ProductTerms],
}

/// The terms of one product.
#[derive(Debug)]
pub(super) struct ProductTerms {
    pub(super) name: &'static str,
    sku: &'static str,
    pub(super) unit: &'static str,
    pub(super) prepaid_quantity: u32,
    included_quantity: u32,
    pub(super) price: &'static str,
    overage_price: &'static str,
    /// The range of the usage in a period, and the number of its decimals.
    usage_range: (u64, u64, u32),
}

/// A billing period of a contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) contract: &'static Contract,
    pub(super) start: NaiveDate,
    pub(super) end: NaiveDate,
}

/// The usage of a product in a period, with its charge.
#[derive(Debug)]
pub(super) struct SimulatedCharge {
    pub(super) terms: &'static ProductTerms,
    currency: &'static str,
    id: String,
    used_quantity: Decimal,
    pub(super) overage_quantity: Decimal,
    pub(super) overage_charge: Decimal,
}

impl Contract {
    fn id(&self) -> String {
        SeededRandom::new(0).derive("contract").derive(self.number).uuid(0)
    }

    fn day(&self, which: usize) -> NaiveDate {
        let (year, month, day) = self.term[which];
        NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
    }

    fn start(&self) -> NaiveDate {
        self.day(0)
    }

    fn end(&self) -> NaiveDate {
        self.day(1) - Days::new(1)
    }

    fn status(&self, now: DateTime<Utc>) -> &'static str {
        let today = now.date_naive();
        if today >= self.start() && today <= self.end() { "Active" } else { "Inactive" }
    }

    /// Returns the periods that the server keeps, the latest first.
    fn periods(&'static self, now: DateTime<Utc>) -> impl Iterator<Item = Period> {
        let today = now.date_naive();
        // Contracts start on a day that every month has, so all periods begin on that day.
        let begun = (0..).map(|n| self.start().checked_add_months(Months::new(n)));
        let begun = begun.map_while(|start| start.filter(|start| *start <= today && *start < self.day(1)));
        let latest = u32::try_from(begun.count()).unwrap_or(0);
        let oldest_kept = today.checked_sub_months(Months::new(PERIODS)).unwrap_or(today);
        (0..latest).rev().filter_map(move |n| {
            let start = self.start().checked_add_months(Months::new(n))?;
            let end = start.checked_add_months(Months::new(1))?.pred_opt()?;
            (end > oldest_kept).then_some(Period { contract: self, start, end })
        })
    }

    fn json(&'static self, now: DateTime<Utc>) -> Value {
        let id = self.id();
        let plans: Value = self
            .terms
            .iter()
            .map(|terms| {
                json!({
                    "id": SeededRandom::new(0).derive("plan").derive(&id).derive(terms.sku).uuid(0),
                    "name": terms.name,
                    "organizations": organizations(),
                    "product": product(terms),
                    "items": [{
                        "itemNumber": format!("{}-1", terms.sku),
                        "name": terms.name,
                        "type": "Recurring",
                        "function": "Committed",
                        "description": format!("{} committed to", terms.prepaid_quantity),
                        "dateChargedThrough": null,
                        "currencyIsoCode": self.currency,
                        "discountAmount": exact("0.00"),
                        "dateEffectiveStart": self.start().to_string(),
                        "dateEffectiveEnd": self.end().to_string(),
                        "price": exact(terms.price),
                        "overagePrice": exact(terms.overage_price),
                        "quantity": terms.prepaid_quantity,
                        "unitOfMeasure": terms.unit,
                    }],
                })
            })
            .collect();
        json!({
            "id": id,
            "externalNumber": self.number,
            "status": self.status(now),
            "commercialModel": self.model,
            "purchaseOrderNumbers": self.orders,
            "billToCustomer": customer(),
            "soldToCustomer": customer(),
            "endCustomer": customer(),
            "dateStart": self.start().to_string(),
            "dateEnd": self.end().to_string(),
            "dateRampStart": self.start().to_string(),
            "dateRampEnd": (self.start() + Months::new(3) - Days::new(1)).to_string(),
            "billingPeriods": self.periods(now).map(|period| period.json(now)).collect::<Vec<_>>(),
            "plans": plans,
        })
    }
}

impl Period {
    pub(super) fn id(&self) -> String {
        SeededRandom::new(0)
            .derive("contract period")
            .derive(self.contract.number)
            .derive(self.start.to_string())
            .uuid(0)
    }

    fn is_closed(&self, now: DateTime<Utc>) -> bool {
        self.end < now.date_naive()
    }

    fn json(&self, now: DateTime<Utc>) -> Value {
        json!({
            "id": self.id(),
            "dateStart": self.start.to_string(),
            "dateEnd": self.end.to_string(),
            "status": if self.is_closed(now) { "Closed" } else { "Open" },
        })
    }

    pub(super) fn charges(&self, draws: SeededRandom) -> Vec<SimulatedCharge> {
        let draws = draws.derive("charge").derive(self.id());
        let charge = |(terms, n): (&'static ProductTerms, u32)| {
            let (low, high, scale) = terms.usage_range;
            let used = Decimal::from_i128_with_scale(draws.in_range(n, low, high).into(), scale);
            let covered = Decimal::from(terms.prepaid_quantity) + Decimal::from(terms.included_quantity);
            let over = (used - covered).max(Decimal::ZERO);
            let cost = over * decimal(terms.overage_price);
            SimulatedCharge {
                terms,
                currency: self.contract.currency,
                id: draws.derive(terms.sku).uuid(0),
                used_quantity: used,
                overage_quantity: over,
                overage_charge: cost,
            }
        };
        self.contract.terms.iter().zip(0..).map(charge).collect()
    }

    /// Returns a prepaid balance of tokens. Some periods use more than the balance, so that there is overage.
    fn wallet(&self, draws: SeededRandom) -> Value {
        let draws = draws.derive("wallet").derive(self.id());
        let (starting, increase) = (Decimal::from(30_000), Decimal::from(draws.in_range(0, 0, 5_000)));
        let used = Decimal::from_i128_with_scale(draws.in_range(1, 1_500_000, 4_000_000).into(), 2);
        let over = (used - starting - increase).max(Decimal::ZERO);
        let rate = decimal("0.0125");
        json!({
            "id": draws.uuid(2),
            "name": "AI Experience tokens",
            "organizations": organizations(),
            "product": { "id": "tokens", "sku": "GC-170-NV-AITC", "name": "AI Tokens", "unitOfMeasure": "Token" },
            "startingBalance": exact(starting),
            "endingBalance": exact(starting + increase - used + over),
            "balanceIncrease": exact(increase),
            "balanceDecrease": 0,
            "balanceConsumption": exact(used - over),
            "balanceOverage": exact(over),
            "balanceOverageRate": exact(rate),
            "balanceOverageCharge": exact(over * rate),
            "balanceOverageCurrency": self.contract.currency,
            "unitOfMeasure": "Token",
        })
    }
}

impl SimulatedCharge {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.terms.name,
            "product": product(self.terms),
            "organizations": organizations(),
            "prepaidQuantity": self.terms.prepaid_quantity,
            "fairuseQuantity": self.terms.included_quantity,
            "actualQuantity": exact(self.used_quantity),
            "overageQuantity": exact(self.overage_quantity),
            "overageRate": exact(self.terms.overage_price),
            "overageCharge": exact(self.overage_charge),
            "overageCurrency": self.currency,
            "convertedTokenCount": null,
        })
    }
}

/// Returns a list with your own organisation only.
pub(super) fn organizations() -> Value {
    let own = own_organization();
    json!([{ "id": own["id"], "name": own["name"] }])
}

/// Returns your own organisation as the customer of a contract.
pub(super) fn customer() -> Value {
    let own = own_organization();
    json!({ "id": SeededRandom::new(0).derive("customer").uuid(0), "number": "0004217", "name": own["name"] })
}

pub(super) fn product(terms: &ProductTerms) -> Value {
    json!({
        "id": SeededRandom::new(0).derive("product").derive(terms.sku).uuid(0),
        "sku": terms.sku,
        "name": terms.name,
        "unitOfMeasure": terms.unit,
    })
}

pub(super) fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap_or_default()
}

fn find(id: &str) -> Option<&'static Contract> {
    CONTRACTS.iter().find(|contract| contract.id().eq_ignore_ascii_case(id))
}

/// The number of months for which periods are kept.
const PERIODS: u32 = 60;

static CONTRACTS: [Contract; 3] = [
    Contract {
        number: "Q-100482",
        model: "Prepay",
        orders: &["PO-7781", "PO-9020"],
        currency: "USD",
        term: [(2019, 4, 1), (2034, 4, 1)],
        terms: &[
            ProductTerms {
                name: "Genesys Cloud CX 3",
                sku: "GC-170-NV-CX3",
                unit: "User",
                prepaid_quantity: 120,
                included_quantity: 0,
                price: "155.00",
                overage_price: "170.50",
                usage_range: (105, 150, 0),
            },
            ProductTerms {
                name: "IVR Minutes",
                sku: "GC-120-NV-IVRMIN",
                unit: "Minute",
                prepaid_quantity: 100_000,
                included_quantity: 120_000,
                price: "0.0150",
                overage_price: "0.0175",
                usage_range: (150_000, 450_000, 0),
            },
            ProductTerms {
                name: "Data Storage",
                sku: "GC-120-NV-STOR",
                unit: "GB",
                prepaid_quantity: 100,
                included_quantity: 25,
                price: "0.08",
                overage_price: "0.12",
                usage_range: (90_000, 260_000, 3),
            },
        ],
    },
    Contract {
        number: "Q-100977",
        model: "Usage",
        orders: &[],
        currency: "EUR",
        term: [(2022, 2, 15), (2034, 2, 15)],
        terms: &[
            ProductTerms {
                name: "SMS Segments",
                sku: "GC-120-NV-SMS",
                // A unit that the published schema does not have.
                unit: "Segments (outbound)",
                prepaid_quantity: 0,
                included_quantity: 0,
                price: "0",
                overage_price: "0.00645",
                usage_range: (40_000, 90_000, 0),
            },
            ProductTerms {
                name: "Translations",
                sku: "GC-120-NV-TRANS",
                unit: "MillionCharacters",
                prepaid_quantity: 2,
                included_quantity: 1,
                price: "18.40",
                overage_price: "20.24",
                usage_range: (1_000_000, 9_000_000, 6),
            },
        ],
    },
    Contract {
        number: "Q-088110",
        model: "Prepay",
        orders: &["PO-2214"],
        currency: "USD",
        term: [(2016, 4, 1), (2019, 4, 1)],
        terms: &[],
    },
];
