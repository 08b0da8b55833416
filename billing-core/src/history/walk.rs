//! The walk: which index comes next and when it ends, without any exchange.

use serde::{Deserialize, Serialize};

use super::period::Place;
use super::{Dates, History, PeriodSelection, StopReason};
use crate::PeriodIndex;

/// Where a walk stands: what it is for and what it has seen, without any exchange.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Walk {
    pub(super) reach: PeriodSelection,
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
pub(crate) enum Summary {
    Period(Dates),
    Failed,
    Nothing,
    /// A failure that every other index would meet too.
    Fatal,
}

impl Summary {
    /// Whether both are of one period.
    pub(crate) fn is_same_period(self, other: Self) -> bool {
        matches!((self, other), (Self::Period(one), Self::Period(other)) if one.is_same_period(other))
    }
}

/// What a period is to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Wanted,
    Undated,
    Outside,
    Repeated,
}

impl Walk {
    pub(super) fn new(reach: PeriodSelection) -> Self {
        let next = match reach {
            PeriodSelection::Nth(index) => index.get(),
            PeriodSelection::Latest(_) | PeriodSelection::Range(_) | PeriodSelection::All => 0,
        };
        Self { reach, next, count: 0, before: 0, failed: 0, repeated: 0, seen: Vec::new() }
    }

    pub(super) fn index(&self) -> PeriodIndex {
        PeriodIndex::new(self.next)
    }

    /// Whether nothing was asked for yet.
    pub(super) fn is_first(&self) -> bool {
        self.next == Self::new(self.reach).next
    }

    /// Takes in what is under the next index, and goes on to the one after it.
    pub(super) fn note(&mut self, known: Summary) -> (Sort, Option<StopReason>) {
        let sort = self.sort(known);
        match known {
            Summary::Nothing => return (sort, Some(StopReason::OldestPeriod)),
            Summary::Fatal => return (sort, Some(StopReason::Failed)),
            Summary::Failed => self.failed = self.failed.saturating_add(1),
            Summary::Period(_) => self.failed = 0,
        }
        match sort {
            Sort::Repeated => self.repeated = self.repeated.saturating_add(1),
            Sort::Wanted | Sort::Undated => (self.repeated, self.count) = (0, self.count.saturating_add(1)),
            Sort::Outside => self.repeated = 0,
        }
        self.next = self.next.saturating_add(1);
        let enough = match self.reach {
            PeriodSelection::Nth(_) => true,
            PeriodSelection::Latest(n) => self.count >= n.get(),
            PeriodSelection::Range(_) | PeriodSelection::All => false,
        };
        let ended = if enough {
            Some(StopReason::AllFound)
        } else if self.before >= 2 {
            Some(StopReason::BeforeRange)
        } else if self.failed >= History::MAX_FAILURES {
            Some(StopReason::TooManyFailures)
        } else if self.repeated >= History::MAX_FAILURES {
            Some(StopReason::RepeatedPeriods)
        } else if self.next >= History::MAX_PERIODS {
            Some(StopReason::TooManyPeriods)
        } else {
            None
        };
        (sort, ended)
    }

    fn sort(&mut self, known: Summary) -> Sort {
        let dates = match known {
            Summary::Period(dates) => dates,
            // It stands for the period that it would have been.
            Summary::Failed | Summary::Nothing | Summary::Fatal => return Sort::Undated,
        };
        if self.seen.iter().any(|seen| seen.is_same_period(dates)) {
            return Sort::Repeated;
        }
        if dates != Dates::default() {
            self.seen.push(dates);
        }
        let PeriodSelection::Range(range) = self.reach else { return Sort::Wanted };
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
