//! Adaptive schedules: poll times learned from the durations of earlier reports.
//!
//! ```text
//!   the configured schedule ─► prior ─┐
//!                                     ├─► distribution of durations ─► the ages at which polls cost least
//!   timings, each an interval ────────┘
//! ```
//!
//! The cost is the time for which a complete report is not yet fetched, plus 1 s for each poll.
//!
//! **The estimate** has a probability for each half-second of the first 15 minutes, and one for everything
//! later. The prior is the distribution for which the configured schedule is about optimal; it has the weight
//! of two reports. Each timing is spread over its interval in proportion to the estimate so far, and then as
//! far as its √n-th neighbour. So few reports give a smooth estimate, and many similar ones give a sharp one.
//! Three rounds are enough to converge.
//!
//! **The plan** is computed by dynamic programming from the end backwards: the cheapest next poll from each
//! half-second. A wait is at most twice the age of the report (or 15 s). So a report that is much faster than
//! all earlier ones is detected within three times its own duration (or 15 s), and enters the history.

#![expect(
    clippy::float_arithmetic,
    reason = "these are probabilities, not money; only + − × ÷, which every platform rounds alike, and whole cells come out"
)]

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::poll::MIN_POLL_INTERVAL;
use crate::poll::{PollTiming, PollTimings};

/// A schedule of polls learned from earlier reports; from
/// [`PollSchedule::adaptive`](crate::poll::PollSchedule::adaptive).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveSchedule {
    report_count: u32,
    /// The ages at which to poll after the first one, in milliseconds, ascending.
    poll_ages: Vec<u32>,
}

impl AdaptiveSchedule {
    /// The longest learned wait between two polls, jitter included.
    pub const MAX_WAIT: Duration = Duration::from_secs(120);

    /// The largest jitter in either direction. It is fixed, because a learned wait aims at a point in time,
    /// while a configured wait keeps a distance.
    pub(crate) const MAX_JITTER: Duration = Duration::from_secs(1);

    /// Returns the number of reports that it was learned from.
    pub fn report_count(&self) -> u32 {
        self.report_count
    }

    /// Learns a schedule from `completions`, or returns `None` if there are none. `usual` returns the
    /// configured wait at an age; `least` is the shortest wait.
    pub(crate) fn learn(
        completions: &PollTimings,
        usual: impl Fn(Duration) -> Duration,
        least: Duration,
    ) -> Option<Self> {
        if completions.is_empty() {
            return None;
        }
        let grid = TimeGrid::new();
        let estimate = grid.estimate(&grid.prior(usual), completions);
        let least = to_cells(least.max(MIN_POLL_INTERVAL), u128::div_ceil).min(CELL_COUNT);
        let ages = grid.plan(&estimate, least);
        Some(Self { report_count: u32::try_from(completions.len()).unwrap_or(u32::MAX), poll_ages: ages })
    }

    /// Returns the wait after a response at the age `age`; `None` after the last planned age.
    pub(crate) fn next_wait(&self, age: Duration) -> Option<Duration> {
        // A response may be a little late, or its poll a little early because of the jitter: neither skips
        // the next poll.
        let soonest = age + Duration::from_secs(1);
        let planned = self.poll_ages.iter().map(|millis| Duration::from_millis((*millis).into()));
        let next = planned.into_iter().find(|planned| *planned >= soonest)?;
        Some(next.saturating_sub(age).min(Self::MAX_WAIT - Self::MAX_JITTER))
    }
}

/// The edges of the cells, in seconds. Cell `i` lies between the edges `i` and `i + 1`; cell [`CELL_COUNT`]
/// covers all later times.
struct TimeGrid {
    edges: Vec<f64>,
}

/// The probabilities of the cells. Their sum is 1.
type Probabilities = Vec<f64>;

impl TimeGrid {
    fn new() -> Self {
        let last = u32::try_from(CELL_COUNT).unwrap_or_default();
        Self { edges: (0..=last).map(|edge| f64::from(edge) * CELL_SECONDS).collect() }
    }

