//! `POST /oauth/token` of the login service: exchanges client credentials for an access token.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue, InvalidHeaderValue, USER_AGENT,
};
use http::{Method, Request, Response};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{Call, GZIP, JSON, USER_AGENT_VALUE};
use crate::model::decode_secret;
use crate::{BaseUrl, DecodeError, Operation, Secret};

/// A request for an access token with the client-credentials grant.
#[derive(Clone, Debug)]
pub(crate) struct Login<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a Secret,
}

/// An access token and its lifetime, if the server sent one.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) bearer: Bearer,
    pub(crate) lifetime: Option<Duration>,
}

impl Login<'_> {
    /// Returns id and secret in the form of HTTP Basic. The result is as confidential as the secret.
    pub(crate) fn basic_credentials(&self) -> Secret {
        let pair = Zeroizing::new([self.client_id, ":", self.client_secret.expose()].concat());
        Secret::new(BASE64_STANDARD.encode(pair.as_bytes()))
    }

    /// Returns the same text without its padding: a server that repeats it may omit the padding.
    pub(crate) fn unpadded_basic_credentials(&self) -> Secret {
        Secret::new(self.basic_credentials().expose().trim_end_matches('='))
    }
}

impl Call for Login<'_> {
    type Output = Token;

    fn operation(&self) -> Operation {
        LOGIN
    }

    fn request(&self, login: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Request::builder()
            .method(Method::POST)
            .uri(login.join("/oauth/token")?)
            .header(ACCEPT, JSON)
            .header(ACCEPT_ENCODING, GZIP)
            .header(AUTHORIZATION, authorization_header("Basic ", &self.basic_credentials())?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(USER_AGENT, USER_AGENT_VALUE)
            .body(Bytes::from_static(b"grant_type=client_credentials"))
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<Token, DecodeError> {
        #[derive(Deserialize)]
        struct Body {
            #[serde(deserialize_with = "secret_from_string")]
            access_token: Secret,
            expires_in: Option<serde_json::Value>,
        }
        let body: Body = decode_secret(response.body(), "the login's answer holds no access token")?;
        let bearer = Bearer::new(body.access_token)
            .ok_or_else(|| DecodeError::new("access_token", "the token cannot stand in a header"))?;
        // A lifetime that is not a whole number of seconds is ignored: a 401 renews the token as well.
        let lifetime = body.expires_in.and_then(|value| value.as_u64()).map(Duration::from_secs);
        Ok(Token { bearer, lifetime })
    }
}

/// Returns the texts of an `Authorization` header that must appear nowhere: the credentials after the scheme, with and without
/// padding, because a server that repeats them may omit it, and for Basic the client secret.
pub(crate) fn secrets_in_authorization(authorization: &HeaderValue) -> Vec<Secret> {
    let text = std::str::from_utf8(authorization.as_bytes()).unwrap_or_default();
    let Some((scheme, credentials)) = text.split_once(' ') else { return Vec::new() };
    let mut secrets = vec![Secret::new(credentials), Secret::new(credentials.trim_end_matches('='))];
    if scheme == "Basic" {
        let pair = Zeroizing::new(BASE64_STANDARD.decode(credentials).unwrap_or_default());
        let pair = std::str::from_utf8(&pair).unwrap_or_default();
        secrets.extend(pair.split_once(':').map(|(_, secret)| Secret::new(secret)));
    }
    secrets
}

/// An access token that is valid in a header, with that header.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    secret: Secret,
    header: HeaderValue,
}

impl Bearer {
    /// Returns `None` if the text is empty or invalid in a header.
    pub(crate) fn new(secret: Secret) -> Option<Self> {
        if secret.expose().is_empty() {
            return None;
        }
        let header = authorization_header("Bearer ", &secret).ok()?;
        Some(Self { secret, header })
    }

    /// Returns the token, to remove it from texts of the server.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns the header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

/// Builds a header whose copies share one text. The text is overwritten when the last copy is dropped.
fn authorization_header(scheme: &str, credentials: &Secret) -> Result<HeaderValue, InvalidHeaderValue> {
    let text = Zeroizing::new([scheme, credentials.expose()].concat());
    let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(text))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Reads a secret so that it is overwritten even if the rest of the body turns out to be malformed.
fn secret_from_string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// The operation of the login, for errors and progress.
pub const LOGIN: Operation = Operation::new("post_oauth_token", "login", &[]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;

    fn parse(body: &'static str) -> Result<Token, DecodeError> {
        Login { client_id: "", client_secret: &Secret::new("") }.parse(&Response::new(body.into()))
    }

    #[test]
    fn the_request() {
        let secret = Secret::new("open sesame");
        let login = Login { client_id: "my-client", client_secret: &secret };
        let request = login.request(&"https://login.mypurecloud.de".parse().unwrap()).unwrap();
        assert_eq!(
            request_to_text(&request),
            "POST https://login.mypurecloud.de/oauth/token\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             authorization: Basic bXktY2xpZW50Om9wZW4gc2VzYW1l\n\
             content-type: application/x-www-form-urlencoded\n\
             user-agent: billing-core/0.1.0\n\n\
             grant_type=client_credentials"
        );
        assert!(!format!("{request:?} {login:?}").contains("bXktY2"));
    }

    #[test]
    fn the_answer() {
        let token = parse(r#"{"access_token":"abc","token_type":"bearer","expires_in":86400}"#).unwrap();
        assert_eq!(
            (token.bearer.secret().expose(), token.lifetime),
            ("abc", Some(Duration::from_secs(86400)))
        );
        for no_lifetime in [r#"{"access_token":"abc"}"#, r#"{"access_token":"abc","expires_in":"long"}"#] {
            assert_eq!(parse(no_lifetime).unwrap().lifetime, None);
        }
        for bad in [
            "{}",
            "<html>",
            r#"["abc",3600]"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\r\nX-Evil: 1"}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn d12_an_answer_that_is_not_utf_8_is_an_error_wherever_it_is_not() {
        let body = b"{\"access_token\":\"abc\",\"scope\":\"\xff\"}";
        let error =
            Login { client_id: "", client_secret: &Secret::new("") }.parse(&Response::new(body[..].into()));
        assert_eq!(error.unwrap_err().location(), "byte 31");
    }

    #[test]
    fn d09_an_answer_that_cannot_be_read_is_quoted_nowhere() {
        for bad in [
            r#"{"t0ken":tru}"#,
            r#"{"access_token":{"t0ken":1}}"#,
            r#"{"access_token":"a","expires_in":{"t0ken":1e999}}"#,
            r#"["t0ken"]"#,
            r#"{"access_token":"t0ken","t0ken":}"#,
            r#"{"access_token":"t0ken"#,
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.location().starts_with("line 1 column "), "{error}");
            assert!(!format!("{error} {error:?}").contains("t0ken"), "{error}");
        }
    }
}
