//! Many organisations, side by side.

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
/// How a run that was killed goes on where it was, the [`journal`](billing_core::fleet::journal) says.
#[must_use = "it does nothing unless it is run"]
pub struct Fleet {
    parts: Arc<ClientInner>,
    fleet: fleet::Fleet<LockedSession>,
}

impl Fleet {
    /// So many requests out at a time are the default.
    pub const AT_ONCE: usize = fleet::Fleet::<LockedSession>::DEFAULT_IN_FLIGHT;

    pub(crate) fn new(parts: Arc<ClientInner>, policy: Policy, plan: &FleetPlan) -> Self {
        let fleet = fleet::Fleet::new(plan, policy, parts.session.clone());
        Self { parts, fleet }
    }

    /// With so many requests out at a time, at least one.
    pub fn at_once(self, requests: usize) -> Self {
        Self { fleet: self.fleet.max_in_flight(requests), ..self }
    }

    /// Takes in what is known already, a finding of a journal: it is not asked for again.
    pub fn restore(&mut self, finding: &PeriodResult) {
        self.fleet.restore(finding);
    }

    /// Runs it: a stream of each finding as it comes, and of the progress before each wait of all. It ends when all is found,
    /// or with an error when something concerns every organisation; what goes wrong with one is among the findings.
    ///
    /// While the stream is not polled nothing goes on: a request that is out may run into its time limit. Dropping it, at any
    /// point, ends the run and all its requests.
    pub fn run(self) -> impl Stream<Item = Result<FleetUpdate, Aborted>> + Send + 'static {
        self.run_watched(|_| ())
    }

    /// The same; `watch` is told of requests and replies.
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

/// A run, between two of its items.
struct FleetRun<W> {
    parts: Arc<ClientInner>,
    fleet: fleet::Fleet<LockedSession>,
    in_flight: FuturesUnordered<ReplyFuture>,
    /// Whether the wait that comes next has been told of.
    wait_reported: bool,
    watch: W,
}

/// One exchange on its way.
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
