//! Interpretation of requests and answers, independent of the client's code.

use std::rc::Rc;

use billing_core::{Environment, Error};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use super::trace::{Kind, Next, Origin, Outcome, Reply, Request, Says, bytes};

/// Interprets a request of an operation of this kind, about an organisation if it has one.
pub(super) fn request(
    http: &http::Request<Bytes>,
    environment: &Environment,
    (kind, organization): (Kind, &str),
    timeout: i64,
) -> Request {
    let origin = |base: &str| {
        let uri = http.uri();
        uri.scheme_str().zip(uri.authority()).is_some_and(|(scheme, authority)| {
            base.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) == Some(authority.as_str())
        })
    };
    let to = if http.uri().path() == super::server::LOGIN_PATH {
        if origin(&environment.login().to_string()) { Origin::Login } else { Origin::Elsewhere }
    } else if origin(&environment.api().to_string()) {
        Origin::Api
    } else {
        Origin::Elsewhere
    };
    let mut digest = bytes(http.method().as_str().as_bytes());
    let mut mix = |part: &[u8]| digest = digest.rotate_left(9) ^ bytes(part);
    mix(http.uri().path().as_bytes());
    mix(http.uri().query().unwrap_or_default().as_bytes());
    mix(http.body());
    for (name, value) in http.headers() {
        if name != header::AUTHORIZATION {
            mix(name.as_str().as_bytes());
            mix(value.as_bytes());
        }
    }
    let authorization = http.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let fits = to != Origin::Api || fits(http.uri(), kind, organization);
    Request { to, digest, authorization: authorization.map(Rc::from), timeout, fits }
}

/// Interprets an answer that arrives at `now` by the client's clock.
pub(super) fn reply(
    reply: &billing_core::Reply,
    sent: (Kind, Origin),
    corrupted: bool,
    next: Option<Next>,
    now: DateTime<Utc>,
) -> Reply {
    let response = match reply {
        Ok(response) => response,
        Err(error) => return Reply { failure: Some(error.kind()), corrupted, ..Reply::default() },
    };
    let headers = response.headers();
    let body: Option<Value> = serde_json::from_slice(response.body()).ok();
    let good = response.status() == 200;
    let code = body.as_ref().filter(|_| !good).and_then(|body| {
        ["code", "error"].iter().find_map(|name| body.get(name)?.as_str().filter(|text| !text.is_empty()))
    });
    let message = body.as_ref().filter(|_| !good).and_then(|body| body.get("message")?.as_str());
    let context = body.as_ref().and_then(|body| body.get("contextId")?.as_str());
    let correlation = headers.get("inin-correlation-id").and_then(|v| v.to_str().ok()).or(context);
    Reply {
        status: Some(response.status().as_u16()),
        failure: None,
        says: if good {
            body.as_ref().map_or(Says::Nothing, |body| says(body, sent, next))
        } else {
            Says::Nothing
        },
        corrupted,
        hint: hint(headers, now),
        window: window(headers),
        correlation: correlation.map(Rc::from),
        code: code.map(Rc::from),
        message: message.map(Rc::from),
        odd: good && body.as_ref().is_some_and(is_odd),
        length: response.body().len(),
    }
}

/// Interprets an error. `time` converts a time of the client's clock to one of the run.
pub(super) fn outcome(error: &Error, time: impl Fn(DateTime<Utc>) -> i64) -> Outcome {
    Outcome::Failed {
        kind: error.kind().clone(),
        login: error.operation() == billing_core::calls::LOGIN,
        status: error.status().map(|status| status.as_u16()),
        code: error.code().map(Rc::from),
        message: error.server_message().map(Rc::from),
        correlation: error.correlation_id().map(Rc::from),
        text: error.to_string().into(),
        attempts: error.attempts(),
        retry_at: error.retry_at().map(time),
    }
}

/// Returns true if the path obeys rule D13: an id is exactly one path segment, whatever it contains, and
/// nothing follows it.
fn fits(uri: &http::Uri, kind: Kind, organization: &str) -> bool {
    let segments: Vec<_> = uri.path().split('/').skip(1).collect();
    let names =
        |query: &str| query.split('&').map(|pair| pair.split('=').next().map(str::to_owned)).collect();
    let names: Vec<Option<String>> = uri.query().map(names).unwrap_or_default();
    let query: Vec<_> = names.iter().flatten().map(String::as_str).collect();
    match (kind, &segments[..]) {
        (Kind::Report, ["api", "v2", "billing", "reports", "billableusage"]) => {
            query == ["startDate", "endDate"]
        }
        (Kind::Overview, ["api", "v2", "billing", "trusteebillingoverview", id]) => {
            query.is_empty() && decoded(id).as_deref() == Some(organization.as_bytes())
        }
        // Any target that the previous page named.
        (Kind::List, _) => true,
        _ => false,
    }
}

/// Decodes a percent-encoded text.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    Some(bytes)
}

/// Returns true if it is one of the model's bodies, which hold data outside the schema.
fn is_odd(body: &Value) -> bool {
    body.get("new").is_some() || body.get("subscriptionType").is_some_and(|sort| sort == "BRAND_NEW")
}

fn says(body: &Value, sent: (Kind, Origin), next: Option<Next>) -> Says {
    if sent.1 == Origin::Login {
        let Some(token) = body.get("access_token").and_then(Value::as_str) else { return Says::Nothing };
        if token.is_empty() || HeaderValue::from_str(token).is_err() {
            return Says::Nothing;
        }
        let seconds = body.get("expires_in").and_then(Value::as_u64).and_then(|s| i64::try_from(s).ok());
        return Says::Token(token.into(), seconds.map(|s| s.saturating_mul(1000)));
    }
    if !body.is_object() {
        return Says::Nothing;
    }
    match sent.0 {
        Kind::Overview => Says::Object,
        Kind::List if body.get("entities").is_none() => Says::Nothing,
        Kind::List => Says::Page(next.unwrap_or(Next::End)),
        Kind::Report => match body.get("status").map(|status| status.as_str()) {
            Some(Some("Complete")) => Says::Complete,
            Some(Some("InProgress")) => Says::InProgress,
            Some(Some(_)) => Says::Odd,
            _ => Says::Nothing,
        },
    }
}

fn hint(headers: &HeaderMap, now: DateTime<Utc>) -> Option<i64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse::<i64>().map_or(i64::MAX, |seconds| seconds.saturating_mul(1000)));
    }
    let date = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc());
    let server_now = headers.get(header::DATE).and_then(|v| date(v.to_str().ok()?)).unwrap_or(now);
    Some((date(text)? - server_now).num_milliseconds().max(0))
}

fn window(headers: &HeaderMap) -> Option<i64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u32>().ok();
    number("inin-ratelimit-count")?;
    let (allowed, reset) = (number("inin-ratelimit-allowed")?, number("inin-ratelimit-reset")?);
    // A quota of zero or a window of days cannot be obeyed, so the client ignores it.
    (allowed > 0 && reset <= 24 * 3600).then(|| i64::from(reset) * 1000)
}
