//! The envelope of responses: their common headers, and the shapes of errors.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The time and the correlation id of a request.
#[derive(Debug)]
pub(super) struct ResponseContext {
    pub(super) now: DateTime<Utc>,
    pub(super) correlation_id: String,
}

impl ResponseContext {
    /// Builds a JSON response.
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

    /// Builds an error response in the shape of the API.
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

    /// Builds an error response in the shape of the login service.
    pub(super) fn login_error(&self, status: StatusCode, error: &str, description: &str) -> Response<Bytes> {
        let body = json!({
            "error": error,
            "description": description,
            "error_description": description,
        });
        self.json(status, &body)
    }

    /// Builds an error page of a gateway. It has no correlation id, because the request never reached the API.
    pub(super) fn html(&self, status: StatusCode) -> Response<Bytes> {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             </body>\r\n</html>\r\n"
        );
        let mut response = self.bare(status, page.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response
    }

    /// Builds a response whose only header is `Date`.
    pub(super) fn bare(&self, status: StatusCode, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(DATE, http_date(self.now));
        response
    }
}

/// Returns a JSON value that is written as this number, digit for digit. A number of `serde_json` would lose
/// digits.
pub(super) fn exact(number: impl ToString) -> Value {
    Value::String(format!("{EXACT_NUMBER_MARK}{}", number.to_string()))
}

/// A JSON value that writes its [`exact`] numbers as numbers.
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

/// Returns `text`, escaped for the content of an XML element.
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

    /// Builds the usual error for a status.
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

/// Returns `text` as the value of a header, without control characters, which headers do not allow.
pub(super) fn header_value(text: &str) -> HeaderValue {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    HeaderValue::from_bytes(clean.as_bytes())
        .unwrap_or_else(|_| unreachable!("only control characters are refused"))
}

/// Returns `time` in the form of the headers `Date` and `Retry-After`. The form covers the years 1970 to
/// 9999; a time outside them is moved to the nearest one inside.
pub(super) fn http_date(time: DateTime<Utc>) -> HeaderValue {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0).min(253_402_300_799);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    header_value(&httpdate::fmt_http_date(time))
}

const CORRELATION_ID_HEADER: HeaderName = HeaderName::from_static("inin-correlation-id");
