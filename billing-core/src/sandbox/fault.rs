//! Faults to inject: every failure of the decision table.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{CONTENT_ENCODING, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::SimulatedResponse;
use super::answer::gzip;
use super::envelope::{ApiError, ResponseContext, header_value, http_date};
use super::route::Route;
use super::server::Server;
use super::tokens::invalid_client;
use crate::TransportErrorKind;

/// The requests that a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultTarget {
    /// Logins.
    Login,
    /// Requests for a usage report.
    UsageReport,
    /// Requests for a trustee billing overview.
    Overview,
    /// Requests for the list of trustors.
    Trustors,
    /// Requests for your own organisation.
    OwnOrganization,
    /// Requests for the list of contracts.
    Contracts,
    /// Requests for one contract.
    Contract,
    /// Requests for a billing period of a contract.
    ContractPeriod,
    /// Requests for the list of invoices.
    Invoices,
    /// Requests for the lines of an invoice.
    InvoiceLines,
    /// Requests for the URL of an invoice's document.
    InvoiceDocument,
    /// Downloads of a document, which do not go to the API.
    Document,
    /// All requests to the API: everything except logins and documents.
    Api,
    /// Every request.
    Any,
}

/// A fault of one request. A status outside 100 to 999 counts as 500.
///
/// Faults of the first group keep the request from the server: it starts no report and does not count against the rate limit. Faults
/// of the third group change a successful answer; they stay in the queue if the server refuses the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An error of the API with this status: JSON with a message, a code and a correlation id. For a login, in the shape of the login
    /// service.
    Status(u16),
    /// An error of the API with the header `Retry-After`.
    StatusRetryAfter(u16, RetryAfter),
    /// An error page of a gateway, in HTML.
    Html(u16),
    /// 429 without a header and without a body.
    ThrottleBare,
    /// 302 to this URL.
    Redirect(String),
    /// 400 `invalid_client` of the login service.
    InvalidClient,
    /// The connection closes before the server sees the request.
    Reset,
    /// No answer at all.
    Silence,
    /// A failure on the client's side, such as a TLS error; see [`SimulatedResponse::TransportError`].
    Transport(TransportErrorKind),

    /// No fault: the request is served normally. Use it to delay a later fault.
    Nothing,
    /// The server revokes all tokens first, so it answers 401.
    ExpireToken,
    /// The server processes the request, then the connection closes.
    ResetAfterActing,

    /// Another 2xx than 200; 204 and 205 without a body.
    OtherSuccess(u16),
    /// 202 without a body.
    Accepted(Option<RetryAfter>),
    /// 200 with a report that has this status and no usages: an unknown status, or `InProgress` again.
    ReportStatus(String),
    /// The same report with the header `Retry-After`.
    ReportStatusRetryAfter(String, RetryAfter),
    /// 200 with a report that has neither a status nor usages.
    NoReportStatus,
    /// An empty page of a list whose next link leads to the same page by another URL.
    EmptyPage,
    /// A page of a list whose next link is this URL.
    NextUri(String),
    /// Valid JSON in which the field of this name has another name, as after a change of its shape.
    Renamed(&'static str),
    /// A plain-text body.
    NotJson,
    /// A body that ends in the middle of its JSON; the HTTP framing is correct.
    TruncatedJson,
    /// Half of the body, then the connection closes.
    TruncatedBody,
    /// JSON with a string that is not UTF-8.
    NotUtf8,
    /// JSON with ten thousand nested brackets.
    TooDeep,
    /// JSON with an array around the expected value.
    WrongShape,
    /// The correct body, padded with spaces to this many bytes, uncompressed.
    Huge(usize),
    /// The correct body, padded with spaces to this many bytes, compressed.
    GzipBomb(usize),
    /// A compressed body that ends early; the HTTP framing is correct.
    GzipCut,
}

/// The value of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// A number of seconds.
    Seconds(u64),
    /// A date.
    Date {
        /// Seconds from now; negative for a date in the past.
        in_seconds: i64,
        /// The seconds by which the clock of the server, and its header `Date`, are ahead.
        clock_skew: i64,
    },
}

/// The queue of faults.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultQueue(VecDeque<(FaultTarget, Fault)>);

impl FaultQueue {
    pub(super) fn push(&mut self, on: FaultTarget, fault: Fault) {
        self.0.push_back((on, fault));
    }

