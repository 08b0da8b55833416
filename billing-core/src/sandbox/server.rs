//! The server in good health: token, quota, operation, answer.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde_json::Value;

use super::draws::Draws;
use super::envelope::{Envelope, Refusal};
use super::quota::{Counted, Quota, Rounding};
use super::route::{Route, parameter};
use super::tokens::Tokens;
use super::{contracts, documents, invoices, organizations, reports, trustors};
use crate::values::clock::after;
use crate::{BaseUrl, Period, Timestamp};

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) settings: Settings,
    draws: Draws,
    /// Requests so far; each has its correlation id.
    received: u32,
    tokens: Tokens,
    reports: BTreeMap<(Timestamp, Timestamp), Making>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) readiness: Readiness,
    pub(super) token_lifetime: Duration,
    pub(super) quota: Option<Quota>,
    pub(super) rounding: Rounding,
    pub(super) gzip: bool,
    pub(super) mixed_dates: bool,
    pub(super) trustors: u32,
    pub(super) next_uris: bool,
    /// Where documents are, and how long an address of one is good.
    pub(super) documents: BaseUrl,
    pub(super) document_lifetime: Duration,
}

/// When a report is complete.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readiness {
    /// So long after it was first asked for.
    After(Duration),
    /// After so many answers that it is not.
    Answers(u32),
}

/// A report that somebody has asked for.
#[derive(Clone, Copy, Debug)]
struct Making {
    since: DateTime<Utc>,
    /// Answers so far that it is not complete.
    unready: u32,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            settings: Settings {
                readiness: Readiness::After(Duration::from_secs(10)),
                token_lifetime: Duration::from_secs(24 * 3600),
                quota: Some(Quota { allowed: 300, window: Duration::from_secs(60) }),
                rounding: Rounding::Up,
                gzip: true,
                mixed_dates: true,
                trustors: 5_000,
                next_uris: true,
                documents: super::address("https://documents.sandbox.invalid"),
                document_lifetime: Duration::from_secs(600),
            },
            draws: Draws::new(seed),
            received: 0,
            tokens: Tokens::default(),
            reports: BTreeMap::new(),
        }
    }

    /// Takes note of a request.
    pub(super) fn receive(&mut self, now: DateTime<Utc>) -> Envelope {
        let correlation = self.draws.of("correlation").uuid(self.received);
        self.received = self.received.wrapping_add(1);
        Envelope { now, correlation }
    }

    /// The number of the token that a request comes with.
    pub(super) fn generation(&self, headers: &HeaderMap) -> Option<usize> {
        self.tokens.generation(headers)
    }

    /// Makes all tokens bad that were issued so far.
    pub(super) fn forget_tokens(&mut self) {
        self.tokens.forget();
    }

    /// Answers a request.
    pub(super) fn serve(
        &mut self,
        route: &Route,
        envelope: &Envelope,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        match route {
            Route::Login => {
                let lifetime = self.settings.token_lifetime;
                self.tokens.log_in(request, lifetime, self.draws, envelope)
            }
            Route::Document(id) => documents::serve(id, request, envelope, self.draws),
            Route::Elsewhere => envelope.error(&Refusal::of(StatusCode::NOT_FOUND)),
            route => self.serve_api(route, envelope, request),
        }
    }

    fn serve_api(&mut self, route: &Route, envelope: &Envelope, request: &Request<Bytes>) -> Response<Bytes> {
        let token = match self.tokens.check(request.headers(), envelope.now) {
            Ok(token) => token,
            Err(code) => {
                let message = "The credentials are missing, unknown or no longer valid";
                return envelope.error(&Refusal::new(StatusCode::UNAUTHORIZED, code, message));
            }
        };
        let rounding = self.settings.rounding;
        let counted = self.settings.quota.map(|quota| quota.count(rounding, &mut token.window, envelope.now));
        let mut response = match counted.filter(|counted| counted.over) {
            Some(counted) => throttle(envelope, counted),
            None => match self.answer(route, request, envelope.now) {
                Ok(body) => envelope.json(StatusCode::OK, &body),
                Err(refusal) => envelope.error(&refusal),
            },
        };
        if let Some(counted) = counted {
            counted.announce(response.headers_mut());
        }
        response
    }

    fn answer(
        &mut self,
        route: &Route,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Value, Refusal> {
        if *route != Route::Unknown && request.method() != Method::GET {
            return Err(Refusal::of(StatusCode::METHOD_NOT_ALLOWED));
        }
        match route {
            Route::Report => {
                let period = period(request.uri())?;
                let mixed_dates = self.settings.mixed_dates;
                Ok(match self.is_ready(period, now) {
                    true => reports::complete(period, self.draws, mixed_dates),
                    false => reports::unready(period),
                })
            }
            Route::Overview(id) => {
                let index = index(request.uri())?;
                organizations::overview(id, self.settings.trustors, index, now, self.draws)
                    .ok_or_else(|| none("organization, or no such billing period of it"))
            }
            Route::Trustors => {
                trustors::page(request.uri(), self.settings.trustors, self.settings.next_uris, self.draws)
            }
            Route::OwnOrganization => Ok(trustors::own_organization()),
            Route::Contracts => contracts::page(request.uri(), now),
            Route::Contract(id) => contracts::contract(id, now).ok_or_else(|| none("contract")),
            Route::ContractPeriod(id, period) => contracts::period(id, period, now, self.draws)
                .ok_or_else(|| none("contract, or no such billing period of it")),
            Route::Invoices => invoices::page(request.uri(), now, self.draws),
            Route::InvoiceLines(id) => {
                invoices::lines(request.uri(), id, now, self.draws).unwrap_or_else(|| Err(none("invoice")))
            }
            Route::InvoiceDocument(id) => {
                let Settings { documents, document_lifetime, .. } = &self.settings;
                documents::locate(id, documents, *document_lifetime, now, self.draws)
                    .ok_or_else(|| none("invoice"))
            }
            _ => Err(Refusal::of(StatusCode::NOT_FOUND)),
        }
    }

    fn is_ready(&mut self, period: Period, now: DateTime<Utc>) -> bool {
        let fresh = Making { since: now, unready: 0 };
        let making = self.reports.entry((period.start(), period.end())).or_insert(fresh);
        let ready = match self.settings.readiness {
            Readiness::After(duration) => now >= after(making.since, duration),
            Readiness::Answers(n) => making.unready >= n,
        };
        if !ready {
            making.unready = making.unready.saturating_add(1);
        }
        ready
    }
}

