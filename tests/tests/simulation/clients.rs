//! A million operations in virtual time, each checked against the rules; see `billing_tests::simulation`.
//!
//! `BILLING_SIM_OPERATIONS=n` runs until `n` operations are done; use the profile `simulation` for large numbers.
//! `BILLING_SIM_SEED=s` repeats one seed and prints its whole trace. A failure prints the command for that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use billing_tests::simulation::{Event, Run, Tally, Variation, describe, run};

#[test]
fn every_life_keeps_the_rules() {
    if let Some(seed) = number("BILLING_SIM_SEED") {
        return replay(seed);
    }
    let wanted = number("BILLING_SIM_OPERATIONS").unwrap_or(OPERATIONS);
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let total = Mutex::new(Tally::default());
    let failures = Mutex::new(Vec::new());
    let began = Instant::now();
    let work = || {
        while done.load(Ordering::Relaxed) < wanted && !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match examine(seed) {
                Ok(tally) => {
                    done.fetch_add(tally.operations, Ordering::Relaxed);
                    total.lock().unwrap().add(&tally);
                }
                Err(failure) => {
                    failed.store(true, Ordering::Relaxed);
                    failures.lock().unwrap().push((seed, failure));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    println!("{}in {} s on {threads} threads", total.lock().unwrap(), began.elapsed().as_secs());
    let failures = failures.into_inner().unwrap();
    for (seed, Failure { variation, text }) in &failures {
        let variation = match variation {
            Variation::Plain => String::new(),
            other => format!("BILLING_SIM_VARIATION={other:?} "),
        };
        let command = "cargo test -p billing-tests --test simulation clients:: -- --nocapture";
        eprintln!("{text}\n{variation}BILLING_SIM_SEED={seed} {command}");
    }
    assert!(failures.is_empty());
    let total = total.into_inner().unwrap();
    let unseen: Vec<_> = LOOKED_AT.iter().filter(|what| total.of(what) == 0).collect();
    assert!(unseen.is_empty() || wanted < OPERATIONS, "what is checked never came up: {unseen:?}");
}

/// A violation, with the variation of the seed in which it happened.
struct Failure {
    variation: Variation,
    text: String,
}

/// Runs a seed. Some seeds run twice, and some run with every machine saved and restored at every wait; both must give the
/// same result (rule D8).
fn examine(seed: u64) -> Result<Tally, Failure> {
    let mut plain = attempt(seed, Variation::Plain, |_| {})?;
    let same = |one: &Run, other: &Run, variation, text: &str| {
        if one.digest == other.digest { Ok(()) } else { Err(Failure { variation, text: text.to_owned() }) }
    };
    if seed.is_multiple_of(32) {
        let again = attempt(seed, Variation::Plain, |_| {})?;
        same(&plain, &again, Variation::Plain, "rule D8: the same seed does not come to the same")?;
    }
    if seed % 8 == 1 {
        let original = attempt(seed, Variation::Uninterrupted, |_| {})?;
        let restored = attempt(seed, Variation::Restored, |_| {})?;
        let text =
            "checkpoint: restored machines do something else than those of the variation Uninterrupted";
        same(&original, &restored, Variation::Restored, text)?;
        plain.tally.adopt(&restored.tally, RESTORED);
    }
    Ok(plain.tally)
}

fn attempt(seed: u64, variation: Variation, watch: impl FnMut(&Event)) -> Result<Run, Failure> {
    match catch_unwind(AssertUnwindSafe(|| run(seed, variation, watch))) {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(violation)) => Err(Failure { variation, text: violation.to_string() }),
        Err(_) => Err(Failure { variation, text: "a panic".to_owned() }),
    }
}

fn replay(seed: u64) {
    println!("{}", describe(seed));
    let variation = match std::env::var("BILLING_SIM_VARIATION").as_deref() {
        Ok("Uninterrupted") => Variation::Uninterrupted,
        Ok("Restored") => Variation::Restored,
        _ => Variation::Plain,
    };
    let result = attempt(seed, variation, |event| println!("{event}"));
    let failure = result.map(|run| println!("{}", run.tally)).err().or_else(|| examine(seed).err());
    assert!(failure.is_none(), "{}", failure.map(|failure| failure.text).unwrap_or_default());
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name} is to be a number, not {text:?}")))
}

const RESTORED: &str = "restored where it must not matter";
/// The rare situations that some checks need. If one never happened, its checks have proved nothing.
const LOOKED_AT: [&str; 6] = [
    RESTORED,
    "ended where nothing went wrong any more",
    "counted where nobody else was",
    "clocks that jumped ahead",
    "clocks that were set back",
    "answers of before",
];
/// The number of operations without `BILLING_SIM_OPERATIONS`, which is quick even without optimization. The gate runs a
/// million.
const OPERATIONS: u64 = 20_000;
