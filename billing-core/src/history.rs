//! History: the billing periods of one organisation, walking back from the latest.
//!
//! ```text
//!   History ─► exchange for index n (with its retries) ─► Done(Visit { finding, rest }) ─┬─ rest: Some(History) ─► index n+1
//!                                                                                        └─ rest: None; finding.ended: why
//! ```
//!
//! Each turn is a machine of its own: it asks for one index and yields what was found there and the machine for the rest.
//! Whoever has enough drops the rest; whoever wants to go on later saves it with serde.
//!
//! What an index means changes when the server begins a new period, which takes it days. So periods are chosen by their own
//! dates (rule 14), and one that is served under two indexes counts once.
//!
//! ```
//! use billing_core::history::{Ended, Found, History, Reach};
//! use billing_core::{Environment, Machine, Policy, Step};
//!
//! let environment = Environment::default();
//! let organization = "9d750d63-95ae-4df7-8955-2bca7152ca19".parse()?;
//! let now = "2026-11-02T09:00:00Z".parse()?;
//! let mut rest = Some(History::new(organization, Reach::year(2026)?, environment.api().clone(), Policy::default()));
//! let mut months = Vec::new();
//! while let Some(history) = rest.take() {
//!     let index = history.next_index().get();
//!     let Step::Send(_, sent) = history.step(now) else { panic!("a request") };
//!     // A server that has the months from October back to May.
//!     let reply = match 10_u32.checked_sub(index).filter(|month| *month > 4) {
//!         Some(month) => http::Response::new(
//!             format!(r#"{{"billingPeriodStartDate":"2026-{month:02}-01T00:00:00Z",
//!                          "billingPeriodEndDate":"2026-{month:02}-28T23:59:59Z"}}"#).into(),
//!         ),
//!         None => http::Response::builder().status(404).body("{}".into())?,
//!     };
//!     let Step::Done(visit) = sent.receive(Ok(reply), now) else { panic!("an answer") };
//!     let visit = visit?;
//!     match visit.finding.found {
//!         Found::Period(period) => months.push(period.overview.billing_period_start_date.unwrap().to_string()),
//!         found => assert!(matches!(found, Found::Nothing) && visit.finding.ended == Some(Ended::Oldest)),
//!     }
//!     rest = visit.rest;
//! }
//! assert_eq!((months.len(), months[0].as_str()), (6, "2026-10-01T00:00:00Z"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Answer, LOGIN, TrusteeOverviewCall, WithBody};
use crate::checkpoint::Format;
use crate::exchange::{Attempts, Next, Taken};
use crate::machine::{Hold, Received, sealed};
use crate::model::TrusteeOverview;
use crate::progress::Progress;
use crate::timestamp::before;
use crate::{
    BaseUrl, Error, ErrorKind, InvalidInput, Machine, OrgId, Period, PeriodIndex, Policy, Sent, Step,
    Timestamp,
};

/// How far back a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reach {
    /// The period with this index, and no other.
    Index(PeriodIndex),
    /// So many periods, from the latest that the server has. An index that cannot be read stands for one.
    Periods(NonZeroU32),
    /// The periods of which any part lies in this range, by their own dates.
    Range(Period),
    /// Every period that the server still has.
    All,
}

impl Reach {
    /// The periods of which any part lies in that calendar year, in UTC. Where periods do not begin with a month there are 13.
    ///
    /// # Errors
    /// For a year before 1 or after 9998.
    pub fn year(year: i32) -> Result<Self, InvalidInput> {
        let first = |year: i32| {
            let midnight = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            midnight.map(|t| t.and_utc()).ok_or_else(|| InvalidInput::Date(year.to_string()))
        };
        Ok(Self::Range(Period::new(first(year)?, first(year.saturating_add(1))?)?))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "the period with index {index}"),
            Self::Periods(n) if n.get() == 1 => f.write_str("the latest period"),
            Self::Periods(n) => write!(f, "the latest {n} periods"),
            Self::Range(range) => write!(f, "the periods of {range}"),
            Self::All => f.write_str("all periods"),
        }
    }
}