    /// Serves a request, with the first queued fault that applies.
    pub(super) fn serve(
        &mut self,
        route: &Route,
        envelope: &ResponseContext,
        server: &mut Server,
        request: &Request<Bytes>,
    ) -> SimulatedResponse {
        let Some(place) = self.0.iter().position(|(target, _)| target.matches(route)) else {
            return SimulatedResponse::Response(server.serve(route, envelope, request));
        };
        let fault = self.0[place].1.clone();
        if let Some(answer) = fault.instead(route, envelope) {
            self.0.remove(place);
            return answer;
        }
        if fault == Fault::ExpireToken {
            server.revoke_tokens();
        }
        let response = server.serve(route, envelope, request);
        let spoils = !matches!(fault, Fault::Nothing | Fault::ExpireToken | Fault::ResetAfterActing);
        if spoils && !response.status().is_success() {
            // Only a successful answer can be changed: the fault stays in the queue.
            return SimulatedResponse::Response(response);
        }
        self.0.remove(place);
        fault.upon(response, envelope.now)
    }
}

impl FaultTarget {
    fn matches(self, route: &Route) -> bool {
        match self {
            Self::Login => *route == Route::Login,
            Self::UsageReport => *route == Route::Report,
            Self::Overview => matches!(route, Route::Overview(_)),
            Self::Trustors => *route == Route::Trustors,
            Self::OwnOrganization => *route == Route::OwnOrganization,
            Self::Contracts => *route == Route::Contracts,
            Self::Contract => matches!(route, Route::Contract(_)),
            Self::ContractPeriod => matches!(route, Route::ContractPeriod(..)),
            Self::Invoices => *route == Route::Invoices,
            Self::InvoiceLines => matches!(route, Route::InvoiceLines(_)),
            Self::InvoiceDocument => matches!(route, Route::InvoiceDocument(_)),
            Self::Document => matches!(route, Route::Document(_)),
            Self::Api => route.is_api(),
            Self::Any => true,
        }
    }
}

impl Fault {
    /// Returns the response if the fault keeps the request from the server.
    fn instead(&self, route: &Route, envelope: &ResponseContext) -> Option<SimulatedResponse> {
        let response = match self {
            Self::Status(status) => error(*status, None, route, envelope),
            Self::StatusRetryAfter(status, hint) => error(*status, Some(*hint), route, envelope),
            Self::Html(status) => envelope.html(status_or_500(*status)),
            Self::ThrottleBare => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                response
            }
            Self::Redirect(to) => {
                let mut response = envelope.html(StatusCode::FOUND);
                response.headers_mut().insert(LOCATION, header_value(to));
                response
            }
            Self::InvalidClient => invalid_client(envelope),
            Self::Reset => return Some(SimulatedResponse::Reset),
            Self::Silence => return Some(SimulatedResponse::NoResponse),
            Self::Transport(kind) => return Some(SimulatedResponse::TransportError(*kind)),
            _ => return None,
        };
        Some(SimulatedResponse::Response(response))
    }

    /// Applies the fault to the answer of the server.
    fn upon(&self, mut response: Response<Bytes>, now: DateTime<Utc>) -> SimulatedResponse {
        let body = response.body().clone();
        *response.body_mut() = match self {
            Self::ResetAfterActing => return SimulatedResponse::Reset,
            // The body is cut later, where the length is known.
            Self::TruncatedBody => return SimulatedResponse::Truncated(response, 0),
            Self::OtherSuccess(status) => {
                *response.status_mut() = status_or_500(*status);
                if matches!(status, 204 | 205) { Bytes::new() } else { body }
            }
            Self::Accepted(hint) => {
                *response.status_mut() = StatusCode::ACCEPTED;
                if let Some(hint) = hint {
                    hint.announce(response.headers_mut(), now);
                }
                Bytes::new()
            }
            Self::ReportStatus(status) => report_with_status(&body, Some(status)),
            Self::ReportStatusRetryAfter(status, hint) => {
                hint.announce(response.headers_mut(), now);
                report_with_status(&body, Some(status))
            }
            Self::NoReportStatus => report_with_status(&body, None),
            Self::EmptyPage => edit_object(&body, |page| {
                let here = page.get("selfUri").and_then(|here| serde_json::from_str(here.get()).ok());
                let here: String = here.unwrap_or_default();
                let mark = if here.contains('?') { '&' } else { '?' };
                insert_field(page, "entities", &json!([]));
                insert_field(page, "nextUri", &json!(format!("{here}{mark}again=1")));
            }),
            Self::NextUri(next) => edit_object(&body, |page| insert_field(page, "nextUri", &json!(next))),
            Self::Renamed(name) => edit_object(&body, |object| {
                if let Some(value) = object.remove(*name) {
                    object.insert(format!("{name}V2"), value);
                }
            }),
            Self::NotJson => Bytes::from_static(b"All is well."),
            Self::TruncatedJson => body.slice(..body.len() / 2),
            Self::NotUtf8 => prepend_field(&body, b"\"\xff\""),
            Self::TooDeep => prepend_field(&body, &[[b'['; NESTING_DEPTH], [b']'; NESTING_DEPTH]].concat()),
            Self::WrongShape => [b"[", &body[..], b"]"].concat().into(),
            Self::Huge(size) => {
                set_content_encoding(&mut response, "identity");
                let spaces = size.saturating_sub(body.len());
                [&body[..], &vec![b' '; spaces]].concat().into()
            }
            Self::GzipBomb(size) => {
                set_content_encoding(&mut response, "gzip");
                gzip(&body, size.saturating_sub(body.len()))
            }
            Self::GzipCut => {
                set_content_encoding(&mut response, "gzip");
                let whole = gzip(&body, 0);
                whole.slice(..whole.len() / 2)
            }
            // The remaining faults apply before the server.
            _ => body,
        };
        SimulatedResponse::Response(response)
    }
}

