//! billing-hyper's loop, its clock, the session that tasks share, and the effects of dropping a future.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use billing_core::calls::{InvoiceDocumentCall, TrusteeOverviewCall};
use billing_core::fleet::FleetPlan;
use billing_core::fleet::{Aborted, FleetUpdate};
use billing_core::machine::WaitReason;
use billing_core::model::TrusteeOverview;
use billing_core::session::Pacing;
use billing_core::{Credentials, Environment, Error, ErrorKind, Event, Period, PeriodSelection, Policy};
use billing_hyper::{Builder, Client, Clock, Sleep, Update};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{Stream, StreamExt, future};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use billing_tests::loopback::{self, OVERVIEW, Server, TRUSTOR, Wire, logged_in, respond};

/// A clock that sleeps by setting itself forward and records the durations.
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

    fn sleep_until(&self, until: DateTime<Utc>) -> Sleep {
        let clock = self.clone();
        Box::pin(async move {
            let (now, slept) = &mut *clock.0.lock().expect("the clock");
            slept.push(until - *now);
            *now = until.max(*now);
        })
    }
}

fn client(environment: Environment) -> Builder {
    let credentials = Credentials::client("id", "s3cret").expect("credentials");
    Client::builder(environment, credentials).no_proxy().pacing(Pacing { min_interval: None }).seed(1)
}

fn october() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").expect("a period")
}

fn overview() -> TrusteeOverviewCall {
    TrusteeOverviewCall::new(TRUSTOR.parse().expect("an id"))
}

fn answers(head: &str, wire: &mut dyn Wire) {
    if !logged_in(head, wire) {
        respond(wire, 200, "", OVERVIEW);
    }
}