/// Walks through the billing periods of an organisation; see the [module's text](self).
///
/// A failed index is reported, and the walk goes on with the next one; the failure that will meet every other index too (the
/// login, a permission, the deadline) ends it as an error, and so does a 404 for the first index: there is no such
/// organisation.
///
/// # Bound
/// Each turn is one [`Exchange`](crate::Exchange), with its bound; there are at most [`History::MOST`] turns. After
/// [`History::FAILURES`] failed indexes in a row, or as many that are the same period again, the walk ends and says so.
#[derive(Clone, Debug)]
#[must_use = "a machine does nothing unless it is stepped"]
pub struct History(State);

/// One turn of a walk.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Visit {
    /// What was found.
    pub finding: Finding,
    /// The machine for the rest; `None` at the end of the walk.
    pub rest: Option<History>,
}

/// What a walk found under one index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The organisation.
    pub organization: OrgId,
    /// The index that was asked for.
    pub index: PeriodIndex,
    /// What is there.
    pub found: Found,
    /// Why the walk has come to its end, if it has with this.
    pub ended: Option<Ended>,
}

/// What a walk finds under an index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Found {
    /// A period that the walk is for.
    Period(Box<BillingPeriod>),
    /// A period that may be one of the range, but was sent without the dates that would tell.
    Undated(Box<BillingPeriod>),
    /// A period before or after the range, with its dates.
    Outside(Dates),
    /// A period that was there before: the server has begun a new one meanwhile, so that each has moved by an index.
    Repeated(Dates),
    /// The index could not be read.
    Failed(Error),
    /// Nothing: the server has no period that is older than those before.
    Nothing,
}

/// One billing period of an organisation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BillingPeriod {
    /// The index that it was asked for by. Another answer may have it under another.
    pub index: PeriodIndex,
    /// The overview.
    pub overview: TrusteeOverview,
    /// The body that it was read from.
    pub body: Bytes,
}

/// When a period is, as far as the server said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Dates {
    /// When it begins.
    pub start: Option<Timestamp>,
    /// When it ends, inclusive (`…T23:59:59Z`).
    pub end: Option<Timestamp>,
}

/// Why a walk has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Ended {
    /// There are as many periods as were asked for.
    Enough,
    /// The server has no older period.
    Oldest,
    /// Two periods in a row end before the range.
    BeforeRange,
    /// So many indexes in a row have failed that more would be of no use. There may be older periods.
    GaveUp,
    /// The server gives the same period again and again.
    Circles,
    /// So many indexes are enough for any organisation, and there are still more.
    Endless,
    /// By a failure that every other index would meet too. (Only of an organisation among many: a walk of its own ends with
    /// the error.)
    Failed,
}

impl History {
    /// So many turns and no more: a hundred years of months.
    pub const MOST: u32 = 1200;
    /// So many failed indexes in a row end a walk.
    pub const FAILURES: u32 = 3;

    /// The walk through the periods of `organization`, under the address `api`.
    pub fn new(organization: OrgId, reach: Reach, api: BaseUrl, policy: Policy) -> Self {
        let walk = Walk::new(reach);
        let call = WithBody(TrusteeOverviewCall::new(organization.clone()).period(walk.index()));
        Self(State { organization, walk, exchange: Attempts::new(call, api, policy) })
    }

    /// The organisation.
    pub fn organization(&self) -> &OrgId {
        &self.0.organization
    }

    /// The index that is asked for next.
    pub fn next_index(&self) -> PeriodIndex {
        self.0.walk.index()
    }

    /// Goes on as if what is known already had been found, without asking for it.
    pub(crate) fn recall(mut self, known: Brief) -> Result<Self, Ended> {
        let (_, ended) = self.0.walk.note(known);
        self.after(ended)
    }

    fn after(self, ended: Option<Ended>) -> Result<Self, Ended> {
        if let Some(ended) = ended {
            return Err(ended);
        }
        let State { organization, walk, exchange } = self.0;
        let call = WithBody(TrusteeOverviewCall::new(organization.clone()).period(walk.index()));
        let exchange = Attempts::new(call, exchange.api, exchange.policy);
        Ok(Self(State { organization, walk, exchange }))
    }

    fn visit(self, index: PeriodIndex, found: Found, ended: Option<Ended>) -> Visit {
        let organization = self.0.organization.clone();
        Visit { finding: Finding { organization, index, found, ended }, rest: self.after(ended).ok() }
    }

