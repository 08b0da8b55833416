//! Fleets in virtual time; see `billing_tests::fleet_simulation`. A failure names its seed and scenario.
//!
//! `BILLING_FLEET_SIZE=n` sets the number of organisations, with twelve periods each. `BILLING_FLEET_SEEDS=n` sets the number
//! of runs with many faults. The gate runs more of both than plain `cargo test`, in the profile `simulation`.
//! `BILLING_FLEET_SEED=s` repeats one of these runs and prints its events. A failure prints the command for that.

use billing_core::{PeriodIndex, PeriodSelection};
use billing_tests::fleet_simulation::{Quota, Report, Scenario, Stranger, run, watch};

fn latest(organizations: usize) -> Scenario {
    Scenario::new(organizations, PeriodSelection::Nth(PeriodIndex::new(0)))
}

fn periods(organizations: usize, n: u32) -> Scenario {
    Scenario::new(organizations, PeriodSelection::Latest(n.try_into().unwrap()))
}

fn attempt(seed: u64, scenario: &Scenario) -> Report {
    run(seed, scenario).unwrap_or_else(|error| panic!("{error}\nseed {seed}, {scenario:#?}"))
}

#[test]
fn five_thousand_organisations_take_no_longer_than_the_quota_does() {
    for (seed, fixed, rounded_down) in
        [(1, false, false), (2, true, false), (3, false, true), (4, true, true), (5, false, false)]
    {
        let quota = Quota { allowed: 300, fixed, of_client: false, rounded_down };
        let scenario = Scenario { quota, ..latest(5_000) };
        let report = attempt(seed, &scenario);
        println!("{report}");
        assert_eq!((report.requests, report.throttled, report.logins), (5_000, 0, 1), "{report}");
        // The last window has 200 requests of at most 0.7 s, with 16 in flight.
        let last_answers = 13 * 700;
        assert!(report.time <= report.floor * 102 / 100 + last_answers, "{report}");
    }
}

#[test]
fn alone_it_is_never_refused_whichever_way_the_server_rounds_its_seconds() {
    for seed in 0..10 {
        for (fixed, rounded_down) in [(false, false), (false, true), (true, false), (true, true)] {
            for (at_once, delay) in [(8, (5, 50)), (16, (50, 300)), (64, (100, 2_000)), (64, (5, 300))] {
                let quota = Quota { allowed: 30, fixed, of_client: false, rounded_down };
                let scenario = Scenario { quota, at_once, delay, ..latest(200) };
                let report = attempt(seed, &scenario);
                assert_eq!(
                    (report.requests, report.throttled),
                    (200, 0),
                    "{report}\nseed {seed}, {scenario:#?}"
                );
                // Seven windows, one of which can start before the run, plus the time of the last answers.
                assert!(report.time <= report.floor * 102 / 100 + 4 * delay.1, "{report}\n{scenario:#?}");
            }
        }
    }
}

#[test]
fn beside_a_stranger_who_uses_a_third_fewer_than_one_in_a_thousand_are_refused() {
    for (seed, rounded_down) in [(1, false), (2, true), (3, false)] {
        let quota = Quota { allowed: 300, fixed: false, of_client: false, rounded_down };
        let stranger = Stranger::Steady(100);
        let report = attempt(seed, &Scenario { quota, stranger, ..latest(5_000) });
        println!("rounded down: {rounded_down}: {report}");
        assert!(report.throttled * 1_000 < report.requests, "{report}");
    }
}

/// The first burst of other clients cannot be predicted, so requests in flight at that time are refused. Later bursts have a
/// reserve.
#[test]
fn of_a_stranger_who_comes_in_bursts_only_the_first_meets_us() {
    for (seed, rounded_down) in [(1, false), (2, true)] {
        let quota = Quota { allowed: 300, fixed: false, of_client: false, rounded_down };
        let scenario = Scenario { quota, stranger: Stranger::Bursts(100), ..latest(5_000) };
        let report = attempt(seed, &scenario);
        println!("bursts, rounded down: {rounded_down}: {report}");
        assert!(report.throttled <= scenario.at_once as u64, "{report}");
    }
}

#[test]
fn killed_at_every_moment_a_small_fleet_asks_for_nothing_twice_and_misses_nothing() {
    let scenario = Scenario { odd: true, at_once: 4, ..periods(24, 4) };
    let acts = attempt(1, &scenario).acts;
    assert!(acts > 2 * 24 * 4, "a request and its answer for each period: {acts}");
    for kill in 1..=acts {
        attempt(kill, &Scenario { kills: vec![kill], ..scenario.clone() });
    }
}

#[test]
fn twelve_periods_of_each_take_no_longer_than_the_quota_does() {
    let report = attempt(1, &Scenario { thorough: false, ..periods(number("BILLING_FLEET_SIZE", 500), 12) });
    println!("{report}");
    assert_eq!((report.throttled, report.logins), (0, 1), "{report}");
    assert!(report.time <= report.floor * 102 / 100 + 20 * 700, "{report}");
}

#[test]
fn whatever_goes_wrong_nothing_is_asked_for_twice_that_was_answered_and_nothing_is_missed() {
    if let Ok(seed) = std::env::var("BILLING_FLEET_SEED") {
        let seed = seed.parse().unwrap();
        let scenario = where_much_goes_wrong(seed);
        println!("{scenario:#?}");
        let report = watch(seed, &scenario, &mut |act| println!("{act}"));
        return println!("{}", report.unwrap_or_else(|error| panic!("{error}")));
    }
    for seed in 0..number("BILLING_FLEET_SEEDS", 40) {
        let scenario = where_much_goes_wrong(seed);
        if let Err(error) = run(seed, &scenario) {
            let test = "whatever_goes_wrong";
            let command =
                format!("cargo test -p billing-tests --test simulation fleets::{test} -- --nocapture");
            panic!("{error}\n{scenario:#?}\nBILLING_FLEET_SEED={seed} {command}");
        }
    }
}

/// Builds the scenario of a seed.
fn where_much_goes_wrong(seed: u64) -> Scenario {
    let mut rng = billing_tests::simulation::Rng::new(seed);
    let reach = match rng.below(3) {
        0 => PeriodSelection::Nth(PeriodIndex::new(0)),
        1 => PeriodSelection::Latest((1 + u32::try_from(rng.below(14)).unwrap()).try_into().unwrap()),
        _ => PeriodSelection::All,
    };
    let organizations = 1 + rng.index(60);
    let allowed = rng.pick(&[5, 20, 60, 300]);
    let strangers = [Stranger::Nobody, Stranger::Nobody, Stranger::Steady(20), Stranger::Bursts(30)];
    let outage = rng.millis(200_000);
    let outages = if rng.permille(300) { vec![(outage, outage + rng.millis(60_000))] } else { Vec::new() };
    Scenario {
        at_once: 1 + rng.index(20),
        quota: Quota {
            allowed,
            fixed: rng.permille(300),
            of_client: rng.permille(300),
            rounded_down: rng.permille(500),
        },
        // Other clients that take the whole quota would leave none for the fleet.
        stranger: if allowed < 60 { Stranger::Nobody } else { rng.pick(&strangers) },
        delay: rng.pick(&[(0, 0), (5, 50), (150, 350), (100, 5_000)]),
        token_lifetime: rng.pick(&[120_000, 600_000, 86_400_000]),
        odd: rng.permille(700),
        faults: rng.pick(&[0, 0, 10, 100]),
        outages,
        kills: (0..rng.below(4)).map(|_| 1 + rng.below(3_000)).collect(),
        ..Scenario::new(organizations, reach)
    }
}

fn number<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