/// Starts a server whose report is complete at the `n`th poll.
fn reports(n: u32) -> Server {
    let polls = Mutex::new(0);
    Server::http(move |head, wire| {
        if !logged_in(head, wire) {
            let mut polls = polls.lock().expect("the count");
            *polls += 1;
            let status = if *polls < n { "InProgress" } else { "Complete" };
            respond(wire, 200, "", format!(r#"{{"status":"{status}","usages":[]}}"#));
        }
    })
}

/// Starts a server that answers its first login when the test says so, or never. It signals the arrival of that login.
fn server_with_a_slow_login() -> (Server, tokio::sync::mpsc::UnboundedReceiver<()>, mpsc::Sender<()>) {
    let (arrived, at_the_login) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(Some(released));
    let server = Server::http(move |head, wire| {
        if head.starts_with("POST") {
            let gate = released.lock().expect("the gate").take();
            arrived.send(()).ok();
            if let Some(gate) = gate {
                gate.recv().ok();
            }
        }
        answers(head, wire);
    });
    (server, at_the_login, release)
}

/// Spawns a task that requests an overview and sends a message when it waits for the login.
fn ask(client: &Client) -> (JoinHandle<Result<TrusteeOverview, Error>>, tokio::sync::oneshot::Receiver<()>) {
    let (waiting, waits) = tokio::sync::oneshot::channel();
    let (client, mut waiting) = (client.clone(), Some(waiting));
    let task = tokio::spawn(async move {
        let machine = client.exchange(overview());
        client
            .run_watched(machine, |event| {
                if let Event::Waiting(progress) = event {
                    assert_eq!(progress.wait_reason, WaitReason::Login);
                    waiting.take().map(|waiting| waiting.send(()));
                }
            })
            .await
    });
    (task, waits)
}

#[tokio::test]
async fn a_login_and_an_overview() {
    let server = Server::http(answers);
    let client = client(server.environment("http")).build().expect("a client");
    let index = 3.try_into().expect("an index");
    let overview = client.trustee_overview(TRUSTOR.parse().expect("an id"), Some(index)).await;
    assert_eq!(overview.expect("an overview").currency.as_deref(), Some("EUR"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let login = requests[0].to_ascii_lowercase();
    assert!(login.contains("authorization: basic ") && login.contains("content-length: 29\r\n"), "{login}");
    let line =
        format!("GET /api/v2/billing/trusteebillingoverview/{TRUSTOR}?billingPeriodIndex=3 HTTP/1.1\r\n");
    assert!(requests[1].starts_with(&line), "{requests:?}");
    assert!(requests[1].to_ascii_lowercase().contains("authorization: bearer tok-1\r\n"));
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_report_is_polled_in_virtual_time() {
    let server = reports(3);
    let clock = VirtualClock::new();
    let client = client(server.environment("http")).clock(clock.clone()).build().expect("a client");
    let report = client.usage_report(october()).await.expect("a report");
    assert!(report.usages().is_empty());
    assert_eq!(clock.slept().len(), 2);
    assert!(clock.slept().iter().all(|gap| *gap >= TimeDelta::seconds(2)), "{:?}", clock.slept());
    let polls: Vec<_> = server.requests().split_off(1);
    assert!(polls.len() == 3 && polls.iter().all(|head| *head == polls[0]), "{polls:?}");
}

#[tokio::test]
async fn a_stream_yields_progress_and_one_end() {
    let server = reports(3);
    let builder = client(server.environment("http")).clock(VirtualClock::new());
    let updates = builder.build().expect("a client").usage_report_stream(october());
    assert!(server.requests().is_empty(), "nothing happens before it is polled");
    let updates: Vec<_> = updates.collect().await;
    let [Update::Progress(first), Update::Progress(second), Update::Done(Ok(report))] = &updates[..] else {
        panic!("{updates:?}")
    };
    assert_eq!((first.pending_answers, second.pending_answers), (1, 2));
    assert!(report.usages().is_empty());
}

#[tokio::test]
async fn a_stream_of_a_failure_ends_with_it() {
    let client = client(loopback::refusing()).clock(VirtualClock::new()).build().expect("a client");
    let updates: Vec<_> = client.run_as_stream(client.exchange(overview())).collect().await;
    let (end, before) = updates.split_last().expect("an end");
    assert!(
        matches!(end, Update::Done(Err(error)) if matches!(error.kind(), ErrorKind::Transport(_))),
        "{end:?}"
    );
    assert!(!before.is_empty() && before.iter().all(|update| matches!(update, Update::Progress(_))));
}

/// Reads a stream to its end, checks twice that nothing comes after the end, and returns the items.
async fn all_of<T>(stream: impl Stream<Item = T>) -> Vec<T> {
    let mut stream = std::pin::pin!(stream);
    let items = stream.by_ref().collect().await;
    for _ in 0..2 {
        assert!(stream.next().await.is_none(), "something after the end");
    }
    items
}

#[tokio::test]
async fn a_stream_that_has_ended_may_be_polled_again() {
    let latest = PeriodSelection::Nth(0.try_into().expect("an index"));
    let good = Server::http(|head, wire| match head.contains("/billableusage") {
        true => respond(wire, 200, "", r#"{"status":"Complete","usages":[]}"#),
        false => answers(head, wire),
    });
    let refusing = Server::http(|_, wire| respond(wire, 401, "", r#"{"error":"invalid_client"}"#));
    for (server, good) in [(good, 1), (refusing, 0)] {
        let client = client(server.environment("http")).build().expect("a client");
        let is_good = |update: &Update<TrusteeOverview>| matches!(update, Update::Done(Ok(_)));
        let updates = all_of(client.run_as_stream(client.exchange(overview()))).await;
        assert_eq!((updates.len(), updates.iter().filter(|update| is_good(update)).count()), (1, good));
        let updates = all_of(client.usage_report_stream(october())).await;
        let is_good = |update: &&Update<_>| matches!(update, Update::Done(Ok(_)));
        assert_eq!((updates.len(), updates.iter().filter(is_good).count()), (1, good));

        let findings = all_of(client.history(TRUSTOR.parse().expect("an id"), latest)).await;
        assert_eq!((findings.len(), findings.iter().flatten().count()), (1, good));
        let mut walk = client.history(TRUSTOR.parse().expect("an id"), latest);
        let findings = all_of(client.resume_history(walk.rest().expect("all of it").clone())).await;
        assert_eq!((findings.len(), findings.iter().flatten().count()), (1, good));
        // After an error, the rest begins with the item that failed.
        all_of(&mut walk).await;
        assert_eq!(walk.rest().is_none(), good == 1);

        let api = client.environment().api().clone();
        let assignment =
            FleetPlan::new([TRUSTOR.parse().expect("an id")], latest, api, VirtualClock::new().now());
        let found = |updates: Vec<Result<FleetUpdate, Aborted>>| {
            assert_eq!(updates.last().expect("an item").is_ok(), good == 1);
            updates.into_iter().flatten().filter(|update| update.result.is_some()).count()
        };
        assert_eq!(found(all_of(client.fleet(&assignment).run()).await), good);
        assert_eq!(found(all_of(client.fleet(&assignment).run_watched(|_| ())).await), good);
    }
}

#[tokio::test]
async fn a_watcher_hears_of_everything_in_order() {
    let server = Server::http(answers);
    let client = client(server.environment("http")).build().expect("a client");
    let mut heard = Vec::new();
    let watched = client.run_watched(client.exchange(overview()), |event| {
        heard.push(match event {
            Event::Sending(request) => format!("> {}", request.http().method()),
            Event::Received { response, .. } => format!("< {}", response.status().expect("a response")),
            Event::Waiting(progress) => format!("… {}", progress.wait_reason),
            _ => String::new(),
        });
    });
    watched.await.expect("an overview");
    assert_eq!(heard, ["> POST", "< 200 OK", "> GET", "< 200 OK"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_many_tasks_log_in_once() {
    let (server, mut at_the_login, release) = server_with_a_slow_login();
    let client = client(server.environment("http")).build().expect("a client");
    let (first, _) = ask(&client);
    at_the_login.recv().await.expect("a login");
    let (others, waits): (Vec<_>, Vec<_>) = (0..7).map(|_| ask(&client)).unzip();
    future::join_all(waits).await;
    release.send(()).expect("the server");
    for task in others.into_iter().chain([first]) {
        task.await.expect("a task").expect("an overview");
    }
    assert_eq!((server.count("/oauth/token"), server.count("/trusteebillingoverview/")), (1, 8));
}

#[tokio::test]
async fn a_login_whose_future_is_dropped_is_taken_over_at_once() {
    let (server, mut at_the_login, _never) = server_with_a_slow_login();
    let client = client(server.environment("http")).build().expect("a client");
    let (first, _) = ask(&client);
    at_the_login.recv().await.expect("a login");
    let (other, waits) = ask(&client);
    waits.await.expect("a wait");
    first.abort();
    assert!(first.await.expect_err("it is gone").is_cancelled());
    // If the second task did not take over the login, it would wait half a minute for the first login's timeout.
    let taken_over = timeout(Duration::from_secs(10), other).await;
    taken_over.expect("in time").expect("a task").expect("an overview");
    assert_eq!(server.count("/oauth/token"), 2);
}

#[tokio::test]
async fn a_stream_dropped_in_a_login_gives_it_up() {
    let (server, mut at_the_login, _never) = server_with_a_slow_login();
    let client = client(server.environment("http")).build().expect("a client");
    let mut updates = Box::pin(client.usage_report_stream(october()));
    tokio::select! {
        update = updates.next() => panic!("{update:?}"),
        login = at_the_login.recv() => login.expect("a login"),
    }
    let (other, waits) = ask(&client);
    waits.await.expect("a wait");
    drop(updates);
    let taken_over = timeout(Duration::from_secs(10), other).await;
    taken_over.expect("in time").expect("a task").expect("an overview");
}

#[tokio::test]
async fn a_request_whose_future_is_dropped_closes_its_connection() {
    let (arrived, mut at_the_server) = tokio::sync::mpsc::unbounded_channel();
    let (closed, mut at_the_end) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::http(move |head, wire| {
        if !logged_in(head, wire) {
            arrived.send(()).ok();
            assert_eq!(wire.read(&mut [0]).expect("the end"), 0);
            closed.send(()).ok();
        }
    });
    let client = client(server.environment("http")).build().expect("a client");
    let (task, _) = ask(&client);
    at_the_server.recv().await.expect("a request");
    task.abort();
    let end = timeout(Duration::from_secs(10), at_the_end.recv()).await;
    end.expect("in time").expect("the end of the connection");
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_only_waits() {
    let server = reports(u32::MAX);
    let clock = VirtualClock::new();
    let policy = Policy { timeout: Duration::from_secs(60), ..Policy::default() };
    let builder = client(server.environment("http")).clock(clock.clone()).policy(policy);
    let error = builder.build().expect("a client").usage_report(october()).await.expect_err("a deadline");
    assert!(matches!(error.kind(), ErrorKind::DeadlineExceeded(_)), "{error}");
    assert!(clock.slept().iter().sum::<TimeDelta>() <= TimeDelta::seconds(60));
}

#[test]
fn a_client_is_shared_and_its_futures_are_sent() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn sent<T: Send>(_: T) {}
    let client = client(Environment::default()).build().expect("a client outside of a runtime");
    shared(&client);
    sent(client.usage_report(october()));
    sent(client.trustee_overview(TRUSTOR.parse().expect("an id"), None));
    sent(client.run_watched(client.exchange(overview()), |_| ()));
    sent(client.run_as_stream(client.exchange(overview())));
    sent(client.history(TRUSTOR.parse().expect("an id"), PeriodSelection::All));
    sent(client.trustors());
    sent(client.trustors().entities());
    let document = || client.download_machine(InvoiceDocumentCall::new(TRUSTOR.parse().expect("an id")));
    sent(client.run(document()));
    sent(client.download(document(), async || Ok(Vec::new())));
    sent(client.download(document(), || tokio::fs::File::create("document.pdf")));
}
