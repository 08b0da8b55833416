//! The trustor organisations and their billing overviews.
//!
//! The first five are fixed samples, which together cover the billing rules: currencies with two decimals and
//! with none, periods that begin on any day, an index 0 that is not the open period, a minimum above the
//! total, and figures that are missing or not numbers. The others are generated: copies of one of the first
//! four without a minimum commitment, each with its own name, size and contract day. A generated organisation
//! is not stored: a request builds it from its number, which its id encodes.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalogue;
use super::draws::SeededRandom;

/// A trustor organisation.
#[derive(Clone, Debug)]
pub(super) struct Organization {
    name: Cow<'static, str>,
    currency: &'static str,
    subscription: &'static str,
    /// The day of the month on which the contract and each of its periods begin, from 1 to 28.
    contract_day: u32,
    /// The number of days until a new period has index 0.
    rotation_days: u64,
    /// The form of its inclusive period ends.
    end_of_day: &'static str,
    minimum: Option<&'static str>,
    /// The factor on quantities of the catalogue, in hundredths.
    pub(super) size: u64,
    /// The factor on prices of the catalogue.
    pub(super) rate: &'static str,
    /// The minimum number of decimals of the quantities.
    pub(super) decimals: u32,
    pub(super) commits: bool,
    /// True if the overview has the allowance on AI tokens.
    pub(super) allowance: bool,
    /// The part number of a row without an overage price.
    pub(super) unpriced: Option<&'static str>,
    /// The part number of a row whose quantity is not a number.
    pub(super) uncounted: Option<&'static str>,
}

/// Returns the ids and names of the fixed samples.
pub(super) fn sample_ids_and_names() -> impl Iterator<Item = (String, Cow<'static, str>)> {
    ORGANIZATIONS.iter().zip(0..).map(|(organization, n)| (id(n), organization.name.clone()))
}

/// Returns the id and the name of organisation number `n`.
pub(super) fn id_and_name(n: u32) -> (String, Cow<'static, str>) {
    match ORGANIZATIONS.get(index(n)) {
        Some(organization) => (id(n), organization.name.clone()),
        None => (id(n), invented_name(n).into()),
    }
}

/// Returns the billing overview of the organisation with the id `wanted`, for the period that is `index`
/// periods before the latest at `now`. Returns `None` if the id is not that of one of the first `known`
/// organisations, or the period is not kept.
pub(super) fn overview(
    wanted: &str,
    known: u32,
    index: u32,
    now: DateTime<Utc>,
    draws: SeededRandom,
) -> Option<Value> {
    let n = number_of(wanted).filter(|n| *n < known)?;
    let (id, organization) = (id(n), &*Organization::of(n, draws));
    let index = Some(index).filter(|index| *index < PERIODS)?;
    let start = organization.period(now)?.checked_sub_months(Months::new(index))?;
    let next = start.checked_add_months(Months::new(1))?;
    let end = next.pred_opt()?;
    // The figures depend on the date of the period, because its index changes as time passes.
    let draws = draws.derive(&id).derive(start.to_string());
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
    /// Returns organisation number `n`.
    fn of(n: u32, draws: SeededRandom) -> Cow<'static, Self> {
        if let Some(organization) = ORGANIZATIONS.get(index(n)) {
            return Cow::Borrowed(organization);
        }
        let draws = draws.derive("invented").derive(n.to_le_bytes());
        let like =
            &ORGANIZATIONS[index(u32::try_from(draws.in_range(0, 0, LAST_TEMPLATE)).unwrap_or_default())];
        Cow::Owned(Self {
            name: invented_name(n).into(),
            contract_day: u32::try_from(draws.in_range(1, 1, 28)).unwrap_or(1),
            size: draws.in_range(2, 2, 250),
            minimum: None,
            ..like.clone()
        })
    }

    /// Returns the first day of the latest period.
    fn period(&self, now: DateTime<Utc>) -> Option<NaiveDate> {
        let today = now.date_naive().checked_sub_days(Days::new(self.rotation_days))?;
        let this_month = today.with_day(self.contract_day)?;
        if this_month <= today { Some(this_month) } else { this_month.checked_sub_months(Months::new(1)) }
    }

    /// Returns a price of the catalogue in the currency of the organisation.
    pub(super) fn price(&self, text: &str) -> Option<Decimal> {
        let rate = Decimal::from_str_exact(self.rate).ok()?;
        Decimal::from_str_exact(text).ok()?.checked_mul(rate)
    }
}

/// Returns the id of organisation number `n`. It is the same for every seed, so that documentation can cite it.
///
/// The first eight digits of the id of a generated organisation encode its number.
fn id(n: u32) -> String {
    let drawn = SeededRandom::new(0).derive("organization").uuid(n);
    match ORGANIZATIONS.get(index(n)) {
        Some(_) => drawn,
        None => format!("{:08x}{}", n.wrapping_mul(ID_MULTIPLIER), drawn.get(8..).unwrap_or_default()),
    }
}

/// Returns the number of the organisation with the given id.
fn number_of(wanted: &str) -> Option<u32> {
    let is = |n: &u32| id(*n).eq_ignore_ascii_case(wanted);
    let named = (0..).zip(&ORGANIZATIONS).map(|(n, _)| n).find(is);
    named.or_else(|| {
        let disguised = u32::from_str_radix(wanted.get(..8)?, 16).ok()?;
        Some(disguised.wrapping_mul(ID_MULTIPLIER_INVERSE)).filter(is)
    })
}

/// Returns the name of a generated organisation. It contains the number, so that no two names are equal.
fn invented_name(n: u32) -> String {
    let pick = |words: &[&'static str; 16], n: u32| words[index(n % 16)];
    format!("{} {} {n}", pick(&NAME_FIRST_WORDS, n), pick(&NAME_SECOND_WORDS, n / 16))
}

fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The number of periods that are kept, including the latest.
const PERIODS: u32 = 60;

/// The index of the last sample that generated organisations copy. The fifth sample is not copied: one of its
/// quantities is not a number.
const LAST_TEMPLATE: u64 = 3;

/// An odd number. Multiplying by it modulo 2³² maps different numbers to different ids, and the inverse maps
/// them back.
const ID_MULTIPLIER: u32 = 0x9e37_79b1;
const ID_MULTIPLIER_INVERSE: u32 = 0x0e8b_2f51;

const NAME_FIRST_WORDS: [&str; 16] = [
    "Alder", "Birch", "Cedar", "Dune", "Elm", "Fjord", "Grove", "Harbour", "Island", "Juniper", "Kestrel",
    "Linden", "Meadow", "Nordic", "Orchard", "Pine",
];
const NAME_SECOND_WORDS: [&str; 16] = [
    "Airways",
    "Bank",
    "Clinics",
    "Credit",
    "Energy",
    "Foods",
    "Freight",
    "Hotels",
    "Insurance",
    "Logistics",
    "Media",
    "Parcels",
    "Retail",
    "Telecom",
    "Travel",
    "Utilities",
];

static ORGANIZATIONS: [Organization; 5] = [
    Organization {
        name: Cow::Borrowed("Northwind Airlines"),
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
        name: Cow::Borrowed("Königsberger Versicherung AG"),
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
        name: Cow::Borrowed("Sakura Mobile 株式会社"),
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
        name: Cow::Borrowed("Pay-as-you-go Parcels"),
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
        name: Cow::Borrowed("Quorum Research (dev)"),
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
