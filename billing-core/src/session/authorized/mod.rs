//! A machine with a session: it adds the token, logs in when there is none, and waits for the quota.
//!
//! ```text
//!   inner machine sends ─► session ─┬─ go ──────────► request with token ─► reply ─┬─ 401 ─► session again
//!            ▲                      ├─ log in ──────► login ─► session again       │
//!            │                      ├─ somebody is ─► wait ──► session again       │
//!            │                      └─ not yet ─► the inner machine waits          │
//!            └──────────────────────────── everything else ◄───────────────────────┘
//! ```
//!
//! A request for a [document](crate::Download) goes past the session: to another host, without the token.
//!
//! The drivers run every machine inside one of these, so that all knowledge of tokens and quotas stays in the core. An
//! embedder without a driver does the same:
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

/// A machine whose requests go out under a session.
///
/// # Bound
/// Each request of the machine inside is sent at most five times: once more after a 401 and a login of our own, and at most
/// three times more after 401s with a token that others had renewed meanwhile. Before each of these there is at most one
/// login, which is given up after six attempts that failed; a 429 of the login service is followed by a wait of at least a
/// second. A token is used for at least 30 s, however short a lifetime the login service names.
#[derive(Debug)]
#[must_use = "a machine does nothing unless it is stepped"]
pub struct Authorized<M: Machine, A: SharedSession> {
    session: A,
    tally: RequestTally,
    phase: Phase<M, A>,
}

#[derive(Debug)]
enum Phase<M: Machine, A: SharedSession> {
    /// The inner machine waits, or has not begun.
    Inner(M),
    /// The inner machine has a request that cannot go out yet, because somebody is logging in.
    AwaitingLogin(Outgoing<M>, DateTime<Utc>),
    /// A login of ours is out. (Only ever inside a [`Sent`].)
    LoggingIn(Outgoing<M>, CancelOnDrop<A, u64>),
    /// The request of the inner machine is out. (Only ever inside a [`Sent`].)
    InFlight(Outgoing<M>, CancelOnDrop<A, Permit>),
    /// A request for a document is out, of which no session knows. (Only ever inside a [`Sent`].)
    BypassingSession(Outgoing<M>),
}

/// A request of the inner machine on its way.
#[derive(Debug)]
struct Outgoing<M> {
    request: Box<Request>,
    sent: Sent<M>,
}

/// What one request of the inner machine has cost, until it has its reply.
#[derive(Clone, Copy, Debug, Default)]
struct RequestTally {
    /// The session's episode when the request first wanted to go.
    asked_at_give_up: Option<u64>,
    /// Requests sent beside it: logins, and itself before a 401.
    extra_requests: u32,
    /// 401s with the token that was the current one, and with one that had been replaced meanwhile.
    current_token_401s: u32,
    stale_token_401s: u32,
}

impl<M: Machine, A: SharedSession> Authorized<M, A> {
    /// Puts `machine` under the session behind `access`.
    pub fn new(machine: M, access: A) -> Self {
        Self { session: access, tally: RequestTally::default(), phase: Phase::Inner(machine) }
    }

    /// The machine inside.
    pub fn machine(&self) -> &M {
        match &self.phase {
            Phase::Inner(machine) => machine,
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => outgoing.sent.inner(),
        }
    }

    /// Whether it waits for somebody else's login. It is then to be stepped as soon as [`Session::revision`] has changed,
    /// and need not wait for its time.
    pub fn awaits_login(&self) -> bool {
        matches!(self.phase, Phase::AwaitingLogin(..))
    }

    /// The machine inside, to save it or to go on elsewhere. A request of it that is out counts as not sent.
    pub fn into_machine(self) -> M {
        match self.phase {
            Phase::Inner(machine) => machine,
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => outgoing.sent.into_unsent(),
        }
    }

    /// Passes a step of the inner machine on.
    fn wrap_step(access: A, tally: RequestTally, step: Step<M>, now: DateTime<Utc>) -> Step<Self> {
        match step {
            Step::Send(request, sent) => Self::dispatch(access, tally, Outgoing { request, sent }, now),
            Step::Wait(until, machine) => {
                Step::Wait(until, Self { session: access, tally, phase: Phase::Inner(machine) })
            }
            Step::Done(Ok(output)) => Step::Done(Ok(output)),
            Step::Done(Err(error)) => {
                let requests = error.attempts().saturating_add(tally.extra_requests);
                Step::Done(Err(error.with_attempts(requests)))
            }
        }
    }