impl RetryAfter {
    fn announce(self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        let value = match self {
            Self::Seconds(seconds) => HeaderValue::from(seconds),
            Self::Date { in_seconds, clock_skew } => {
                let server_now = shift_seconds(now, clock_skew);
                headers.insert(DATE, http_date(server_now));
                http_date(shift_seconds(server_now, in_seconds))
            }
        };
        headers.insert(RETRY_AFTER, value);
    }
}

fn error(
    status: u16,
    hint: Option<RetryAfter>,
    route: &Route,
    envelope: &ResponseContext,
) -> Response<Bytes> {
    let mut refusal = ApiError::for_status(status_or_500(status));
    if hint.is_some() && refusal.status == StatusCode::TOO_MANY_REQUESTS {
        refusal.code = "too.many.requests.retry.after";
    }
    let mut response = match route {
        Route::Login => envelope.login_error(refusal.status, refusal.code, &refusal.message),
        _ => envelope.error(&refusal),
    };
    if let Some(hint) = hint {
        hint.announce(response.headers_mut(), envelope.now);
    }
    response
}

fn status_or_500(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns the body of a report with another status and without usages.
fn report_with_status(body: &[u8], status: Option<&str>) -> Bytes {
    edit_object(body, |report| {
        report.remove("usages");
        report.remove("status");
        if let Some(status) = status {
            insert_field(report, "status", &json!(status));
        }
    })
}

/// The fields of a JSON object, each as it was written.
type Fields = BTreeMap<String, Box<RawValue>>;

/// Returns a JSON object with changed fields.
fn edit_object(body: &[u8], edit: impl FnOnce(&mut Fields)) -> Bytes {
    let mut fields: Fields = serde_json::from_slice(body).unwrap_or_default();
    edit(&mut fields);
    serde_json::to_vec(&fields).unwrap_or_default().into()
}

fn insert_field(fields: &mut Fields, name: &str, value: &Value) {
    if let Ok(value) = RawValue::from_string(value.to_string()) {
        fields.insert(name.to_owned(), value);
    }
}

/// Returns a JSON object with another field in front. The object must not be empty.
fn prepend_field(object: &[u8], value: &[u8]) -> Bytes {
    let rest = object.strip_prefix(b"{").unwrap_or(object);
    [b"{\"new\":", value, b",", rest].concat().into()
}

/// Sets the content encoding, so that the body is not compressed again.
fn set_content_encoding(response: &mut Response<Bytes>, coding: &'static str) {
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
}

fn shift_seconds(time: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    TimeDelta::try_seconds(seconds)
        .and_then(|delta| time.checked_add_signed(delta))
        .unwrap_or(if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC })
}

const NESTING_DEPTH: usize = 10_000;