    fn found(mut self, Answer { value, body }: Answer<TrusteeOverview>) -> Visit {
        let index = self.0.walk.index();
        let dates = Dates::of(&value);
        let (sort, ended) = self.0.walk.note(Brief::Period(dates));
        let period = Box::new(BillingPeriod { index, overview: value, body });
        let found = match sort {
            Sort::Wanted => Found::Period(period),
            Sort::Undated => Found::Undated(period),
            Sort::Outside => Found::Outside(dates),
            Sort::Repeated => Found::Repeated(dates),
        };
        self.visit(index, found, ended)
    }

    fn failed(mut self, error: Error) -> Result<Visit, Error> {
        let walk = &mut self.0.walk;
        let index = walk.index();
        if walk.is_first() && *error.kind() == ErrorKind::NotFound {
            return Err(error);
        }
        let (found, known) = match error.kind() {
            ErrorKind::NotFound => (Found::Nothing, Brief::Nothing),
            _ if matches!(walk.reach, Reach::Index(_)) || meets_every_index(&error) => return Err(error),
            _ => (Found::Failed(error), Brief::Failed),
        };
        let (_, ended) = walk.note(known);
        Ok(self.visit(index, found, ended))
    }

    fn go(self, next: Result<Next, Error>) -> Step<Self> {
        match next {
            Ok(Next::Send(request)) => Step::Send(request, Sent::new(self)),
            Ok(Next::Wait(until)) => Step::Wait(until, self),
            Err(error) => Step::Done(self.failed(error)),
        }
    }
}

impl Machine for History {
    type Output = Visit;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.exchange.wake(now);
        self.go(next)
    }

    fn progress(&self) -> Progress {
        self.0.exchange.progress()
    }
}

impl sealed::Machine for History {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        match self.0.exchange.take(received, Duration::ZERO, now) {
            Ok(Taken::Value(answer, _, _)) => Step::Done(Ok(self.found(answer))),
            Ok(Taken::Again) => {
                let next = self.0.exchange.proceed(now);
                self.go(next)
            }
            Err(error) => Step::Done(self.failed(error)),
        }
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.exchange.held(hold, now);
        self.go(next)
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.seal(None, &self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.unseal(|_| None, deserializer).map(Self)
    }
}

impl Dates {
    pub(crate) fn of(overview: &TrusteeOverview) -> Self {
        Self { start: overview.billing_period_start_date, end: overview.billing_period_end_date }
    }

    /// Whether these are of one period (rule 14). An end comes with and without fractions of a second, so that it is the last
    /// day that decides; where one of the two has no end, the first day. Without such a day in common they are not known to be.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        // An end that is a midnight is one that is not inclusive.
        let last_day = |end: Timestamp| before(end.instant(), Duration::from_nanos(1)).date_naive();
        match (self.end, other.end, self.start, other.start) {
            (Some(end), Some(other), ..) => last_day(end) == last_day(other),
            (.., Some(start), Some(other)) => start.date() == other.date(),
            _ => false,
        }
    }

    fn place(self, range: Period) -> Place {
        let Self { start, end } = self;
        // An end that is the very beginning of the range is one that is not inclusive.
        if end.is_some_and(|end| end <= range.start()) {
            return Place::Before;
        }
        if start.is_some_and(|start| start >= range.end()) {
            return Place::After;
        }
        let begins_within = start.is_some_and(|start| start >= range.start());
        let ends_within = end.is_some_and(|end| end <= range.end());
        if begins_within || ends_within || (start.is_some() && end.is_some()) {
            Place::Within
        } else {
            Place::Unknown
        }
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start, self.end) {
            (Some(start), Some(end)) => write!(f, "{} to {}", start.date(), end.date()),
            (Some(start), None) => write!(f, "from {}", start.date()),
            (None, Some(end)) => write!(f, "to {}", end.date()),
            (None, None) => f.write_str("without dates"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enough => "all that were asked for",
            Self::Oldest => "the server has no older period",
            Self::BeforeRange => "older periods end before the range",
            Self::GaveUp => {
                "given up after three periods in a row that could not be read; there may be older ones"
            }
            Self::Circles => "given up, as the server gives the same period again and again",
            Self::Endless => "given up, as the server has more periods than there can be",
            Self::Failed => "failed",
        })
    }
}