    /// Asks the session what becomes of a request.
    fn dispatch(
        access: A,
        mut tally: RequestTally,
        mut outgoing: Outgoing<M>,
        now: DateTime<Utc>,
    ) -> Step<Self> {
        if outgoing.request.document().is_some() {
            // Of another host, which is sent nothing of ours and has no say in our quota.
            let request = outgoing.request.clone();
            return Step::Send(
                request,
                Sent::new(Self { session: access, tally, phase: Phase::BypassingSession(outgoing) }),
            );
        }
        let deadline = outgoing.request.deadline();
        let admission = access.with(|session| {
            let since = *tally.asked_at_give_up.get_or_insert(session.give_up_count());
            session.admit(since, &outgoing.request, now)
        });
        match admission {
            Admission::Go(pass) => {
                outgoing.request.http_mut().headers_mut().insert(AUTHORIZATION, pass.bearer.header().clone());
                let request = outgoing.request.clone();
                let pass = CancelOnDrop::new(access.clone(), pass, |session, pass| session.cancel(pass));
                Step::Send(
                    request,
                    Sent::new(Self { session: access, tally, phase: Phase::InFlight(outgoing, pass) }),
                )
            }
            Admission::LogIn(request, number) => {
                let login = CancelOnDrop::new(access.clone(), number, |session, number| {
                    session.abandon_login(*number)
                });
                tally.extra_requests = tally.extra_requests.saturating_add(1);
                Step::Send(
                    request,
                    Sent::new(Self { session: access, tally, phase: Phase::LoggingIn(outgoing, login) }),
                )
            }
            Admission::AwaitLogin { until } => {
                let until = until.min(deadline);
                Step::Wait(
                    until,
                    Self { session: access, tally, phase: Phase::AwaitingLogin(outgoing, until) },
                )
            }
            Admission::Hold(hold) => {
                if hold.wait_reason != WaitReason::Login {
                    // It does not wait for a login: one that is given up meanwhile is not its failure.
                    tally.asked_at_give_up = None;
                }
                Self::wrap_step(access, tally, outgoing.sent.postpone(hold, now), now)
            }
            Admission::Refuse(error) => {
                let requests = outgoing.sent.inner().progress().requests;
                Self::wrap_step(access, tally, Step::Done(Err(error.with_attempts(requests))), now)
            }
        }
    }

    /// Goes on with a request that could not go out, unless its time is over meanwhile.
    fn redispatch(access: A, tally: RequestTally, outgoing: Outgoing<M>, now: DateTime<Utc>) -> Step<Self> {
        if now < outgoing.request.deadline() {
            Self::dispatch(access, tally, outgoing, now)
        } else {
            Self::wrap_step(access, tally, outgoing.sent.into_unsent().step(now), now)
        }
    }
}

impl<M: Machine, A: SharedSession> Machine for Authorized<M, A> {
    type Output = M::Output;

    fn step(self, now: DateTime<Utc>) -> Step<Self> {
        let Self { session: access, tally, phase } = self;
        match phase {
            Phase::Inner(machine) => Self::wrap_step(access, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => Self::redispatch(access, tally, outgoing, now),
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
        let Self { session: access, mut tally, phase } = self;
        match phase {
            Phase::LoggingIn(outgoing, mut login) => {
                let number = *login.disarm();
                // An attempt that our own deadline cut short says nothing about the login service.
                let cut_short = received.reply.is_err() && now >= outgoing.request.deadline();
                access.with(|session| match cut_short {
                    true => session.abandon_login(number),
                    false => session.on_login_reply(number, received.reply, received.retry_after, now),
                });
                Self::redispatch(access, tally, outgoing, now)
            }
            Phase::InFlight(outgoing, mut pass) => {
                let pass = pass.disarm();
                let renewable = tally.current_token_401s < MAX_RELOGINS;
                match access.with(|session| {
                    session.on_reply(pass, renewable, &received.reply, received.retry_after, now)
                }) {
                    ReplyOutcome::LogInAndResend => tally.current_token_401s += 1,
                    ReplyOutcome::Resend if tally.stale_token_401s < MAX_STALE_TOKEN_RETRIES => {
                        tally.stale_token_401s += 1
                    }
                    observed => {
                        let not_before = match observed {
                            ReplyOutcome::Deliver { not_before } => not_before,
                            ReplyOutcome::Resend | ReplyOutcome::LogInAndResend => None,
                        };
                        let token = Some(pass.bearer.secret().clone());
                        let received = ReceivedReply {
                            not_before,
                            extra_requests: tally.extra_requests,
                            sent_token: token,
                            ..received
                        };
                        return Self::wrap_step(
                            access,
                            RequestTally::default(),
                            outgoing.sent.receive_with(received, now),
                            now,
                        );
                    }
                }
                tally.extra_requests = tally.extra_requests.saturating_add(1);
                Self::redispatch(access, tally, outgoing, now)
            }
            Phase::BypassingSession(outgoing) => Self::wrap_step(
                access,
                RequestTally::default(),
                outgoing.sent.receive_with(received, now),
                now,
            ),
            // Nothing is out in these phases, so that no reply is ours.
            Phase::Inner(machine) => Self::wrap_step(access, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _) => Self::redispatch(access, tally, outgoing, now),
        }
    }

    fn on_hold(self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let Self { session: access, tally, phase } = self;
        match phase {
            Phase::Inner(machine) => Self::wrap_step(access, tally, machine.step(now), now),
            Phase::AwaitingLogin(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::InFlight(outgoing, _)
            | Phase::BypassingSession(outgoing) => {
                Self::wrap_step(access, tally, outgoing.sent.postpone(hold, now), now)
            }
        }
    }
}

/// Something that the session waits for. Dropped before it is settled, because the operation was, it tells the session not
/// to wait for it.
#[derive(Debug)]
struct CancelOnDrop<A: SharedSession, T> {
    session: A,
    value: T,
    on_drop: fn(&mut Session, &T),
    disarmed: bool,
}

impl<A: SharedSession, T> CancelOnDrop<A, T> {
    fn new(access: A, value: T, on_drop: fn(&mut Session, &T)) -> Self {
        Self { session: access, value, on_drop, disarmed: false }
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

/// How often one request may make us log in again after a 401.
const MAX_RELOGINS: u32 = 1;
/// How often one request is repeated because the token that it was sent with had been replaced meanwhile.
const MAX_STALE_TOKEN_RETRIES: u32 = 3;

#[cfg(test)]
mod tests;
