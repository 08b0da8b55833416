//! Fuzz targets for error bodies, headers, and the decoding of bodies.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::calls::TrusteeOverviewCall;
use billing_core::machine::BodyReader;
use billing_core::values::is_printable;
use billing_core::{
    Authorized, Credentials, Environment, Error, Exchange, Machine, Policy, Session, Step, TransportErrorKind,
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use serde_json::Value;

use super::echo::shows;

/// Whatever the body of an error is, the error is one line without control characters that names the operation, the
/// status, the correlation id and, where they are texts of the body, the code and the message; and it never repeats the
/// token, even if the server does.
///
/// The first byte says the status, and from 128 on that no header names a correlation id.
pub fn error_body(data: &[u8]) {
    let (first, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let status = [400, 401, 403, 404, 409, 413, 418, 501, 505, 204, 302][usize::from(first) % 11];
    let header = (first < 128).then_some("c0rrelation");
    let mut response = Response::builder().status(status);
    if let Some(id) = header {
        response = response.header("inin-correlation-id", id);
    }
    let error = match run(response.body(Bytes::copy_from_slice(body)).expect("a valid response")) {
        Step::Done(Err(error)) => error,
        other => panic!("{status} is an error at once, not {other:?}"),
    };
    let line = error.to_string();
    assert!(line.starts_with("trustee billing overview: ") && line.contains(&status.to_string()), "{line}");
    assert!(header.is_none_or(|id| line.contains(id)) && !line.contains(char::is_control), "{line}");
    assert_eq!(error.attempts(), 1);
    for shown in [line.clone(), format!("{error:?}"), format!("{:?} {:?}", error.body_start(), error.code())]
    {
        assert!(!shows(&shown, TOKEN), "{shown}");
    }
    let said = |name| plain(body, name);
    let (code, message, context) = (said("code"), said("message"), said("contextId"));
    let (id, context) = (error.correlation_id(), header.map(str::to_owned).or(context));
    for (told, said) in [(error.code(), code), (error.server_message(), message), (id, context)] {
        assert!(said.is_none() || told == said.as_deref(), "{said:?} is told as {told:?}");
        assert!(told.is_none_or(|told| line.contains(told)), "{told:?} in {line}");
    }
}

/// The text of that name in the body, where it can be told as it is.
fn plain(body: &[u8], name: &str) -> Option<String> {
    // A larger body is not read.
    let body: Value = serde_json::from_slice(body).ok().filter(|_| body.len() <= 256 << 10)?;
    let text = body.as_object()?.get(name)?.as_str()?;
    let told = !text.is_empty()
        && !shows(text, TOKEN)
        && text.chars().all(is_printable)
        && text.chars().count() <= 2048;
    told.then(|| text.to_owned())
}

/// Checks that, for any headers, the machine waits for a future time within `max_server_wait`, or ends.
pub fn headers(data: &[u8]) {
    const NAMES: [&str; 8] = [
        "retry-after",
        "date",
        "inin-ratelimit-allowed",
        "inin-ratelimit-count",
        "inin-ratelimit-reset",
        "content-length",
        "content-encoding",
        "inin-correlation-id",
    ];
    let mut lines = data.split(|byte| *byte == b'\n');
    let status = match lines.next() {
        Some([b'2', ..]) => 200,
        Some([b'5', ..]) => 503,
        _ => 429,
    };
    let mut response = Response::new(Bytes::from_static(b"{}"));
    *response.status_mut() = status.try_into().expect("a valid status");
    for (name, value) in NAMES.into_iter().zip(lines) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    // A driver reads the body by these headers first.
    if let Ok(mut reader) = BodyReader::new(response.headers(), 1000) {
        let _ = reader.push(b"{}").and_then(|()| reader.finish().map(drop));
    }
    match run(response) {
        Step::Wait(until, _) => {
            assert!(until > now() && until <= now() + TimeDelta::seconds(121), "{until}");
        }
        Step::Done(Ok(_)) => assert_eq!(status, 200),
        Step::Done(Err(error)) => {
            assert!(error.retry_at().is_some_and(|at| at > now() + TimeDelta::seconds(119)), "{error}");
        }
        Step::Send(..) => assert_eq!(status, 503, "only a retry without a wait goes out at once"),
    }
}

/// Checks that a body is the same for any split into chunks, and never larger than its limit.
pub fn body(data: &[u8]) {
    const LIMIT: usize = 5000;
    let Some((&flags, bytes)) = data.split_first() else { return };
    let mut headers = HeaderMap::new();
    if flags & 1 == 1 {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    let read = |size: usize| -> Result<Bytes, TransportErrorKind> {
        let mut reader = BodyReader::new(&headers, LIMIT).map_err(|error| error.kind())?;
        for chunk in bytes.chunks(size.max(1)) {
            reader.push(chunk).map_err(|error| error.kind())?;
        }
        reader.finish().map_err(|error| error.kind())
    };
    let whole = read(bytes.len());
    // Where it is both too large and broken, the chunks decide which of the two is seen first.
    assert_eq!(read(usize::from(flags >> 1) + 1).ok(), whole.clone().ok());
    match whole {
        Ok(body) => assert!(body.len() <= LIMIT),
        Err(kind) => {
            assert!(matches!(
                kind,
                TransportErrorKind::TooLarge { limit: LIMIT } | TransportErrorKind::Truncated
            ));
        }
    }
}

type Call = Authorized<Exchange<TrusteeOverviewCall>, Rc<RefCell<Session>>>;

/// One call under a session, answered with `response`.
fn run(response: Response<Bytes>) -> Step<Call> {
    let environment = Environment::default();
    let call = TrusteeOverviewCall::new("org".parse().expect("a valid id"));
    let exchange = Exchange::new(call, environment.api().clone(), Policy::default());
    let credentials = Credentials::access_token(TOKEN).expect("a valid token");
    let session = Rc::new(RefCell::new(Session::new(environment, credentials)));
    match Authorized::new(exchange, session).step(now()) {
        Step::Send(_, sent) => sent.receive(Ok(response), now()),
        other => panic!("a call begins with its request, not {other:?}"),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

const TOKEN: &str = "t0ken-t0ken";

/// Errors go from thread to thread, as those of every library should.
const _: fn() = || {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<Error>();
};
