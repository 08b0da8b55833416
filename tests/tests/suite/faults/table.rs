//! The table of faults, and the code that runs its rows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use billing_core::Policy;
use billing_tests::raw_server::{RawServer, Wire};

use crate::faults::client::{Client, Driver, Setup, once_within, outcome, retrying_within};
use crate::faults::tls::AUTHORITY;

type Serve = Arc<dyn Fn(&mut Wire) + Send + Sync>;

/// A fault and its expected outcome.
pub(crate) struct Row {
    name: String,
    serve: Serve,
    scheme: &'static str,
    /// The time that the attempt may take.
    attempt: Duration,
    ureq: &'static str,
    hyper: &'static str,
}

impl Row {
    /// Builds a row with a server that reads the request of its first connection and then runs `serve`.
    pub(crate) fn answering(
        name: impl Into<String>,
        outcome: &'static str,
        serve: impl Fn(&mut Wire) + Send + Sync + 'static,
    ) -> Self {
        Self::raw(name, outcome, move |wire| {
            if wire.request().is_some() {
                serve(wire);
            }
        })
    }

    /// Builds a row with a server that sends these bytes as its answer and closes the connection in order.
    pub(crate) fn bytes(
        name: impl Into<String>,
        outcome: &'static str,
        bytes: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Self {
        Self::answering(name, outcome, move |wire| {
            wire.send(&bytes);
            wire.end_sending();
            wire.wait_for_the_end();
        })
    }

    /// Builds a row with a server that runs `serve` from the beginning of its first connection.
    pub(crate) fn raw(
        name: impl Into<String>,
        outcome: &'static str,
        serve: impl Fn(&mut Wire) + Send + Sync + 'static,
    ) -> Self {
        let serve = Arc::new(serve);
        let attempt = Duration::from_secs(20);
        Self { name: name.into(), serve, scheme: "http", attempt, ureq: outcome, hyper: outcome }
    }

    /// Puts the server behind TLS that works.
    pub(crate) fn over_tls(self) -> Self {
        let serve = self.serve;
        let config = AUTHORITY.server();
        let serve: Serve = Arc::new(move |wire| {
            if wire.start_tls(&config) {
                serve(wire);
            }
        });
        Self { name: format!("{}, over TLS", self.name), serve, scheme: "https", ..self }
    }

    /// Marks a row whose server handles TLS itself, or fails to.
    pub(crate) fn speaking_tls(self) -> Self {
        Self { scheme: "https", ..self }
    }

    /// Sets the time after which the attempt must time out.
    pub(crate) fn within(self, millis: u64) -> Self {
        Self { attempt: Duration::from_millis(millis), ..self }
    }

    /// Sets another outcome for `ureq`, with the reason why it is harmless.
    pub(crate) fn but_ureq(self, outcome: &'static str, _why: &str) -> Self {
        Self { ureq: outcome, ..self }
    }

    /// Sets another outcome for `hyper`, with the reason why it is harmless.
    pub(crate) fn but_hyper(self, outcome: &'static str, _why: &str) -> Self {
        Self { hyper: outcome, ..self }
    }

    fn expected(&self, driver: Driver) -> &'static str {
        match driver {
            Driver::Ureq => self.ureq,
            Driver::Hyper => self.hyper,
        }
    }

    /// Runs the row with `driver`. Returns the failures, one per line, and the outcome.
    fn run(&self, driver: Driver) -> (Vec<String>, String) {
        let mut wrong = Vec::new();
        let mut expect = |what: &str, is: String, should: &str| {
            if is != should {
                wrong.push(format!("{driver:?}: {}: {what}: {is}, and should be {should}", self.name));
            }
        };
        let millis = u64::try_from(self.attempt.as_millis()).expect("a short time");
        let client = self.client(driver, once_within(millis));
        let begun = Instant::now();
        let first = client.ask();
        let elapsed = begun.elapsed();
        expect("one attempt", first.clone(), self.expected(driver));
        if elapsed > self.attempt + SLACK {
            expect("its time", format!("{elapsed:?}"), "in time");
        }
        if first == "Timeout" && elapsed < self.attempt.mul_f64(0.9) {
            expect("its time", format!("{elapsed:?}"), "not before its bound");
        }
        expect("the next call", outcome(&client.overview(retrying_within(20_000))), "ok");

        // The next attempt must succeed on a busy machine too, so it has the usual timeout.
        let client = self.client(driver, retrying_within(millis.max(3_000)));
        let passes = !FINAL.contains(&self.expected(driver));
        expect("with retries", client.ask(), if passes { "ok" } else { self.expected(driver) });
        (wrong, first)
    }

    fn client(&self, driver: Driver, policy: Policy) -> Client {
        let (serve, scheme) = (Arc::clone(&self.serve), self.scheme);
        let well = AUTHORITY.server();
        let server = RawServer::start(move |number, wire| {
            if number == 0 {
                serve(wire);
            } else if scheme == "http" || wire.start_tls(&well) {
                wire.serve_well();
            }
        });
        let setup = Setup::new(server.environment(scheme)).policy(policy);
        driver.client(setup.trusting(&AUTHORITY.pem()))
    }
}

/// Runs every row with both drivers, several at a time, and reports all failures together.
pub(crate) fn run_all(rows: &[Row]) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let told = Mutex::new(vec![String::new(); rows.len()]);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((n, row)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| rows.get(n).map(|row| (n, row)))
                {
                    let [ureq, hyper] = Driver::ALL.map(|driver| row.run(driver));
                    told.lock().expect("the table")[n] =
                        format!("{:<70} {:<10} {:<10}", row.name, ureq.1, hyper.1);
                    wrong.lock().expect("the list").extend(ureq.0.into_iter().chain(hyper.0));
                }
            });
        }
    });
    println!("{:<70} {:<10} {:<10}", "fault", "ureq", "hyper");
    println!("{}", told.lock().expect("the table").join("\n"));
    let wrong = wrong.into_inner().expect("the list");
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The outcomes after which the decision table does not retry.
pub(crate) const FINAL: [&str; 5] = ["ok", "Tls", "TooLarge", "UnexpectedStatus", "InvalidRequest"];

/// The time by which an attempt may exceed its bound on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

const AT_ONCE: usize = 12;
