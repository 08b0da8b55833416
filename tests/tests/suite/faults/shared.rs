//! Many calls of one client at the same time, and calls that end with a panic or with their runtime.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use billing_core::machine::RetrySchedule;
use billing_core::{Event, Policy};
use billing_tests::raw_server::{OVERVIEW, RawServer};
use futures_util::future::join_all;

use crate::faults::client::{RUNTIME, Setup, call, outcome};

/// Starts a server that works but answers logins slowly.
fn server() -> RawServer {
    RawServer::start(|_, wire| {
        while let Some(head) = wire.request() {
            if head.starts_with("POST") {
                thread::sleep(Duration::from_millis(100));
            }
            if !wire.log_in(&head) {
                wire.respond(200, "", OVERVIEW);
            }
        }
    })
}

fn setup(server: &RawServer) -> Setup {
    Setup::new(server.environment("http")).with_login().policy(patient())
}

/// Returns a policy without retries and with a deadline of 20 s, so that no retry hides a failure.
fn patient() -> Policy {
    Policy { timeout: Duration::from_secs(20), ..crate::faults::client::once() }
}

#[test]
fn d06_ureq_64_threads_log_in_once() {
    let server = server();
    let client = setup(&server).ureq();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..64).map(|_| scope.spawn(|| client.run(client.exchange(call())))).collect();
        for call in calls {
            assert_eq!(outcome(&call.join().expect("a thread")), "ok");
        }
    });
    assert_eq!((server.count("/oauth/token"), server.count("/trusteebillingoverview/")), (1, 64));
}

#[test]
fn d06_hyper_64_tasks_log_in_once() {
    let server = server();
    let client = setup(&server).hyper();
    let calls = (0..64).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.run(client.exchange(call())).await })
    });
    let _inside = RUNTIME.enter();
    for call in RUNTIME.block_on(join_all(calls)) {
        assert_eq!(outcome(&call.expect("a task")), "ok");
    }
    assert_eq!((server.count("/oauth/token"), server.count("/trusteebillingoverview/")), (1, 64));
}

/// Returns a watcher that panics at event number `n`.
pub(crate) fn fatal(n: usize) -> impl FnMut(Event<'_>) + Send {
    let mut heard = 0;
    move |_| {
        assert!(heard != n, "told to");
        heard += 1;
    }
}

#[test]
fn ureq_a_panic_in_a_callback_costs_its_own_call_and_no_other() {
    // There are four events: a request and an answer for the login and for the overview.
    for n in 0..4 {
        let server = server();
        let client = setup(&server).ureq();
        let machine = client.exchange(call());
        let panicking = client.clone();
        let lost = thread::spawn(move || panicking.run_watched(machine, fatal(n))).join();
        assert!(lost.is_err(), "at event {n}");
        let again = client.clone();
        let next = thread::spawn(move || again.run(again.exchange(call()))).join().expect("a thread");
        assert_eq!(outcome(&next), "ok", "after a panic at event {n}");
    }
}

#[test]
fn hyper_a_panic_in_a_callback_costs_its_own_call_and_no_other() {
    for n in 0..4 {
        let server = server();
        let client = setup(&server).hyper();
        let panicking = client.clone();
        let lost = RUNTIME.block_on(
            RUNTIME.spawn(async move { panicking.run_watched(panicking.exchange(call()), fatal(n)).await }),
        );
        assert!(lost.is_err_and(|error| error.is_panic()), "at event {n}");
        let next = RUNTIME.block_on(client.run(client.exchange(call())));
        assert_eq!(outcome(&next), "ok", "after a panic at event {n}");
    }
}

#[test]
fn ureq_a_login_that_panics_is_taken_over_by_who_waits_for_it() {
    let server = server();
    let client = setup(&server).ureq();
    let (login, at_the_login) = mpsc::channel();
    let (waits, is_waited_for) = mpsc::channel();
    let first = client.clone();
    let lost = thread::spawn(move || {
        first.run_watched(first.exchange(call()), |event| {
            if matches!(event, Event::Received { .. }) {
                login.send(()).expect("the test");
                is_waited_for.recv().expect("the test");
                panic!("told to");
            }
        })
    });
    at_the_login.recv().expect("a login");
    let other = thread::spawn(move || {
        client.run_watched(client.exchange(call()), |event| {
            if matches!(event, Event::Waiting(_)) {
                waits.send(()).expect("the test");
            }
        })
    });
    assert!(lost.join().is_err());
    assert_eq!(outcome(&other.join().expect("a thread")), "ok");
    assert_eq!(server.count("/oauth/token"), 2);
}

#[test]
fn hyper_a_client_survives_its_runtime() {
    let server = server();
    // A call can get a connection whose runtime is just shutting down. The request is lost and must be retried.
    let retries = RetrySchedule { max_retries: 2, ..crate::faults::client::at_once() };
    let client = setup(&server).policy(Policy { retry: retries, ..patient() }).hyper();
    for n in 0..4 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (heard, hears) = mpsc::channel();
        let doomed = client.clone();
        let task = runtime.spawn(async move {
            let watch = |_: Event<'_>| {
                heard.send(()).ok();
            };
            doomed.run_watched(doomed.exchange(call()), watch).await
        });
        // Stop the runtime during the login, during the overview, and between the two.
        for _ in 0..=n {
            hears.recv_timeout(Duration::from_millis(300)).ok();
        }
        runtime.shutdown_background();
        drop(task);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let next = runtime.block_on(client.run(client.exchange(call())));
        assert_eq!(outcome(&next), "ok", "after event {n}");
    }
}
