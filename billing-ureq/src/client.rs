//! The client, and the loop that drives the core's machines.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use billing_core::calls::{BillableUsageCall, Call, TrusteeOverviewCall};
use billing_core::fleet::FleetPlan;
use billing_core::model::{TrusteeOverview, UsageReport};
use billing_core::poll::Report;
use billing_core::{
    Authorized, Credentials, Environment, Error, Event, Exchange, History, Machine, OrgId, Period,
    PeriodIndex, PeriodSelection, Policy, Poll, Progress, Reply, Request, Step,
};
use chrono::{DateTime, Utc};

use crate::clock::{Clock, time_until};
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

    /// The billable usage of one's own organisation in a period. Returns when the report is complete.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn usage_report(&self, period: Period) -> Result<UsageReport, Error> {
        self.run(self.poll(BillableUsageCall::new(period)))
    }

    /// The same; `on_progress` is called before every wait.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn usage_report_with_progress(
        &self,
        period: Period,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<UsageReport, Error> {
        self.run_watched(self.poll(BillableUsageCall::new(period)), |event| {
            if let Event::Waiting(progress) = event {
                on_progress(progress);
            }
        })
    }

    /// What a trustor organisation committed to, used and owes; in the latest billing period if none is named.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn trustee_overview(
        &self,
        trustor: OrgId,
        period: Option<PeriodIndex>,
    ) -> Result<TrusteeOverview, Error> {
        self.run(self.exchange(TrusteeOverviewCall::new(trustor).period_index(period)))
    }

    /// The billing periods of a trustor organisation, back in time, each fetched when it is read.
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
        Fleet::new(self.clone(), assignment)
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
    pub fn run<M: Machine>(&self, machine: M) -> Result<M::Output, Error> {
        self.run_watched(machine, |_| ())
    }

    /// The same; `watch` is told of everything as it happens.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn run_watched<M: Machine>(
        &self,
        machine: M,
        watch: impl FnMut(Event<'_>),
    ) -> Result<M::Output, Error> {
        self.drive(machine, watch, Transport::perform)
    }

    /// The loop that drives the core's machines. Requests are performed by `perform`.
    pub(crate) fn drive<M: Machine>(
        &self,
        machine: M,
        mut watch: impl FnMut(Event<'_>),
        mut perform: impl FnMut(&Transport, &Request, DateTime<Utc>) -> Reply,
    ) -> Result<M::Output, Error> {
        let ClientInner { session, transport, clock, .. } = &*self.0;
        // The revision from before each step: if it has changed by the time that we wait for a login, the login that the
        // step saw is over, and there is nothing to wait for.
        let mut seen = session.revision();
        let mut step = Authorized::new(machine, session.clone()).step(clock.now());
        loop {
            step = match step {
                Step::Send(request, sent) => {
                    watch(Event::Sending(&request));
                    let begun = Instant::now();
                    let reply = perform(transport, &request, clock.now());
                    watch(Event::from_reply(&request, &reply, begun.elapsed()));
                    seen = session.revision();
                    sent.receive(reply, clock.now())
                }
                Step::Wait(until, machine) => {
                    watch(Event::Waiting(&machine.progress()));
                    if machine.awaits_login() {
                        session.wait_past(seen, time_until(clock.now(), until));
                    } else {
                        clock.sleep_until(until);
                    }
                    seen = session.revision();
                    machine.step(clock.now())
                }
                Step::Done(result) => return result,
            };
        }
    }

    pub(crate) fn parts(&self) -> &ClientInner {
        &self.0
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
