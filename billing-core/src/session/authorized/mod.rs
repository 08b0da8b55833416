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
use crate::machine::{Hold, Received, Request, Sent, sealed};
use crate::session::{Admission, Pass, ReplyOutcome, Session, SharedSession};
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
    access: A,
    tally: Tally,
    phase: Phase<M, A>,
}

#[derive(Debug)]
enum Phase<M: Machine, A: SharedSession> {
    /// The inner machine waits, or has not begun.
    Resting(M),
    /// The inner machine has a request that cannot go out yet, because somebody is logging in.
    Joining(Outgoing<M>, DateTime<Utc>),
    /// A login of ours is out. (Only ever inside a [`Sent`].)
    LoggingIn(Outgoing<M>, Pending<A, u64>),
    /// The request of the inner machine is out. (Only ever inside a [`Sent`].)
    Calling(Outgoing<M>, Pending<A, Pass>),
    /// A request for a document is out, of which no session knows. (Only ever inside a [`Sent`].)
    Apart(Outgoing<M>),
}

/// A request of the inner machine on its way.
#[derive(Debug)]
struct Outgoing<M> {
    request: Box<Request>,
    sent: Sent<M>,
}

/// What one request of the inner machine has cost, until it has its reply.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// The session's episode when the request first wanted to go.
    since: Option<u64>,
    /// Requests sent beside it: logins, and itself before a 401.
    others: u32,
    /// 401s with the token that was the current one, and with one that had been replaced meanwhile.
    refused: u32,
    replaced: u32,
}

impl<M: Machine, A: SharedSession> Authorized<M, A> {
    /// Puts `machine` under the session behind `access`.
    pub fn new(machine: M, access: A) -> Self {
        Self { access, tally: Tally::default(), phase: Phase::Resting(machine) }
    }