    /// Returns the distribution for which the usual schedule is about optimal. A wait `w` is optimal where
    /// the hazard is 2 · (cost of a poll) / w²: then the average delay of a complete report, `w / 2`, costs
    /// as much as the poll.
    fn prior(&self, usual: impl Fn(Duration) -> Duration) -> Probabilities {
        let mut left = 1.0;
        let mut masses = Vec::with_capacity(CELL_COUNT + 1);
        for edge in self.edges.iter().take(CELL_COUNT) {
            let wait = usual(Duration::from_secs_f64(edge + CELL_SECONDS / 2.0))
                .max(MIN_POLL_INTERVAL)
                .as_secs_f64();
            let mass = left * 2.0 * POLL_COST_SECONDS / (wait * wait) * CELL_SECONDS;
            left -= mass;
            masses.push(mass);
        }
        masses.push(left);
        masses
    }

    /// Returns the distribution of durations, estimated from the prior and the timings.
    fn estimate(&self, prior: &Probabilities, completions: &PollTimings) -> Probabilities {
        let mut masses = prior.clone();
        for _ in 0..ESTIMATE_ROUNDS {
            let estimates: Vec<TimingEstimate> = completions
                .iter()
                .filter_map(|completion| TimingEstimate::from_timing(completion, &masses))
                .collect();
            let neighbour = estimates.len().isqrt();
            // The change of the density (probability per second) at each edge. Adding interval ends and
            // summing up once is cheaper than filling each interval.
            let mut steps = vec![0.0; CELL_COUNT + 1];
            let (mut later, mut weight) = (0.0, PRIOR_WEIGHT);
            for estimate in &estimates {
                let width = estimate.neighbour_distance(neighbour, &estimates);
                for cell in estimate.cells.clone() {
                    let mass = masses[cell] / estimate.probability;
                    if cell == CELL_COUNT {
                        later += mass;
                        continue;
                    }
                    let (from, to) = (cell.saturating_sub(width), (cell + width + 1).min(CELL_COUNT));
                    let height = mass / (self.edges[to] - self.edges[from]);
                    steps[from] += height;
                    steps[to] -= height;
                }
                weight += 1.0;
            }
            let mut height = 0.0;
            for ((mass, prior), step) in masses.iter_mut().zip(prior).zip(steps).take(CELL_COUNT) {
                height += step;
                // Rounding errors can leave a sum slightly below 0.
                *mass = (PRIOR_WEIGHT * prior + (height * CELL_SECONDS).max(0.0)) / weight;
            }
            masses[CELL_COUNT] = (PRIOR_WEIGHT * prior[CELL_COUNT] + later) / weight;
        }
        masses
    }

    /// Returns the ages at which to poll, in milliseconds. `least` is the shortest wait, in cells.
    fn plan(&self, masses: &Probabilities, least: usize) -> Vec<u32> {
        // Up to each edge: the probability of completion, and the mean time of completion times that
        // probability.
        let (mut complete, mut time) = (vec![0.0; CELL_COUNT + 1], vec![0.0; CELL_COUNT + 1]);
        for cell in 0..CELL_COUNT {
            complete[cell + 1] = complete[cell] + masses[cell];
            time[cell + 1] = time[cell] + masses[cell] * (self.edges[cell] + CELL_SECONDS / 2.0);
        }
        let unseen = |from: usize, to: usize| {
            self.edges[to] * (complete[to] - complete[from]) - (time[to] - time[from])
        };
        let mut costs = vec![0.0; CELL_COUNT + 1];
        let mut nexts = vec![None; CELL_COUNT + 1];
        for from in (0..=CELL_COUNT).rev() {
            let soonest = from + least;
            let latest = from + (2 * from).clamp(MIN_WAIT_LIMIT_CELLS, MAX_WAIT_CELLS).max(least);
            // No further poll is an option if the end of the grid is within the longest wait.
            let mut best = if latest >= CELL_COUNT { unseen(from, CELL_COUNT) } else { f64::INFINITY };
            for (to, after) in costs.iter().enumerate().take(latest.saturating_add(1)).skip(soonest) {
                let cost = (1.0 - complete[from]) * POLL_COST_SECONDS + unseen(from, to);
                if cost >= best {
                    // The cost only grows with a longer wait, so no later poll can be better.
                    break;
                }
                if cost + after < best {
                    best = cost + after;
                    nexts[from] = Some(to);
                }
            }
            costs[from] = best;
        }
        let next = |cell: &usize| nexts.get(*cell).copied().flatten();
        std::iter::successors(next(&0), next)
            .filter_map(|cell| u32::try_from(cell).ok())
            .map(|cell| cell.saturating_mul(CELL_MILLIS))
            .collect()
    }
}

