//! The login of a session: one at a time for all callers, with its retries and its failures.

use std::time::Duration;

use chrono::{DateTime, Utc};
use zeroize::Zeroize;

use super::credentials::Grant;
use super::{Admission, CurrentToken, Session};
use crate::calls::{Call, LOGIN, Login, Token};
use crate::error::ErrorContext;
use crate::machine::decision::{Decision, decide};
use crate::machine::progress::WaitReason;
use crate::machine::retry_after::throttle_backoff;
use crate::machine::{Hold, NotBefore, Request};
use crate::values::clock::saturating_add;
use crate::{Error, ErrorKind, Reply};

/// The state of the login. At most one login is in flight, however many callers wait for a token.
pub(super) enum LoginState {
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

    /// Starts a login, or returns the reason to wait for one or to fail.
    pub(super) fn log_in_or_wait(&mut self, since: u64, outgoing: &Request, now: DateTime<Utc>) -> Admission {
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

/// The shortest time that a token is used for, unless a 401 renews it.
const MIN_TOKEN_LIFETIME: Duration = Duration::from_secs(30);
/// The shortest wait after a 429 with a `Retry-After`, which may be zero or in the past.
const THROTTLE_FLOOR: Duration = Duration::from_secs(1);
/// The largest body of a login's reply. A token's reply has a few hundred bytes.
const MAX_LOGIN_BODY: usize = 1 << 20;
