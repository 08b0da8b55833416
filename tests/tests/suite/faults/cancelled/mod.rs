//! Futures and streams of billing-hyper that are dropped at every await, one after the other.

mod login;
mod operations;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use billing_core::{Error, Period};
use billing_hyper::{Client, Update};
use billing_tests::VirtualTime;
use billing_tests::raw_server::RawServer;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::faults::answers::{Answers, server};
use crate::faults::client::{RUNTIME, Setup, call, once};
use crate::faults::http2;
use crate::faults::tls::AUTHORITY;

/// The moment at which a future is dropped.
#[derive(Clone, Copy, Debug)]
enum Drop {
    /// The moment at which the future is pending.
    Pending,
    /// The moment after the future was woken and before it is polled again.
    Woken,
}

/// Polls `future` `n` times and drops it. Returns true if it was ready before.
async fn drop_after<F: Future>(n: usize, when: Drop, future: F) -> bool {
    let mut future = Box::pin(future);
    let mut polls = 0;
    poll_fn(move |cx| {
        if polls == n {
            return Poll::Ready(false);
        }
        polls += 1;
        match (future.as_mut().poll(cx), when) {
            (Poll::Ready(_), _) => Poll::Ready(true),
            (Poll::Pending, Drop::Pending) if polls == n => Poll::Ready(false),
            (Poll::Pending, _) => Poll::Pending,
        }
    })
    .await
}

fn client(server: &RawServer) -> Client {
    client_at(server, &now())
}

fn client_at(server: &RawServer, time: &VirtualTime) -> Client {
    in_virtual_time(Setup::new(server.environment("http")), time)
}

/// Builds a client in virtual time, so that the test does not wait for the next poll.
fn in_virtual_time(setup: Setup, time: &VirtualTime) -> Client {
    setup.with_login().policy(once()).hyper_at(time.clone())
}

fn now() -> VirtualTime {
    VirtualTime::at("2026-11-02T09:00:00Z".parse().expect("a time"))
}

/// Makes a new call, which must succeed within 20 s.
async fn fresh(client: &Client) -> Result<(), String> {
    match timeout(Duration::from_secs(20), client.organization()).await {
        Ok(ended) => ended.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("it is stuck".to_owned()),
    }
}

/// Drops the future that `begin` returns at each of its awaits, each time with a client from `client`, and checks each time
/// that the client still works. Returns the number of awaits.
async fn at_every_await<F: Future>(client: impl Fn() -> Client, begin: impl Fn(Client) -> F) -> usize {
    let mut most = 0;
    for when in [Drop::Pending, Drop::Woken] {
        for n in 0.. {
            assert!(n < 1000, "it never ends");
            let client = client();
            let ended = drop_after(n, when, begin(client.clone())).await;
            fresh(&client).await.unwrap_or_else(|error| panic!("dropped after {n} polls, {when:?}: {error}"));
            if ended {
                most = most.max(n);
                break;
            }
        }
    }
    most
}

fn october() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").expect("a period")
}

async fn report(client: Client) -> Result<(), Error> {
    client.usage_report(october()).await.map(drop)
}

async fn updates(client: Client) {
    let mut updates = Box::pin(client.usage_report_stream(october()));
    while let Some(update) = updates.next().await {
        if let Update::Done(result) = update {
            result.expect("a report");
        }
    }
}

/// Drops the login of a new client at each of its awaits.
#[tokio::test]
async fn hyper_a_future_dropped_at_any_await_leaves_no_login_behind() {
    let server = server();
    let awaits = at_every_await(|| client(&server), report).await;
    assert!(awaits >= 6, "a login and two polls are more than {awaits} awaits");
}

/// Requests in flight when the first quota headers come count in the first window. Five requests that a dropped future left
/// behind would fill that window.
#[tokio::test]
async fn hyper_a_future_dropped_at_any_await_is_no_longer_in_flight() {
    let (server, time) = (server(), now());
    let client = client_at(&server, &time);
    fresh(&client).await.expect("a first call");
    let awaits = at_every_await(|| client.clone(), report).await;
    assert!(awaits >= 5, "two polls are more than {awaits} awaits");
    assert_eq!(server.count("/oauth/token"), 1);
    let begun = time.now();
    for _ in 0..4 {
        client.run(client.exchange(call())).await.expect("an overview");
    }
    assert_eq!(time.now(), begun, "there was room for four, and none had to wait for the next window");
}

#[tokio::test]
async fn hyper_a_stream_dropped_at_any_await_leaves_nothing_behind() {
    let server = server();
    at_every_await(|| client(&server), updates).await;
    let client = client(&server);
    fresh(&client).await.expect("a first call");
    at_every_await(|| client.clone(), updates).await;
}

#[tokio::test]
async fn hyper_a_stream_dropped_between_two_items_leaves_nothing_behind() {
    let server = server();
    for n in 0..4 {
        let client = client(&server);
        let mut updates = Box::pin(client.usage_report_stream(october()).take(n));
        while updates.next().await.is_some() {}
        drop(updates);
        fresh(&client).await.unwrap_or_else(|error| panic!("dropped after {n} items: {error}"));
    }
}

#[tokio::test]
async fn hyper_a_future_dropped_at_any_await_under_tls_leaves_nothing_behind() {
    let (answers, config) = (Answers::default(), AUTHORITY.server());
    let server = RawServer::start(move |_, wire| {
        if wire.start_tls(&config) {
            answers.serve(wire);
        }
    });
    let setup = Setup::new(server.environment("https")).trusting(&AUTHORITY.pem());
    let awaits = at_every_await(|| in_virtual_time(setup.clone(), &now()), report).await;
    assert!(awaits >= 6, "a handshake, a login and two polls are more than {awaits} awaits");
}

/// Drops each call on a connection that other calls may use.
#[test]
fn hyper_a_future_dropped_at_any_await_under_http_2_leaves_nothing_behind() {
    let setup = Setup::new(http2::serve_well()).trusting(&AUTHORITY.pem());
    RUNTIME.block_on(async {
        let awaits = at_every_await(|| in_virtual_time(setup.clone(), &now()), report).await;
        assert!(awaits >= 6, "a handshake, a login and two polls are more than {awaits} awaits");
        // Use a connection that is open already.
        let client = in_virtual_time(setup.clone(), &now());
        fresh(&client).await.expect("a first call");
        at_every_await(|| client.clone(), report).await;
    });
}
