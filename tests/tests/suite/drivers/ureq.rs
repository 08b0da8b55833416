//! billing-ureq's loop, its clock and the session that threads share.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use billing_core::calls::TrusteeOverviewCall;
use billing_core::machine::WaitReason;
use billing_core::session::Pacing;
use billing_core::{Credentials, Environment, ErrorKind, Event, Period, Policy};
use billing_ureq::{Builder, Client, Clock};
use chrono::{DateTime, TimeDelta, Utc};

use billing_tests::loopback::{self, OVERVIEW, Server, TRUSTOR, logged_in, once, respond};

/// A clock that sleeps by setting itself forward and records the times and durations.
#[derive(Clone)]
struct VirtualClock(Arc<Mutex<(DateTime<Utc>, Vec<TimeDelta>)>>);

impl VirtualClock {
    fn new() -> Self {
        let start = "2026-11-02T09:00:00Z".parse().expect("a time");
        Self(Arc::new(Mutex::new((start, Vec::new()))))
    }

    fn slept(&self) -> Vec<TimeDelta> {
        self.0.lock().expect("the clock").1.clone()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.lock().expect("the clock").0
    }

    fn sleep_until(&self, until: DateTime<Utc>) {
        let (now, slept) = &mut *self.0.lock().expect("the clock");
        slept.push(until - *now);
        *now = until.max(*now);
    }
}

fn client(environment: Environment) -> Builder {
    let credentials = Credentials::client("id", "s3cret").expect("credentials");
    Client::builder(environment, credentials).no_proxy().pacing(Pacing { min_interval: None }).seed(1)
}

fn october() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").expect("a period")
}

