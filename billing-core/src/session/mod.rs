//! The session: the access token and the quota, which all calls with the same credentials share.
//!
//! It is a value without a lock and without a wait. For a request that wants to go out now it says *go* (and with which
//! header), *log in first* (and with which request), *somebody is logging in*, *not before this time*, or *never*; and it
//! is shown every reply. [`Authorized`] asks it on behalf of a machine; a driver keeps it behind its
//! lock, by [`SharedSession`].
//!
//! ```text
//!              ┌───────────── 401 with the current token; its lifetime over ─────────────┐
//!              ▼                                                                         │
//!   no token ─► login in flight ─┬─► token, generation n+1 ──────────────────────────────┘
//!       ▲                        ├─► refused: every call of the session fails so
//!       └── backs off ◄──────────┘   (429, 5xx, no answer; five in a row fail whoever waits)
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

/// The state that concurrent calls share; see the [module's text](self).
///
/// All that share it tell it the time by the same clock, in any order by ten seconds. When that clock is set back, all that
/// the session remembers moves back with it: a token's end, a login under way, a window of the quota, a 429's wait. How much
/// time has passed since it was last told is not known to it, so that it may wait by so much and those ten seconds longer
/// than the server asks for, and never less. A clock that jumps ahead looks like time that passes.
pub struct Session {
    environment: Environment,
    grant: Grant,
    quota: Quota,
    retries: RetrySchedule,
    seed: u64,
    token: Option<CurrentToken>,
    /// Counts the tokens that there were; a pass remembers which one it was.
    generation: u64,
    login: LoginState,
    /// Counts the logins that were begun, so that a late reply to an abandoned one is known for what it is.
    login_count: u64,
    /// Failures of the login in a row, and 429s among them.
    login_failures: u32,
    login_throttles: u32,
    /// Counts the times that logging in was given up; whoever waited since before fails with `given_up`.
    give_up_count: u64,
    last_give_up: Option<(ErrorKind, ErrorContext)>,
    permanent_refusal: Option<(ErrorKind, ErrorContext)>,
    revision: u64,
    /// The latest time that it was told.
    latest_now: DateTime<Utc>,
}

struct CurrentToken {
    bearer: Bearer,
    expires: Option<DateTime<Utc>>,
}

enum LoginState {
    Idle,
    InFlight { number: u64, until: DateTime<Utc> },
    BackingOff { hold: Hold },
}

impl Session {
    /// A session that has not logged in yet.
    pub fn new(environment: Environment, credentials: Credentials) -> Self {
        Self::with_pacing(environment, credentials, Pacing::default(), 0)
    }

    /// A session that spaces its requests as `pacing` says, and draws its jitter from `seed`.
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

    /// The two addresses that its credentials may go to.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Changes whenever machines that wait for a login should be stepped again before their time: the login has come to
    /// an end, good or bad.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How fast requests can go out, as far as is known at `now`: for saying when something will be done.
    pub fn throughput(&self, now: DateTime<Utc>) -> Throughput {
        self.quota.throughput(now)
    }

    pub(crate) fn give_up_count(&self) -> u64 {
        self.give_up_count
    }

