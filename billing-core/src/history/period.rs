//! A billing period that was found, and why a walk ended.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::History;
use crate::model::TrusteeOverview;
use crate::values::clock::saturating_sub;
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
    pub(crate) fn from_overview(overview: &TrusteeOverview) -> Self {
        Self { start: overview.billing_period_start_date, end: overview.billing_period_end_date }
    }

    /// Whether these are of one period (rule B14). An end comes with and without fractions of a second, so that it is the last
    /// day that decides; where one of the two has no end, the first day. Without such a day in common they are not known to be.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        // An end that is a midnight is one that is not inclusive.
        let last_day = |end: Timestamp| saturating_sub(end.instant(), Duration::from_nanos(1)).date_naive();
        match (self.end, other.end, self.start, other.start) {
            (Some(end), Some(other), ..) => last_day(end) == last_day(other),
            (.., Some(start), Some(other)) => start.date() == other.date(),
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

impl fmt::Display for PeriodDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start, self.end) {
            (Some(start), Some(end)) => write!(f, "{} to {}", start.date(), end.date()),
            (Some(start), None) => write!(f, "from {}", start.date()),
            (None, Some(end)) => write!(f, "to {}", end.date()),
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
