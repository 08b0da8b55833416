//! One call with its retries.
//!
//! ```text
//!            ┌─── transient, at most 5 in a row: full jitter, Retry-After ───┐
//!            │    unreadable, at most 2 in a row                             │
//!            ▼    429, any number before the deadline                       │
//!   ready ─► sent ─► reply ─┬───────────────────────────────────────────────┘
//!                           ├─► accepted ─► Done(Ok)
//!                           └─► final, too many, past the deadline ─► Done(Err)
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Call, LOGIN};
use crate::error::ErrorContext;
use crate::machine::checkpoint::Format;
use crate::machine::decision::{Judgement, judge};
use crate::machine::progress::{Progress, RetryCause, WaitReason, WakeReason};
use crate::machine::retry_after::unhinted_throttle;
use crate::machine::{Hold, NotBefore, Received, Request, Sent, sealed};
use crate::values::DocumentUrl;
use crate::values::clock::{after, before, between};
use crate::{BaseUrl, Error, ErrorKind, Machine, Operation, Policy, Step};

/// One [`Call`], repeated as the decision table says until it succeeds or fails for good.
///
/// # Bound
/// Between two answers that the call accepts there are at most 5 transient failures in a row, each followed by at most 2
/// unreadable answers in a row; every 429 is followed by a wait of at least a second, so that there are at most as many
/// as the seconds until the deadline. What a session adds, [`Authorized`](crate::Authorized) says.
#[derive(Clone, Debug)]
pub struct Exchange<C>(Attempts<C>);

impl<C: Call> Exchange<C> {
    /// The call, to be made under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        Self(Attempts::new(call, api, policy))
    }
}

/// What an exchange is, alone or as a part of another machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempts<C> {
    pub(crate) call: C,
    #[serde(with = "crate::values::environment::saved")]
    pub(crate) api: BaseUrl,
    pub(crate) policy: Policy,
    state: State,
}

/// Everything that changes, and nothing that could not be saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    started: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    wake: Option<DateTime<Utc>>,
    waiting: WaitReason,
    timing: WakeReason,
    requests: u32,
    transient: u32,
    unreadable: u32,
    throttled: u32,
    /// What the last failure left, for the error if there is no time to repeat it.
    #[serde(skip)]
    last: ErrorContext,
}

/// What comes next for a machine that has not ended.
pub(crate) enum Next {
    Send(Box<Request>),
    Wait(DateTime<Utc>),
}

/// A reply, taken in.
pub(crate) enum Taken<T> {
    /// The call's answer, and the server's hint when to ask again.
    Value(T, Option<DateTime<Utc>>, ErrorContext),
    /// The request is to be repeated.
    Again,
}

