//! The retry loop: sends one call, and retries it by the decision table until it succeeds, fails or times out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::calls::{Call, LOGIN};
use crate::error::ErrorContext;
use crate::machine::decision::{Decision, decide};
use crate::machine::progress::{Progress, RetryCause, WaitReason, WakeReason};
use crate::machine::retry_after::throttle_backoff;
use crate::machine::{Hold, NotBefore, ReceivedReply, Request, Sent};
use crate::values::DocumentUrl;
use crate::values::clock::{between, saturating_add, saturating_sub};
use crate::{BaseUrl, Error, ErrorKind, Machine, Operation, Policy, Step};

/// The retry loop of one call, used by [`Exchange`] and inside the other machines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryLoop<C> {
    pub(crate) call: C,
    #[serde(with = "crate::values::environment::saved")]
    pub(crate) api: BaseUrl,
    pub(crate) policy: Policy,
    state: RetryState,
}

/// The mutable part of a retry loop; all of it can be saved except `last_context`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryState {
    started: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    wake_at: Option<DateTime<Utc>>,
    wait_reason: WaitReason,
    wake_reason: WakeReason,
    requests: u32,
    transient_failures: u32,
    decode_failures: u32,
    throttles: u32,
    /// The context of the last failure, for the error if no time is left for a retry.
    #[serde(skip)]
    last_context: ErrorContext,
}

/// The next action of a machine that has not ended.
pub(crate) enum NextAction {
    Send(Box<Request>),
    Wait(DateTime<Utc>),
}

/// The outcome of a reply that is not an error.
pub(crate) enum Handled<T> {
    /// The parsed response, the time from `Retry-After`, and the context of the response.
    Accepted(T, Option<DateTime<Utc>>, ErrorContext),
    /// A failure after which the request is sent again.
    Retry,
}