#[test]
fn a_login_and_an_overview() {
    let server = Server::http(|head, wire| {
        if !logged_in(head, wire) {
            respond(wire, 200, "", OVERVIEW);
        }
    });
    let client = client(server.environment("http")).build().expect("a client");
    let overview =
        client.trustee_overview(TRUSTOR.parse().expect("an id"), Some(3.try_into().expect("an index")));
    assert_eq!(overview.expect("an overview").currency.as_deref(), Some("EUR"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let login = requests[0].to_ascii_lowercase();
    assert!(login.contains("authorization: basic ") && login.contains("content-length: 29\r\n"), "{login}");
    assert!(
        requests[1].starts_with(&format!(
            "GET /api/v2/billing/trusteebillingoverview/{TRUSTOR}?billingPeriodIndex=3 HTTP/1.1\r\n"
        )),
        "{requests:?}"
    );
    assert!(requests[1].to_ascii_lowercase().contains("authorization: bearer tok-1\r\n"));
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[test]
fn a_report_is_polled_in_virtual_time() {
    let polls = Mutex::new(0);
    let server = Server::http(move |head, wire| {
        if !logged_in(head, wire) {
            let mut polls = polls.lock().expect("the count");
            *polls += 1;
            let status = if *polls < 3 { "InProgress" } else { "Complete" };
            respond(wire, 200, "", format!(r#"{{"status":"{status}","usages":[]}}"#));
        }
    });
    let clock = VirtualClock::new();
    let client = client(server.environment("http")).clock(clock.clone()).build().expect("a client");
    let mut progress = Vec::new();
    let report =
        client.usage_report_with_progress(october(), |p| progress.push(p.clone())).expect("a report");
    assert!(report.usages().is_empty());
    assert_eq!(progress.iter().map(|p| p.pending_answers).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(clock.slept().len(), 2);
    assert!(clock.slept().iter().all(|gap| *gap >= TimeDelta::seconds(2)), "{:?}", clock.slept());
    let polls: Vec<_> = server.requests().split_off(1);
    assert!(polls.len() == 3 && polls.iter().all(|head| *head == polls[0]), "{polls:?}");
}

#[test]
fn the_same_seed_waits_the_same() {
    let waits = |seed| {
        let clock = VirtualClock::new();
        let builder = client(loopback::refusing()).clock(clock.clone()).seed(seed);
        let error = builder.build().expect("a client").usage_report(october()).expect_err("nobody");
        assert!(matches!(error.kind(), ErrorKind::Transport(_)), "{error}");
        clock.slept()
    };
    assert!(!waits(7).is_empty());
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
}

#[test]
fn a_watcher_hears_of_everything_in_order() {
    let server = Server::http(|head, wire| {
        if !logged_in(head, wire) {
            respond(wire, 200, "", OVERVIEW);
        }
    });
    let client = client(server.environment("http")).build().expect("a client");
    let call = TrusteeOverviewCall::new(TRUSTOR.parse().expect("an id"));
    let mut heard = Vec::new();
    client
        .run_watched(client.exchange(call), |event| {
            heard.push(match event {
                Event::Sending(request) => format!("> {}", request.http().method()),
                Event::Received { response, .. } => format!("< {}", response.status().expect("a response")),
                Event::Waiting(progress) => format!("… {}", progress.wait_reason),
                _ => String::new(),
            });
        })
        .expect("an overview");
    assert_eq!(heard, ["> POST", "< 200 OK", "> GET", "< 200 OK"]);
}

#[test]
fn d06_many_threads_log_in_once() {
    let (arrived, at_the_login) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let server = Server::http(move |head, wire| {
        if head.starts_with("POST") {
            arrived.send(()).expect("the test");
            released.lock().expect("the gate").recv().expect("the test");
        }
        if !logged_in(head, wire) {
            respond(wire, 200, "", OVERVIEW);
        }
    });
    let client = client(server.environment("http")).build().expect("a client");
    let (waiting, waits) = mpsc::channel();
    thread::scope(|scope| {
        let ask = || {
            let waiting = waiting.clone();
            let client = client.clone();
            scope.spawn(move || {
                let call = TrusteeOverviewCall::new(TRUSTOR.parse().expect("an id"));
                client.run_watched(client.exchange(call), |event| {
                    if let Event::Waiting(progress) = event {
                        assert_eq!(progress.wait_reason, WaitReason::Login);
                        waiting.send(()).expect("the test");
                    }
                })
            })
        };
        let first = ask();
        at_the_login.recv().expect("a login");
        let others: Vec<_> = (0..7).map(|_| ask()).collect();
        for _ in &others {
            waits.recv().expect("a wait");
        }
        release.send(()).expect("the server");
        for thread in others.into_iter().chain([first]) {
            thread.join().expect("a thread").expect("an overview");
        }
    });
    assert_eq!((server.count("/oauth/token"), server.count("/trusteebillingoverview/")), (1, 8));
}

#[test]
fn a_thread_that_panics_while_it_logs_in_is_taken_over_from() {
    let server = Server::http(|head, wire| {
        if !logged_in(head, wire) {
            respond(wire, 200, "", OVERVIEW);
        }
    });
    let client = client(server.environment("http")).policy(once()).build().expect("a client");
    let call = || TrusteeOverviewCall::new(TRUSTOR.parse().expect("an id"));
    let (reached, at_the_login) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let doomed = scope.spawn(|| {
            let (reached, released) = (reached, released);
            client.run_watched(client.exchange(call()), |event| {
                if matches!(event, Event::Sending(_)) {
                    reached.send(()).expect("the test");
                    released.recv().ok();
                    std::panic::resume_unwind(Box::new("a watcher that panics"));
                }
            })
        });
        at_the_login.recv().expect("a login");
        let (waiting, waits) = mpsc::channel();
        let other = scope.spawn(|| {
            let waiting = waiting;
            client.run_watched(client.exchange(call()), |event| {
                if let Event::Waiting(_) = event {
                    waiting.send(()).expect("the test");
                }
            })
        });
        waits.recv().expect("a wait");
        release.send(()).expect("the doomed");
        assert!(doomed.join().is_err());
        other.join().expect("a thread").expect("an overview");
    });
    assert_eq!(server.count("/oauth/token"), 1);
}

#[test]
fn a_deadline_ends_a_call_that_only_waits() {
    let server = Server::http(|head, wire| {
        if !logged_in(head, wire) {
            respond(wire, 200, "", r#"{"status":"InProgress"}"#);
        }
    });
    let clock = VirtualClock::new();
    let policy = Policy { timeout: Duration::from_secs(60), ..Policy::default() };
    let client =
        client(server.environment("http")).clock(clock.clone()).policy(policy).build().expect("a client");
    let error = client.usage_report(october()).expect_err("a deadline");
    assert!(matches!(error.kind(), ErrorKind::DeadlineExceeded(_)), "{error}");
    assert!(clock.slept().iter().sum::<TimeDelta>() <= TimeDelta::seconds(60));
}

#[test]
fn a_client_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Client>();
}