/// The estimated position of one timing.
struct TimingEstimate {
    cells: std::ops::Range<usize>,
    /// The probability of these cells.
    probability: f64,
    /// The median cell of that probability.
    median_cell: usize,
}

impl TimingEstimate {
    fn from_timing(completion: &PollTiming, masses: &Probabilities) -> Option<Self> {
        let from = to_cells(completion.pending_age(), |millis, cell| millis / cell).min(CELL_COUNT);
        let to = match to_cells(completion.complete_age(), u128::div_ceil) {
            to if to <= CELL_COUNT => to,
            _ => CELL_COUNT + 1,
        };
        let mass: f64 = masses[from..to].iter().sum();
        let mut before = 0.0;
        let middle = (from..to).find(|cell| {
            before += masses[*cell];
            before * 2.0 >= mass
        })?;
        (mass > 0.0).then_some(Self { cells: from..to, probability: mass, median_cell: middle })
    }

    /// Returns the distance to its `n`th neighbour, in cells. The start of the grid counts as a neighbour.
    fn neighbour_distance(&self, n: usize, estimates: &[Self]) -> usize {
        let mut distances: Vec<usize> =
            estimates.iter().map(|estimate| estimate.median_cell.abs_diff(self.median_cell)).collect();
        distances.push(self.median_cell);
        distances.sort_unstable();
        // Index 0 is its distance to itself.
        distances.get(n).copied().unwrap_or(self.median_cell)
    }
}

/// Converts a time to cells, rounded by `divide`.
fn to_cells(time: Duration, divide: impl Fn(u128, u128) -> u128) -> usize {
    usize::try_from(divide(time.as_millis(), CELL_MILLIS.into())).unwrap_or(usize::MAX)
}

