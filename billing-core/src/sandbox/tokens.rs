//! The login service: issues tokens and checks them.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;

use super::draws::SeededRandom;
use super::envelope::ResponseContext;
use super::quota::Window;
use super::{CLIENT_ID, CLIENT_SECRET};
use crate::Secret;
use crate::values::clock::saturating_add;

/// All tokens that were ever issued, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct IssuedTokens(Vec<Token>);

#[derive(Clone, Debug)]
pub(super) struct Token {
    secret: Secret,
    expires: DateTime<Utc>,
    forgotten: bool,
    /// The current window of the token's quota.
    pub(super) window: Option<Window>,
}

impl IssuedTokens {
    /// Answers a request for a token.
    pub(super) fn log_in(
        &mut self,
        request: &Request<Bytes>,
        lifetime: Duration,
        draws: SeededRandom,
        envelope: &ResponseContext,
    ) -> Response<Bytes> {
        let refuse = |status, error, description| envelope.login_error(status, error, description);
        if request.method() != Method::POST {
            let description = "a token is asked for with POST";
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", description);
        }
        let Some(client) = basic(request.headers()) else {
            let description = "client credentials are missing";
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client", description);
        };
        if client != format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes() {
            return invalid_client(envelope);
        }
        let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
        if !content_type.is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded")) {
            let description = "the body is not a form";
            return refuse(StatusCode::BAD_REQUEST, "invalid_request", description);
        }
        let grant = b"grant_type=client_credentials";
        if !request.body().split(|byte| *byte == b'&').any(|pair| pair == grant) {
            let description = "the grant type must be client_credentials";
            return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", description);
        }
        let secret = new_token(draws, self.0.len());
        let body = json!({
            "access_token": secret.expose(),
            "token_type": "bearer",
            "expires_in": lifetime.as_secs(),
        });
        self.0.push(Token {
            secret,
            expires: saturating_add(envelope.now, lifetime),
            forgotten: false,
            window: None,
        });
        envelope.json(StatusCode::OK, &body)
    }

    /// Returns the token of a request.
    ///
    /// # Errors
    /// Returns the error code of the API if the token is missing, unknown, revoked or expired.
    pub(super) fn check(
        &mut self,
        headers: &HeaderMap,
        now: DateTime<Utc>,
    ) -> Result<&mut Token, &'static str> {
        let Some(offered) = bearer(headers) else {
            return Err("authentication.required");
        };
        match self.0.iter_mut().rfind(|token| token.secret == offered) {
            None => Err("bad.credentials"),
            Some(token) if token.forgotten => Err("bad.credentials"),
            Some(token) if now >= token.expires => Err("credentials.expired"),
            Some(token) => Ok(token),
        }
    }

    /// Returns the number of the token of a request, counted from 1, even if the token is revoked or expired.
    pub(super) fn number_of(&self, headers: &HeaderMap) -> Option<usize> {
        let offered = bearer(headers)?;
        let index = self.0.iter().rposition(|token| token.secret == offered)?;
        Some(index + 1)
    }

    pub(super) fn revoke_all(&mut self) {
        for token in &mut self.0 {
            token.forgotten = true;
        }
    }
}

/// Returns the response to an unknown client.
pub(super) fn invalid_client(envelope: &ResponseContext) -> Response<Bytes> {
    let description = "client not found: invalid_client";
    envelope.login_error(StatusCode::BAD_REQUEST, "invalid_client", description)
}

fn new_token(draws: SeededRandom, index: usize) -> Secret {
    let source = draws.derive("token").derive(index.to_le_bytes());
    let words = [0, 1, 2].map(|n| format!("{:016x}", source.in_range(n, 0, u64::MAX)));
    Secret::new(words.concat())
}

fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    BASE64_STANDARD.decode(text.strip_prefix("Basic ")?).ok()
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    text.strip_prefix("Bearer ").map(Secret::from)
}