impl<C: Call> Attempts<C> {
    pub(crate) fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let state = State {
            started: None,
            deadline: None,
            wake: None,
            waiting: WaitReason::Start,
            timing: WakeReason::Free,
            requests: 0,
            transient: 0,
            unreadable: 0,
            throttled: 0,
            last: ErrorContext::default(),
        };
        Self { call, api, policy, state }
    }

    /// The same with another policy; its time counts anew.
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.state.deadline = None;
        Self { policy, ..self }
    }

    /// Another call as the next part of the same operation: under the same deadline, and counted with it.
    pub(crate) fn followed_by<D: Call>(&self, call: D) -> Attempts<D> {
        let State { started, deadline, requests, .. } = self.state;
        let next = Attempts::new(call, self.api.clone(), self.policy.clone());
        Attempts { state: State { started, deadline, requests, ..next.state }, ..next }
    }

    /// When it began: at its first step.
    pub(crate) fn started(&self) -> Option<DateTime<Utc>> {
        self.state.started
    }

    /// How long it still has at `now`.
    pub(crate) fn left(&self, now: DateTime<Utc>) -> Duration {
        self.state.deadline.map_or(Duration::MAX, |deadline| between(now, deadline))
    }

    pub(crate) fn operation(&self) -> Operation {
        self.call.operation()
    }

    pub(crate) fn error(&self, kind: ErrorKind, evidence: ErrorContext) -> Error {
        Error::new(kind, self.call.operation(), evidence).after(self.state.requests)
    }

    /// Goes on at `now`.
    pub(crate) fn proceed(&mut self, now: DateTime<Utc>) -> Result<Next, Error> {
        self.state.started.get_or_insert(now);
        let deadline = *self.state.deadline.get_or_insert(self.policy.deadline_from(now));
        let wake = self.state.wake.filter(|wake| *wake > now);
        // Another policy can leave less time than what is waited for.
        if wake.unwrap_or(now) >= deadline {
            return Err(self.waited(&self.state.waiting, ErrorKind::Deadline(deadline)));
        }
        if let Some(wake) = wake {
            return Ok(Next::Wait(wake));
        }
        let http = self.call.request(&self.api).map_err(|_| {
            let reason = "the arguments are too long for an address";
            self.error(ErrorKind::InvalidRequest(reason), ErrorContext::default())
        })?;
        let attempt = self.policy.attempt_timeout.unwrap_or_else(|| self.call.attempt_timeout());
        let request = Request::new(http, self.call.operation(), attempt, deadline, self.policy.max_body)
            .for_document(self.call.document());
        Ok(Next::Send(Box::new(request)))
    }

    /// Takes the reply to the last request in. `floor` is the shortest wait before any other request.
    pub(crate) fn take(
        &mut self,
        received: Received,
        floor: Duration,
        now: DateTime<Utc>,
    ) -> Result<Taken<C::Output>, Error> {
        let Received { reply, retry_after: hint, not_before, others, token } = received;
        self.state.requests = self.state.requests.saturating_add(1).saturating_add(others);
        let judgement = judge(&self.call, &reply);
        let mut secrets = self.call.document().map(DocumentUrl::secrets).unwrap_or_default();
        secrets.extend(token);
        let secrets: Vec<_> = secrets.iter().collect();
        let evidence = match reply {
            // What is accepted is no evidence of a failure; its body is not searched for one.
            Ok(response) if matches!(judgement, Judgement::Accepted(_)) => {
                ErrorContext::of_head(&response, &secrets)
            }
            // It should have been a secret, and could be one nearly.
            Ok(response) if self.call.is_secret() && self.call.accepts(response.status()) => {
                ErrorContext::of_head(&response, &secrets)
            }
            Ok(response) => ErrorContext::of_response(&response, &secrets),
            Err(error) => ErrorContext::of_transport(error, &secrets),
        };
        let (n, seed, policy) = (self.state.requests, self.policy.seed, &self.policy);
        let (wait, hint, waiting, timing) = match judgement {
            Judgement::Accepted(value) => {
                self.settle();
                return Ok(Taken::Value(value, hint, evidence));
            }
            Judgement::Final(kind) => return Err(self.error(kind, evidence)),
            Judgement::Transient(trouble, kind) => {
                let k = self.state.transient;
                if k >= policy.retries.max_retries {
                    return Err(self.error(kind, evidence));
                }
                self.state.transient += 1;
                self.state.unreadable = 0;
                (policy.retries.wait(k, seed, n), hint, WaitReason::Retry(trouble), WakeReason::Backoff)
            }
            Judgement::Unreadable(error) => {
                let k = self.state.unreadable;
                if k >= policy.max_decode_retries {
                    return Err(self.error(ErrorKind::Decode(error.without(&secrets)), evidence));
                }
                self.state.unreadable += 1;
                (
                    policy.retries.wait(k, seed, n),
                    hint,
                    WaitReason::Retry(RetryCause::Unreadable),
                    WakeReason::Backoff,
                )
            }
            Judgement::Throttled => {
                let k = self.state.throttled;
                self.state.throttled = k.saturating_add(1);
                match (not_before, hint) {
                    (Some(NotBefore { until, asked }), _) => {
                        let wait = between(now, until).max(THROTTLE_FLOOR);
                        (wait, asked, WaitReason::Throttled, WakeReason::Session)
                    }
                    (None, Some(hint)) => {
                        (THROTTLE_FLOOR, Some(hint), WaitReason::Throttled, WakeReason::Backoff)
                    }
                    (None, None) => (unhinted_throttle(k), None, WaitReason::Throttled, WakeReason::Backoff),
                }
            }
        };
        self.state.last = evidence;
        self.rest(after(now, wait.max(floor)), hint, (waiting, timing), now)?;
        Ok(Taken::Again)
    }

    /// Takes back a request that was not sent because it has to wait.
    pub(crate) fn held(&mut self, hold: Hold, now: DateTime<Utc>) -> Result<Next, Error> {
        if let Some(evidence) = hold.evidence {
            self.state.last = evidence;
        }
        let NotBefore { until, asked } = hold.not_before;
        self.rest(until, asked, (hold.waiting, WakeReason::Session), now)?;
        self.proceed(now)
    }

    /// Keeps what the last answer said, for the error if there is no time for another.
    pub(crate) fn remember(&mut self, evidence: ErrorContext) {
        self.state.last = evidence;
    }

    /// Waits until `due`, and no less than until the server's `hint`, if there is time for it.
    pub(crate) fn rest(
        &mut self,
        due: DateTime<Utc>,
        hint: Option<DateTime<Utc>>,
        (waiting, timing): (WaitReason, WakeReason),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let deadline = self.state.deadline.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let patience = after(now, self.policy.max_server_wait);
        if let Some(hint) = hint.filter(|hint| *hint > patience || *hint >= deadline) {
            return Err(self.waited(&waiting, ErrorKind::Deferred(hint)));
        }
        let wake = hint.map_or(due, |hint| hint.max(due));
        // At the deadline itself nothing is sent any more.
        if wake >= deadline {
            return Err(self.waited(&waiting, ErrorKind::Deadline(deadline)));
        }
        self.state.wake = Some(wake);
        self.state.waiting = waiting;
        self.state.timing = if wake > due { WakeReason::Hint } else { timing };
        Ok(())
    }

    /// The error of one who has no time for what is waited for. What a login is in the way of is not what fails.
    fn waited(&self, waiting: &WaitReason, kind: ErrorKind) -> Error {
        let operation = if *waiting == WaitReason::Login { LOGIN } else { self.call.operation() };
        Error::new(kind, operation, self.state.last.clone()).after(self.state.requests)
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            operation: self.call.operation(),
            requests: self.state.requests,
            polls: 0,
            wait_reason: self.state.waiting.clone(),
            wake_at: self.state.wake,
            wake_reason: self.state.timing,
            started: self.state.started,
            deadline: self.state.deadline,
        }
    }

    /// Forgets the failures before an answer that was accepted.
    fn settle(&mut self) {
        self.state.transient = 0;
        self.state.unreadable = 0;
        self.state.throttled = 0;
        self.state.last = ErrorContext::default();
    }

    /// Goes on after a wait. Nothing is ever due later than the longest wait that this machine asks for; if it seems so,
    /// the clock was set back while the machine was parked, and all its times move back with it.
    pub(crate) fn wake(&mut self, now: DateTime<Utc>) -> Result<Next, Error> {
        let Policy { max_server_wait: patience, polls, retries, .. } = &self.policy;
        let own = [
            polls.min_wait.saturating_mul(2),
            polls.max_wait.saturating_mul(2),
            retries.max_delay,
            LONGEST_OWN_WAIT,
        ];
        let longest = own.into_iter().fold(patience.saturating_add(A_LITTLE), Duration::max);
        let jump = between(after(now, longest), self.state.wake.unwrap_or(now));
        if !jump.is_zero() {
            let State { started, deadline, wake, .. } = &mut self.state;
            for time in [started, deadline, wake].into_iter().flatten() {
                *time = before(*time, jump);
            }
        }
        self.proceed(now)
    }
}

