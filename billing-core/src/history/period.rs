//! A billing period that was found, and why a walk ended.

use std::cmp::Reverse;
use std::fmt;

use bytes::Bytes;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::History;
use crate::model::TrusteeOverview;
use crate::{Error, OrgId, Period, PeriodIndex, Timestamp};

/// One turn of a walk.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HistoryStep {
    /// What was found.
    pub result: PeriodResult,
    /// The machine for the rest; `None` at the end of the walk.
    pub rest: Option<History>,
}

/// What a walk found under one index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeriodResult {
    /// The organisation.
    pub organization: OrgId,
    /// The index that was asked for.
    pub index: PeriodIndex,
    /// What is there.
    pub outcome: PeriodOutcome,
    /// Why the walk has come to its end, if it has with this.
    pub stop_reason: Option<StopReason>,
}

/// What a walk finds under an index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PeriodOutcome {
    /// A period that the walk is for.
    Period(Box<BillingPeriod>),
    /// A period that may be one of the range, but was sent without the dates that would tell.
    Undated(Box<BillingPeriod>),
    /// A period before or after the range, with its dates.
    OutsideRange(PeriodDates),
    /// A period that was there before: the server has begun a new one meanwhile, so that each has moved by an index.
    Repeated(PeriodDates),
    /// The index could not be read.
    Failed(Error),
    /// Nothing: the server has no period that is older than those before.
    NoOlderPeriod,
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
pub struct PeriodDates {
    /// When it begins.
    pub start: Option<Timestamp>,
    /// When it ends, inclusive (`…T23:59:59Z`).
    pub end: Option<Timestamp>,
}

/// Why a walk has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum StopReason {
    /// There are as many periods as were asked for.
    AllFound,
    /// The server has no older period.
    OldestPeriod,
    /// Two periods in a row end before the range.
    BeforeRange,
    /// So many indexes in a row have failed that more would be of no use. There may be older periods.
    TooManyFailures,
    /// The server gives the same period again and again.
    RepeatedPeriods,
    /// So many indexes are enough for any organisation, and there are still more.
    TooManyPeriods,
    /// By a failure that every other index would meet too. (Only of an organisation among many: a walk of its own ends with
    /// the error.)
    Failed,
}

impl PeriodDates {
    /// Returns the dates of an overview.
    pub fn from_overview(overview: &TrusteeOverview) -> Self {
        Self { start: overview.billing_period_start_date, end: overview.billing_period_end_date }
    }

    /// Returns the instant that puts periods in order: the end, or the start where no end was sent. `None` where the order is
    /// unknown.
    pub fn order_key(self) -> Option<Timestamp> {
        self.end.or(self.start)
    }

    /// Returns the first day, in UTC.
    pub fn first_day(self) -> Option<NaiveDate> {
        self.start.map(Timestamp::date)
    }

    /// Returns the last day, in UTC. It is part of the period. An end at midnight is exclusive: the last day is the one before
    /// it (B14).
    pub fn last_day(self) -> Option<NaiveDate> {
        self.end.map(Timestamp::last_day)
    }

    /// Returns whether these are of one period (B14). An end comes with and without fractions of a second, so the last day
    /// decides; where one of the two has no end, the first day. Without such a day in common they are not known to be.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        match (self.last_day(), other.last_day(), self.first_day(), other.first_day()) {
            (Some(last), Some(other), ..) => last == other,
            (.., Some(first), Some(other)) => first == other,
            _ => false,
        }
    }

    pub(super) fn position_in(self, range: Period) -> RangePosition {
        let Self { start, end } = self;
        // An end that is the very beginning of the range is one that is not inclusive.
        if end.is_some_and(|end| end <= range.start()) {
            return RangePosition::Before;
        }
        if start.is_some_and(|start| start >= range.end()) {
            return RangePosition::After;
        }
        let begins_within = start.is_some_and(|start| start >= range.start());
        let ends_within = end.is_some_and(|end| end <= range.end());
        if begins_within || ends_within || (start.is_some() && end.is_some()) {
            RangePosition::Within
        } else {
            RangePosition::Unknown
        }
    }
}

/// Puts the periods of a walk in order, the latest first.
///
/// They are sorted by [`PeriodDates::order_key`]. Where one of them has no dates, all stay in the order of the walk: it went from
/// the latest to the earliest.
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

/// Where a period lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangePosition {
    Before,
    Within,
    After,
    Unknown,
}
