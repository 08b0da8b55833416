//! Every method of billing-hyper's client, dropped at every await and while the server does not answer.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use billing_core::calls::{
    BillableUsageCall, ContractsCall, InvoiceDocumentCall, InvoicesCall, TrustorsCall,
};
use billing_core::fleet::FleetPlan;
use billing_core::{OrgId, PeriodIndex, PeriodSelection};
use billing_hyper::{Client, Fleet, Update};
use billing_tests::raw_server::{RawServer, TRUSTOR};
use futures_util::future::{BoxFuture, join_all};
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{at_every_await, client, fresh, now, october};
use crate::faults::answers::{Answers, server};
use crate::faults::client::call;

/// One use of a client, which must succeed.
pub(super) type Operation = (&'static str, fn(Client) -> BoxFuture<'static, ()>);

pub(super) const OPERATIONS: [Operation; 25] = [
    ("usage_report", |c| Box::pin(async move { drop(c.usage_report(october()).await.expect("a report")) })),
    ("watch_usage_report", |c| Box::pin(async move { watched(c.usage_report_stream(october())).await })),
    ("trustee_overview", |c| {
        Box::pin(async move { drop(c.trustee_overview(organization(), None).await.expect("an overview")) })
    }),
    ("run", |c| Box::pin(async move { drop(c.run(c.exchange(call())).await.expect("an overview")) })),
    ("run_watched", |c| {
        Box::pin(async move { drop(c.run_watched(c.exchange(call()), |_| ()).await.expect("an overview")) })
    }),
    ("watch", |c| {
        Box::pin(async move { watched(c.run_as_stream(c.poll(BillableUsageCall::new(october())))).await })
    }),
    ("history", |c| Box::pin(async move { all(c.history(organization(), two_periods())).await })),
    ("walk", |c| {
        Box::pin(async move {
            let begun = c.history(organization(), two_periods());
            let saved = begun.rest().cloned().expect("all of it");
            all(c.resume_history(saved)).await;
        })
    }),
    ("fleet", |c| Box::pin(async move { all(fleet(&c).run()).await })),
    ("fleet, watched", |c| Box::pin(async move { all(fleet(&c).run_watched(|_| ())).await })),
    ("organization", |c| Box::pin(async move { drop(c.organization().await.expect("an organisation")) })),
    ("trustors", |c| Box::pin(async move { all(c.trustors()).await })),
    ("trustors, one by one", |c| Box::pin(async move { all(c.trustors().entities()).await })),
    ("contracts", |c| Box::pin(async move { all(c.contracts(ContractsCall::new())).await })),
    ("contract", |c| Box::pin(async move { drop(c.contract(id("c-1")).await.expect("a contract")) })),
    ("contract_period", |c| {
        Box::pin(async move { drop(c.contract_period(id("c-1"), id("p-1")).await.expect("a period")) })
    }),
    ("invoices", |c| Box::pin(async move { all(c.invoices(InvoicesCall::new())).await })),
    ("invoice_lines", |c| Box::pin(async move { all(c.invoice_lines(id("i-1"))).await })),
    ("invoice_lines, one by one", |c| {
        Box::pin(async move { all(c.invoice_lines(id("i-1")).entities()).await })
    }),
    ("invoice_document", |c| {
        Box::pin(
            async move { c.invoice_document(id("i-1"), Hesitant::open).await.map(drop).expect("a document") },
        )
    }),
    ("download", |c| {
        Box::pin(async move {
            let document = c.download_machine(InvoiceDocumentCall::new(id("i-1")));
            c.download(document, Hesitant::open).await.map(drop).expect("a document");
        })
    }),
    ("download_watched", |c| {
        Box::pin(async move {
            let document = c.download_machine(InvoiceDocumentCall::new(id("i-1")));
            c.download_watched(document, Hesitant::open, |_| ()).await.map(drop).expect("a document");
        })
    }),
    ("run, a document in memory", |c| {
        Box::pin(async move {
            drop(c.run(c.download_machine(InvoiceDocumentCall::new(id("i-1")))).await.expect("a document"));
        })
    }),
    ("list", |c| Box::pin(async move { all(c.list(TrustorsCall::new())).await })),
    ("resume", |c| Box::pin(async move { all(c.resume(c.pages(InvoicesCall::new()))).await })),
];

