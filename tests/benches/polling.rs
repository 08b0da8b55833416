//! The lag until a complete report is noticed and the number of polls, in virtual time: our schedule, as configured and
//! adapted, compared with other schedules, for several distributions of report times.
//!
//! `cargo bench -p billing-tests --bench polling` prints the tables of `docs/performance.md`. As a test, it does the same
//! with fewer draws. The results do not depend on the speed of the machine, and every draw has a fixed seed. The program
//! fails if a ratio is above its bound.
//!
//! The cost of a schedule is J = mean lag + 1 s × mean polls after the first. J* is the cost of the best schedule for a known
//! distribution, computed by dynamic programming over tenths of a second with at least 2 s between polls. Every operation
//! has 900 s. A report that is complete by then but not noticed counts as noticed at 900 s. A report that takes longer costs
//! its polls but no lag. Both hold for J and for J*. Answers take no time.

use std::time::{Duration, Instant};

use billing_core::calls::BillableUsageCall;
use billing_core::poll::{AdaptivePoll, PollSchedule, PollTiming, PollTimings};
use billing_core::{Environment, Machine, Period, Policy, Poll, Reply, Step};
use billing_tests::simulation::Rng;
use chrono::{DateTime, TimeDelta, Utc};

fn main() {
    // `cargo bench` passes this argument, `cargo test` does not.
    let full = std::env::args().any(|argument| argument == "--bench");
    let (jitters, histories) = if full { (4000, 400) } else { (2000, 40) };
    let mut failures = Vec::new();

    println!("J/J* (lag + polls), {jitters} seeds of the jitter each\n");
    let named = LISTED.map(Law::new);
    heading(&named);
    let mut row = |name: &str, bounds: Option<[f64; 4]>, times: &dyn Fn(u64) -> Vec<f64>| {
        let runs: Vec<_> = (0..jitters).map(times).collect();
        print!("| {name} |");
        for (i, law) in named.iter().enumerate() {
            let (lag, polls) = law.cost(&runs);
            let ratio = (lag + polls) / law.best;
            print!(" {ratio:.2} ({lag:.2} + {polls:.2}) |");
            if bounds.is_some_and(|bounds| ratio > bounds[i]) {
                failures.push(format!("{name}, {}: {ratio:.3}", law.name));
            }
        }
        println!();
    };
    row("ours, as configured", Some(STATIC_BOUNDS), &|seed| machine_times(PollSchedule::default(), seed));
    for (name, wait) in OTHERS {
        row(name, None, &|seed| times_of(*wait, seed));
    }
    print!("| J* |");
    named.iter().for_each(|law| print!(" {:.2} s |", law.best));

    println!(
        "\n\nJ/J* of ours after so many reports, mean over {histories} histories (and the worst of them)\n"
    );
    let mut laws = named.to_vec();
    if full {
        laws.extend(MORE.map(Law::new));
    }
    println!("| | as configured |{}", MARKS.map(|mark| format!(" {mark} |")).concat());
    println!("|---|---|{}", MARKS.map(|_| "---|").concat());
    for (i, law) in laws.iter().enumerate() {
        let configured = law.ratio(&PollSchedule::default());
        let ratios: Vec<_> = (0..histories).map(|seed| learn(law, seed)).collect();
        print!("| {} | {configured:.2} |", law.name);
        for (mark, reports) in MARKS.iter().enumerate() {
            let mean = ratios.iter().map(|ratios| ratios[mark]).sum::<f64>() / f64::from(histories);
            let worst = ratios.iter().map(|ratios| ratios[mark]).fold(0.0, f64::max);
            print!(" {mean:.2} ({worst:.2}) |");
            if *reports == 30 && LEARNED_BOUNDS.get(i).is_some_and(|bound| mean > *bound) {
                failures.push(format!("learned from 30, {}: {mean:.3}", law.name));
            }
        }
        println!();
    }

    println!(
        "\nJ/J* when reports begin to take otherwise, after 30 of the first kind and so many of the second\n"
    );
    let changes: &[(Kind, Kind)] = if full { &CHANGES } else { &CHANGES[..1] };
    println!("| from, to | as configured |{}", AFTER_CHANGE.map(|mark| format!(" {mark} |")).concat());
    println!("|---|---|{}", AFTER_CHANGE.map(|_| "---|").concat());
    for (from, to) in changes {
        let (from, to) = (Law::new(*from), Law::new(*to));
        let ratios: Vec<_> = (0..histories / 4).map(|seed| change(&from, &to, seed)).collect();
        print!("| {} → {} | {:.2} |", from.name, to.name, to.ratio(&PollSchedule::default()));
        for mark in 0..AFTER_CHANGE.len() {
            let mean = ratios.iter().map(|ratios| ratios[mark]).sum::<f64>() / ratios.len() as f64;
            print!(" {mean:.2} |");
        }
        println!();
    }

    let seen = observe(&named[1], PollTimings::default(), &mut Rng::new(1), PollTimings::MAX_TIMINGS);
    let begun = Instant::now();
    (0..100).for_each(|_| drop(std::hint::black_box(PollSchedule::default().adapted_to(&seen))));
    println!("\nto learn from {} reports: {} µs", seen.len(), begun.elapsed().as_micros() / 100);
    let schedule = PollSchedule::default().adapted_to(&seen);
    println!(
        "what a saved poll carries of it: {} bytes",
        json(&schedule).len() - json(&PollSchedule::default()).len()
    );
    println!("the history: {} bytes", json(&seen).len());

    assert!(failures.is_empty(), "above its bound: {failures:#?}");
}

