//! The result of a walk's step, and the reason that a walk ended.

use std::cmp::Reverse;
use std::fmt;

use bytes::Bytes;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::History;
use crate::model::TrusteeOverview;
use crate::{Error, OrgId, Period, PeriodIndex, Timestamp};

/// The output of one step of a walk.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryStep {
    /// The result for this index.
    pub result: PeriodResult,
    /// The machine for the rest of the walk; `None` at its end.
    pub rest: Option<History>,
}

/// The result of a walk for one index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeriodResult {
    /// The organisation.
    pub organization: OrgId,
    /// The index that was requested.
    pub index: PeriodIndex,
    /// The outcome of the request.
    pub outcome: PeriodOutcome,
    /// The reason that the walk ends with this result; `None` if it continues.
    pub stop_reason: Option<StopReason>,
}

/// The outcome of a request for one index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeriodOutcome {
    /// A period of the selection.
    Period(Box<BillingPeriod>),
    /// A period that may belong to the range, but was sent without the dates that decide it.
    Undated(Box<BillingPeriod>),
    /// A period before or after the range, with its dates.
    OutsideRange(PeriodDates),
    /// A period that an earlier index had already. The server has begun a new period meanwhile, so every
    /// period has moved by one index.
    Repeated(PeriodDates),
    /// The request failed, or its response could not be read.
    Failed(Error),
    /// No period: the server has none that is older than those before.
    NoOlderPeriod,
}

/// One billing period of an organisation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BillingPeriod {
    /// The index under which it was requested. A later response may have the period under another index.
    pub index: PeriodIndex,
    /// The overview.
    pub overview: TrusteeOverview,
    /// The body of the response, which the overview was parsed from.
    pub body: Bytes,
}

/// The dates of a period, as far as the server sent them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PeriodDates {
    /// The start.
    pub start: Option<Timestamp>,
    /// The end, inclusive (`…T23:59:59Z`).
    pub end: Option<Timestamp>,
}

/// The reason that a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum StopReason {
    /// All periods that were requested are found.
    AllFound,
    /// The server has no older period.
    OldestPeriod,
    /// Two periods in a row end before the range.
    BeforeRange,
    /// [`History::MAX_FAILURES`] indexes in a row failed. There may be older periods.
    TooManyFailures,
    /// The server returned the same period again and again.
    RepeatedPeriods,
    /// [`History::MAX_PERIODS`] indexes were requested, and the server has still more.
    TooManyPeriods,
    /// A failure that every other index would meet too. It occurs in a [`Fleet`](crate::fleet::Fleet) only: a
    /// single walk ends with the error.
    Failed,
}

impl PeriodDates {
    /// Returns the dates of an overview.
    pub fn from_overview(overview: &TrusteeOverview) -> Self {
        Self { start: overview.billing_period_start_date, end: overview.billing_period_end_date }
    }

    /// Returns the instant that orders periods: the end, or the start if no end was sent. `None` if both are
    /// missing, so that the order is unknown.
    pub fn order_key(self) -> Option<Timestamp> {
        self.end.or(self.start)
    }

    /// Returns the first day, in UTC.
    pub fn first_day(self) -> Option<NaiveDate> {
        self.start.map(Timestamp::date)
    }

    /// Returns the last day, in UTC. The day is part of the period. An end at midnight is exclusive, so the
    /// last day is the one before it (B14).
    pub fn last_day(self) -> Option<NaiveDate> {
        self.end.map(Timestamp::last_day)
    }

    /// Returns true if both are the dates of one period (B14). The last day decides, because ends come with
    /// and without fractions of a second; if one of the two has no end, the first day decides. Without such a
    /// day in common the result is false.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        match (self.last_day(), other.last_day(), self.first_day(), other.first_day()) {
            (Some(last), Some(other), ..) => last == other,
            (.., Some(first), Some(other)) => first == other,
            _ => false,
        }
    }

    /// Returns the position of the period relative to `range`.
    pub(super) fn position_in(self, range: Period) -> RangePosition {
        let Self { start, end } = self;
        // An end at the instant where the range starts is exclusive: the period only touches the range.
        if end.is_some_and(|end| end <= range.start()) {
            return RangePosition::Before;
        }
        if start.is_some_and(|start| start >= range.end()) {
            return RangePosition::After;
        }
        // One date inside the range proves an overlap. Two dates that are neither both before nor both after
        // also overlap it. One date alone on the far side proves nothing.
        let begins_within = start.is_some_and(|start| start >= range.start());
        let ends_within = end.is_some_and(|end| end <= range.end());
        if begins_within || ends_within || (start.is_some() && end.is_some()) {
            RangePosition::Within
        } else {
            RangePosition::Unknown
        }
    }
}

/// Sorts the periods of a walk, the latest first.
///
/// The order is that of [`PeriodDates::order_key`]. If any period has no dates, all keep the order of the
/// walk, which goes from the latest to the earliest.
pub fn sort_latest_first<T>(periods: &mut [T], dates: impl Fn(&T) -> PeriodDates) {
    if periods.iter().all(|period| dates(period).order_key().is_some()) {
        periods.sort_by_key(|period| Reverse(dates(period).order_key()));
    }
}

impl fmt::Display for PeriodDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first_day(), self.last_day()) {
            (Some(first), Some(last)) => write!(f, "{first} to {last}"),
            (Some(first), None) => write!(f, "from {first}"),
            (None, Some(last)) => write!(f, "to {last}"),
            (None, None) => f.write_str("without dates"),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllFound => "all that were asked for",
            Self::OldestPeriod => "the server has no older period",
            Self::BeforeRange => "older periods end before the range",
            Self::TooManyFailures => {
                "given up after three periods in a row that could not be read; there may be older ones"
            }
            Self::RepeatedPeriods => "given up, as the server gives the same period again and again",
            Self::TooManyPeriods => "given up, as the server has more periods than there can be",
            Self::Failed => "failed",
        })
    }
}

/// The position of a period relative to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangePosition {
    Before,
    Within,
    After,
    Unknown,
}
