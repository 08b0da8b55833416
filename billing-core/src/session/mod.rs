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
pub(crate) mod quota;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use zeroize::Zeroize;

use self::quota::Quota;
use crate::calls::{Bearer, Call, LOGIN, Login, Token};
use crate::error::ErrorContext;
use crate::machine::decision::{Decision, decide};
use crate::machine::policy::RetrySchedule;
use crate::machine::progress::WaitReason;
use crate::machine::retry_after::throttle_backoff;
use crate::machine::{Hold, NotBefore, Request};
use crate::values::clock::{between, saturating_add, saturating_sub};
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

/// The state of the login. At most one login is in flight, however many callers wait for a token.
enum LoginState {
    Idle,
    /// A login is in flight. After `until` its caller is taken for lost and another caller may log in.
    InFlight {
        number: u64,
        until: DateTime<Utc>,
    },
    /// The last login failed for now.
    BackingOff {
        hold: Hold,
    },
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

    /// Processes the reply to login `number`.
    pub(crate) fn on_login_reply(
        &mut self,
        number: u64,
        reply: Reply,
        retry_after: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        self.track_clock(now);
        // A later login has replaced this one; its state must not be overwritten.
        if !self.is_in_flight(number) {
            return;
        }
        self.login = LoginState::Idle;
        self.revision += 1;
        let Grant::Client { id, secret } = &self.grant else {
            return;
        };
        let decision = decide(&Login { client_id: id, client_secret: secret }, &reply);
        let secrets = [secret, &Login { client_id: id, client_secret: secret }.unpadded_basic_credentials()];
        let context = match reply {
            // The body of a successful login holds a token, even if the body could not be parsed. None of it
            // is kept in the error, and its memory is overwritten.
            Ok(response) if response.status().is_success() => {
                let context = ErrorContext::from_head(&response, &secrets);
                if let Ok(mut body) = response.into_body().try_into_mut() {
                    body.zeroize();
                }
                context
            }
            Ok(response) => ErrorContext::from_response(&response, &secrets),
            Err(error) => ErrorContext::from_transport_error(error, &secrets),
        };
        let (failure, wait) = match decision {
            Decision::Accepted(token) => return self.store_token(token, now),
            // The credentials are wrong (`invalid_client` and similar errors), so every later login would
            // fail too.
            Decision::Final(ErrorKind::Unauthorized) => {
                self.permanent_refusal = Some((ErrorKind::LoginRefused, context));
                return;
            }
            Decision::Final(ErrorKind::Rejected) if context.code().is_some_and(is_about_credentials) => {
                self.permanent_refusal = Some((ErrorKind::LoginRefused, context));
                return;
            }
            // Any other 4xx can come from a gateway and pass. It fails only the calls that wait now.
            Decision::Final(ErrorKind::Rejected | ErrorKind::Forbidden | ErrorKind::NotFound) => {
                return self.give_up(ErrorKind::LoginRefused, context);
            }
            Decision::Final(kind) => return self.give_up(kind, context),
            Decision::Throttled => {
                // A 429 does not count as a failed login, so it never leads to giving up.
                let wait = throttle_backoff(self.login_throttles);
                self.login_throttles = self.login_throttles.saturating_add(1);
                self.start_backoff(
                    saturating_add(now, if retry_after.is_some() { THROTTLE_FLOOR } else { wait }),
                    retry_after,
                    context,
                );
                return;
            }
            Decision::Transient(_, kind) => (kind, self.backoff_delay()),
            Decision::Undecodable(error) => (ErrorKind::Decode(error), self.backoff_delay()),
        };
        if self.login_failures >= self.retries.max_retries {
            return self.give_up(failure, context);
        }
        self.login_failures += 1;
        self.start_backoff(saturating_add(now, wait), retry_after, context);
    }

