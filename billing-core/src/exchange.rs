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
use serde::{Deserialize, Serialize};

use crate::calls::Call;
use crate::decision::{Judgement, judge};
use crate::error::Evidence;
use crate::machine::{Hold, Received, Request, Sent, sealed};
use crate::policy::{retry_after, unhinted_throttle};
use crate::progress::{Progress, Trouble, Waiting};
use crate::timestamp::{after, between};
use crate::{BaseUrl, Error, ErrorKind, Machine, Operation, Policy, Step};

/// One [`Call`], repeated as the decision table says until it succeeds or fails for good.
///
/// # Bound
/// Between two answers that the call accepts there are at most 5 transient failures in a row, each followed by at most 2
/// unreadable answers in a row; every 429 is followed by a wait of at least a second, so that there are at most as many
/// as the seconds until the deadline. With a session, each of these requests can cost two more after a 401: a login and
/// the same request again (three more where other calls renew the token at the same time).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange<C> {
    pub(crate) call: C,
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
    waiting: Waiting,
    requests: u32,
    transient: u32,
    unreadable: u32,
    throttled: u32,
    /// What the last failure left, for the error if there is no time to repeat it.
    #[serde(skip)]
    last: Evidence,
}

/// What comes next for a machine that has not ended.
pub(crate) enum Next {
    Send(Box<Request>),
    Wait(DateTime<Utc>),
}

/// A reply, taken in.
pub(crate) enum Taken<T> {
    /// The call's answer, and the server's hint when to ask again.
    Value(T, Option<DateTime<Utc>>, Evidence),
    /// The request is to be repeated.
    Again,
}

