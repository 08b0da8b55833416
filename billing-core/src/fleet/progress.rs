//! The progress, the rate and the estimated end of a run.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::machine::WaitReason;
use crate::session::quota::Throughput;
use crate::values::clock::{between, saturating_add};

/// The progress of a run over many organisations. `Display` writes one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetProgress {
    /// The time of this progress.
    pub at: DateTime<Utc>,
    /// The number of organisations.
    pub organizations: usize,
    /// The number of finished organisations, with or without failures, including those that a journal had
    /// finished.
    pub done: usize,
    /// The number of finished organisations with something that could not be read.
    pub incomplete: usize,
    /// The number of organisations in progress.
    pub in_progress: usize,
    /// The number of results in this run, failures included and results of a journal excluded.
    pub answers: u64,
    /// The number of these results in the last minute.
    pub answers_per_minute: u64,
    /// The estimated end of the run, by the quota and the rate so far; `None` while neither is known.
    pub estimated_end: Option<DateTime<Utc>>,
    /// The reason and the end of a wait that holds back all requests.
    pub wait_reason: Option<(WaitReason, DateTime<Utc>)>,
}

impl fmt::Display for FleetProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { organizations, done, incomplete, answers_per_minute: per_minute, .. } = self;
        write!(f, "{done} of {organizations} organisations done")?;
        if *incomplete > 0 {
            write!(f, ", {incomplete} of them incomplete")?;
        }
        write!(f, "; {per_minute} answers in the last minute")?;
        if let Some(estimated_end) = self.estimated_end.filter(|_| done < organizations) {
            let left = between(self.at, estimated_end).as_secs();
            let at = estimated_end.to_rfc3339_opts(SecondsFormat::Secs, true);
            write!(f, "; done at about {at}, in {} min {} s", left / 60, left % 60)?;
        }
        if let Some((wait_reason, _)) = &self.wait_reason {
            write!(f, "; {wait_reason}")?;
        }
        Ok(())
    }
}

/// A counter of the events of the last minute, in constant memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateCounter {
    /// The counts by slice of a minute, each with the number of its slice since 1970.
    slices: [(i64, u64); SLICES],
}

impl RateCounter {
    pub(super) fn count(&mut self, now: DateTime<Utc>) {
        let slice = slice_number(now);
        if let Some(slot) = self.slot(slice) {
            *slot = if slot.0 == slice { (slice, slot.1 + 1) } else { (slice, 1) };
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

/// Estimates the time at which `left` more requests are done. The estimate is the later of two: the time that
/// the quota allows, and the time at the rate so far, which was `answers` since `started_at`.
pub(super) fn estimated_end(
    left: u64,
    throughput: &Throughput,
    answers: u64,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let by_speed = u32::try_from(answers)
        .ok()
        .and_then(|answers| between(started_at, now).checked_div(answers))
        .map(|each| saturating_add(now, each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX))));
    let by_quota = match throughput {
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

/// The length of a slice in seconds.
const SLICE: i64 = 5;
const SLICES: usize = 12;