impl<C: Call> RetryLoop<C> {
    pub(crate) fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let state = RetryState {
            started: None,
            deadline: None,
            wake_at: None,
            wait_reason: WaitReason::NotStarted,
            wake_reason: WakeReason::Immediate,
            requests: 0,
            transient_failures: 0,
            decode_failures: 0,
            throttles: 0,
            last_context: ErrorContext::default(),
        };
        Self { call, api, policy, state }
    }

    /// Replaces the policy; the timeout counts anew from the next step.
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        self.state.deadline = None;
        Self { policy, ..self }
    }

    /// Creates the retry loop of the next call of the same operation: it keeps the start, the deadline and
    /// the number of requests.
    pub(crate) fn followed_by_call<D: Call>(&self, call: D) -> RetryLoop<D> {
        let RetryState { started, deadline, requests, .. } = self.state;
        let next = RetryLoop::new(call, self.api.clone(), self.policy.clone());
        RetryLoop { state: RetryState { started, deadline, requests, ..next.state }, ..next }
    }

    /// Returns the time of the first step.
    pub(crate) fn started(&self) -> Option<DateTime<Utc>> {
        self.state.started
    }

    /// Returns the time from `now` to the deadline.
    pub(crate) fn time_left(&self, now: DateTime<Utc>) -> Duration {
        self.state.deadline.map_or(Duration::MAX, |deadline| between(now, deadline))
    }

    pub(crate) fn operation(&self) -> Operation {
        self.call.operation()
    }

    /// Builds an error of the operation with the number of requests so far.
    pub(crate) fn error(&self, kind: ErrorKind, context: ErrorContext) -> Error {
        Error::new(kind, self.call.operation(), context).with_attempts(self.state.requests)
    }

    /// Returns the next action at `now`: send the request, or wait.
    pub(crate) fn advance(&mut self, now: DateTime<Utc>) -> Result<NextAction, Error> {
        self.state.started.get_or_insert(now);
        let deadline = *self.state.deadline.get_or_insert(self.policy.deadline_from(now));
        let wake = self.state.wake_at.filter(|wake| *wake > now);
        // After `with_policy` the deadline can be earlier than the end of the current wait.
        if wake.unwrap_or(now) >= deadline {
            return Err(self.no_time_error(&self.state.wait_reason, ErrorKind::DeadlineExceeded(deadline)));
        }
        if let Some(wake) = wake {
            return Ok(NextAction::Wait(wake));
        }
        let http = self.call.request(&self.api).map_err(|_| {
            let reason = "the arguments are too long for a URI";
            self.error(ErrorKind::InvalidRequest(reason), ErrorContext::default())
        })?;
        let attempt = self.policy.attempt_timeout.unwrap_or_else(|| self.call.attempt_timeout());
        let request = Request::new(http, self.call.operation(), attempt, deadline, self.policy.max_body)
            .with_document(self.call.document());
        Ok(NextAction::Send(Box::new(request)))
    }

    /// Processes the reply to the last request. `floor` is the shortest wait before any retry.
    pub(crate) fn handle_reply(
        &mut self,
        received: ReceivedReply,
        floor: Duration,
        now: DateTime<Utc>,
    ) -> Result<Handled<C::Output>, Error> {
        let ReceivedReply { reply, retry_after: hint, not_before, extra_requests, sent_token } = received;
        self.state.requests = self.state.requests.saturating_add(1).saturating_add(extra_requests);
        let decision = decide(&self.call, &reply);
        let mut secrets = self.call.document().map(DocumentUrl::secrets).unwrap_or_default();
        secrets.extend(sent_token);
        let secrets: Vec<_> = secrets.iter().collect();
        let context = match reply {
            // An accepted body reports no failure, so it is not searched for a message.
            Ok(response) if matches!(decision, Decision::Accepted(_)) => {
                ErrorContext::from_head(&response, &secrets)
            }
            // A secret response that failed to parse may still contain the secret: keep only its head.
            Ok(response) if self.call.is_secret() && self.call.accepts(response.status()) => {
                ErrorContext::from_head(&response, &secrets)
            }
            Ok(response) => ErrorContext::from_response(&response, &secrets),
            Err(error) => ErrorContext::from_transport_error(error, &secrets),
        };
        let (n, seed, policy) = (self.state.requests, self.policy.seed, &self.policy);
        // `wait` is our own minimum; the server's hint can only lengthen it.
        let (wait, hint, waiting, timing) = match decision {
            Decision::Accepted(value) => {
                self.reset_failures();
                return Ok(Handled::Accepted(value, hint, context));
            }
            Decision::Final(kind) => return Err(self.error(kind, context)),
            Decision::Transient(cause, kind) => {
                let k = self.state.transient_failures;
                if k >= policy.retry.max_retries {
                    return Err(self.error(kind, context));
                }
                self.state.transient_failures += 1;
                self.state.decode_failures = 0;
                (policy.retry.wait(k, seed, n), hint, WaitReason::Retry(cause), WakeReason::Backoff)
            }
            Decision::Undecodable(error) => {
                let k = self.state.decode_failures;
                if k >= policy.max_decode_retries {
                    return Err(self.error(ErrorKind::Decode(error.redacted(&secrets)), context));
                }
                self.state.decode_failures += 1;
                (
                    policy.retry.wait(k, seed, n),
                    hint,
                    WaitReason::Retry(RetryCause::Undecodable),
                    WakeReason::Backoff,
                )
            }
            Decision::Throttled => {
                // A 429 is not counted as a failure: the deadline bounds their number, not `max_retries`.
                let k = self.state.throttles;
                self.state.throttles = k.saturating_add(1);
                match (not_before, hint) {
                    // The session's time counts for every request with the token, and already includes the
                    // hint.
                    (Some(NotBefore { until, server_time }), _) => {
                        let wait = between(now, until).max(MIN_THROTTLE_WAIT);
                        (wait, server_time, WaitReason::Throttled, WakeReason::Session)
                    }
                    (None, Some(hint)) => {
                        (MIN_THROTTLE_WAIT, Some(hint), WaitReason::Throttled, WakeReason::Backoff)
                    }
                    (None, None) => (throttle_backoff(k), None, WaitReason::Throttled, WakeReason::Backoff),
                }
            }
        };
        self.state.last_context = context;
        self.schedule(saturating_add(now, wait.max(floor)), hint, (waiting, timing), now)?;
        Ok(Handled::Retry)
    }

    /// Records that the request was not sent, and waits as `hold` says.
    pub(crate) fn handle_hold(&mut self, hold: Hold, now: DateTime<Utc>) -> Result<NextAction, Error> {
        if let Some(context) = hold.context {
            self.state.last_context = context;
        }
        let NotBefore { until, server_time } = hold.not_before;
        self.schedule(until, server_time, (hold.wait_reason, WakeReason::Session), now)?;
        self.advance(now)
    }

    /// Stores the context of the last response, for the error if no time is left for another request.
    pub(crate) fn set_context(&mut self, context: ErrorContext) {
        self.state.last_context = context;
    }

    /// Waits until `due`, or until the server's `hint` if that is later. Fails if the hint exceeds
    /// `max_server_wait` or the wait does not end before the deadline.
    pub(crate) fn schedule(
        &mut self,
        due: DateTime<Utc>,
        hint: Option<DateTime<Utc>>,
        (waiting, timing): (WaitReason, WakeReason),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let deadline = self.state.deadline.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let latest_hint = saturating_add(now, self.policy.max_server_wait);
        if let Some(hint) = hint.filter(|hint| *hint > latest_hint || *hint >= deadline) {
            return Err(self.no_time_error(&waiting, ErrorKind::Deferred(hint)));
        }
        let wake = hint.map_or(due, |hint| hint.max(due));
        // A request at the deadline would have no time left, so it is not sent.
        if wake >= deadline {
            return Err(self.no_time_error(&waiting, ErrorKind::DeadlineExceeded(deadline)));
        }
        self.state.wake_at = Some(wake);
        self.state.wait_reason = waiting;
        self.state.wake_reason = if wake > due { WakeReason::ServerHint } else { timing };
        Ok(())
    }

    /// Builds the error for a wait that does not fit before the deadline. If the wait is for a login, the
    /// error names the login as the operation.
    fn no_time_error(&self, waiting: &WaitReason, kind: ErrorKind) -> Error {
        let operation = if *waiting == WaitReason::Login { LOGIN } else { self.call.operation() };
        Error::new(kind, operation, self.state.last_context.clone()).with_attempts(self.state.requests)
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            operation: self.call.operation(),
            requests: self.state.requests,
            pending_answers: 0,
            wait_reason: self.state.wait_reason.clone(),
            wake_at: self.state.wake_at,
            wake_reason: self.state.wake_reason,
            started: self.state.started,
            deadline: self.state.deadline,
        }
    }

    /// Resets the failure counters after an accepted response.
    fn reset_failures(&mut self) {
        self.state.transient_failures = 0;
        self.state.decode_failures = 0;
        self.state.throttles = 0;
        self.state.last_context = ErrorContext::default();
    }

    /// Advances after a wait.
    ///
    /// No wake time is later than the longest wait that this machine asks for. If one
    /// is, the clock was set back while the machine was parked, and all its times move back by the
    /// difference.
    pub(crate) fn resume(&mut self, now: DateTime<Utc>) -> Result<NextAction, Error> {
        let Policy { max_server_wait, poll: polls, retry: retries, .. } = &self.policy;
        // Twice, because the jitter adds up to 100 % to a poll's wait.
        let own = [
            polls.min_wait.saturating_mul(2),
            polls.max_wait.saturating_mul(2),
            retries.max_delay,
            MAX_OWN_WAIT,
        ];
        let longest = own.into_iter().fold(max_server_wait.saturating_add(MAX_SESSION_MARGIN), Duration::max);
        // A wake time beyond `longest` can only come from a clock that was set back since.
        let jump = between(saturating_add(now, longest), self.state.wake_at.unwrap_or(now));
        if !jump.is_zero() {
            let RetryState { started, deadline, wake_at, .. } = &mut self.state;
            for time in [started, deadline, wake_at].into_iter().flatten() {
                *time = saturating_sub(*time, jump);
            }
        }
        self.advance(now)
    }
}

/// Builds the step of `machine` from its next action.
pub(crate) fn into_step<M: Machine>(next: Result<NextAction, Error>, machine: M) -> Step<M> {
    match next {
        Ok(NextAction::Send(request)) => Step::Send(request, Sent::new(machine)),
        Ok(NextAction::Wait(until)) => Step::Wait(until, machine),
        Err(error) => Step::Done(Err(error)),
    }
}

/// The shortest wait after a 429, even if the server asks for less: it bounds the number of 429s.
const MIN_THROTTLE_WAIT: Duration = Duration::from_secs(1);
/// The longest time that a session may add to the server's hint.
pub(super) const MAX_SESSION_MARGIN: Duration = Duration::from_secs(1);
/// An upper bound on waits of our own: at most 60 s after a 429 without headers, at most 120 s by an adaptive
/// schedule.
pub(super) const MAX_OWN_WAIT: Duration = Duration::from_secs(120);