/// The number of cells: 15 minutes in steps of 0.5 s.
const CELL_COUNT: usize = 1800;
const CELL_SECONDS: f64 = 0.5;
const CELL_MILLIS: u32 = 500;
/// The cost of a poll, in seconds for which a complete report is not yet fetched.
const POLL_COST_SECONDS: f64 = 1.0;
/// The weight of the prior, in reports.
const PRIOR_WEIGHT: f64 = 2.0;
const ESTIMATE_ROUNDS: usize = 3;
/// The smallest upper limit of a wait, in cells: 15 s.
const MIN_WAIT_LIMIT_CELLS: usize = 30;
/// The largest wait, in cells: [`AdaptiveSchedule::MAX_WAIT`] without the jitter.
const MAX_WAIT_CELLS: usize = 238;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::PollSchedule;
    use crate::testing::start_time;
    use crate::values::clock::saturating_add;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Returns a history of reports that were completed between these ages, in milliseconds.
    fn history(seen: impl IntoIterator<Item = (u64, u64)>) -> PollTimings {
        let mut history = PollTimings::default();
        for (hour, (since, by)) in (0..).zip(seen) {
            let at = saturating_add(start_time(), Duration::from_secs(3600 * hour));
            history.extend(PollTiming::new(at, millis(since), millis(by)));
        }
        history
    }

    fn ages(history: &PollTimings) -> Vec<u32> {
        PollSchedule::default()
            .adapted_to(history)
            .adaptive
            .map(|learned| learned.poll_ages)
            .unwrap_or_default()
    }

    #[test]
    fn the_prior_makes_the_usual_schedule_the_best() {
        let grid = TimeGrid::new();
        for schedule in [
            PollSchedule::default(),
            PollSchedule { growth_permille: 3000, max_wait: Duration::from_secs(60), ..Default::default() },
        ] {
            let even = PollSchedule { jitter_permille: 0, ..schedule };
            let usual = |age| even.next_wait(age, Duration::MAX, 0, 0).0;
            let plan = grid.plan(&grid.prior(usual), 4);
            assert_eq!(plan[0], 2000);
            for pair in plan.windows(2).take_while(|pair| pair[1] < 700_000) {
                let (planned, usual) = (pair[1] - pair[0], usual(millis(pair[0].into())).as_millis());
                // The usual schedule does not have the limit of twice the age, so apply it here.
                let usual = usual.min(u128::from(pair[0]).max(7_500) * 2);
                assert!(u128::from(planned).abs_diff(usual) <= 500 + usual / 10, "{pair:?} for {usual}");
            }
        }
    }

    #[test]
    fn no_timings_give_no_adaptive_schedule() {
        let schedule = PollSchedule::default();
        assert_eq!(schedule.adapted_to(&PollTimings::default()), schedule);
        let learned = schedule.adapted_to(&history([(4000, 7000)]));
        assert_eq!(learned.adaptive.as_ref().map(AdaptiveSchedule::report_count), Some(1));
        assert_eq!(learned.adapted_to(&PollTimings::default()), schedule, "learning anew forgets");
    }

    #[test]
    fn the_same_reports_are_expected_when_they_came() {
        // The polls of the usual schedule detect a report of 300 s at random within 15 s.
        let late = history((0..30).map(|n| (299_900 - n * 483, 314_900 - n * 483)));
        let planned = ages(&late);
        let before = planned.iter().filter(|age| **age < 298_000).count();
        let around = planned.iter().filter(|age| (298_000..=304_000).contains(*age)).count();
        assert!(before <= 8 && around >= 1, "{planned:?}");
        // Half of the reports complete at once: the polls of the first seconds stay.
        let both = history((0..30).map(|n| if n % 2 == 0 { (0, 2000) } else { (299_000, 301_000) }));
        assert!(ages(&both)[0] <= 2500, "{:?}", ages(&both));
    }

    #[test]
    fn one_timing_does_not_delay_the_discovery_of_faster_reports() {
        let planned = ages(&history([(299_000, 301_000)]));
        // The usual schedule has 13 polls there.
        assert!(planned.iter().filter(|age| **age < 100_000).count() >= 6, "{planned:?}");
    }

    #[test]
    fn d04_every_plan_keeps_to_the_bounds() {
        let mut seed = 1_u64;
        let mut draw = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % bound
        };
        for round in 0..60 {
            let (least, spread) = (draw(400_000), 1 + draw(1_000_000));
            let seen = (0..=draw(40)).map(|_| {
                let since = least / (1 + round % 3) + draw(spread);
                (since, since + 1 + draw(30_000))
            });
            let planned = ages(&history(seen.collect::<Vec<_>>()));
            let mut age = 0;
            for next in planned {
                let most = (2 * age).clamp(15_000, 119_000);
                assert!((age + 2000..=age + most).contains(&next), "{age} to {next}");
                age = next;
            }
            assert!(age <= 900_000);
        }
    }

    #[test]
    fn timings_beyond_the_grid_still_count() {
        let far = u64::MAX;
        for seen in
            [(0, far), (far - 1, far), (899_999, 900_000), (900_000, 900_001), (0, 1), (899_600, 950_000)]
        {
            assert!(!ages(&history([seen; 3])).is_empty(), "{seen:?}");
        }
        let odd = PollSchedule {
            min_wait: Duration::MAX,
            max_wait: Duration::MAX,
            growth_permille: u32::MAX,
            ..PollSchedule::default()
        };
        let learned = odd.adapted_to(&history([(0, 2000)]));
        assert!(learned.next_wait(millis(5), Duration::MAX, 1, 1).0 > Duration::from_secs(1 << 40));
    }
}