fn heading(laws: &[Law]) {
    println!("| |{}", laws.iter().map(|law| format!(" {} |", law.name)).collect::<String>());
    println!("|---|{}", laws.iter().map(|_| "---|").collect::<String>());
}

/// A family of distributions of the time that reports take, in seconds.
#[derive(Clone, Copy)]
enum Kind {
    Uniform(f64, f64),
    /// The median and σ.
    LogNormal(f64, f64),
    /// The minimum and α.
    Pareto(f64, f64),
    Exponential(f64),
    /// One of two times with equal probability.
    Either(f64, f64),
}

/// A distribution as a list of equally likely times, with the cost of its best schedule.
#[derive(Clone)]
struct Law {
    name: String,
    kind: Kind,
    times: Vec<f64>,
    /// The prefix sums of the times.
    sums: Vec<f64>,
    best: f64,
}

impl Law {
    fn new(kind: Kind) -> Self {
        let name = match kind {
            Kind::Uniform(from, to) => format!("uniform {from}–{to} s"),
            Kind::LogNormal(median, sigma) => format!("log-normal {median} s, σ {sigma}"),
            Kind::Pareto(least, alpha) => format!("Pareto {least} s, α {alpha}"),
            Kind::Exponential(mean) => format!("exponential {mean} s"),
            Kind::Either(a, b) if a == b => format!("always {a} s"),
            Kind::Either(a, b) => format!("{a} s or {b} s"),
        };
        let times: Vec<_> =
            (0..STRATA).map(|i| kind.quantile((f64::from(i) + 0.5) / f64::from(STRATA))).collect();
        let mut sums = vec![0.0];
        sums.extend(times.iter().scan(0.0, |sum, time| {
            *sum += time;
            Some(*sum)
        }));
        let mut law = Self { name, kind, times, sums, best: 0.0 };
        law.best = law.best();
        law
    }

    /// Returns the mean lag and the mean number of polls after the first. Each run is the list of its poll times.
    fn cost(&self, runs: &[Vec<f64>]) -> (f64, f64) {
        let (mut lag, mut polls) = (0.0, 0.0);
        for run in runs {
            let mut seen = 0;
            for poll in run {
                polls += (self.times.len() - seen) as f64;
                let now = self.complete_by(*poll);
                lag += self.unseen(seen, now, *poll);
                seen = now;
            }
            lag += self.unseen(seen, self.complete_by(END), END);
        }
        let all = (self.times.len() * runs.len()) as f64;
        (lag / all, polls / all)
    }

    fn ratio(&self, schedule: &PollSchedule) -> f64 {
        let runs: Vec<_> = (0..EVALUATED).map(|seed| machine_times(schedule.clone(), seed)).collect();
        let (lag, polls) = self.cost(&runs);
        (lag + polls) / self.best
    }

