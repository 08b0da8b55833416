//! The session: the access token and the quota, which all calls with the same credentials share.
//!
//! A session is a plain value: it has no lock and never waits. For a request that wants to be sent it answers
//! *go* (with the token), *log in first* (with the login request), *another caller is logging in*, *not
//! before this time*, or *never*; and it is shown every reply. [`Authorized`] asks it on behalf of a machine.
//! A driver keeps it behind the driver's own lock, through [`SharedSession`].
//!
//! ```text
//!              ┌───────────── 401 with the current token; its lifetime over ─────────────┐
//!              ▼                                                                         │
//!   no token ─► login in flight ─┬─► token, generation n+1 ──────────────────────────────┘
//!       ▲                        ├─► refused: every call of the session fails so
//!       └── backs off ◄──────────┘   (429, 5xx, no reply; the sixth failure in a row fails all that wait)
//! ```

mod access;
mod admission;
mod authorized;
mod credentials;
mod login_state;
pub(crate) mod quota;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;

use self::login_state::LoginState;
use self::quota::Quota;
use crate::calls::{Bearer, LOGIN};
use crate::error::ErrorContext;
use crate::machine::Request;
use crate::machine::policy::RetrySchedule;
use crate::values::clock::{between, saturating_sub};
use crate::{Environment, Error, ErrorKind, Reply};

pub use access::SharedSession;
pub(crate) use admission::{Admission, Permit, ReplyOutcome};
pub use authorized::Authorized;
pub use credentials::Credentials;
use credentials::Grant;
pub use quota::{Pacing, Throughput};

/// The state that concurrent calls share: the token, the login and the quota; see the [module's text](self).
///
/// All callers pass the time of one clock; their calls may arrive up to ten seconds out of order. When that
/// clock is set back, all remembered times move back with it: the token's end, a login in flight, the quota
/// window, the wait after a 429. The session cannot know how much time passed since the last call, so it may
/// wait longer than the server asks for, by that time and ten seconds, but never shorter. A clock that jumps
/// ahead looks like time that passes.
pub struct Session {
    environment: Environment,
    grant: Grant,
    quota: Quota,
    retries: RetrySchedule,
    seed: u64,
    token: Option<CurrentToken>,
    /// The number of tokens so far. A [`Permit`] keeps the number of its token.
    generation: u64,
    /// The state of the login.
    login: LoginState,
    /// The number of logins started. A late reply to an abandoned login is recognized by its number.
    login_count: u64,
    /// The number of failed logins in a row, and of 429s among the logins in a row.
    login_failures: u32,
    login_throttles: u32,
    /// The number of times that logging in was given up. Callers that have waited since an earlier count fail
    /// with `last_give_up`.
    give_up_count: u64,
    last_give_up: Option<(ErrorKind, ErrorContext)>,
    /// The refusal of the credentials. It is final: every later call fails with it.
    permanent_refusal: Option<(ErrorKind, ErrorContext)>,
    /// The number of logins that have ended, well or not; see [`Session::revision`].
    revision: u64,
    /// The latest time that a caller has passed.
    latest_now: DateTime<Utc>,
}

/// An access token and the time to renew it.
struct CurrentToken {
    bearer: Bearer,
    expires: Option<DateTime<Utc>>,
}

impl Session {
    /// Builds a session that has not logged in yet, with the default spacing.
    pub fn new(environment: Environment, credentials: Credentials) -> Self {
        Self::with_pacing(environment, credentials, Pacing::default(), 0)
    }

