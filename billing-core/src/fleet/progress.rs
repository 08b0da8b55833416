//! How far a run has come, how fast it goes, and when it will be done.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::machine::WaitReason;
use crate::session::quota::Throughput;
use crate::values::clock::{between, saturating_add};

/// How far a run over many organisations has come. `Display` is a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetProgress {
    /// When this was so.
    pub at: DateTime<Utc>,
    /// How many organisations there are.
    pub organizations: usize,
    /// How many of them are finished, well or not, those that a journal answered included.
    pub done: usize,
    /// How many of those have something that could not be read.
    pub incomplete: usize,
    /// How many are begun and not finished.
    pub in_progress: usize,
    /// How many answers and failures there were in this run, without those of a journal.
    pub answers: u64,
    /// How many of them in the last minute.
    pub answers_per_minute: u64,
    /// When everything will be done, by the quota and by the speed so far; `None` while nothing is known to tell it by.
    pub estimated_end: Option<DateTime<Utc>>,
    /// What all wait for, and until when, where no request can go out at the moment.
    pub wait_reason: Option<(WaitReason, DateTime<Utc>)>,
}

impl fmt::Display for FleetProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { organizations, done, incomplete: failed, answers_per_minute: per_minute, .. } = self;
        write!(f, "{done} of {organizations} organisations done")?;
        if *failed > 0 {
            write!(f, ", {failed} of them not or not wholly")?;
        }
        write!(f, "; {per_minute} answers in the last minute")?;
        if let Some(finishes) = self.estimated_end.filter(|_| done < organizations) {
            let left = between(self.at, finishes).as_secs();
            let at = finishes.to_rfc3339_opts(SecondsFormat::Secs, true);
            write!(f, "; done at about {at}, in {} min {} s", left / 60, left % 60)?;
        }
        if let Some((waiting, _)) = &self.wait_reason {
            write!(f, "; {waiting}")?;
        }
        Ok(())
    }
}

/// Counts what happened in the last minute, in memory that does not grow with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateCounter {
    /// By slices of the minute, each with the number of its slice since 1970.
    slices: [(i64, u64); SLICES],
}

impl RateCounter {
    pub(super) fn count(&mut self, now: DateTime<Utc>) {
        let slice = slice_number(now);
        if let Some(place) = self.slot(slice) {
            *place = if place.0 == slice { (slice, place.1 + 1) } else { (slice, 1) };
        }
    }

    pub(super) fn per_minute(&self, now: DateTime<Utc>) -> u64 {
        let oldest = slice_number(now) - i64::try_from(SLICES).unwrap_or_default();
        self.slices.iter().filter(|(slice, _)| *slice > oldest).map(|(_, count)| count).sum()
    }

    fn slot(&mut self, slice: i64) -> Option<&mut (i64, u64)> {
        let n = i64::try_from(SLICES).unwrap_or(1);
        self.slices.get_mut(usize::try_from(slice.rem_euclid(n)).unwrap_or_default())
    }
}

fn slice_number(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(SLICE)
}

/// When `left` more requests will be answered: by what the quota lets through, or if that is later by the speed so far,
/// which was `answers` since `begun`.
pub(super) fn estimated_end(
    left: u64,
    pace: &Throughput,
    answers: u64,
    begun: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let by_speed = u32::try_from(answers)
        .ok()
        .and_then(|answers| between(begun, now).checked_div(answers))
        .map(|each| saturating_add(now, each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX))));
    let by_quota = match pace {
        Throughput::Window { remaining: free, .. } if left <= u64::from(*free) => None,
        Throughput::Window { usable_per_window: usable, remaining: free, ends_at: ends, length } => {
            let windows = (left - u64::from(*free)).div_ceil(u64::from(*usable).max(1)).saturating_sub(1);
            Some(saturating_add(*ends, length.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX))))
        }
        Throughput::Spaced(each) => {
            Some(saturating_add(now, each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX))))
        }
        Throughput::Unlimited => None,
    };
    by_speed.max(by_quota)
}

/// In seconds.
const SLICE: i64 = 5;
const SLICES: usize = 12;
