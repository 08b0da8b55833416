//! The log records of the HTTP libraries contain no secret at any level. The exception is ureq at TRACE, which logs the bytes
//! of the connection.
//!
//! A logger belongs to a whole process, so each client runs in a child process of this test program.

use std::env;
use std::fmt::{self, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use billing_core::{BaseUrl, Environment};
use billing_tests::raw_server::{RawServer, TRUSTOR};
use log::Level;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::faults::answers::{Answers, server};
use crate::faults::client::{Driver, RUNTIME, Setup};
use crate::faults::http2;
use crate::faults::tls::AUTHORITY;

/// The child's task: the driver, the address and the logger's filter.
const TASK: &str = "BILLING_TESTS_LOG";
/// The certificate that the child trusts.
const PEM: &str = "BILLING_TESTS_LOG_PEM";

#[test]
fn d09_no_library_tells_a_logger_a_secret_but_ureq_at_trace() {
    for driver in Driver::ALL {
        for (protocol, place) in places(driver) {
            let case = format!("{driver:?}, {protocol}");
            // hyper logs nothing over HTTP/1.1.
            let hears = driver == Driver::Ureq || protocol == "HTTP/2";
            for filter in ["debug", "trace", "trace, ureq at debug"] {
                let (heard, told) = told(driver, &place, filter);
                assert!(heard > 0 || !hears, "{case}, {filter}");
                // The documentation of billing-ureq says to filter these records. If they no longer contain secrets,
                // remove that advice.
                let known = ["ureq", "ureq_proto"].map(str::to_owned);
                let expected = if driver == Driver::Ureq && filter == "trace" { &known[..] } else { &[] };
                assert_eq!(told, expected, "{case}, {filter}");
            }
        }
    }
}

/// Starts a server for each protocol that a driver uses.
fn places(driver: Driver) -> Vec<(&'static str, String)> {
    let plain = server();
    let (answers, config) = (Answers::default(), AUTHORITY.server());
    let secured = RawServer::start(move |_, wire| {
        if wire.start_tls(&config) {
            answers.serve(wire);
        }
    });
    let mut places = vec![
        ("HTTP/1.1", format!("http://{}", plain.address())),
        ("HTTP/1.1 under TLS", format!("https://{}", secured.address())),
    ];
    if driver == Driver::Hyper {
        places.push(("HTTP/2", http2::serve_well().api().to_string()));
    }
    places
}

/// The number of log records, and the crates that logged a secret.
fn told(driver: Driver, place: &str, filter: &str) -> (usize, Vec<String>) {
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "faults::logs::the_child", "--nocapture"])
        .env(TASK, format!("{driver:?} {place} {filter}"))
        .env(PEM, String::from_utf8(AUTHORITY.pem()).expect("PEM is text"))
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let after = |word: &'static str| said.lines().filter_map(move |line| line.strip_prefix(word));
    let heard = after("heard: ").next().and_then(|n| n.parse().ok());
    (heard.unwrap_or_else(|| panic!("{said}")), after("told: ").map(str::to_owned).collect())
}

/// Runs the client in its own process. It does nothing without a task in the environment.
#[test]
fn the_child() {
    let Ok(task) = env::var(TASK) else { return };
    let [driver, place, filter] = task.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    LISTENER.set(filter);
    let base: BaseUrl = place.parse().expect("an address");
    let pem = env::var(PEM).expect("a certificate");
    let setup = Setup::new(Environment::new(base.clone(), base)).trusting(pem.as_bytes()).with_login();
    let (trustor, invoice) = (TRUSTOR.parse().expect("an id"), "i-1".parse().expect("an id"));
    let retrying = crate::faults::client::retrying_within(20_000);
    if driver == "Ureq" {
        let client = setup.policy(retrying).ureq();
        client.trustee_overview(trustor, None).expect("an overview");
        client.invoice_document(invoice, || Ok(std::io::sink())).expect("a document");
    } else {
        RUNTIME.block_on(async {
            let client = setup.policy(retrying).hyper();
            client.trustee_overview(trustor, None).await.expect("an overview");
            client.invoice_document(invoice, async || Ok(tokio::io::sink())).await.expect("a document");
        });
    }
    let heard = LISTENER.heard();
    println!("\nheard: {}", heard.len());
    let mut crates: Vec<&str> =
        heard.iter().map(|(target, _)| target.split(':').next().unwrap_or_default()).collect();
    crates.sort_unstable();
    crates.dedup();
    for name in crates {
        let of_this = heard.iter().filter(|(target, _)| target.split(':').next() == Some(name));
        if tells(&of_this.map(|(_, text)| text.as_str()).collect::<Vec<_>>()) {
            println!("told: {name}");
        }
    }
}