    /// Returns the cost of the best schedule: the cheapest next poll from each tenth of a second, computed backwards from the
    /// end.
    fn best(&self) -> f64 {
        let steps = (END / GRID) as usize;
        let by: Vec<_> = (0..=steps).map(|step| self.complete_by(step as f64 * GRID + 1e-9)).collect();
        let mut costs = vec![0.0; steps + 1];
        for from in (0..=steps).rev() {
            let mut best = self.unseen(by[from], by[steps], END);
            for to in from + (FLOOR / GRID) as usize..=steps {
                let here =
                    (self.times.len() - by[from]) as f64 + self.unseen(by[from], by[to], to as f64 * GRID);
                if here >= best {
                    break;
                }
                best = best.min(here + costs[to]);
            }
            costs[from] = best;
        }
        costs[0] / self.times.len() as f64
    }

    /// Returns the number of times that are at most `age`.
    fn complete_by(&self, age: f64) -> usize {
        self.times.partition_point(|time| *time <= age)
    }

    /// Returns the sum of the lags of the times `from..to` if they are noticed at `age`.
    fn unseen(&self, from: usize, to: usize, age: f64) -> f64 {
        (to - from) as f64 * age - (self.sums[to] - self.sums[from])
    }
}

impl Kind {
    fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Uniform(from, to) => from + (to - from) * p,
            Self::LogNormal(median, sigma) => median * (sigma * normal_quantile(p)).exp(),
            Self::Pareto(least, alpha) => least * (1.0 - p).powf(-1.0 / alpha),
            Self::Exponential(mean) => -mean * (1.0 - p).ln(),
            Self::Either(a, _) if p < 0.5 => a,
            Self::Either(_, b) => b,
        }
    }
}

/// Returns the times of a poll's requests after the first, in seconds since its start, if the report is never complete.
fn machine_times(polls: PollSchedule, seed: u64) -> Vec<f64> {
    let machine = poll(Policy { poll: polls, seed, ..Policy::default() });
    let (mut ages, mut now) = (Vec::new(), begin());
    let mut step = machine.step(now);
    loop {
        step = match step {
            Step::Send(_, sent) => {
                ages.push(seconds(now - begin()));
                sent.receive(answer(false), now)
            }
            Step::Wait(until, machine) => {
                now = until;
                machine.step(now)
            }
            Step::Done(_) => {
                ages.remove(0);
                return ages;
            }
        };
    }
}

/// Returns the poll times of a schedule that waits `wait(k, u)` seconds after poll `k`, counted from 0.
fn times_of(wait: fn(u32, f64) -> f64, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let mut age = 0.0;
    let times = (0..).map_while(|k| {
        age += wait(k, uniform(&mut rng));
        (age < END).then_some(age)
    });
    times.collect()
}

/// Returns the ratios after each of [`MARKS`] reports. Each report is polled by the schedule adapted to those before it.
fn learn(law: &Law, seed: u32) -> [f64; MARKS.len()] {
    let mut rng = Rng::new(u64::from(seed));
    let mut seen = PollTimings::default();
    let mut done = 0;
    MARKS.map(|mark| {
        seen = observe(law, std::mem::take(&mut seen), &mut rng, mark - done);
        done = mark;
        law.ratio(&PollSchedule::default().adapted_to(&seen))
    })
}

/// Returns the ratios for `to` after 30 reports of `from` and each of [`AFTER_CHANGE`] reports of `to`.
fn change(from: &Law, to: &Law, seed: u32) -> [f64; AFTER_CHANGE.len()] {
    let mut rng = Rng::new(u64::from(seed));
    let mut seen = observe(from, PollTimings::default(), &mut rng, 30);
    let mut done = 0;
    AFTER_CHANGE.map(|mark| {
        seen = observe(to, std::mem::take(&mut seen), &mut rng, mark - done);
        done = mark;
        to.ratio(&PollSchedule::default().adapted_to(&seen))
    })
}

/// Polls `count` more reports, each by the schedule adapted to those before it, and adds their timings.
fn observe(law: &Law, mut seen: PollTimings, rng: &mut Rng, count: usize) -> PollTimings {
    for _ in 0..count {
        let time = law.kind.quantile(uniform(rng));
        // One report per hour, so that their order is unambiguous.
        let begin = seen.iter().last().map_or(begin(), PollTiming::observed_at) + TimeDelta::hours(1);
        let policy = Policy { seed: rng.draw(), ..Policy::default() };
        seen.extend(one_life(poll(policy).adaptive(&seen), time, begin));
    }
    seen
}

