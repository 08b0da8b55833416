//! The results of a journal for one organisation, by the indexes that the periods have now.
//!
//! Once the server has begun a new period, each older one has moved by one index. A resumed walk notices this
//! when a response does not fit the results of the journal. It then requests index after index until it meets
//! a period of the journal: all others have moved by as many indexes as that one.

use std::collections::BTreeMap;

use crate::history::{PeriodDates, Summary};
use crate::values::clock::between;

/// The known results of one organisation; see the [module's text](self).
#[derive(Clone, Debug, Default)]
pub(super) struct KnownPeriods {
    by_index: BTreeMap<u32, Summary>,
    /// Results whose shift is unknown, by the indexes of the earlier run.
    unplaced: BTreeMap<u32, Summary>,
}

impl KnownPeriods {
    /// Returns the known result for an index.
    pub(super) fn get(&self, index: u32) -> Option<Summary> {
        self.by_index.get(&index).copied()
    }

    /// Records a new result; results come in the order of their indexes. Returns true if its period
    /// was known at an index that the walk has not reached yet.
    pub(super) fn record(&mut self, index: u32, result: Summary) -> bool {
        let mut beyond = self.by_index.split_off(&index.saturating_add(1));
        // The same period in both runs tells by how much all older ones have moved.
        let former = beyond
            .iter()
            .chain(&self.unplaced)
            .find_map(|(at, known)| known.is_same_period(result).then_some(*at));
        if let Some(former) = former {
            beyond.append(&mut self.unplaced);
            let moved = |at: u32| at.checked_add(index)?.checked_sub(former);
            // Results between the two indexes were shifted out by newer periods; the walk has passed them
            // already.
            let behind = beyond.into_iter().filter(|(at, _)| *at > former);
            self.by_index.extend(behind.filter_map(|(at, summary)| Some((moved(at)?, summary))));
        } else if self.indexes_shifted(index, result, beyond.get(&index.saturating_add(1))) {
            self.unplaced.append(&mut beyond);
        } else {
            self.by_index.append(&mut beyond);
        }
        self.by_index.insert(index, result);
        former.is_some()
    }

    /// Returns true if a new result contradicts the known ones: its period was known at an earlier index, or
    /// a period is missing between it and `next`.
    fn indexes_shifted(&self, index: u32, result: Summary, next: Option<&Summary>) -> bool {
        self.by_index.range(..index).any(|(_, known)| known.is_same_period(result))
            || next.is_some_and(|next| has_gap(result, *next))
    }
}

/// Returns true if a period is missing between two that should be neighbours: a gap of more than half the
/// newer period. A smaller gap can come from inexact dates.
fn has_gap(newer: Summary, older: Summary) -> bool {
    let (
        Summary::Period(PeriodDates { start: Some(start), end: Some(end) }),
        Summary::Period(PeriodDates { end: Some(last), .. }),
    ) = (newer, older)
    else {
        return false;
    };
    let [start, end, last] = [start, end, last].map(|time| time.instant());
    between(last, start).max(between(start, last)) > between(start, end) / 2
}
