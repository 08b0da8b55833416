//! Usage reports: the licences, devices and messages that your own organisation used in a period.

use chrono::{DateTime, Duration, SecondsFormat, SubsecRound, Utc};
use serde_json::{Value, json};

use super::draws::SeededRandom;
use crate::{Period, Timestamp};

/// Returns a report that is not complete.
pub(super) fn in_progress(period: Period) -> Value {
    json!({
        "startDate": period.start(),
        "endDate": period.end(),
        "status": "InProgress",
        "selfUri": SELF_URI,
    })
}

/// Returns the complete report of a period. Every request for the period gets the same one.
pub(super) fn complete(period: Period, draws: SeededRandom, mixed_dates: bool) -> Value {
    let draws = draws.derive("report").derive(period.to_string());
    let dates = Dates { period, draws: draws.derive("dates"), mixed: mixed_dates };
    let usages: Value = KINDS.iter().zip(0..).map(|(kind, n)| kind.usage(n, draws, &dates)).collect();
    let mut report = json!({
        "startDate": period.start(),
        "endDate": period.end(),
        "status": "Complete",
        "usages": usages,
        "selfUri": SELF_URI,
    });
    // Half of the reports have an id and a name, so that clients meet both forms.
    if draws.in_range(ID_DRAW, 0, 1) == 1 {
        report["id"] = draws.uuid(ID_DRAW).into();
        report["name"] = "Billable Usage".into();
    }
    report
}

/// One kind of usage.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    resources: Resources,
    low: u64,
    high: u64,
}

/// The naming of the resources of a usage.
#[derive(Debug, PartialEq)]
enum Resources {
    /// The e-mail address of a user.
    Users,
    /// The e-mail address of a user; the usage has no total.
    UsersUncounted,
    /// The name of a device.
    Devices,
    /// No names: the usage has only a total.
    Unlisted,
}

impl Kind {
    fn usage(&self, kind: u32, draws: SeededRandom, dates: &Dates) -> Value {
        let total = draws.in_range(kind, self.low, self.high);
        let mut usage = json!({ "name": self.name });
        if self.resources != Resources::UsersUncounted {
            usage["totalUsage"] = total.to_string().into();
        }
        if self.resources != Resources::Unlisted {
            let listed = u32::try_from(total).unwrap_or(u32::MAX);
            usage["resources"] = (0..listed)
                .map(|n| {
                    let name = match self.resources {
                        Resources::Devices => format!("phone-{:03}", n + 1),
                        _ => user(n + kind * 64),
                    };
                    json!({ "name": name, "date": dates.draw(kind * 1024 + n) })
                })
                .collect();
        }
        usage
    }
}

/// A source of dates in a period.
#[derive(Debug)]
struct Dates {
    period: Period,
    draws: SeededRandom,
    mixed: bool,
}

impl Dates {
    fn draw(&self, n: u32) -> String {
        let [start, end] = [self.period.start(), self.period.end()].map(Timestamp::instant);
        let last = u64::try_from((end - start).num_milliseconds() - 1).unwrap_or(0);
        let millis = i64::try_from(self.draws.in_range(n, 0, last)).unwrap_or(0);
        let date: DateTime<Utc> = start + Duration::milliseconds(millis);
        let whole = date.trunc_subsecs(0);
        // About every third date has no milliseconds, unless it would then lie before the period.
        if self.mixed && millis % 3 == 0 && whole >= start {
            whole.to_rfc3339_opts(SecondsFormat::Secs, true)
        } else {
            date.to_rfc3339_opts(SecondsFormat::Millis, true)
        }
    }
}

/// Returns the e-mail address of user number `n`. There are 256 different ones.
fn user(n: u32) -> String {
    let index = |n: u32| usize::try_from(n % 16).unwrap_or(0);
    let (first, last) = (FIRST[index(n)], LAST[index(n / 16 + n * 7)]);
    format!("{first}.{last}@example.com")
}

const KINDS: [Kind; 5] = [
    Kind { name: "Genesys Cloud CX 3", resources: Resources::Users, low: 18, high: 40 },
    Kind {
        // A real report has this misspelling.
        name: "Genesys Cloud CX 1 Concorrent",
        resources: Resources::UsersUncounted,
        low: 6,
        high: 14,
    },
    Kind { name: "Genesys Cloud Communicate", resources: Resources::Users, low: 0, high: 9 },
    Kind { name: "Hardware Phone", resources: Resources::Devices, low: 2, high: 12 },
    Kind { name: "SMS Segments", resources: Resources::Unlisted, low: 1_000, high: 90_000 },
];

const FIRST: [&str; 16] = [
    "ada", "ben", "chidi", "dora", "emil", "fatima", "george", "hana", "ines", "jakob", "kofi", "lena",
    "mei", "nuno", "olga", "priya",
];
const LAST: [&str; 16] = [
    "abara", "brandt", "costa", "dubois", "eriksen", "ferrari", "garcia", "haddad", "ito", "jensen",
    "kowalski", "lopez", "mbeki", "novak", "okafor", "petrov",
];

const SELF_URI: &str = "/api/v2/billing/reports/billableusage";
/// The number of the draws for id and name. It differs from the index of every kind.
const ID_DRAW: u32 = 1_000;