fn none(of: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not.found", format!("There is no such {of}"))
}

/// The period that a request for a report names.
fn period(uri: &Uri) -> Result<Period, Refusal> {
    let date = |name: &str| {
        let text = parameter(uri, name).ok_or_else(|| {
            Refusal::new(StatusCode::BAD_REQUEST, "bad.request", format!("{name} is missing"))
        })?;
        text.parse::<Timestamp>().map_err(|_| {
            let message = format!("{name} is not a date of the form yyyy-MM-ddTHH:mm:ss.SSSZ");
            Refusal::new(StatusCode::BAD_REQUEST, "invalid.date", message)
        })
    };
    Period::new(date("startDate")?, date("endDate")?).map_err(|_| {
        let message = "startDate must be before endDate";
        Refusal::new(StatusCode::BAD_REQUEST, "invalid.date", message)
    })
}

fn index(uri: &Uri) -> Result<u32, Refusal> {
    match parameter(uri, "billingPeriodIndex") {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            let message = "billingPeriodIndex must be a number from 0";
            Refusal::new(StatusCode::BAD_REQUEST, "invalid.value", message)
        }),
    }
}

fn throttle(envelope: &Envelope, counted: Counted) -> Response<Bytes> {
    let message =
        format!("Rate limit exceeded the maximum. Retry the request in [{}] seconds", counted.reset);
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = envelope.error(&Refusal::new(status, "too.many.requests.retry.after", message));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(counted.reset));
    response
}
