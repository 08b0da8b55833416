//! The network: delays, loss and damage of answers, and the reply that the client receives.

use std::io::Write;

use billing_core::machine::BodyReader;
use billing_core::{TransportError, TransportErrorKind};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::{Compression, write::GzEncoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};

use super::fault::Fault;
use super::rng::Rng;
use super::server::{IN_PROGRESS, LOGIN_PATH, Served, json, refusal};

/// An arriving answer: a response with its body as on the wire, or a failure.
pub(super) struct Arriving {
    pub(super) response: Result<Response<Bytes>, TransportErrorKind>,
    /// The number of body bytes after which the connection is lost.
    lost_after: Option<usize>,
    pub(super) corrupted: bool,
}

impl From<Response<Bytes>> for Arriving {
    fn from(response: Response<Bytes>) -> Self {
        Self { response: Ok(response), lost_after: None, corrupted: false }
    }
}

impl From<TransportErrorKind> for Arriving {
    fn from(kind: TransportErrorKind) -> Self {
        Self { response: Err(kind), lost_after: None, corrupted: false }
    }
}

/// Returns the answer of a fault that keeps the request from the server.
pub(super) fn instead(
    fault: Fault,
    request: &Request<Bytes>,
    now: DateTime<Utc>,
    rng: &mut Rng,
) -> Option<Arriving> {
    let number = rng.below(1 << 40);
    let answer = |status, code: &str, headers| Some(refusal(status, code, number, headers).into());
    let none = HeaderMap::new;
    match fault {
        Fault::Html => {
            let status = rng.pick(&[200, 500, 502, 503, 504, 403]);
            let mut response = json(status, Bytes::from_static(b"<html><h1>Bad</h1></html>"), number, none());
            response.headers_mut().clear();
            Some(response.into())
        }
        Fault::Busy => {
            let status = rng.pick(&[408, 425, 500, 502, 503, 504]);
            let hints = if rng.permille(400) { hint(rng.below(100), now, rng) } else { none() };
            answer(status, "service.unavailable", hints)
        }
        Fault::NotImplemented => answer(rng.pick(&[501, 505, 511, 599]), "not.implemented", none()),
        Fault::Refused => answer(rng.pick(&[400, 402, 403, 404, 409, 413, 499]), "bad.request", none()),
        Fault::Redirect => {
            let to = [("location", HeaderValue::from_static("https://evil.invalid/"))];
            let to = to.into_iter().map(|(k, v)| (http::HeaderName::from_static(k), v)).collect();
            answer(rng.pick(&[301, 302, 303, 307, 308]), "moved", to)
        }
        Fault::Success => answer(rng.pick(&[201, 203, 204, 206]), "created", none()),
        Fault::Unauthorized => answer(401, "bad.credentials", none()),
        Fault::Throttled => answer(429, "too.many.requests", hint(rng.below(90), now, rng)),
        Fault::ThrottledByWindow => answer(429, "too.many.requests", limits(10, 10, rng.below(61))),
        Fault::ThrottledBare => {
            let mut response = json(429, Bytes::new(), number, none());
            response.headers_mut().clear();
            Some(response.into())
        }
        Fault::LongHint => {
            answer(rng.pick(&[429, 503]), "too.many.requests", hint(200 + rng.below(9999), now, rng))
        }
        Fault::Echo => {
            let secret = request.headers().get("authorization").and_then(|v| v.to_str().ok()).unwrap_or("");
            let secret = secret.split_once(' ').map_or(secret, |(_, secret)| secret);
            let body =
                format!(r#"{{"message":"You sent {secret}","code":"{secret}","contextId":"{secret}"}}"#);
            Some(json(rng.pick(&[400, 500, 503]), body.into(), number, none()).into())
        }
        Fault::InvalidClient if request.uri().path() == LOGIN_PATH => answer(400, "invalid_client", none()),
        _ => None,
    }
}

/// Applies a fault to the server's answer.
pub(super) fn upon(
    fault: Fault,
    served: Served,
    limit: usize,
    now: DateTime<Utc>,
    rng: &mut Rng,
) -> Arriving {
    let mut response = served.response;
    let length = response.body().len();
    let replace = |mut response: Response<Bytes>, body: Bytes| {
        if response.status() == StatusCode::OK {
            *response.body_mut() = body;
            response.headers_mut().remove(CONTENT_ENCODING);
        }
        Arriving::from(response)
    };
    match fault {
        Fault::ResetAfter => TransportErrorKind::Reset.into(),
        Fault::Silence => TransportErrorKind::Timeout.into(),
        Fault::Truncated | Fault::Long => {
            let lost_after = if fault == Fault::Long { length } else { rng.index(length) };
            let announced = HeaderValue::from(length as u64 + u64::from(fault == Fault::Long) * 7);
            response.headers_mut().insert(CONTENT_LENGTH, announced);
            Arriving { lost_after: Some(lost_after), ..response.into() }
        }
        Fault::Short => {
            let body = response.body().slice(..rng.index(length));
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len() as u64));
            *response.body_mut() = body;
            Arriving { corrupted: true, ..response.into() }
        }
        Fault::Corrupted => {
            *response.body_mut() = damaged(response.body(), rng);
            Arriving { corrupted: true, ..response.into() }
        }
        Fault::GzipCut | Fault::GzipCorrupted => {
            let whole = encoded(&mut response);
            *response.body_mut() = match fault {
                Fault::GzipCut => whole.slice(..rng.index(whole.len())),
                _ => damaged(&whole, rng),
            };
            Arriving { corrupted: true, ..response.into() }
        }
        Fault::Huge if limit < 1 << 16 => {
            let body = [&response.body()[..], &vec![b' '; limit + 1]].concat();
            *response.body_mut() = body.into();
            response.into()
        }
        Fault::Bomb if limit < 1 << 16 => {
            let body = [&response.body()[..], &vec![b' '; limit + 1]].concat();
            *response.body_mut() = body.into();
            *response.body_mut() = encoded(&mut response);
            response.into()
        }
        // A too-large body need not exist: its announced length is enough.
        Fault::Huge | Fault::Bomb => {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(limit as u64 + 1));
            response.into()
        }
        Fault::Encoding => {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
            response.into()
        }
        Fault::Accepted => {
            if response.status() == StatusCode::OK {
                *response.status_mut() = StatusCode::ACCEPTED;
                if rng.permille(500) {
                    response.headers_mut().extend(hint(rng.below(60), now, rng));
                }
            }
            replace(response, Bytes::new())
        }
        Fault::OddStatus => replace(response, Bytes::from_static(br#"{"status":"Paused"}"#)),
        Fault::InProgress => replace(response, Bytes::from_static(IN_PROGRESS)),
        Fault::NoStatus => replace(response, Bytes::from_static(br#"{"usages":[]}"#)),
        Fault::NotJson => replace(response, Bytes::from_static(b"All is well.")),
        Fault::Shape => replace(response, Bytes::from_static(br#"[{"status":"Complete"}]"#)),
        Fault::NotUtf8 => replace(response, Bytes::from_static(b"{\"status\":\"Complete\",\"id\":\"\xff\"}")),
        Fault::Deep => replace(response, [vec![b'['; 300], vec![b']'; 300]].concat().into()),
        Fault::Hint => {
            response.headers_mut().extend(hint(rng.below(60), now, rng));
            response.into()
        }
        Fault::Nonsense => {
            let text = rng.pick(&["", "soon", "-1", "1.5", "Thu, 99 Oct 2026 00:01:00 GMT", "\u{7f}"]);
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            response.into()
        }
        Fault::Limits => {
            let (allowed, count) =
                (rng.pick(&[0, 1, 300, 4_000_000_000]), rng.pick(&[0, 1, 299, 4_000_000_000]));
            response.headers_mut().extend(limits(
                allowed,
                count,
                rng.pick(&[0, 1, 60, 90_000, 4_000_000_000]),
            ));
            response.into()
        }
        _ => response.into(),
    }
}

/// Encodes the body for the wire if the client accepts gzip.
pub(super) fn encoded(response: &mut Response<Bytes>) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let body = encoder.write_all(response.body()).and_then(|()| encoder.finish());
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    body.unwrap_or_else(|_| unreachable!("writing to memory does not fail")).into()
}

impl Arriving {
    /// Reads the answer as a driver with a limit of `limit` bytes does, in the pieces that arrive.
    pub(super) fn read(self, limit: usize, rng: &mut Rng) -> billing_core::Reply {
        let lost = |kind| TransportError::new(kind, "by the simulated network");
        let (head, body) = self.response.map_err(lost)?.into_parts();
        let mut reader = BodyReader::new(&head.headers, limit)?;
        let body = match self.lost_after {
            Some(end) => body.slice(..end),
            None => body,
        };
        let (first, rest) = body.split_at(rng.index(body.len() + 1));
        reader.push(first)?;
        reader.push(rest)?;
        if self.lost_after.is_some() {
            return Err(lost(TransportErrorKind::Truncated));
        }
        Ok(Response::from_parts(head, reader.finish()?))
    }
}

/// Builds a `Retry-After`, in seconds or as a date by a wrong clock.
fn hint(seconds: u64, now: DateTime<Utc>, rng: &mut Rng) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2);
    if rng.permille(600) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        return headers;
    }
    let wrong = TimeDelta::milliseconds(rng.millis(4_000_000) - 2_000_000);
    let date = |time: DateTime<Utc>| {
        HeaderValue::from_str(&time.format("%a, %d %b %Y %H:%M:%S GMT").to_string())
            .unwrap_or_else(|_| unreachable!("a date can stand in a header"))
    };
    headers.insert(DATE, date(now + wrong));
    headers.insert(RETRY_AFTER, date(now + wrong + TimeDelta::seconds(seconds.cast_signed())));
    headers
}

fn limits(allowed: u64, count: u64, reset: u64) -> HeaderMap {
    [("inin-ratelimit-allowed", allowed), ("inin-ratelimit-count", count), ("inin-ratelimit-reset", reset)]
        .into_iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from(value)))
        .collect()
}

fn damaged(body: &Bytes, rng: &mut Rng) -> Bytes {
    let mut bytes = body.to_vec();
    for _ in 0..=rng.below(3) {
        let place = rng.index(bytes.len());
        if let Some(byte) = bytes.get_mut(place) {
            *byte = if rng.permille(500) { *byte ^ (1 << rng.below(8)) } else { b' ' };
        }
    }
    bytes.into()
}