impl<C: Call> Exchange<C> {
    /// The call, to be made under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let state = State {
            started: None,
            deadline: None,
            wake: None,
            waiting: Waiting::Start,
            requests: 0,
            transient: 0,
            unreadable: 0,
            throttled: 0,
            last: Evidence::default(),
        };
        Self {
            call,
            api,
            policy,
            state,
        }
    }

    /// The same with another policy; its time counts anew.
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.state.deadline = None;
        Self { policy, ..self }
    }

    /// When it began: at its first step.
    pub(crate) fn started(&self) -> Option<DateTime<Utc>> {
        self.state.started
    }

    pub(crate) fn operation(&self) -> Operation {
        self.call.operation()
    }

    pub(crate) fn error(&self, kind: ErrorKind, evidence: Evidence) -> Error {
        Error::new(kind, self.call.operation(), evidence).after(self.state.requests)
    }

    /// Goes on at `now`.
    pub(crate) fn proceed(&mut self, now: DateTime<Utc>) -> Result<Next, Error> {
        self.state.started.get_or_insert(now);
        let deadline = *self.state.deadline.get_or_insert(self.policy.deadline_from(now));
        if now >= deadline {
            return Err(self.error(ErrorKind::Deadline(deadline), self.state.last.clone()));
        }
        if let Some(wake) = self.state.wake.filter(|wake| *wake > now) {
            return Ok(Next::Wait(self.unjumped(wake, now)));
        }
        let http = self.call.request(&self.api).map_err(|_| {
            let reason = "the arguments are too long for an address";
            self.error(ErrorKind::Unsendable(reason), Evidence::default())
        })?;
        let attempt = self.policy.attempt.unwrap_or_else(|| self.call.attempt());
        let request = Request::new(
            http,
            self.call.operation(),
            attempt,
            deadline,
            self.policy.max_body,
        );
        Ok(Next::Send(Box::new(request)))
    }

    /// Takes the reply to the last request in. `floor` is the shortest wait before any other request.
    pub(crate) fn take(
        &mut self,
        received: Received,
        floor: Duration,
        now: DateTime<Utc>,
    ) -> Result<Taken<C::Output>, Error> {
        let Received {
            reply,
            not_before,
            others,
            token,
        } = received;
        self.state.requests = self.state.requests.saturating_add(1).saturating_add(others);
        let judgement = judge(&self.call, &reply);
        let hint = reply
            .as_ref()
            .ok()
            .and_then(|response| retry_after(response.headers(), now));
        let evidence = match reply {
            // What is accepted is no evidence of a failure; its body is not searched for one.
            Ok(response) if matches!(judgement, Judgement::Accepted(_)) => Evidence::of_head(&response),
            Ok(response) => Evidence::of_response(&response, token.as_ref()),
            Err(error) => Evidence::of_transport(error),
        };
        let (n, seed, policy) = (self.state.requests, self.policy.seed, &self.policy);
        let (wait, hint, waiting) = match judgement {
            Judgement::Accepted(value) => {
                self.settle();
                return Ok(Taken::Value(value, hint, evidence));
            }
            Judgement::Final(kind) => return Err(self.error(kind, evidence)),
            Judgement::Transient(trouble, kind) => {
                let k = self.state.transient;
                if k >= policy.retries.limit {
                    return Err(self.error(kind, evidence));
                }
                self.state.transient += 1;
                self.state.unreadable = 0;
                (policy.retries.wait(k, seed, n), hint, Waiting::Retry(trouble))
            }
            Judgement::Unreadable(error) => {
                let k = self.state.unreadable;
                if k >= policy.unreadable {
                    return Err(self.error(ErrorKind::Decode(error), evidence));
                }
                self.state.unreadable += 1;
                (
                    policy.retries.wait(k, seed, n),
                    hint,
                    Waiting::Retry(Trouble::Unreadable),
                )
            }
            Judgement::Throttled => {
                let k = self.state.throttled;
                self.state.throttled = k.saturating_add(1);
                match not_before.or(hint) {
                    Some(hint) => (THROTTLE_FLOOR, Some(hint), Waiting::Throttled),
                    None => (unhinted_throttle(k), None, Waiting::Throttled),
                }
            }
        };
        self.state.last = evidence;
        self.rest(after(now, wait.max(floor)), hint, waiting, now)?;
        Ok(Taken::Again)
    }

    /// Takes back a request that was not sent because it has to wait.
    pub(crate) fn hold(&mut self, hold: Hold, now: DateTime<Utc>) -> Result<(), Error> {
        if let Some(evidence) = hold.evidence {
            self.state.last = evidence;
        }
        let hint = hold.hint.then_some(hold.until);
        self.rest(hold.until, hint, hold.waiting, now)
    }

    /// Waits until `due`, and no less than until the server's `hint`, if there is time for it.
    pub(crate) fn rest(
        &mut self,
        due: DateTime<Utc>,
        hint: Option<DateTime<Utc>>,
        waiting: Waiting,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let deadline = self.state.deadline.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let patience = after(now, self.policy.patience);
        if let Some(hint) = hint.filter(|hint| *hint > patience || *hint > deadline) {
            return Err(self.error(ErrorKind::Deferred(hint), self.state.last.clone()));
        }
        let wake = hint.map_or(due, |hint| hint.max(due));
        if wake > deadline {
            return Err(self.error(ErrorKind::Deadline(deadline), self.state.last.clone()));
        }
        self.state.wake = Some(wake);
        self.state.waiting = waiting;
        Ok(())
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            operation: self.call.operation(),
            requests: self.state.requests,
            polls: 0,
            waiting: self.state.waiting.clone(),
            until: self.state.wake,
            started: self.state.started,
            deadline: self.state.deadline,
        }
    }

    /// Forgets the failures before an answer that was accepted.
    fn settle(&mut self) {
        self.state.transient = 0;
        self.state.unreadable = 0;
        self.state.throttled = 0;
        self.state.last = Evidence::default();
    }

    /// Nothing is ever due later than the longest wait that this machine asks for. If it seems so, the clock was set
    /// back while the machine was parked, and all its times move back with it.
    fn unjumped(&mut self, wake: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let longest = self
            .policy
            .patience
            .max(self.policy.polls.most * 2)
            .max(LONGEST_OWN_WAIT);
        let jump = between(after(now, longest), wake);
        if jump.is_zero() {
            return wake;
        }
        for time in [
            &mut self.state.started,
            &mut self.state.deadline,
            &mut self.state.wake,
        ]
        .into_iter()
        .flatten()
        {
            *time -= jump;
        }
        wake - jump
    }
}

impl<C: Call> Machine for Exchange<C> {
    type Output = C::Output;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.proceed(now), self)
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }
}

impl<C: Call> sealed::Machine for Exchange<C> {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        match self.take(received, Duration::ZERO, now) {
            Ok(Taken::Value(value, _, _)) => Step::Done(Ok(value)),
            Ok(Taken::Again) => into_step(self.proceed(now), self),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.hold(hold, now).and_then(|()| self.proceed(now));
        into_step(next, self)
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
/// The longest wait that is our own idea: after a 429 without headers.
const LONGEST_OWN_WAIT: Duration = Duration::from_secs(120);