    /// May a request go out at `now`? `since` is the [`Session::give_up_count`] at the time it first asked.
    pub(crate) fn admit(&mut self, since: u64, outgoing: &Request, now: DateTime<Utc>) -> Admission {
        self.track_clock(now);
        if !self.environment.api().is_origin_of(outgoing.http().uri()) {
            return Admission::Refuse(Error::new(
                ErrorKind::InvalidRequest(NOT_THE_CONFIGURED_API),
                outgoing.operation(),
                ErrorContext::default(),
            ));
        }
        if let Some((kind, evidence)) = &self.permanent_refusal {
            return Admission::Refuse(Error::new(kind.clone(), LOGIN, evidence.clone()));
        }
        let current = match &self.grant {
            Grant::Token(bearer) => Some(
                &*self.token.get_or_insert_with(|| CurrentToken { bearer: bearer.clone(), expires: None }),
            ),
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

    /// Learns from the reply to a request that went out with `pass`.
    pub(crate) fn on_reply(
        &mut self,
        pass: &Permit,
        renewable: bool,
        reply: &Reply,
        retry_after: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> ReplyOutcome {
        self.track_clock(now);
        let Ok(response) = reply else {
            self.quota.mark_unanswered(pass.ticket, now);
            return ReplyOutcome::Deliver { not_before: None };
        };
        let evidence = || ErrorContext::from_response(response, &[pass.bearer.secret()]);
        let not_before = self.quota.on_response(
            pass.ticket,
            response.status(),
            response.headers(),
            retry_after,
            evidence,
            now,
        );
        if response.status() != StatusCode::UNAUTHORIZED || matches!(self.grant, Grant::Token(_)) {
            return ReplyOutcome::Deliver { not_before };
        }
        if pass.generation != self.generation || self.token.is_none() {
            return ReplyOutcome::Resend;
        }
        self.token = None;
        if renewable { ReplyOutcome::LogInAndResend } else { ReplyOutcome::Deliver { not_before } }
    }

    /// A request that was let out will have no reply that we see.
    pub(crate) fn cancel(&mut self, pass: &Permit) {
        self.quota.cancel(pass.ticket);
    }

    /// Takes the reply to login number `number` in.
    pub(crate) fn on_login_reply(
        &mut self,
        number: u64,
        reply: Reply,
        retry_after: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        self.track_clock(now);
        if !self.is_in_flight(number) {
            return;
        }
        self.login = LoginState::Idle;
        self.revision += 1;
        let Grant::Client { id, secret } = &self.grant else {
            return;
        };
        let judgement = decide(&Login { client_id: id, client_secret: secret }, &reply);
        let secrets = [secret, &Login { client_id: id, client_secret: secret }.unpadded_basic_credentials()];
        let evidence = match reply {
            // Good or nearly good, its body holds a token: nothing of it is kept, and its memory is overwritten.
            Ok(response) if response.status().is_success() => {
                let evidence = ErrorContext::from_head(&response, &secrets);
                if let Ok(mut body) = response.into_body().try_into_mut() {
                    body.zeroize();
                }
                evidence
            }
            Ok(response) => ErrorContext::from_response(&response, &secrets),
            Err(error) => ErrorContext::from_transport_error(error, &secrets),
        };
        let (failure, wait) = match judgement {
            Decision::Accepted(token) => return self.store_token(token, now),
            // `invalid_client` and its like: the credentials are wrong for good.
            Decision::Final(ErrorKind::Unauthorized) => {
                self.permanent_refusal = Some((ErrorKind::LoginRefused, evidence));
                return;
            }
            Decision::Final(ErrorKind::Rejected) if evidence.code().is_some_and(is_about_credentials) => {
                self.permanent_refusal = Some((ErrorKind::LoginRefused, evidence));
                return;
            }
            // Another 4xx can be a gateway's, and over tomorrow: it is the end for whoever waits now.
            Decision::Final(ErrorKind::Rejected | ErrorKind::Forbidden | ErrorKind::NotFound) => {
                return self.give_up(ErrorKind::LoginRefused, evidence);
            }
            Decision::Final(kind) => return self.give_up(kind, evidence),
            Decision::Throttled => {
                let wait = throttle_backoff(self.login_throttles);
                self.login_throttles = self.login_throttles.saturating_add(1);
                self.start_backoff(
                    saturating_add(now, if retry_after.is_some() { THROTTLE_FLOOR } else { wait }),
                    retry_after,
                    evidence,
                );
                return;
            }
            Decision::Transient(_, kind) => (kind, self.backoff_delay()),
            Decision::Undecodable(error) => (ErrorKind::Decode(error), self.backoff_delay()),
        };
        if self.login_failures >= self.retries.max_retries {
            return self.give_up(failure, evidence);
        }
        self.login_failures += 1;
        self.start_backoff(saturating_add(now, wait), retry_after, evidence);
    }

    /// Nobody will bring the reply to login number `number`.
    pub(crate) fn abandon_login(&mut self, number: u64) {
        if self.is_in_flight(number) {
            self.login = LoginState::Idle;
            self.revision += 1;
        }
    }

    /// Is told the time. If it is earlier than it was, by more than threads come out of order, the clock was set back.
    fn track_clock(&mut self, now: DateTime<Utc>) {
        let by = between(now, self.latest_now);
        if by <= CLOCK_TOLERANCE {
            self.latest_now = self.latest_now.max(now);
            return;
        }
        self.latest_now = now;
        // Some of that may be of an earlier jump, too short to be told from threads out of order, and since then what was
        // learned may be right: rather too late than too early.
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

    fn log_in_or_wait(&mut self, since: u64, outgoing: &Request, now: DateTime<Utc>) -> Admission {
        if let Some((kind, evidence)) = self.last_give_up.as_ref().filter(|_| since < self.give_up_count) {
            return Admission::Refuse(Error::new(kind.clone(), LOGIN, evidence.clone()));
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
        // Beyond its time limit whoever holds the login has lost it, and another may try.
        let until = saturating_add(now, request.timeout(now) + Duration::from_secs(1));
        self.login = LoginState::InFlight { number: self.login_count, until };
        Admission::LogIn(Box::new(request), self.login_count)
    }

    /// For texts that were checked before and cannot fail here.
    fn unsendable_login(&self) -> Admission {
        let reason = "the credentials or the address of the login service cannot be written into a request";
        Admission::Refuse(Error::new(ErrorKind::InvalidRequest(reason), LOGIN, ErrorContext::default()))
    }

    fn is_in_flight(&self, wanted: u64) -> bool {
        matches!(self.login, LoginState::InFlight { number, .. } if number == wanted)
    }

    fn store_token(&mut self, token: Token, now: DateTime<Utc>) {
        self.generation += 1;
        self.login_failures = 0;
        self.login_throttles = 0;
        self.last_give_up = None;
        self.quota.on_new_token(now);
        // Renewed a little early, so that no request is sent with a token that ends on its way; but however short the
        // server says that it lasts, it is tried, or a lifetime of nothing would be logged in for without end.
        let lifetime = token.lifetime.map(|whole| {
            whole.saturating_sub((whole / 10).min(Duration::from_secs(60))).max(MIN_TOKEN_LIFETIME)
        });
        self.token =
            Some(CurrentToken { bearer: token.bearer, expires: lifetime.map(|l| saturating_add(now, l)) });
    }

    fn backoff_delay(&self) -> Duration {
        let n = u32::try_from(self.login_count).unwrap_or(u32::MAX);
        self.retries.wait(self.login_failures, self.seed, n)
    }

    fn start_backoff(&mut self, due: DateTime<Utc>, hint: Option<DateTime<Utc>>, evidence: ErrorContext) {
        let not_before = NotBefore { until: hint.map_or(due, |hint| hint.max(due)), server_time: hint };
        let hold = Hold { not_before, wait_reason: WaitReason::Login, context: Some(evidence) };
        self.login = LoginState::BackingOff { hold };
    }

    /// Fails everybody who waits for the login now. Whoever comes later tries anew.
    fn give_up(&mut self, kind: ErrorKind, evidence: ErrorContext) {
        self.login_failures = 0;
        self.give_up_count += 1;
        self.last_give_up = Some((kind, evidence));
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

/// The error codes of OAuth 2 (RFC 6749, section 5.2) that no repetition changes.
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

/// Why a request does not go out that is not for the API of the environment.
pub(crate) const NOT_THE_CONFIGURED_API: &str =
    "its address is not that of the configured API, so it was not sent";
/// A token is used for this long at least; a 401 renews it too.
const MIN_TOKEN_LIFETIME: Duration = Duration::from_secs(30);
const THROTTLE_FLOOR: Duration = Duration::from_secs(1);
/// How much later a thread may say what time it is than it has looked at the clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(10);
/// A token's answer is a few hundred bytes.
const MAX_LOGIN_BODY: usize = 1 << 20;

#[cfg(test)]
mod tests;
