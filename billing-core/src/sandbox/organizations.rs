//! The trustor organisations and their billing overviews.
//!
//! Between them they show what the rules about the numbers are for: currencies with two decimals and with none, periods
//! that begin on any day, an index 0 that is not the open period, a minimum above the total, and figures that are missing
//! or no numbers.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalogue;
use super::draws::Draws;

/// One trustor.
#[derive(Debug)]
pub(super) struct Organization {
    name: &'static str,
    currency: &'static str,
    subscription: &'static str,
    /// The day of the month on which its contract, and so each of its periods, begins. From 1 to 28.
    contract_day: u32,
    /// How many days the server takes until a new period has index 0.
    rotation_days: u64,
    /// What its inclusive ends look like.
    end_of_day: &'static str,
    minimum: Option<&'static str>,
    /// Its quantities, in hundredths of those in the catalogue.
    pub(super) size: u64,
    /// Its prices, in multiples of those in the catalogue.
    pub(super) rate: &'static str,
    /// How many decimals its quantities are written with at least.
    pub(super) decimals: u32,
    pub(super) commits: bool,
    /// Whether its allowance on AI tokens is sent.
    pub(super) allowance: bool,
    /// The part number of a row without an overage price.
    pub(super) unpriced: Option<&'static str>,
    /// The part number of a row whose quantity is no number.
    pub(super) uncounted: Option<&'static str>,
}

/// The ids and names of all.
pub(super) fn all() -> impl Iterator<Item = (String, &'static str)> {
    ORGANIZATIONS.iter().zip(0..).map(|(organization, n)| (id(n), organization.name))
}

/// The billing overview of an organisation, `index` periods before the latest that there is at `now`.
pub(super) fn overview(wanted: &str, index: u32, now: DateTime<Utc>, draws: Draws) -> Option<Value> {
    let (id, organization) =
        (0..).map(id).zip(&ORGANIZATIONS).find(|(id, _)| id.eq_ignore_ascii_case(wanted))?;
    let index = Some(index).filter(|index| *index < PERIODS)?;
    let start = organization.period(now)?.checked_sub_months(Months::new(index))?;
    let next = start.checked_add_months(Months::new(1))?;
    let end = next.pred_opt()?;
    // What is drawn depends on the period's date, not on its index, which changes as time passes.
    let draws = draws.of(&id).of(start.to_string());
    let mut overview = json!({
        "organization": { "id": id, "name": organization.name },
        "currency": organization.currency,
        "enabledProducts": ["PureCloud3Overage", "salesforceOverage", "digitalOverage"],
        "subscriptionType": organization.subscription,
        "rampPeriodStartDate": "2019-04-01T00:00:00Z",
        "rampPeriodEndDate": "2019-06-30T23:59:59.999Z",
        "billingPeriodStartDate": format!("{start}T00:00:00Z"),
        "billingPeriodEndDate": format!("{end}T{}", organization.end_of_day),
        "contractAmendmentDate": null,
        "contractEffectiveDate": "2019-04-01T00:00:00Z",
        "contractEndDate": "2034-03-31T23:59:59Z",
        "inRampPeriod": false,
        "usages": catalogue::rows(organization, draws),
    });
    if let Some(minimum) = organization.minimum {
        overview["minimumMonthlyAmount"] = minimum.into();
    }
    Some(overview)
}

impl Organization {
    /// The first day of its latest period.
    fn period(&self, now: DateTime<Utc>) -> Option<NaiveDate> {
        let today = now.date_naive().checked_sub_days(Days::new(self.rotation_days))?;
        let this_month = today.with_day(self.contract_day)?;
        if this_month <= today { Some(this_month) } else { this_month.checked_sub_months(Months::new(1)) }
    }

    /// A price of the catalogue in its currency.
    pub(super) fn price(&self, text: &str) -> Option<Decimal> {
        let rate = Decimal::from_str_exact(self.rate).ok()?;
        Decimal::from_str_exact(text).ok()?.checked_mul(rate)
    }
}

/// The id of organisation number `n`; the same for every seed, so that documentation can name it.
fn id(n: u32) -> String {
    Draws::new(0).of("organization").uuid(n)
}

/// So many periods are kept, the latest included.
const PERIODS: u32 = 60;

static ORGANIZATIONS: [Organization; 5] = [
    Organization {
        name: "Northwind Airlines",
        currency: "USD",
        subscription: "PREPAY_MONTHLY_COMMITMENT",
        contract_day: 1,
        rotation_days: 0,
        end_of_day: "23:59:59Z",
        minimum: Some("5000.00"),
        size: 100,
        rate: "1",
        decimals: 0,
        commits: true,
        allowance: true,
        unpriced: None,
        uncounted: None,
    },
    Organization {
        name: "Königsberger Versicherung AG",
        currency: "EUR",
        subscription: "PREPAY",
        contract_day: 15,
        rotation_days: 0,
        end_of_day: "23:59:59.999Z",
        minimum: None,
        size: 40,
        rate: "0.925",
        decimals: 6,
        commits: true,
        allowance: true,
        unpriced: Some("GC-120-NV-WAPP"),
        uncounted: None,
    },
    Organization {
        name: "Sakura Mobile 株式会社",
        currency: "JPY",
        subscription: "PREPAY_MONTHLY_COMMITMENT",
        contract_day: 28,
        rotation_days: 0,
        end_of_day: "23:59:59Z",
        minimum: Some("25000000"),
        size: 60,
        rate: "150",
        decimals: 0,
        commits: true,
        allowance: true,
        unpriced: None,
        uncounted: None,
    },
    Organization {
        name: "Pay-as-you-go Parcels",
        currency: "USD",
        subscription: "MONTH_TO_MONTH",
        contract_day: 1,
        rotation_days: 3,
        end_of_day: "23:59:59Z",
        minimum: None,
        size: 15,
        rate: "1.1",
        decimals: 0,
        commits: false,
        allowance: false,
        unpriced: None,
        uncounted: None,
    },
    Organization {
        name: "Quorum Research (dev)",
        currency: "USD",
        subscription: "DEV_ORG_PREPAY",
        contract_day: 7,
        rotation_days: 0,
        end_of_day: "23:59:59.999Z",
        minimum: None,
        size: 5,
        rate: "0.5",
        decimals: 2,
        commits: true,
        allowance: true,
        unpriced: None,
        uncounted: Some("GC-120-NV-STOR"),
    },
];
