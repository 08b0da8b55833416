//! A machine that runs another machine under a session: it adds the token, logs in when there is none, and
//! waits for the quota.
//!
//! ```text
//!   inner machine sends ─► session ─┬─ go ──────────► request with token ─► reply ─┬─ 401 ─► session again
//!            ▲                      ├─ log in ──────► login ─► session again       │
//!            │                      ├─ other login ─► wait ─► session again        │
//!            │                      └─ not yet ─► the inner machine waits          │
//!            └──────────────────────────── everything else ◄───────────────────────┘
//! ```
//!
//! A request for a [document](crate::Download) bypasses the session: it goes to another host, without the
//! token.
//!
//! The drivers run every machine inside an [`Authorized`], so that all knowledge of tokens and quotas stays
//! in the core. A caller without a driver does the same:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use billing_core::calls::TrusteeOverviewCall;
//! use billing_core::{Authorized, Credentials, Environment, Exchange, Machine, Policy, Session, Step};
//!
//! let environment = Environment::default();
//! let call = TrusteeOverviewCall::new("9d750d63-95ae-4df7-8955-2bca7152ca19".parse()?);
//! let exchange = Exchange::new(call, environment.api().clone(), Policy::default());
//! let session = Session::new(environment, Credentials::client("id", "secret")?);
//! let machine = Authorized::new(exchange, Rc::new(RefCell::new(session)));
//!
//! let Step::Send(login, _) = machine.step("2026-11-02T09:00:00Z".parse()?) else { panic!("a login") };
//! assert_eq!(login.http().uri(), "https://login.mypurecloud.com/oauth/token");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use chrono::{DateTime, Utc};
use http::header::AUTHORIZATION;

use crate::machine::progress::{Progress, WaitReason, WakeReason};
use crate::machine::{Hold, ReceivedReply, Request, Sent, sealed};
use crate::session::{Admission, Permit, ReplyOutcome, Session, SharedSession};
use crate::{Machine, Step};

/// A machine that sends the requests of another machine under a session.
///
/// # Bound
/// Each request of the inner machine is sent at most five times: once, once more after a 401 and a login of
/// our own, and at most three times more after 401s with a token that another caller had renewed meanwhile.
/// Before each of these there is at most one login, which is given up after six failed attempts; a 429 of the
/// login service is followed by a wait of at least one second. A token is used for at least 30 s, however
/// short a lifetime the login service names.
#[derive(Debug)]
#[must_use = "a machine does nothing unless it is stepped"]
pub struct Authorized<M: Machine, A: SharedSession> {
    session: A,
    tally: RequestTally,
    phase: Phase<M, A>,
}

/// The phase of the request that the inner machine wants to send.
#[derive(Debug)]
enum Phase<M: Machine, A: SharedSession> {
    /// The inner machine waits, or has not started.
    Inner(M),
    /// A request of the inner machine waits until the given time for a login that another caller has started.
    AwaitingLogin(Outgoing<M>, DateTime<Utc>),
    /// A login of ours is in flight. (Only inside a [`Sent`].)
    LoggingIn(Outgoing<M>, CancelOnDrop<A, u64>),
    /// The request of the inner machine is in flight. (Only inside a [`Sent`].)
    InFlight(Outgoing<M>, CancelOnDrop<A, Permit>),
    /// A request for a document is in flight, which the session does not see. (Only inside a [`Sent`].)
    BypassingSession(Outgoing<M>),
}

/// A request of the inner machine that has no reply yet, and the inner machine that waits for it.
#[derive(Debug)]
struct Outgoing<M> {
    request: Box<Request>,
    sent: Sent<M>,
}

/// The counts for one request of the inner machine, until it has its reply.
#[derive(Clone, Copy, Debug, Default)]
struct RequestTally {
    /// The session's [`give_up_count`](Session::give_up_count) when the request first asked to be sent.
    asked_at_give_up: Option<u64>,
    /// The number of additional requests: logins, and earlier sends of the request that got a 401.
    extra_requests: u32,
    /// The number of 401s with the token that was current, and with a token that had been replaced meanwhile.
    current_token_401s: u32,
    stale_token_401s: u32,
}

impl<M: Machine, A: SharedSession> Authorized<M, A> {
    /// Builds a machine that runs `machine` under `session`.
    pub fn new(machine: M, session: A) -> Self {
        Self { session, tally: RequestTally::default(), phase: Phase::Inner(machine) }
    }

    /// Returns the inner machine.
    pub fn machine(&self) -> &M {
        match &self.phase {
            Phase::Inner(machine) => machine,
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => outgoing.sent.inner(),
        }
    }