    /// Builds a session that spaces its requests by `pacing` and draws its jitter from `seed`.
    pub fn with_pacing(
        environment: Environment,
        credentials: Credentials,
        pacing: Pacing,
        seed: u64,
    ) -> Self {
        Self {
            environment,
            grant: credentials.0,
            quota: Quota::new(pacing, seed),
            retries: RetrySchedule::default(),
            seed,
            token: None,
            generation: 0,
            login: LoginState::Idle,
            login_count: 0,
            login_failures: 0,
            login_throttles: 0,
            give_up_count: 0,
            last_give_up: None,
            permanent_refusal: None,
            revision: 0,
            latest_now: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// Returns the two addresses that the credentials may be sent to.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Returns a number that changes each time a login ends, well or not. Machines that wait for a login
    /// should then be stepped again before their time.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the rate at which requests can be sent, as far as it is known at `now`; for estimates of when
    /// a job will be done.
    pub fn throughput(&self, now: DateTime<Utc>) -> Throughput {
        self.quota.throughput(now)
    }

    /// Returns the number of times that logging in was given up.
    pub(crate) fn give_up_count(&self) -> u64 {
        self.give_up_count
    }

    /// Decides if a request may be sent at `now`. `since` is the [`Session::give_up_count`] at the time of
    /// its first attempt.
    pub(crate) fn admit(&mut self, since: u64, outgoing: &Request, now: DateTime<Utc>) -> Admission {
        self.track_clock(now);
        // A machine that was saved and restored brings its own address. The token goes to the configured API
        // only.
        if !self.environment.api().is_origin_of(outgoing.http().uri()) {
            return Admission::Refuse(Error::new(
                ErrorKind::InvalidRequest(NOT_THE_CONFIGURED_API),
                outgoing.operation(),
                ErrorContext::default(),
            ));
        }
        if let Some((kind, context)) = &self.permanent_refusal {
            return Admission::Refuse(Error::new(kind.clone(), LOGIN, context.clone()));
        }
        let current = match &self.grant {
            Grant::Token(bearer) => Some(
                &*self.token.get_or_insert_with(|| CurrentToken { bearer: bearer.clone(), expires: None }),
            ),
            // An expired token is not sent: the 401 would cost a request of the quota.
            Grant::Client { .. } => self.token.as_ref().filter(|t| t.expires.is_none_or(|end| now < end)),
        };
        let Some(current) = current else {
            return self.log_in_or_wait(since, outgoing, now);
        };
        let (generation, bearer) = (self.generation, current.bearer.clone());
        match self.quota.admit(now) {
            Ok(ticket) => Admission::Go(Permit { generation, ticket, bearer }),
            Err(hold) => Admission::Hold(*hold),
        }
    }

    /// Learns from the reply to a request that was sent with `permit`. `renewable` is false if the request
    /// has already caused a login.
    pub(crate) fn on_reply(
        &mut self,
        permit: &Permit,
        renewable: bool,
        reply: &Reply,
        retry_after: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> ReplyOutcome {
        self.track_clock(now);
        let Ok(response) = reply else {
            self.quota.mark_unanswered(permit.ticket, now);
            return ReplyOutcome::Deliver { not_before: None };
        };
        let context = || ErrorContext::from_response(response, &[permit.bearer.secret()]);
        let not_before = self.quota.on_response(
            permit.ticket,
            response.status(),
            response.headers(),
            retry_after,
            context,
            now,
        );
        // A fixed token cannot be renewed, so its 401 goes to the machine.
        if response.status() != StatusCode::UNAUTHORIZED || matches!(self.grant, Grant::Token(_)) {
            return ReplyOutcome::Deliver { not_before };
        }
        // Another request has already reported that token: the request is sent again with the new one and no
        // second login starts.
        if permit.generation != self.generation || self.token.is_none() {
            return ReplyOutcome::Resend;
        }
        // The current token is dropped even if this request may not log in again: it is of no use to the
        // other requests either.
        self.token = None;
        if renewable { ReplyOutcome::LogInAndResend } else { ReplyOutcome::Deliver { not_before } }
    }

    /// Forgets a request that was admitted and whose reply will never be reported.
    pub(crate) fn cancel(&mut self, permit: &Permit) {
        self.quota.cancel(permit.ticket);
    }

    /// Records the time. A time that is earlier than the latest one by more than the tolerance means that the
    /// clock was set back.
    fn track_clock(&mut self, now: DateTime<Utc>) {
        let by = between(now, self.latest_now);
        if by <= CLOCK_TOLERANCE {
            self.latest_now = self.latest_now.max(now);
            return;
        }
        self.latest_now = now;
        // Part of the difference may come from an earlier jump that was within the tolerance, and times
        // learned since then are already on the new clock. Moving by less errs on the late side.
        let by = by - CLOCK_TOLERANCE;
        self.quota.shift_back(by);
        let expires = self.token.iter_mut().flat_map(|token| &mut token.expires);
        let (until, hold) = match &mut self.login {
            LoginState::Idle => (None, None),
            LoginState::InFlight { until, .. } => (Some(until), None),
            LoginState::BackingOff { hold } => (None, Some(hold.not_before.times_mut())),
        };
        for time in expires.chain(until).chain(hold.into_iter().flatten()) {
            *time = saturating_sub(*time, by);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("environment", &self.environment)
            .field("generation", &self.generation)
            .field("logged_in", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

/// The reason of a refused request to an address outside the configured API.
pub(crate) const NOT_THE_CONFIGURED_API: &str =
    "its address is not that of the configured API, so it was not sent";
/// The largest delay between a thread's look at the clock and its call.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