/// Polls a report that takes `time` seconds and returns its timing.
fn one_life(machine: AdaptivePoll<BillableUsageCall>, time: f64, begin: DateTime<Utc>) -> Option<PollTiming> {
    let mut now = begin;
    let mut step = machine.step(now);
    loop {
        step = match step {
            Step::Send(_, sent) => sent.receive(answer(seconds(now - begin) >= time), now),
            Step::Wait(until, machine) => {
                now = until;
                machine.step(now)
            }
            Step::Done(result) => return result.ok()?.timing,
        };
    }
}

fn poll(policy: Policy) -> Poll<BillableUsageCall> {
    let period = Period::from_user("2026-10-01", "2026-11-01").expect("a valid period");
    Poll::new(BillableUsageCall::new(period), Environment::default().api().clone(), policy)
}

fn answer(complete: bool) -> Reply {
    let body = if complete { r#"{"status":"Complete"}"# } else { r#"{"status":"InProgress"}"# };
    Ok(http::Response::new(body.into()))
}

fn begin() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(1_793_000_000)
}

fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1000.0
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// Returns a number between 0 and 1, excluding both.
fn uniform(rng: &mut Rng) -> f64 {
    ((rng.draw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Returns the quantile of the normal distribution, by bisection of its distribution function.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

fn normal_cdf(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - normal_cdf(-x);
    }
    // φ(x) · (x + x³/3 + x⁵/(3·5) + …)
    let mut term = x;
    let mut sum = x;
    let mut odd = 1.0;
    while term > sum * 1e-17 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

const LISTED: [Kind; 4] =
    [Kind::Uniform(1.0, 120.0), Kind::LogNormal(10.0, 1.0), Kind::Pareto(2.0, 1.1), Kind::Either(0.2, 300.0)];
/// Distributions for which the schedule was not tuned.
const MORE: [Kind; 5] = [
    Kind::Exponential(40.0),
    Kind::LogNormal(30.0, 0.25),
    Kind::Uniform(200.0, 260.0),
    Kind::Either(60.0, 60.0),
    Kind::Either(8.0, 8.0),
];
const CHANGES: [(Kind, Kind); 5] = [
    (Kind::Uniform(200.0, 260.0), Kind::LogNormal(10.0, 1.0)),
    (Kind::Either(0.2, 300.0), Kind::LogNormal(10.0, 1.0)),
    (Kind::Uniform(200.0, 260.0), Kind::Either(8.0, 8.0)),
    (Kind::LogNormal(10.0, 1.0), Kind::Uniform(1.0, 120.0)),
    (Kind::LogNormal(10.0, 1.0), Kind::Uniform(200.0, 260.0)),
];
/// A name, and the wait after poll `k` in seconds for a random number from 0 to 1.
type Other = (&'static str, fn(u32, f64) -> f64);
const OTHERS: &[Other] = &[
    ("every 3 s", |_, _| 3.0),
    ("every 5 s", |_, _| 5.0),
    ("every 30 s", |_, _| 30.0),
    ("1 s × 2 → 60 s", |k, _| 2_f64.powi(k.min(30) as i32).min(60.0)),
    ("1 s × 1.5 → 20 s, full jitter", |k, u| u * 1.5_f64.powi(k.min(30) as i32).min(20.0)),
    ("uniform in [2 s, min(120 s, 2^k s)]", |k, u| {
        2.0 + u * (2_f64.powi(k.min(30) as i32 + 1).min(120.0) - 2.0)
    }),
];
const MARKS: [usize; 6] = [1, 2, 5, 10, 30, 100];
const AFTER_CHANGE: [usize; 5] = [0, 2, 5, 10, 30];
const STATIC_BOUNDS: [f64; 4] = [1.45, 1.25, 1.3, 7.65];
const LEARNED_BOUNDS: [f64; 4] = [1.15, 1.15, 1.25, 2.5];
/// The deadline in seconds.
const END: f64 = 900.0;
/// The shortest wait in seconds.
const FLOOR: f64 = 2.0;
/// The step of the dynamic programming in seconds.
const GRID: f64 = 0.1;
/// The number of equally likely times that represent a distribution.
const STRATA: u32 = 20_000;
/// The number of jitter seeds over which an adapted schedule is evaluated.
const EVALUATED: u64 = 10;
