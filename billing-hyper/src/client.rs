//! The client: what it offers, and in which two ways a machine can be run.

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

/// A client with one session, which all its clones share.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

/// What a client is made of.
pub(crate) struct ClientInner {
    pub(crate) environment: Environment,
    pub(crate) policy: Policy,
    pub(crate) session: LockedSession,
    pub(crate) transport: Transport,
    pub(crate) clock: Box<dyn Clock>,
    /// The seed of the next operation's jitter.
    pub(crate) next_seed: AtomicU64,
}

/// What a stream of [`Client::run_as_stream`] yields: progress before every wait, and one outcome at its end.
#[derive(Clone, Debug)]
pub enum Update<T> {
    /// Nothing is to be sent for a while.
    Progress(Progress),
    /// The end; the stream yields nothing after it.
    Done(Result<T, Error>),
}

impl Client {
    /// A client with the defaults of [`Client::builder`].
    ///
    /// # Errors
    /// None today; the signature is that of [`Builder::build`].
    pub fn new(environment: Environment, credentials: Credentials) -> Result<Self, BuildError> {
        Self::builder(environment, credentials).build()
    }

    /// Begins a client that is set up otherwise.
    pub fn builder(environment: Environment, credentials: Credentials) -> Builder {
        Builder::new(environment, credentials)
    }

    /// Where it sends its requests.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// How its own operations wait, repeat and give up.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The policy for one operation, as each of the client's own has one: with a seed that is drawn anew, so that those who
    /// fail together do not all try again at the same moment.
    pub fn policy_with_new_seed(&self) -> Policy {
        Policy { seed: self.0.next_seed.fetch_add(1, Ordering::Relaxed), ..self.0.policy.clone() }
    }

    /// The billable usage of one's own organisation in a period. Ready when the report is complete.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn usage_report(&self, period: Period) -> Result<UsageReport, Error> {
        self.run(self.poll(BillableUsageCall::new(period))).await
    }

    /// The same as a stream of its progress, with the report at its end.
    pub fn usage_report_stream(
        &self,
        period: Period,
    ) -> impl Stream<Item = Update<UsageReport>> + Send + 'static + use<> {
        self.run_as_stream(self.poll(BillableUsageCall::new(period)))
    }

    /// What a trustor organisation committed to, used and owes; in the latest billing period if none is named.
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

    /// The billing periods of a trustor organisation, back in time, each fetched when it is polled for.
    ///
    /// An index that cannot be read is a finding like any other; an error, after which nothing comes, is what every index
    /// would meet, such as a 404 for the first one: there is no such organisation.
    pub fn history(&self, trustor: OrgId, reach: PeriodSelection) -> Periods {
        self.resume_history(History::new(
            trustor,
            reach,
            self.environment().api().clone(),
            self.policy_with_new_seed(),
        ))
    }

    /// The same for a walk that was begun elsewhere, and saved.
    pub fn resume_history(&self, history: History) -> Periods {
        Periods::new(self.clone(), history)
    }

    /// A run over many organisations, paced by the quota.
    pub fn fleet(&self, assignment: &FleetPlan) -> Fleet {
        Fleet::new(self.0.clone(), self.policy_with_new_seed(), assignment)
    }

    /// The machine of one call with its retries: for [`Client::run`], or to be driven otherwise.
    pub fn exchange<C: Call>(&self, call: C) -> Exchange<C> {
        Exchange::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// The machine that asks for a report until it is complete: for [`Client::run`], or to be saved and resumed.
    pub fn poll<C: Call<Output: Report>>(&self, call: C) -> Poll<C> {
        Poll::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Runs a machine to its end, under this client's session.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn run<M: Machine>(&self, machine: M) -> Result<M::Output, Error> {
        self.run_watched(machine, |_| ()).await
    }

    /// The same; `watch` is told of everything as it happens.
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

    /// Runs a machine whose requests are performed by `perform`.
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

    /// Runs a machine as a stream of its progress, with its outcome at the end.
    ///
    /// While the stream is not polled nothing goes on: a request that is out may run into its time limit.
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

/// How far a stream has come between two of its items.
enum WatchState<M: Machine> {
    /// Not polled yet: the machine is not stepped before that, because a step can take the login upon itself.
    NotStarted(Arc<ClientInner>, M),
    /// Its wait has been told of.
    WaitReported(Run<M>),
    /// Its outcome has been told.
    Finished,
}