#[tokio::test]
async fn hyper_whatever_is_dropped_at_any_await_leaves_the_client_well() {
    // Each use has a server and clients of its own.
    join_all(OPERATIONS.map(|(name, begin)| async move {
        let server = server();
        let awaits = at_every_await(|| client(&server), begin).await;
        assert!(awaits >= 6, "{name}: a login and another exchange are more than {awaits} awaits");
    }))
    .await;
}

/// Drops each use while the server leaves one of its requests unanswered, for each request in turn. The connection must
/// end, which shows that no task continues the request.
#[tokio::test]
async fn hyper_whatever_is_dropped_ends_the_request_that_is_out() {
    join_all(OPERATIONS.map(|(name, begin)| async move {
        for silent in 0.. {
            assert!(silent < 20, "{name}: it never ends");
            let (server, held) = silent_at(silent);
            let client = client(&server);
            let mut operation = begin(client.clone());
            let ended = tokio::select! {
                () = &mut operation => true,
                () = held.asked.notified() => false,
            };
            if ended {
                assert!(silent > 0, "{name}: it asked for nothing");
                break;
            }
            drop(operation);
            let left = timeout(Duration::from_secs(10), held.left.notified()).await;
            assert!(left.is_ok(), "{name}: request {silent} is still out");
            fresh(&client).await.unwrap_or_else(|error| panic!("{name}, request {silent}: {error}"));
        }
    }))
    .await;
}

/// The state of the request that gets no answer.
#[derive(Default)]
struct Held {
    asked: Notify,
    /// The connection of the request has ended.
    left: Notify,
}

/// Starts a server that does not answer request number `silent`, counting logins too.
fn silent_at(silent: usize) -> (RawServer, Arc<Held>) {
    let (answers, requests) = (Answers::default(), AtomicUsize::new(0));
    let held = Arc::<Held>::default();
    let holding = Arc::clone(&held);
    let server = RawServer::start(move |_, wire| {
        while let Some(head) = wire.request() {
            if requests.fetch_add(1, Ordering::SeqCst) == silent {
                holding.asked.notify_one();
                wire.wait_for_the_end();
                holding.left.notify_one();
            } else {
                answers.answer(&head, wire);
            }
        }
    });
    (server, held)
}

async fn all<T, E: std::fmt::Debug>(items: impl Stream<Item = Result<T, E>>) {
    let mut items = pin!(items);
    while let Some(item) = items.next().await {
        drop(item.expect("an item"));
    }
}

async fn watched<T>(updates: impl Stream<Item = Update<T>>) {
    let mut updates = pin!(updates);
    while let Some(update) = updates.next().await {
        if let Update::Done(result) = update {
            drop(result.expect("a report"));
        }
    }
}

/// Builds a fleet of three organisations with at most two requests in flight.
fn fleet(client: &Client) -> Fleet {
    let organizations = ["a", "b", "c"].map(|name| name.parse::<OrgId>().expect("an id"));
    let api = client.environment().api().clone();
    let assignment =
        FleetPlan::new(organizations, PeriodSelection::Nth(PeriodIndex::new(0)), api, now().now());
    client.fleet(&assignment).at_once(2)
}

fn organization() -> OrgId {
    TRUSTOR.parse().expect("an id")
}

fn two_periods() -> PeriodSelection {
    PeriodSelection::Latest(2.try_into().expect("two"))
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// A sink that is not ready at every second call.
#[derive(Default)]
struct Hesitant {
    hesitated: bool,
}

impl Hesitant {
    async fn open() -> io::Result<Self> {
        tokio::task::yield_now().await;
        Ok(Self::default())
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.hesitated = !self.hesitated;
        if self.hesitated {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl AsyncWrite for Hesitant {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll(cx));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll(cx));
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