    /// Returns true if the machine waits for another caller's login. Step it as soon as [`Session::revision`]
    /// has changed; it need not wait for its time.
    pub fn awaits_login(&self) -> bool {
        matches!(self.phase, Phase::AwaitingLogin(..))
    }

    /// Returns the inner machine, to save it or to run it elsewhere. A request in flight counts as not sent.
    pub fn into_machine(self) -> M {
        match self.phase {
            Phase::Inner(machine) => machine,
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => outgoing.sent.into_unsent(),
        }
    }

    /// Turns a step of the inner machine into a step of this one. An error gets the number of all requests,
    /// logins included.
    fn wrap_step(session: A, tally: RequestTally, step: Step<M>, now: DateTime<Utc>) -> Step<Self> {
        match step {
            Step::Send(request, sent) => Self::dispatch(session, tally, Outgoing { request, sent }, now),
            Step::Wait(until, machine) => {
                Step::Wait(until, Self { session, tally, phase: Phase::Inner(machine) })
            }
            Step::Done(Ok(output)) => Step::Done(Ok(output)),
            Step::Done(Err(error)) => {
                let requests = error.attempts().saturating_add(tally.extra_requests);
                Step::Done(Err(error.with_attempts(requests)))
            }
        }
    }

    /// Asks the session if a request may be sent, and acts on the answer.
    fn dispatch(
        session: A,
        mut tally: RequestTally,
        mut outgoing: Outgoing<M>,
        now: DateTime<Utc>,
    ) -> Step<Self> {
        if outgoing.request.document().is_some() {
            // Documents are on another host. It must not get the token, and its replies say nothing about the
            // API's quota.
            let request = outgoing.request.clone();
            return Step::Send(
                request,
                Sent::new(Self { session, tally, phase: Phase::BypassingSession(outgoing) }),
            );
        }
        let deadline = outgoing.request.deadline();
        let admission = session.with(|session| {
            // The count of the first attempt is kept: if a login is given up while this request waits, the
            // request fails with it.
            let since = *tally.asked_at_give_up.get_or_insert(session.give_up_count());
            session.admit(since, &outgoing.request, now)
        });
        match admission {
            Admission::Go(permit) => {
                outgoing
                    .request
                    .http_mut()
                    .headers_mut()
                    .insert(AUTHORIZATION, permit.bearer.header().clone());
                let request = outgoing.request.clone();
                // If the operation is dropped while its request is in flight, the quota must not count that
                // request as in flight for ever.
                let permit =
                    CancelOnDrop::new(session.clone(), permit, |session, permit| session.cancel(permit));
                Step::Send(
                    request,
                    Sent::new(Self { session, tally, phase: Phase::InFlight(outgoing, permit) }),
                )
            }
            Admission::LogIn(request, number) => {
                // If the operation is dropped while its login is in flight, another caller must be able to
                // log in at once.
                let login = CancelOnDrop::new(session.clone(), number, |session, number| {
                    session.abandon_login(*number)
                });
                tally.extra_requests = tally.extra_requests.saturating_add(1);
                Step::Send(
                    request,
                    Sent::new(Self { session, tally, phase: Phase::LoggingIn(outgoing, login) }),
                )
            }
            Admission::AwaitLogin { until } => {
                let until = until.min(deadline);
                Step::Wait(until, Self { session, tally, phase: Phase::AwaitingLogin(outgoing, until) })
            }
            Admission::Hold(hold) => {
                if hold.wait_reason != WaitReason::Login {
                    // The request waits for the quota and not for a login, so a login that is given up
                    // meanwhile is not its failure.
                    tally.asked_at_give_up = None;
                }
                Self::wrap_step(session, tally, outgoing.sent.postpone(hold, now), now)
            }
            Admission::Refuse(error) => {
                let requests = outgoing.sent.inner().progress().requests;
                Self::wrap_step(session, tally, Step::Done(Err(error.with_attempts(requests))), now)
            }
        }
    }

    /// Asks the session again for a request that could not be sent, unless its deadline has passed. In that
    /// case the inner machine reports the deadline.
    fn redispatch(session: A, tally: RequestTally, outgoing: Outgoing<M>, now: DateTime<Utc>) -> Step<Self> {
        if now < outgoing.request.deadline() {
            Self::dispatch(session, tally, outgoing, now)
        } else {
            Self::wrap_step(session, tally, outgoing.sent.into_unsent().step(now), now)
        }
    }
}

impl<M: Machine, A: SharedSession> Machine for Authorized<M, A> {
    type Output = M::Output;