impl<C: Call> Machine for Exchange<C> {
    type Output = C::Output;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.0.wake(now), self)
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }
}

impl<C: Call> sealed::Machine for Exchange<C> {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        match self.0.take(received, Duration::ZERO, now) {
            Ok(Taken::Value(value, _, _)) => Step::Done(Ok(value)),
            Ok(Taken::Again) => into_step(self.0.proceed(now), self),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.held(hold, now);
        into_step(next, self)
    }
}

impl<C: Call + Serialize> Serialize for Exchange<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.seal(Some(self.0.operation()), &self.0, serializer)
    }
}

impl<'de, C: Call + Serialize + DeserializeOwned> Deserialize<'de> for Exchange<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.unseal(|attempts| Some(Attempts::operation(attempts)), deserializer).map(Self)
    }
}

pub(crate) fn into_step<M: Machine>(next: Result<Next, Error>, machine: M) -> Step<M> {
    match next {
        Ok(Next::Send(request)) => Step::Send(request, Sent::new(machine)),
        Ok(Next::Wait(until)) => Step::Wait(until, machine),
        Err(error) => Step::Done(Err(error)),
    }
}

/// After a 429 at least this, even where the server says "at once": it is what bounds their number.
const THROTTLE_FLOOR: Duration = Duration::from_secs(1);
/// How much later than the server's hint a session may want to go on.
const A_LITTLE: Duration = Duration::from_secs(1);
/// The longest wait that is our own idea: after a 429 without headers.
const LONGEST_OWN_WAIT: Duration = Duration::from_secs(120);
const FORMAT: Format = Format { name: "billing-core exchange", version: 1 };

#[cfg(test)]
mod tests;