    /// Gives up login `number`, whose reply will never be reported. The next caller may log in.
    pub(crate) fn abandon_login(&mut self, number: u64) {
        if self.is_in_flight(number) {
            self.login = LoginState::Idle;
            self.revision += 1;
        }
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

    /// Starts a login, or returns the reason to wait for one or to fail.
    fn log_in_or_wait(&mut self, since: u64, outgoing: &Request, now: DateTime<Utc>) -> Admission {
        // A caller that has waited through a failed login gets its error. A caller that came later starts a
        // new login.
        if let Some((kind, context)) = self.last_give_up.as_ref().filter(|_| since < self.give_up_count) {
            return Admission::Refuse(Error::new(kind.clone(), LOGIN, context.clone()));
        }
        match &self.login {
            LoginState::InFlight { until, .. } if now < *until => {
                return Admission::AwaitLogin { until: *until };
            }
            LoginState::BackingOff { hold } if now < hold.not_before.until => {
                return Admission::Hold(hold.clone());
            }
            _ => {}
        }
        let Grant::Client { id, secret } = &self.grant else {
            return self.unsendable_login();
        };
        let login = Login { client_id: id, client_secret: secret };
        let Ok(http) = login.request(self.environment.login()) else {
            return self.unsendable_login();
        };
        let request = Request::new(http, LOGIN, login.attempt_timeout(), outgoing.deadline(), MAX_LOGIN_BODY);
        self.login_count += 1;
        // A caller that has not reported the reply one second after the time limit is taken for lost, and
        // another caller may log in.
        let until = saturating_add(now, request.timeout(now) + Duration::from_secs(1));
        self.login = LoginState::InFlight { number: self.login_count, until };
        Admission::LogIn(Box::new(request), self.login_count)
    }

    /// Returns a refusal for a login that cannot be encoded. The credentials and the address were checked
    /// before, so this does not happen.
    fn unsendable_login(&self) -> Admission {
        let reason = "the credentials or the address of the login service cannot be written into a request";
        Admission::Refuse(Error::new(ErrorKind::InvalidRequest(reason), LOGIN, ErrorContext::default()))
    }

    /// Returns true if login `wanted` is still the current one.
    fn is_in_flight(&self, wanted: u64) -> bool {
        matches!(self.login, LoginState::InFlight { number, .. } if number == wanted)
    }

    /// Stores a new token and clears the failures of the login.
    fn store_token(&mut self, token: Token, now: DateTime<Utc>) {
        self.generation += 1;
        self.login_failures = 0;
        self.login_throttles = 0;
        self.last_give_up = None;
        self.quota.on_new_token(now);
        // The token is renewed early (a tenth of its lifetime, at most 60 s), so that no request is sent with
        // a token that expires on the way. It is used for 30 s at least: with a lifetime of zero the session
        // would otherwise log in without end.
        let lifetime = token.lifetime.map(|whole| {
            whole.saturating_sub((whole / 10).min(Duration::from_secs(60))).max(MIN_TOKEN_LIFETIME)
        });
        self.token =
            Some(CurrentToken { bearer: token.bearer, expires: lifetime.map(|l| saturating_add(now, l)) });
    }

    /// Returns the delay before the next login after a failure.
    fn backoff_delay(&self) -> Duration {
        let n = u32::try_from(self.login_count).unwrap_or(u32::MAX);
        self.retries.wait(self.login_failures, self.seed, n)
    }

    /// Delays the next login until `due`, or until `retry_after` if that is later.
    fn start_backoff(
        &mut self,
        due: DateTime<Utc>,
        retry_after: Option<DateTime<Utc>>,
        context: ErrorContext,
    ) {
        let not_before = NotBefore {
            until: retry_after.map_or(due, |retry_after| retry_after.max(due)),
            server_time: retry_after,
        };
        let hold = Hold { not_before, wait_reason: WaitReason::Login, context: Some(context) };
        self.login = LoginState::BackingOff { hold };
    }

    /// Fails all callers that wait for the login now. Later callers start a new login.
    fn give_up(&mut self, kind: ErrorKind, context: ErrorContext) {
        self.login_failures = 0;
        self.give_up_count += 1;
        self.last_give_up = Some((kind, context));
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

/// Returns true for the OAuth 2 error codes (RFC 6749, section 5.2) that a retry cannot change.
fn is_about_credentials(code: &str) -> bool {
    const CODES: [&str; 6] = [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ];
    CODES.contains(&code)
}

/// The reason of a refused request to an address outside the configured API.
pub(crate) const NOT_THE_CONFIGURED_API: &str =
    "its address is not that of the configured API, so it was not sent";
/// The shortest time that a token is used for, unless a 401 renews it.
const MIN_TOKEN_LIFETIME: Duration = Duration::from_secs(30);
/// The shortest wait after a 429 with a `Retry-After`, which may be zero or in the past.
const THROTTLE_FLOOR: Duration = Duration::from_secs(1);
/// The largest delay between a thread's look at the clock and its call.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);
/// The largest body of a login's reply. A token's reply has a few hundred bytes.
const MAX_LOGIN_BODY: usize = 1 << 20;

#[cfg(test)]
mod tests;