    fn step(self, now: DateTime<Utc>) -> Step<Self> {
        let Self { session, tally, phase } = self;
        match phase {
            Phase::Inner(machine) => Self::wrap_step(session, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => Self::redispatch(session, tally, outgoing, now),
        }
    }

    fn progress(&self) -> Progress {
        let progress = self.machine().progress();
        let progress =
            Progress { requests: progress.requests.saturating_add(self.tally.extra_requests), ..progress };
        match &self.phase {
            Phase::AwaitingLogin(_, until) => Progress {
                wait_reason: WaitReason::Login,
                wake_at: Some(*until),
                wake_reason: WakeReason::Session,
                ..progress
            },
            _ => progress,
        }
    }
}

impl<M: Machine, A: SharedSession> sealed::MachineInternals for Authorized<M, A> {
    fn on_reply(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        let Self { session, mut tally, phase } = self;
        match phase {
            Phase::LoggingIn(outgoing, mut login) => {
                let number = *login.disarm();
                // A login that our own deadline cut short is not a failure of the login service.
                let cut_short = received.reply.is_err() && now >= outgoing.request.deadline();
                session.with(|session| match cut_short {
                    true => session.abandon_login(number),
                    false => session.on_login_reply(number, received.reply, received.retry_after, now),
                });
                Self::redispatch(session, tally, outgoing, now)
            }
            Phase::InFlight(outgoing, mut permit) => {
                let permit = permit.disarm();
                // The second 401 after a login is final: if the server refuses a fresh token, another one
                // does not help.
                let renewable = tally.current_token_401s < MAX_RELOGINS;
                match session.with(|session| {
                    session.on_reply(permit, renewable, &received.reply, received.retry_after, now)
                }) {
                    ReplyOutcome::LogInAndResend => tally.current_token_401s += 1,
                    ReplyOutcome::Resend if tally.stale_token_401s < MAX_STALE_TOKEN_RETRIES => {
                        tally.stale_token_401s += 1
                    }
                    // The reply goes to the inner machine. A 401 also does, once its resends are used up.
                    outcome => {
                        let not_before = match outcome {
                            ReplyOutcome::Deliver { not_before } => not_before,
                            ReplyOutcome::Resend | ReplyOutcome::LogInAndResend => None,
                        };
                        let token = Some(permit.bearer.secret().clone());
                        let received = ReceivedReply {
                            not_before,
                            extra_requests: tally.extra_requests,
                            sent_token: token,
                            ..received
                        };
                        return Self::wrap_step(
                            session,
                            RequestTally::default(),
                            outgoing.sent.receive_with(received, now),
                            now,
                        );
                    }
                }
                tally.extra_requests = tally.extra_requests.saturating_add(1);
                Self::redispatch(session, tally, outgoing, now)
            }
            Phase::BypassingSession(outgoing) => Self::wrap_step(
                session,
                RequestTally::default(),
                outgoing.sent.receive_with(received, now),
                now,
            ),
            // No request is in flight in these phases, so the reply cannot be ours.
            Phase::Inner(machine) => Self::wrap_step(session, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _) => Self::redispatch(session, tally, outgoing, now),
        }
    }

    fn on_hold(self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let Self { session, tally, phase } = self;
        match phase {
            Phase::Inner(machine) => Self::wrap_step(session, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => {
                Self::wrap_step(session, tally, outgoing.sent.postpone(hold, now), now)
            }
        }
    }
}

/// A value that the session waits for. If it is dropped before [`CancelOnDrop::disarm`], because the
/// operation was dropped, it tells the session to stop waiting.
#[derive(Debug)]
struct CancelOnDrop<A: SharedSession, T> {
    session: A,
    value: T,
    on_drop: fn(&mut Session, &T),
    disarmed: bool,
}

impl<A: SharedSession, T> CancelOnDrop<A, T> {
    fn new(session: A, value: T, on_drop: fn(&mut Session, &T)) -> Self {
        Self { session, value, on_drop, disarmed: false }
    }

    fn disarm(&mut self) -> &T {
        self.disarmed = true;
        &self.value
    }
}

impl<A: SharedSession, T> Drop for CancelOnDrop<A, T> {
    fn drop(&mut self) {
        if !self.disarmed {
            self.session.with(|session| (self.on_drop)(session, &self.value));
        }
    }
}

/// The number of logins that one request may cause with 401s.
const MAX_RELOGINS: u32 = 1;
/// The number of times that one request is sent again because its token had been replaced meanwhile.
const MAX_STALE_TOKEN_RETRIES: u32 = 3;

#[cfg(test)]
mod tests;
