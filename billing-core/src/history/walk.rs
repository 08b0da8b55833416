//! The walk: which index comes next and when it ends, without any exchange.

use serde::{Deserialize, Serialize};

use super::period::RangePosition;
use super::{History, PeriodDates, PeriodSelection, StopReason};
use crate::PeriodIndex;

/// Where a walk stands: what it is for and what it has seen, without any exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WalkState {
    pub(super) selection: PeriodSelection,
    next_index: u32,
    /// How many of the periods that were asked for are found, or failed.
    found_count: u32,
    /// Periods in a row that end before the range.
    before_range: u32,
    /// Indexes in a row that failed, and that were a period again that was there before.
    failures: u32,
    repeats: u32,
    /// The dates of the periods so far.
    seen_dates: Vec<PeriodDates>,
}

/// What was found under an index, as far as it matters for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    Period(PeriodDates),
    Failed,
    NoOlderPeriod,
    /// A failure that every other index would meet too.
    FailedForAll,
}

impl Summary {
    /// Whether both are of one period.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        matches!((self, other), (Self::Period(one), Self::Period(other)) if one.is_same_period(other))
    }
}

/// What a period is to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeriodRelevance {
    Wanted,
    Undated,
    Outside,
    Repeated,
}

impl WalkState {
    pub(super) fn new(reach: PeriodSelection) -> Self {
        let next = match reach {
            PeriodSelection::Nth(index) => index.get(),
            PeriodSelection::Latest(_) | PeriodSelection::Range(_) | PeriodSelection::All => 0,
        };
        Self {
            selection: reach,
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

    /// Whether nothing was asked for yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.next_index == Self::new(self.selection).next_index
    }

    /// Takes in what is under the next index, and goes on to the one after it.
    pub(super) fn record(&mut self, known: Summary) -> (PeriodRelevance, Option<StopReason>) {
        let sort = self.classify(known);
        match known {
            Summary::NoOlderPeriod => return (sort, Some(StopReason::OldestPeriod)),
            Summary::FailedForAll => return (sort, Some(StopReason::Failed)),
            Summary::Failed => self.failures = self.failures.saturating_add(1),
            Summary::Period(_) => self.failures = 0,
        }
        match sort {
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
        let ended = if enough {
            Some(StopReason::AllFound)
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
        (sort, ended)
    }

    fn classify(&mut self, known: Summary) -> PeriodRelevance {
        let dates = match known {
            Summary::Period(dates) => dates,
            // It stands for the period that it would have been.
            Summary::Failed | Summary::NoOlderPeriod | Summary::FailedForAll => {
                return PeriodRelevance::Undated;
            }
        };
        if self.seen_dates.iter().any(|seen| seen.is_same_period(dates)) {
            return PeriodRelevance::Repeated;
        }
        if dates != PeriodDates::default() {
            self.seen_dates.push(dates);
        }
        let PeriodSelection::Range(range) = self.selection else { return PeriodRelevance::Wanted };
        let place = dates.position_in(range);
        self.before_range = match place {
            RangePosition::Before => self.before_range.saturating_add(1),
            RangePosition::Within | RangePosition::After => 0,
            RangePosition::Unknown => self.before_range,
        };
        match place {
            RangePosition::Before | RangePosition::After => PeriodRelevance::Outside,
            RangePosition::Within => PeriodRelevance::Wanted,
            RangePosition::Unknown => PeriodRelevance::Undated,
        }
    }
}
