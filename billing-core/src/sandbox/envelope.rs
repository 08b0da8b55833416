//! The envelope: what all answers to one request have in common, and the shapes of errors.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// One request's time and correlation id.
#[derive(Debug)]
pub(super) struct ResponseContext {
    pub(super) now: DateTime<Utc>,
    pub(super) correlation_id: String,
}

impl ResponseContext {
    /// A JSON answer.
    pub(super) fn json(&self, status: StatusCode, body: &Value) -> Response<Bytes> {
        let body = serde_json::to_vec(&WithExactNumbers(body))
            .unwrap_or_else(|_| unreachable!("numbers are written as numbers, and all else is JSON"));
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
        headers.insert(CORRELATION_ID_HEADER, header_value(&self.correlation_id));
        headers.insert(DATE, http_date(self.now));
        response
    }

    /// An error in the API's shape.
    pub(super) fn error(&self, refusal: &ApiError) -> Response<Bytes> {
        let body = json!({
            "message": refusal.message,
            "code": refusal.code,
            "status": refusal.status.as_u16(),
            "contextId": self.correlation_id,
            "details": [],
            "errors": [],
        });
        self.json(refusal.status, &body)
    }

    /// An error in the login service's shape.
    pub(super) fn login_error(&self, status: StatusCode, error: &str, description: &str) -> Response<Bytes> {
        let body = json!({
            "error": error,
            "description": description,
            "error_description": description,
        });
        self.json(status, &body)
    }

    /// A page that a gateway made by itself, so without a correlation id.
    pub(super) fn html(&self, status: StatusCode) -> Response<Bytes> {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             </body>\r\n</html>\r\n"
        );
        let mut response = self.bare(status, page.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response
    }

    /// An answer with nothing in its head but the time.
    pub(super) fn bare(&self, status: StatusCode, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(DATE, http_date(self.now));
        response
    }
}

/// A number that is written digit for digit, which a JSON value of the library could not hold.
pub(super) fn exact(number: impl ToString) -> Value {
    Value::String(format!("{EXACT_NUMBER_MARK}{}", number.to_string()))
}

/// A JSON value with its [`exact`] numbers.
struct WithExactNumbers<'a>(&'a Value);

impl Serialize for WithExactNumbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => match text.strip_prefix(EXACT_NUMBER_MARK) {
                Some(number) => {
                    RawValue::from_string(number.to_owned()).map_err(S::Error::custom)?.serialize(serializer)
                }
                None => text.serialize(serializer),
            },
            Value::Array(values) => serializer.collect_seq(values.iter().map(WithExactNumbers)),
            Value::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, WithExactNumbers(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

/// The prefix that marks an exact number. No text of the sandbox begins with it.
const EXACT_NUMBER_MARK: char = '\u{1}';

/// `text` where XML has text.
pub(super) fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An error of the API.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The refusal that goes with a status, where nothing more is known.
    pub(super) fn for_status(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            401 => "bad.credentials",
            403 => "missing.any.permissions",
            404 => "not.found",
            429 => "too.many.requests",
            503 => "service.unavailable",
            408 | 504 => "request.timeout",
            500.. => "internal.server.error",
            _ => "bad.request",
        };
        Self::new(status, code, format!("The sandbox answers {status}"))
    }
}

/// `text` as the value of a header, without the characters that cannot stand in one.
pub(super) fn header_value(text: &str) -> HeaderValue {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    HeaderValue::from_bytes(clean.as_bytes())
        .unwrap_or_else(|_| unreachable!("only control characters are refused"))
}

/// `time` in the form of the headers `Date` and `Retry-After`, which knows the years 1970 to 9999.
pub(super) fn http_date(time: DateTime<Utc>) -> HeaderValue {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0).min(253_402_300_799);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    header_value(&httpdate::fmt_http_date(time))
}

const CORRELATION_ID_HEADER: HeaderName = HeaderName::from_static("inin-correlation-id");
