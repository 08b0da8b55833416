//! The state of a walk: the next index and the reason to stop. It knows nothing of requests.

use serde::{Deserialize, Serialize};

use super::period::RangePosition;
use super::{History, PeriodDates, PeriodSelection, StopReason};
use crate::PeriodIndex;

/// The state of a walk. It knows nothing of requests, so that results from a journal advance it as responses
/// do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WalkState {
    pub(super) selection: PeriodSelection,
    next_index: u32,
    /// The number of requested periods that are found or failed.
    found_count: u32,
    /// The number of periods in a row that end before the range.
    before_range: u32,
    /// The number of indexes in a row that failed, and that repeated an earlier period.
    failures: u32,
    repeats: u32,
    /// The dates of all periods so far, to recognize repeated ones.
    seen_dates: Vec<PeriodDates>,
}

/// The part of a result that decides how the walk continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    Period(PeriodDates),
    Failed,
    NoOlderPeriod,
    /// A failure that every other index would meet too.
    FailedForAll,
}

impl Summary {
    /// Returns true if both are results for one period.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        matches!((self, other), (Self::Period(one), Self::Period(other)) if one.is_same_period(other))
    }
}

/// The relevance of a period to a walk's selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeriodRelevance {
    Wanted,
    Undated,
    Outside,
    Repeated,
}

impl WalkState {
    pub(super) fn new(selection: PeriodSelection) -> Self {
        let next = match selection {
            PeriodSelection::Nth(index) => index.get(),
            PeriodSelection::Latest(_) | PeriodSelection::Range(_) | PeriodSelection::All => 0,
        };
        Self {
            selection,
            next_index: next,
            found_count: 0,
            before_range: 0,
            failures: 0,
            repeats: 0,
            seen_dates: Vec::new(),
        }
    }

    pub(super) fn next_index(&self) -> PeriodIndex {
        PeriodIndex::new(self.next_index)
    }

    /// Returns true if nothing was requested yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.next_index == Self::new(self.selection).next_index
    }

    /// Records the result for the next index and advances to the index after it. Returns the relevance of the
    /// result, and the reason to stop if the walk ends with it.
    pub(super) fn record(&mut self, known: Summary) -> (PeriodRelevance, Option<StopReason>) {
        let relevance = self.classify(known);
        match known {
            Summary::NoOlderPeriod => return (relevance, Some(StopReason::OldestPeriod)),
            Summary::FailedForAll => return (relevance, Some(StopReason::Failed)),
            Summary::Failed => self.failures = self.failures.saturating_add(1),
            Summary::Period(_) => self.failures = 0,
        }
        match relevance {
            PeriodRelevance::Repeated => self.repeats = self.repeats.saturating_add(1),
            PeriodRelevance::Wanted | PeriodRelevance::Undated => {
                (self.repeats, self.found_count) = (0, self.found_count.saturating_add(1))
            }
            PeriodRelevance::Outside => self.repeats = 0,
        }
        self.next_index = self.next_index.saturating_add(1);
        let enough = match self.selection {
            PeriodSelection::Nth(_) => true,
            PeriodSelection::Latest(n) => self.found_count >= n.get(),
            PeriodSelection::Range(_) | PeriodSelection::All => false,
        };
        let stop_reason = if enough {
            Some(StopReason::AllFound)
        // One period before the range is not enough: the server may begin a new period at any time and repeat
        // an older one, and dates may overlap.
        } else if self.before_range >= 2 {
            Some(StopReason::BeforeRange)
        } else if self.failures >= History::MAX_FAILURES {
            Some(StopReason::TooManyFailures)
        } else if self.repeats >= History::MAX_FAILURES {
            Some(StopReason::RepeatedPeriods)
        } else if self.next_index >= History::MAX_PERIODS {
            Some(StopReason::TooManyPeriods)
        } else {
            None
        };
        (relevance, stop_reason)
    }

    /// Returns the relevance of a result, and counts periods before the range.
    fn classify(&mut self, known: Summary) -> PeriodRelevance {
        let dates = match known {
            Summary::Period(dates) => dates,
            // A failed index counts as the period that it would have returned.
            Summary::Failed | Summary::NoOlderPeriod | Summary::FailedForAll => {
                return PeriodRelevance::Undated;
            }
        };
        if self.seen_dates.iter().any(|seen| seen.is_same_period(dates)) {
            return PeriodRelevance::Repeated;
        }
        // Dates that are unknown are not remembered: two periods without dates are not the same period.
        if dates != PeriodDates::default() {
            self.seen_dates.push(dates);
        }
        let PeriodSelection::Range(range) = self.selection else { return PeriodRelevance::Wanted };
        let position = dates.position_in(range);
        self.before_range = match position {
            RangePosition::Before => self.before_range.saturating_add(1),
            RangePosition::Within | RangePosition::After => 0,
            RangePosition::Unknown => self.before_range,
        };
        match position {
            RangePosition::Before | RangePosition::After => PeriodRelevance::Outside,
            RangePosition::Within => PeriodRelevance::Wanted,
            RangePosition::Unknown => PeriodRelevance::Undated,
        }
    }
}
