//! A run over many organisations, with concurrent requests.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_core::fleet::{self, Aborted, FleetPlan, FleetStep, FleetUpdate, RequestHandle};
use billing_core::history::PeriodResult;
use billing_core::{Event, Policy, Reply, Request};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use tokio::time::timeout;

use crate::client::ClientInner;
use crate::clock::time_until;
use crate::session::LockedSession;

/// A run over many organisations; see [`Client::fleet`](crate::Client::fleet).
///
/// ```no_run
/// use std::time::SystemTime;
///
/// use billing_core::fleet::FleetPlan;
/// use billing_core::{OrgId, PeriodIndex, PeriodSelection};
/// use billing_hyper::Client;
/// use futures_util::{StreamExt, pin_mut};
///
/// async fn latest(client: &Client, organizations: Vec<OrgId>) -> Result<(), Box<dyn std::error::Error>> {
///     let (api, now) = (client.environment().api().clone(), SystemTime::now().into());
///     let plan = FleetPlan::new(organizations, PeriodSelection::Nth(PeriodIndex::new(0)), api, now);
///     let updates = client.fleet(&plan).run();
///     pin_mut!(updates);
///     while let Some(update) = updates.next().await {
///         let update = update?;
///         if let Some(result) = update.result {
///             println!("{}: {:?}", result.organization, result.outcome);
///         }
///         eprintln!("{}", update.progress);
///     }
///     Ok(())
/// }
/// ```
///
/// The [`journal`](billing_core::fleet::journal) module shows how to continue a run that was killed.
#[must_use = "it does nothing unless it is run"]
pub struct Fleet {
    parts: Arc<ClientInner>,
    fleet: fleet::Fleet<LockedSession>,
}

impl Fleet {
    /// The default number of requests in flight.
    pub const AT_ONCE: usize = fleet::Fleet::<LockedSession>::DEFAULT_IN_FLIGHT;

    pub(crate) fn new(parts: Arc<ClientInner>, policy: Policy, plan: &FleetPlan) -> Self {
        let fleet = fleet::Fleet::new(plan, policy, parts.session.clone());
        Self { parts, fleet }
    }

    /// Sets the number of requests in flight, at least one.
    pub fn at_once(self, requests: usize) -> Self {
        Self { fleet: self.fleet.max_in_flight(requests), ..self }
    }

    /// Adds a result from a journal, so that its period is not requested again.
    pub fn restore(&mut self, finding: &PeriodResult) {
        self.fleet.restore(finding);
    }

    /// Returns a stream of each result, and of the progress before each wait in which no request is in
    /// flight. It ends when every organisation is done, or with an error that concerns every organisation.
    /// A failure of a single organisation is one of the results.
    ///
    /// Nothing advances while the stream is not polled, so a request in flight may time out. Dropping the
    /// stream, at any point, ends the run and all its requests.
    pub fn run(self) -> impl Stream<Item = Result<FleetUpdate, Aborted>> + Send + 'static {
        self.run_watched(|_| ())
    }

    /// Does the same and calls `watch` with each request and each reply.
    pub fn run_watched(
        self,
        watch: impl FnMut(Event<'_>) + Send + 'static,
    ) -> impl Stream<Item = Result<FleetUpdate, Aborted>> + Send + 'static {
        let Self { parts, fleet } = self;
        let begin =
            FleetRun { parts, fleet, in_flight: FuturesUnordered::new(), wait_reported: false, watch };
        let updates = stream::unfold(Some(begin), async |running| {
            let mut running = running?;
            match running.next().await {
                Some(Ok(update)) => Some((Ok(update), Some(running))),
                Some(Err(stopped)) => Some((Err(stopped), None)),
                None => None,
            }
        });
        updates.fuse()
    }
}

/// The state of a run between two items of its stream.
struct FleetRun<W> {
    parts: Arc<ClientInner>,
    fleet: fleet::Fleet<LockedSession>,
    in_flight: FuturesUnordered<ReplyFuture>,
    /// Set if the progress of the next wait was already reported.
    wait_reported: bool,
    watch: W,
}

/// A future of a request in flight.
type ReplyFuture = Pin<Box<dyn Future<Output = CompletedRequest> + Send>>;

struct CompletedRequest {
    request: Box<Request>,
    flight: RequestHandle,
    reply: Reply,
    elapsed: Duration,
}

impl<W: FnMut(Event<'_>)> FleetRun<W> {
    async fn next(&mut self) -> Option<Result<FleetUpdate, Aborted>> {
        let parts = self.parts.clone();
        let ClientInner { session, clock, .. } = &*parts;
        loop {
            let seen = session.revision();
            let now = clock.now();
            match self.fleet.step(now) {
                FleetStep::Send(request, flight) => {
                    (self.watch)(Event::Sending(&request));
                    self.in_flight.push(Box::pin(perform(self.parts.clone(), request, flight)));
                }
                FleetStep::Result(finding) => return Some(Ok(self.fleet.update(Some(finding), now))),
                FleetStep::Wait(until) if !self.in_flight.is_empty() => {
                    let answered = match until {
                        Some(until) => {
                            timeout(time_until(now, until), self.in_flight.next()).await.ok().flatten()
                        }
                        None => self.in_flight.next().await,
                    };
                    if let Some(CompletedRequest { request, flight, reply, elapsed }) = answered {
                        (self.watch)(Event::from_reply(&request, &reply, elapsed));
                        self.fleet.receive(flight, reply, clock.now());
                    }
                }
                FleetStep::Wait(_) if !std::mem::replace(&mut self.wait_reported, true) => {
                    return Some(Ok(self.fleet.update(None, now)));
                }
                FleetStep::Wait(until) => {
                    self.wait_reported = false;
                    let until = until.unwrap_or(now);
                    if self.fleet.awaits_login() {
                        session.wait_past(seen, time_until(now, until)).await;
                    } else {
                        clock.sleep_until(until).await;
                    }
                }
                FleetStep::Done(Ok(())) => return None,
                FleetStep::Done(Err(stopped)) => return Some(Err(stopped)),
            }
        }
    }
}

async fn perform(parts: Arc<ClientInner>, request: Box<Request>, flight: RequestHandle) -> CompletedRequest {
    let begun = Instant::now();
    let reply = parts.transport.perform(&request, parts.clock.now()).await;
    CompletedRequest { request, flight, reply, elapsed: begun.elapsed() }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fleet").field(&self.fleet).finish()
    }
}