/// Everything that a walk is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    organization: OrgId,
    walk: Walk,
    exchange: Attempts<WithBody<TrusteeOverviewCall>>,
}

/// Where a walk stands: what it is for and what it has seen, without any exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Walk {
    reach: Reach,
    next: u32,
    /// How many of the periods that were asked for are found, or failed.
    count: u32,
    /// Periods in a row that end before the range.
    before: u32,
    /// Indexes in a row that failed, and that were a period again that was there before.
    failed: u32,
    repeated: u32,
    /// The dates of the periods so far.
    seen: Vec<Dates>,
}

/// What was found under an index, as far as it matters for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brief {
    Period(Dates),
    Failed,
    Nothing,
    /// A failure that every other index would meet too.
    Fatal,
}

impl Brief {
    /// Whether both are of one period.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        matches!((self, other), (Self::Period(one), Self::Period(other)) if one.is_same_period(other))
    }
}

/// What a period is to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Wanted,
    Undated,
    Outside,
    Repeated,
}

/// Where a period lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Within,
    After,
    Unknown,
}

impl Walk {
    fn new(reach: Reach) -> Self {
        let next = match reach {
            Reach::Index(index) => index.get(),
            Reach::Periods(_) | Reach::Range(_) | Reach::All => 0,
        };
        Self { reach, next, count: 0, before: 0, failed: 0, repeated: 0, seen: Vec::new() }
    }

    fn index(&self) -> PeriodIndex {
        PeriodIndex::new(self.next)
    }

    /// Whether nothing was asked for yet.
    fn is_first(&self) -> bool {
        self.next == Self::new(self.reach).next
    }

    /// Takes in what is under the next index, and goes on to the one after it.
    fn note(&mut self, known: Brief) -> (Sort, Option<Ended>) {
        let sort = self.sort(known);
        match known {
            Brief::Nothing => return (sort, Some(Ended::Oldest)),
            Brief::Fatal => return (sort, Some(Ended::Failed)),
            Brief::Failed => self.failed = self.failed.saturating_add(1),
            Brief::Period(_) => self.failed = 0,
        }
        match sort {
            Sort::Repeated => self.repeated = self.repeated.saturating_add(1),
            Sort::Wanted | Sort::Undated => (self.repeated, self.count) = (0, self.count.saturating_add(1)),
            Sort::Outside => self.repeated = 0,
        }
        self.next = self.next.saturating_add(1);
        let enough = match self.reach {
            Reach::Index(_) => true,
            Reach::Periods(n) => self.count >= n.get(),
            Reach::Range(_) | Reach::All => false,
        };
        let ended = if enough {
            Some(Ended::Enough)
        } else if self.before >= 2 {
            Some(Ended::BeforeRange)
        } else if self.failed >= History::FAILURES {
            Some(Ended::GaveUp)
        } else if self.repeated >= History::FAILURES {
            Some(Ended::Circles)
        } else if self.next >= History::MOST {
            Some(Ended::Endless)
        } else {
            None
        };
        (sort, ended)
    }

    fn sort(&mut self, known: Brief) -> Sort {
        let dates = match known {
            Brief::Period(dates) => dates,
            // It stands for the period that it would have been.
            Brief::Failed | Brief::Nothing | Brief::Fatal => return Sort::Undated,
        };
        if self.seen.iter().any(|seen| seen.is_same_period(dates)) {
            return Sort::Repeated;
        }
        if dates != Dates::default() {
            self.seen.push(dates);
        }
        let Reach::Range(range) = self.reach else { return Sort::Wanted };
        let place = dates.place(range);
        self.before = match place {
            Place::Before => self.before.saturating_add(1),
            Place::Within | Place::After => 0,
            Place::Unknown => self.before,
        };
        match place {
            Place::Before | Place::After => Sort::Outside,
            Place::Within => Sort::Wanted,
            Place::Unknown => Sort::Undated,
        }
    }
}