/// Returns true if the records contain a secret: literally, encoded, or as a dump of bytes.
fn tells(records: &[&str]) -> bool {
    let encoded = BASE64_STANDARD_NO_PAD.encode("id:s3cret");
    let secrets = ["s3cret", "tok-1", "signature=s", &encoded];
    let as_numbers = |secret: &str| format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned();
    let in_hex = |secret: &str| secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let text = records.join("\n");
    // A row of a dump has this number of bytes in hexadecimal, followed by the same bytes as characters.
    let rows = records.iter().filter_map(|record| record.split_at_checked(record.len().checked_sub(16)?));
    let (hex, characters): (String, String) =
        rows.map(|(hex, characters)| (hex.replace([' ', '-'], ""), characters)).unzip();
    let squeezed = text.replace([' ', '\n'], "").to_ascii_lowercase();
    secrets.iter().any(|secret| {
        text.contains(secret)
            || text.contains(&as_numbers(secret))
            || characters.contains(secret)
            || hex.contains(&in_hex(secret))
            || squeezed.contains(&in_hex(secret))
    })
}

static LISTENER: Listener = Listener { heard: Mutex::new(Vec::new()), filter: Mutex::new(None) };

/// A logger that keeps all records with their targets.
struct Listener {
    heard: Mutex<Vec<(String, String)>>,
    filter: Mutex<Option<Filter>>,
}

/// The maximum levels that pass: for ureq, and for all other crates.
#[derive(Clone, Copy)]
struct Filter {
    of_ureq: Level,
    of_others: Level,
}

impl Listener {
    /// Receives all records from now on, from `log` and from `tracing`.
    fn set(&'static self, filter: &str) {
        let (of_ureq, of_others) = match filter {
            "debug" => (Level::Debug, Level::Debug),
            "trace" => (Level::Trace, Level::Trace),
            _ => (Level::Debug, Level::Trace),
        };
        *lock(&self.filter) = Some(Filter { of_ureq, of_others });
        log::set_logger(self).expect("no other logger");
        log::set_max_level(of_others.to_level_filter());
        tracing::subscriber::set_global_default(Arc::new(Spans(self))).expect("no other subscriber");
    }

    fn lets_through(&self, target: &str, level: Level) -> bool {
        let ureq = ["ureq", "ureq_proto"].contains(&target.split(':').next().unwrap_or_default());
        lock(&self.filter).is_some_and(|filter| level <= if ureq { filter.of_ureq } else { filter.of_others })
    }

    fn hear(&self, target: &str, text: String) {
        lock(&self.heard).push((target.to_owned(), text));
    }

    fn heard(&self) -> Vec<(String, String)> {
        lock(&self.heard).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl log::Log for Listener {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.lets_through(metadata.target(), metadata.level())
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.hear(record.target(), record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// A `tracing` subscriber that passes everything to the logger.
struct Spans(&'static Listener);

impl Spans {
    fn hear(&self, metadata: &tracing::Metadata<'_>, record: impl FnOnce(&mut Text)) {
        let mut text = Text(String::new());
        record(&mut text);
        self.0.hear(metadata.target(), text.0);
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        let level = match *metadata.level() {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            _ => Level::Info,
        };
        self.0.lets_through(metadata.target(), level)
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.hear(span.metadata(), |text| span.record(text));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.0.hear("a span", text.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.hear(event.metadata(), |text| event.record(text));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).ok();
    }
}
