//! The client, and the two ways to run a machine: as a future and as a stream.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use billing_core::calls::{BillableUsageCall, Call, TrusteeOverviewCall};
use billing_core::fleet::FleetPlan;
use billing_core::model::{TrusteeOverview, UsageReport};
use billing_core::poll::Report;
use billing_core::{
    Credentials, Environment, Error, Event, Exchange, History, Machine, OrgId, Period, PeriodIndex,
    PeriodSelection, Policy, Poll, Progress,
};
use futures_core::Stream;
use futures_util::{StreamExt, stream};

use crate::clock::Clock;
use crate::run::{CollectBody, Perform, Run};
use crate::session::LockedSession;
use crate::transport::Transport;
use crate::{BuildError, Builder, Fleet, Periods};

/// A client with one session, shared by all its clones.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

/// The parts of a client.
pub(crate) struct ClientInner {
    pub(crate) environment: Environment,
    pub(crate) policy: Policy,
    pub(crate) session: LockedSession,
    pub(crate) transport: Transport,
    pub(crate) clock: Box<dyn Clock>,
    /// The seed of the next operation's jitter.
    pub(crate) next_seed: AtomicU64,
}

/// An item of a stream of [`Client::run_as_stream`]: progress before every wait, and the result at the end.
#[derive(Clone, Debug)]
pub enum Update<T> {
    /// The machine waits before its next request.
    Progress(Progress),
    /// The result; the stream ends after it.
    Done(Result<T, Error>),
}

impl Client {
    /// Builds a client with the defaults of [`Client::builder`].
    ///
    /// # Errors
    /// Returns no error today; the signature matches [`Builder::build`].
    pub fn new(environment: Environment, credentials: Credentials) -> Result<Self, BuildError> {
        Self::builder(environment, credentials).build()
    }

    /// Returns a builder for a client with other settings.
    pub fn builder(environment: Environment, credentials: Credentials) -> Builder {
        Builder::new(environment, credentials)
    }

    /// Returns the environment (the hosts) that the client sends requests to.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Returns the policy of timeouts and retries for the client's own operations.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Returns the client's policy with a new jitter seed, as each of the client's own operations uses it.
    /// Different seeds keep operations that fail together from retrying at the same moment.
    pub fn policy_with_new_seed(&self) -> Policy {
        Policy { seed: self.0.next_seed.fetch_add(1, Ordering::Relaxed), ..self.0.policy.clone() }
    }

    /// Fetches the billable usage of the client's own organisation in a period. Polls until the report is
    /// complete.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn usage_report(&self, period: Period) -> Result<UsageReport, Error> {
        self.run(self.poll(BillableUsageCall::new(period))).await
    }

    /// Returns a stream of the progress of [`Client::usage_report`], with the report as its last item.
    pub fn usage_report_stream(
        &self,
        period: Period,
    ) -> impl Stream<Item = Update<UsageReport>> + Send + 'static + use<> {
        self.run_as_stream(self.poll(BillableUsageCall::new(period)))
    }

    /// Fetches the commitment, usage and charges of a trustor organisation, for the latest billing period
    /// if `period` is `None`.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn trustee_overview(
        &self,
        trustor: OrgId,
        period: Option<PeriodIndex>,
    ) -> Result<TrusteeOverview, Error> {
        self.run(self.exchange(TrusteeOverviewCall::new(trustor).period_index(period))).await
    }

    /// Returns a stream of the billing periods of a trustor organisation, newest first. Each period is
    /// fetched when it is polled for.
    ///
    /// A failure of a single index is a result like any other. A failure that would affect every index is
    /// an `Err` and ends the sequence: for example a 404 for the first index, which means that the
    /// organisation does not exist.
    pub fn history(&self, trustor: OrgId, reach: PeriodSelection) -> Periods {
        self.resume_history(History::new(
            trustor,
            reach,
            self.environment().api().clone(),
            self.policy_with_new_seed(),
        ))
    }

    /// Continues a walk through the periods that was saved earlier, possibly by another process.
    pub fn resume_history(&self, history: History) -> Periods {
        Periods::new(self.clone(), history)
    }

    /// Returns a run over many organisations, paced by the quota.
    pub fn fleet(&self, assignment: &FleetPlan) -> Fleet {
        Fleet::new(self.0.clone(), self.policy_with_new_seed(), assignment)
    }

    /// Returns the machine for one call with its retries. Pass it to [`Client::run`] or drive it yourself.
    pub fn exchange<C: Call>(&self, call: C) -> Exchange<C> {
        Exchange::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Returns the machine that polls a report until it is complete. Pass it to [`Client::run`], or save
    /// and resume it.
    pub fn poll<C: Call<Output: Report>>(&self, call: C) -> Poll<C> {
        Poll::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Runs a machine to its result, using this client's session.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn run<M: Machine>(&self, machine: M) -> Result<M::Output, Error> {
        self.run_watched(machine, |_| ()).await
    }

    /// Does the same and calls `watch` with every event.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn run_watched<M: Machine>(
        &self,
        machine: M,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<M::Output, Error> {
        self.drive(machine, &mut watch, &mut CollectBody).await
    }

    /// Runs a machine to its result. `perform` performs each request.
    pub(crate) async fn drive<M: Machine>(
        &self,
        machine: M,
        watch: &mut impl FnMut(Event<'_>),
        perform: &mut impl Perform,
    ) -> Result<M::Output, Error> {
        let mut run = Run::begin(self.0.clone(), machine);
        loop {
            run = match run.advance(watch, perform).await {
                ControlFlow::Continue(run) => run,
                ControlFlow::Break(result) => return result,
            };
        }
    }

    /// Returns a stream of a machine's progress, with its result as the last item.
    ///
    /// Nothing advances while the stream is not polled, so a request in flight may time out.
    pub fn run_as_stream<M>(
        &self,
        machine: M,
    ) -> impl Stream<Item = Update<M::Output>> + Send + 'static + use<M>
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        let begin = WatchState::NotStarted(self.0.clone(), machine);
        let updates = stream::unfold(begin, async |watched| {
            let (mut run, mut told) = match watched {
                WatchState::NotStarted(parts, machine) => (Run::begin(parts, machine), false),
                WatchState::WaitReported(run) => (run, true),
                WatchState::Finished => return None,
            };
            loop {
                if !told && let Some(progress) = run.waits() {
                    return Some((Update::Progress(progress), WatchState::WaitReported(run)));
                }
                told = false;
                run = match run.advance(&mut |_| (), &mut CollectBody).await {
                    ControlFlow::Continue(run) => run,
                    ControlFlow::Break(result) => return Some((Update::Done(result), WatchState::Finished)),
                };
            }
        });
        updates.fuse()
    }

    pub(crate) fn from_parts(parts: ClientInner) -> Self {
        Self(Arc::new(parts))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("environment", &self.0.environment)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

/// The state of a stream between two items.
enum WatchState<M: Machine> {
    /// The stream has not been polled yet. The machine takes no step before the first poll, because a step can claim the login
    /// for this call.
    NotStarted(Arc<ClientInner>, M),
    /// The progress of the current wait was already reported.
    WaitReported(Run<M>),
    /// The result was already reported.
    Finished,
}
