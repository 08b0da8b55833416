//! What a journal knows of one organisation's periods, by the indexes that they have now.
//!
//! Once the server has begun a new period, each is found one index further on. A walk that goes on notices it by what it finds
//! where nothing was known. Then it looks on, index by index, until it meets a period that was known: by as much as that has
//! moved, all others have.

use std::collections::BTreeMap;

use crate::history::{PeriodDates, Summary};
use crate::values::clock::between;

/// See the [module's text](self).
#[derive(Clone, Debug, Default)]
pub(super) struct KnownPeriods {
    by_index: BTreeMap<u32, Summary>,
    /// What has moved nobody knows how far, by the indexes of before.
    unplaced: BTreeMap<u32, Summary>,
}

impl KnownPeriods {
    /// What is under an index.
    pub(super) fn get(&self, index: u32) -> Option<Summary> {
        self.by_index.get(&index).copied()
    }

    /// Takes in what was found under an index, after all that was found before. Whether it is a period that was known, and not
    /// gone past yet.
    pub(super) fn record(&mut self, index: u32, found: Summary) -> bool {
        let mut beyond = self.by_index.split_off(&index.saturating_add(1));
        let former = beyond
            .iter()
            .chain(&self.unplaced)
            .find_map(|(at, known)| known.is_same_period(found).then_some(*at));
        if let Some(former) = former {
            beyond.append(&mut self.unplaced);
            let moved = |at: u32| at.checked_add(index)?.checked_sub(former);
            let behind = beyond.into_iter().filter(|(at, _)| *at > former);
            self.by_index.extend(behind.filter_map(|(at, brief)| Some((moved(at)?, brief))));
        } else if self.indexes_shifted(index, found, beyond.get(&index.saturating_add(1))) {
            self.unplaced.append(&mut beyond);
        } else {
            self.by_index.append(&mut beyond);
        }
        self.by_index.insert(index, found);
        former.is_some()
    }

    /// Whether what was found under an index does not go together with what was known before it, or under the `next`.
    fn indexes_shifted(&self, index: u32, found: Summary, next: Option<&Summary>) -> bool {
        self.by_index.range(..index).any(|(_, known)| known.is_same_period(found))
            || next.is_some_and(|next| has_gap(found, *next))
    }
}

/// Whether there is a period between one and what was known behind it: time for half of one at least.
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