    /// The machine inside.
    pub fn machine(&self) -> &M {
        match &self.phase {
            Phase::Resting(machine) => machine,
            Phase::Joining(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::Calling(outgoing, _)
            | Phase::Apart(outgoing) => outgoing.sent.machine(),
        }
    }

    /// Whether it waits for somebody else's login. It is then to be stepped as soon as [`Session::revision`] has changed,
    /// and need not wait for its time.
    pub fn awaits_login(&self) -> bool {
        matches!(self.phase, Phase::Joining(..))
    }

    /// The machine inside, to save it or to go on elsewhere. A request of it that is out counts as not sent.
    pub fn into_machine(self) -> M {
        match self.phase {
            Phase::Resting(machine) => machine,
            Phase::Joining(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::Calling(outgoing, _)
            | Phase::Apart(outgoing) => outgoing.sent.unsent(),
        }
    }

    /// Passes a step of the inner machine on.
    fn pass(access: A, tally: Tally, step: Step<M>, now: DateTime<Utc>) -> Step<Self> {
        match step {
            Step::Send(request, sent) => Self::dispatch(access, tally, Outgoing { request, sent }, now),
            Step::Wait(until, machine) => {
                Step::Wait(until, Self { access, tally, phase: Phase::Resting(machine) })
            }
            Step::Done(Ok(output)) => Step::Done(Ok(output)),
            Step::Done(Err(error)) => {
                let requests = error.attempts().saturating_add(tally.others);
                Step::Done(Err(error.after(requests)))
            }
        }
    }

    /// Asks the session what becomes of a request.
    fn dispatch(access: A, mut tally: Tally, mut outgoing: Outgoing<M>, now: DateTime<Utc>) -> Step<Self> {
        if outgoing.request.document().is_some() {
            // Of another host, which is sent nothing of ours and has no say in our quota.
            let request = outgoing.request.clone();
            return Step::Send(request, Sent::new(Self { access, tally, phase: Phase::Apart(outgoing) }));
        }
        let deadline = outgoing.request.deadline();
        let admission = access.with(|session| {
            let since = *tally.since.get_or_insert(session.episode());
            session.admit(since, &outgoing.request, now)
        });
        match admission {
            Admission::Go(pass) => {
                outgoing.request.http_mut().headers_mut().insert(AUTHORIZATION, pass.bearer.header().clone());
                let request = outgoing.request.clone();
                let pass = Pending::new(access.clone(), pass, |session, pass| session.forget(pass));
                Step::Send(request, Sent::new(Self { access, tally, phase: Phase::Calling(outgoing, pass) }))
            }
            Admission::LogIn(request, number) => {
                let login =
                    Pending::new(access.clone(), number, |session, number| session.abandon_login(*number));
                tally.others = tally.others.saturating_add(1);
                Step::Send(
                    request,
                    Sent::new(Self { access, tally, phase: Phase::LoggingIn(outgoing, login) }),
                )
            }
            Admission::Join { until } => {
                let until = until.min(deadline);
                Step::Wait(until, Self { access, tally, phase: Phase::Joining(outgoing, until) })
            }
            Admission::Hold(hold) => {
                if hold.waiting != WaitReason::Login {
                    // It does not wait for a login: one that is given up meanwhile is not its failure.
                    tally.since = None;
                }
                Self::pass(access, tally, outgoing.sent.hold(hold, now), now)
            }
            Admission::Never(error) => {
                let requests = outgoing.sent.machine().progress().requests;
                Self::pass(access, tally, Step::Done(Err(error.after(requests))), now)
            }
        }
    }

    /// Goes on with a request that could not go out, unless its time is over meanwhile.
    fn retry(access: A, tally: Tally, outgoing: Outgoing<M>, now: DateTime<Utc>) -> Step<Self> {
        if now < outgoing.request.deadline() {
            Self::dispatch(access, tally, outgoing, now)
        } else {
            Self::pass(access, tally, outgoing.sent.unsent().step(now), now)
        }
    }
}

impl<M: Machine, A: SharedSession> Machine for Authorized<M, A> {
    type Output = M::Output;

    fn step(self, now: DateTime<Utc>) -> Step<Self> {
        let Self { access, tally, phase } = self;
        match phase {
            Phase::Resting(machine) => Self::pass(access, tally, machine.step(now), now),
            Phase::Joining(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::Calling(outgoing, _)
            | Phase::Apart(outgoing) => Self::retry(access, tally, outgoing, now),
        }
    }

    fn progress(&self) -> Progress {
        let progress = self.machine().progress();
        let progress = Progress { requests: progress.requests.saturating_add(self.tally.others), ..progress };
        match &self.phase {
            Phase::Joining(_, until) => Progress {
                wait_reason: WaitReason::Login,
                wake_at: Some(*until),
                wake_reason: WakeReason::Session,
                ..progress
            },
            _ => progress,
        }
    }
}

impl<M: Machine, A: SharedSession> sealed::Machine for Authorized<M, A> {
    fn received(self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        let Self { access, mut tally, phase } = self;
        match phase {
            Phase::LoggingIn(outgoing, mut login) => {
                let number = *login.settle();
                // An attempt that our own deadline cut short says nothing about the login service.
                let cut_short = received.reply.is_err() && now >= outgoing.request.deadline();
                access.with(|session| match cut_short {
                    true => session.abandon_login(number),
                    false => session.logged_in(number, received.reply, received.retry_after, now),
                });
                Self::retry(access, tally, outgoing, now)
            }
            Phase::Calling(outgoing, mut pass) => {
                let pass = pass.settle();
                let renewable = tally.refused < RELOGINS;
                match access.with(|session| {
                    session.observe(pass, renewable, &received.reply, received.retry_after, now)
                }) {
                    ReplyOutcome::Invalidated => tally.refused += 1,
                    ReplyOutcome::Replaced if tally.replaced < REPLACEMENTS => tally.replaced += 1,
                    observed => {
                        let not_before = match observed {
                            ReplyOutcome::Deliver { not_before } => not_before,
                            ReplyOutcome::Replaced | ReplyOutcome::Invalidated => None,
                        };
                        let token = Some(pass.bearer.secret().clone());
                        let received = Received { not_before, others: tally.others, token, ..received };
                        return Self::pass(
                            access,
                            Tally::default(),
                            outgoing.sent.receive_as(received, now),
                            now,
                        );
                    }
                }
                tally.others = tally.others.saturating_add(1);
                Self::retry(access, tally, outgoing, now)
            }
            Phase::Apart(outgoing) => {
                Self::pass(access, Tally::default(), outgoing.sent.receive_as(received, now), now)
            }
            // Nothing is out in these phases, so that no reply is ours.
            Phase::Resting(machine) => Self::pass(access, tally, machine.step(now), now),
            Phase::Joining(outgoing, _) => Self::retry(access, tally, outgoing, now),
        }
    }

    fn held(self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let Self { access, tally, phase } = self;
        match phase {
            Phase::Resting(machine) => Self::pass(access, tally, machine.step(now), now),
            Phase::Joining(outgoing, _)
            | Phase::LoggingIn(outgoing, _)
            | Phase::Calling(outgoing, _)
            | Phase::Apart(outgoing) => Self::pass(access, tally, outgoing.sent.hold(hold, now), now),
        }
    }
}

/// Something that the session waits for. Dropped before it is settled, because the operation was, it tells the session not
/// to wait for it.
#[derive(Debug)]
struct Pending<A: SharedSession, T> {
    access: A,
    value: T,
    lost: fn(&mut Session, &T),
    settled: bool,
}

impl<A: SharedSession, T> Pending<A, T> {
    fn new(access: A, value: T, lost: fn(&mut Session, &T)) -> Self {
        Self { access, value, lost, settled: false }
    }

    fn settle(&mut self) -> &T {
        self.settled = true;
        &self.value
    }
}

impl<A: SharedSession, T> Drop for Pending<A, T> {
    fn drop(&mut self) {
        if !self.settled {
            self.access.with(|session| (self.lost)(session, &self.value));
        }
    }
}

/// How often one request may make us log in again after a 401.
const RELOGINS: u32 = 1;
/// How often one request is repeated because the token that it was sent with had been replaced meanwhile.
const REPLACEMENTS: u32 = 3;

#[cfg(test)]
mod tests;
