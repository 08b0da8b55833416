//! Panics in code that a caller hands over. They reach the caller, and only the caller's own call fails.

use std::any::Any;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use billing_core::fleet::FleetPlan;
use billing_core::{BaseUrl, OrgId, PeriodIndex, PeriodSelection};
use billing_tests::VirtualTime;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt};
use tokio::io::AsyncWrite;

use crate::faults::answers::server;
use crate::faults::client::{RUNTIME, Setup, once};
use crate::faults::shared::fatal;

#[test]
fn ureq_a_fleet_whose_watcher_panics_ends_in_that_panic() {
    // There are eight events: a request and an answer for the login and for each of three overviews.
    for n in 0..8 {
        let server = server();
        let client = Setup::new(server.environment("http")).with_login().ureq();
        let fleet = client.fleet(&assignment(client.environment().api())).at_once(2);
        let run = || fleet.run_watched(|_| ControlFlow::Continue(()), fatal(n)).map(drop);
        assert_eq!(panic_of(catch_unwind(AssertUnwindSafe(run))), TOLD_TO, "at event {n}");
        client.organization().unwrap_or_else(|error| panic!("after a panic at event {n}: {error}"));
    }
}

#[test]
fn hyper_a_fleet_whose_watcher_panics_ends_in_that_panic() {
    for n in 0..8 {
        let server = server();
        let client = Setup::new(server.environment("http")).with_login().hyper();
        RUNTIME.block_on(async {
            let fleet = client.fleet(&assignment(client.environment().api())).at_once(2);
            let mut updates = pin!(fleet.run_watched(fatal(n)));
            let run = AssertUnwindSafe(async { while updates.next().await.is_some() {} });
            assert_eq!(panic_of(run.catch_unwind().await), TOLD_TO, "at event {n}");
            client.organization().await.unwrap_or_else(|error| panic!("after a panic at event {n}: {error}"));
        });
    }
}

/// Panics in the clock on a thread of the fleet.
#[test]
fn ureq_a_fleet_one_of_whose_threads_panics_ends_in_that_panic() {
    let server = server();
    let setup = Setup::new(server.environment("http"));
    let client = billing_ureq::Client::builder(setup.environment, setup.credentials)
        .no_proxy()
        .policy(once())
        .clock(ClockOfOneThread(thread::current().id(), now()))
        .build()
        .expect("a client");
    for at_once in [1, 2] {
        let fleet = client.fleet(&assignment(client.environment().api())).at_once(at_once);
        let run = || fleet.run(|_| ControlFlow::Continue(())).map(drop);
        assert_eq!(panic_of(catch_unwind(AssertUnwindSafe(run))), TOLD_TO);
        client.organization().expect("an organisation");
    }
}

#[test]
fn ureq_a_sink_that_panics_costs_its_own_download_and_no_other() {
    for at in AT {
        let server = server();
        let client = Setup::new(server.environment("http")).with_login().ureq();
        let download =
            || client.invoice_document("i-1".parse().expect("an id"), || Ok(Sink::open(at))).map(drop);
        assert_eq!(panic_of(catch_unwind(AssertUnwindSafe(download))), TOLD_TO, "{at:?}");
        client.organization().unwrap_or_else(|error| panic!("{at:?}: {error}"));
        let bytes = client.invoice_document("i-1".parse().expect("an id"), || Ok(io::sink()));
        bytes.unwrap_or_else(|error| panic!("{at:?}: {error}"));
    }
}

#[test]
fn hyper_a_sink_that_panics_costs_its_own_download_and_no_other() {
    for at in AT {
        let server = server();
        let client = Setup::new(server.environment("http")).with_login().hyper();
        RUNTIME.block_on(async {
            let download =
                client.invoice_document("i-1".parse().expect("an id"), async || Ok(Sink::open(at)));
            assert_eq!(panic_of(AssertUnwindSafe(download).catch_unwind().await), TOLD_TO, "{at:?}");
            client.organization().await.unwrap_or_else(|error| panic!("{at:?}: {error}"));
            let bytes =
                client.invoice_document("i-1".parse().expect("an id"), async || Ok(tokio::io::sink()));
            bytes.await.unwrap_or_else(|error| panic!("{at:?}: {error}"));
        });
    }
}

/// Builds the plan of a fleet of three organisations.
fn assignment(api: &BaseUrl) -> FleetPlan {
    let organizations = ["a", "b", "c"].map(|name| name.parse::<OrgId>().expect("an id"));
    FleetPlan::new(organizations, PeriodSelection::Nth(PeriodIndex::new(0)), api.clone(), now().now())
}

fn now() -> VirtualTime {
    VirtualTime::at("2026-11-02T09:00:00Z".parse().expect("a time"))
}

/// Returns the message of a panic.
fn panic_of<T>(result: Result<T, Box<dyn Any + Send>>) -> &'static str {
    match result {
        Ok(_) => "no panic",
        Err(panic) => panic.downcast::<&str>().map_or("another panic", |said| *said),
    }
}

/// A clock that panics on every thread except this one.
struct ClockOfOneThread(ThreadId, VirtualTime);

impl billing_ureq::Clock for ClockOfOneThread {
    fn now(&self) -> DateTime<Utc> {
        assert!(thread::current().id() == self.0, "told to");
        self.1.now()
    }

    fn sleep_until(&self, time: DateTime<Utc>) {
        self.1.advance_to(time);
    }
}

/// The method in which a sink panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Opening,
    Writing,
    Flushing,
}

const AT: [At; 3] = [At::Opening, At::Writing, At::Flushing];

struct Sink(At);

impl Sink {
    fn open(at: At) -> Self {
        let sink = Self(at);
        sink.survive(At::Opening);
        sink
    }

    fn survive(&self, here: At) {
        assert!(self.0 != here, "told to");
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.survive(At::Writing);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.survive(At::Flushing);
        Ok(())
    }
}

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

const TOLD_TO: &str = "told to";