/// Whether every other index would fail in the same way: there is no login, no permission or no time.
fn meets_every_index(error: &Error) -> bool {
    let kind = error.kind();
    let always = matches!(
        kind,
        ErrorKind::Unauthorized
            | ErrorKind::LoginRefused
            | ErrorKind::Forbidden
            | ErrorKind::Unsendable(_)
            | ErrorKind::Deadline(_)
            | ErrorKind::Deferred(_)
    );
    always || error.operation() == LOGIN
}

const FORMAT: Format = Format { name: "billing-core history", version: 2 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{reply, run, start};
    use crate::{Environment, Reply};

    fn overview(start: &str, end: &str) -> Reply {
        let date = |name: &str, day: &str, time: &str| match day {
            "-" => format!(r#""{name}":null"#),
            day => format!(r#""{name}":"{day}T{time}""#),
        };
        let start = date("billingPeriodStartDate", start, "00:00:00Z");
        let end = date("billingPeriodEndDate", end, "23:59:59Z");
        reply(200, "", &format!("{{{start},{end}}}"))
    }

    /// Month number `n`, counted from January 2020, as a server sends it whose contract begins on day `day`.
    fn month(n: u32, day: u32) -> Reply {
        let first =
            |n: u32| NaiveDate::from_ymd_opt(2020 + i32::try_from(n / 12).unwrap(), n % 12 + 1, day).unwrap();
        overview(&first(n).to_string(), &first(n + 1).pred_opt().unwrap().to_string())
    }

    fn gone() -> Reply {
        reply(404, "", r#"{"code":"not.found"}"#)
    }

    /// What a walk comes upon, a word for each index, and how it ends. It is saved and restored before each of the first turns.
    fn walk(reach: Reach, mut server: impl FnMut(u32) -> Reply) -> (Vec<String>, Result<Ended, Error>) {
        let policy =
            Policy { retries: crate::RetrySchedule { limit: 0, ..Default::default() }, ..Policy::default() };
        let api = Environment::default().api().clone();
        let mut history = History::new("org".parse().unwrap(), reach, api, policy);
        let mut words = Vec::new();
        loop {
            if words.len() < 30 {
                let saved = serde_json::to_string(&history).unwrap();
                history = serde_json::from_str(&saved).unwrap();
                assert_eq!(serde_json::to_string(&history).unwrap(), saved);
            }
            let asked = history.next_index();
            let done = run(history, |request, _| {
                let index = request.http().uri().query().unwrap().trim_start_matches("billingPeriodIndex=");
                assert_eq!(index, asked.to_string());
                server(index.parse().unwrap())
            });
            let visit = match done.result {
                Ok(visit) => visit,
                Err(error) => return (words, Err(error)),
            };
            let Visit { finding: Finding { organization, index, found, ended }, rest } = visit;
            assert_eq!((organization.as_str(), index), ("org", asked));
            let day = |period: &BillingPeriod| Dates::of(&period.overview).to_string();
            words.push(match &found {
                Found::Period(period) => day(period),
                Found::Undated(period) => format!("undated {}", day(period)),
                Found::Outside(_) => "outside".to_owned(),
                Found::Repeated(_) => "repeated".to_owned(),
                Found::Failed(error) => format!("failed {}", error.status().unwrap().as_u16()),
                Found::Nothing => "nothing".to_owned(),
            });
            match (rest, ended) {
                (Some(rest), None) => history = rest,
                (None, Some(ended)) => return (words, Ok(ended)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn periods(n: u32) -> Reach {
        Reach::Periods(NonZeroU32::new(n).unwrap())
    }

    fn range(from: &str, to: &str) -> Reach {
        Reach::Range(Period::from_user(from, to).unwrap())
    }

    #[test]
    fn by_count_it_ends_with_the_last_that_was_asked_for() {
        let (words, ended) = walk(periods(3), |index| month(30 - index, 1));
        assert_eq!(
            words,
            ["2022-07-01 to 2022-07-31", "2022-06-01 to 2022-06-30", "2022-05-01 to 2022-05-31"]
        );
        assert_eq!(ended.unwrap(), Ended::Enough);
        let (words, ended) = walk(Reach::Index(PeriodIndex::new(7)), |index| month(30 - index, 1));
        assert_eq!((words.len(), ended.unwrap()), (1, Ended::Enough));
    }

    #[test]
    fn rule_14_it_reaches_whatever_the_server_still_has() {
        for reach in [Reach::All, periods(500), range("2020-01-01", "2030-01-01")] {
            let (words, ended) = walk(reach, |index| if index < 60 { month(70 - index, 1) } else { gone() });
            assert_eq!((words.len(), words[60].as_str(), ended.unwrap()), (61, "nothing", Ended::Oldest));
        }
    }

    #[test]
    fn rule_14_a_year_is_found_by_the_dates_of_its_periods() {
        // Index 0 is in the middle of 2022, and no index says so.
        let (words, ended) = walk(Reach::year(2021).unwrap(), |index| month(30 - index, 1));
        assert!(words[..7].iter().all(|word| word == "outside"));
        assert_eq!(
            (words[7].as_str(), words[18].as_str()),
            ("2021-12-01 to 2021-12-31", "2021-01-01 to 2021-01-31")
        );
        assert_eq!(
            (&words[19..], ended.unwrap()),
            (&["outside".to_owned(), "outside".to_owned()][..], Ended::BeforeRange)
        );
        // Contracts begin on any day, so that thirteen periods lie in a year in part.
        let (words, _) = walk(Reach::year(2021).unwrap(), |index| month(30 - index, 15));
        let within: Vec<_> = words.iter().filter(|word| *word != "outside").collect();
        assert_eq!(
            (within.len(), within[0].as_str(), within[12].as_str()),
            (13, "2021-12-15 to 2022-01-14", "2020-12-15 to 2021-01-14")
        );
    }

    #[test]
    fn rule_14_one_period_before_the_range_is_not_the_end() {
        let order = [30, 20, 24, 23, 22, 21];
        let (words, ended) = walk(range("2022-01-01", "2022-07-01"), |index| {
            order.get(index as usize).map_or_else(|| month(15, 1), |n| month(*n, 1))
        });
        assert_eq!(words[1..3], ["outside", "2022-01-01 to 2022-01-31"]);
        assert_eq!((words.len(), ended.unwrap()), (5, Ended::BeforeRange));
    }

    #[test]
    fn rule_14_a_range_with_no_period_is_empty_and_no_error() {
        let (words, ended) =
            walk(
                range("2010-01-01", "2011-01-01"),
                |index| if index < 5 { month(30 - index, 1) } else { gone() },
            );
        assert_eq!((words.len(), words[5].as_str(), ended.unwrap()), (6, "nothing", Ended::Oldest));
        let (words, ended) = walk(range("2040-01-01", "2041-01-01"), |index| month(30 - index, 1));
        assert_eq!((words, ended.unwrap()), (vec!["outside".to_owned(); 2], Ended::BeforeRange));
    }

    #[test]
    fn rule_14_a_failed_index_is_reported_and_the_walk_goes_on() {
        let server = |index| match index {
            0 | 2 | 3 => reply(500, "", ""),
            6.. => gone(),
            index => month(30 - index, 1),
        };
        let (words, ended) = walk(Reach::All, server);
        assert_eq!(words[..4], ["failed 500", "2022-06-01 to 2022-06-30", "failed 500", "failed 500"]);
        assert_eq!((words.len(), ended.unwrap()), (7, Ended::Oldest));
        // Of a count it takes the place of the period that it would have been.
        let (words, ended) = walk(periods(3), server);
        assert_eq!((words.len(), ended.unwrap()), (3, Ended::Enough));
        let (words, _) =
            walk(periods(2), |index| if index == 1 { reply(400, "", "") } else { month(30 - index, 1) });
        assert_eq!(words[1], "failed 400");
    }

    #[test]
    fn after_three_failures_in_a_row_it_gives_up_and_says_so() {
        let (words, ended) =
            walk(Reach::All, |index| if index < 2 { month(30 - index, 1) } else { reply(500, "", "") });
        assert_eq!((words.len(), ended.unwrap()), (5, Ended::GaveUp));
    }

    #[test]
    fn what_meets_every_index_is_an_error() {
        for (status, kind) in [(401, ErrorKind::Unauthorized), (403, ErrorKind::Forbidden)] {
            let (words, ended) =
                walk(
                    Reach::All,
                    |index| if index < 2 { month(30 - index, 1) } else { reply(status, "", "") },
                );
            assert_eq!((words.len(), ended.unwrap_err().kind()), (2, &kind));
        }
        let (_, ended) = walk(Reach::All, |_| reply(429, "retry-after: 7200", ""));
        assert!(matches!(ended.unwrap_err().kind(), ErrorKind::Deferred(_)));
    }

    #[test]
    fn rule_14_a_404_for_the_first_index_is_an_unknown_organisation() {
        for reach in [Reach::All, periods(3), Reach::Index(PeriodIndex::new(4)), Reach::year(2021).unwrap()] {
            let (words, ended) = walk(reach, |_| gone());
            assert_eq!((words.len(), ended.unwrap_err().kind()), (0, &ErrorKind::NotFound));
        }
        let (_, ended) = walk(Reach::Index(PeriodIndex::new(4)), |_| reply(500, "", ""));
        assert_eq!(ended.unwrap_err().kind(), &ErrorKind::Server);
    }

    #[test]
    fn a_period_that_the_server_moves_meanwhile_counts_once() {
        // A new period begins after the second answer, and every older one moves by an index.
        let server = |index| if index < 2 { month(30 - index, 1) } else { month(31 - index, 1) };
        let (words, ended) = walk(periods(4), server);
        assert_eq!(words[1..4], ["2022-06-01 to 2022-06-30", "repeated", "2022-05-01 to 2022-05-31"]);
        assert_eq!((words.len(), ended.unwrap()), (5, Ended::Enough));
        // The same again does not end a range either.
        let (words, ended) = walk(range("2022-06-01", "2023-01-01"), |index| month(30 - index / 2, 1));
        assert_eq!(
            words,
            [
                "2022-07-01 to 2022-07-31",
                "repeated",
                "2022-06-01 to 2022-06-30",
                "repeated",
                "outside",
                "repeated",
                "outside"
            ]
        );
        assert_eq!(ended.unwrap(), Ended::BeforeRange);
    }

    #[test]
    fn a_period_is_the_same_one_however_its_end_is_written() {
        let dates = |start: &str, end: &str| Dates { start: start.parse().ok(), end: end.parse().ok() };
        let may = dates("2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z");
        for same in [
            may,
            dates("2026-05-01T00:00:00.000Z", "2026-05-31T23:59:59.999Z"),
            dates("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            dates("", "2026-05-31T23:59:59.999999Z"),
            dates("2026-05-01T00:00:00.000Z", ""),
        ] {
            assert!(may.is_same_period(same) && same.is_same_period(may), "{same:?}");
        }
        for other in [
            dates("2026-04-01T00:00:00Z", "2026-04-30T23:59:59.999Z"),
            dates("2026-06-01T00:00:00Z", "2026-06-30T23:59:59Z"),
            dates("", "2026-04-30T23:59:59Z"),
            dates("2026-06-01T00:00:00Z", ""),
            Dates::default(),
        ] {
            assert!(!may.is_same_period(other) && !other.is_same_period(may), "{other:?}");
        }
        // Of what is not known nothing is the same.
        let (start, end) = (dates("2026-05-01T00:00:00Z", ""), dates("", "2026-05-31T23:59:59Z"));
        assert!(!start.is_same_period(end) && !Dates::default().is_same_period(Dates::default()));

        // A new period begins after the first answer, and the second writes its dates otherwise.
        let server = |index: u32| {
            let (month, fraction) = (8 - index.max(1), if index == 0 { ".999" } else { "" });
            let body = format!(
                r#"{{"billingPeriodStartDate":"2026-{month:02}-01T00:00:00{fraction}Z",
                     "billingPeriodEndDate":"2026-{month:02}-28T23:59:59{fraction}Z"}}"#
            );
            reply(200, "", &body)
        };
        let (words, ended) = walk(periods(3), server);
        assert_eq!((words[1].as_str(), words.len(), ended.unwrap()), ("repeated", 4, Ended::Enough));
    }

    #[test]
    fn rule_5_a_server_that_never_ends_is_not_followed_for_ever() {
        let (words, ended) = walk(Reach::All, |_| month(30, 1));
        assert_eq!((words.len(), ended.unwrap()), (4, Ended::Circles));
        let (words, ended) = walk(Reach::All, |index| month(12_000 - index, 1));
        assert_eq!((words.len(), ended.unwrap()), (1200, Ended::Endless));
        let (words, ended) = walk(Reach::All, |_| overview("-", "-"));
        assert_eq!((words.len(), ended.unwrap()), (1200, Ended::Endless));
    }

    #[test]
    fn a_period_of_which_the_dates_do_not_tell_is_said_to_be_so() {
        let dates = [
            ("-", "-"),
            ("-", "2021-06-30"),
            ("-", "2022-02-28"),
            ("2021-06-01", "-"),
            ("2020-12-01", "-"),
            ("2022-01-01", "-"),
            ("-", "2020-12-31"),
        ];
        let (words, _) = walk(Reach::year(2021).unwrap(), |index| match dates.get(index as usize) {
            Some((start, end)) => overview(start, end),
            None => gone(),
        });
        assert_eq!(
            words,
            [
                "undated without dates",
                "to 2021-06-30",
                "undated to 2022-02-28",
                "from 2021-06-01",
                "undated from 2020-12-01",
                "outside",
                "outside",
                "nothing"
            ]
        );
        // Without a range nothing has to be told.
        let (words, _) = walk(periods(1), |_| overview("-", "-"));
        assert_eq!(words, ["without dates"]);
    }

    #[test]
    fn an_end_that_is_the_beginning_of_the_range_is_before_it() {
        let dates = |start: &str, end: &str| Dates { start: start.parse().ok(), end: end.parse().ok() };
        let Reach::Range(year) = Reach::year(2021).unwrap() else { panic!("a range") };
        for (start, end, place) in [
            ("2020-12-01T00:00:00Z", "2021-01-01T00:00:00Z", Place::Before),
            ("2020-12-01T00:00:00Z", "2021-01-01T00:00:01Z", Place::Within),
            ("2021-12-31T23:59:59Z", "2022-01-30T23:59:59Z", Place::Within),
            ("2022-01-01T00:00:00Z", "2022-01-30T23:59:59Z", Place::After),
            ("2019-01-01T00:00:00Z", "2030-01-01T00:00:00Z", Place::Within),
        ] {
            assert_eq!(dates(start, end).place(year), place, "{start} to {end}");
        }
    }

    #[test]
    fn it_waits_and_is_restored_while_it_does() {
        let history = History::new(
            "org".parse().unwrap(),
            Reach::All,
            Environment::default().api().clone(),
            Policy::default(),
        );
        let Step::Send(_, sent) = history.step(start()) else { panic!("a request") };
        let Step::Wait(until, parked) = sent.receive(reply(503, "retry-after: 5", ""), start()) else {
            panic!("a wait")
        };
        let saved = serde_json::to_string(&parked).unwrap();
        let restored: History = serde_json::from_str(&saved).unwrap();
        assert_eq!(restored.progress(), parked.progress());
        assert!(matches!(restored.step(until), Step::Send(..)));
        for (from, to, why) in [
            ("\"version\":2", "\"version\":9", "version 9"),
            ("\"version\":2", "\"version\":9,\"more\":1", "version 9"),
            ("billing-core history", "billing-core poll", "no saved"),
            ("api.mypurecloud.com", "api.evil.example", "checksum"),
            ("\"next\":0", "\"next\":1", "checksum"),
        ] {
            assert!(saved.contains(from), "{from} in {saved}");
            let error = serde_json::from_str::<History>(&saved.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn each_reach_and_each_end_has_words_of_its_own() {
        let reaches = [
            Reach::Index(PeriodIndex::new(3)),
            periods(1),
            periods(12),
            Reach::year(2025).unwrap(),
            Reach::All,
        ];
        let ends =
            [Ended::Enough, Ended::Oldest, Ended::BeforeRange, Ended::GaveUp, Ended::Circles, Ended::Endless];
        let mut words: Vec<_> =
            reaches.iter().map(ToString::to_string).chain(ends.iter().map(ToString::to_string)).collect();
        assert!(
            words[0].contains('3') && words[2].contains("12") && words[3].contains("2025-01-01"),
            "{words:?}"
        );
        words.sort();
        words.dedup();
        assert_eq!(words.len(), 11);
        assert!(Reach::year(0).is_err() && Reach::year(9999).is_err() && Reach::year(i32::MAX).is_err());
    }
}
