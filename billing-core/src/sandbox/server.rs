//! The simulated server without faults: checks the token, counts the request and answers it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde_json::Value;

use super::draws::SeededRandom;
use super::envelope::{ApiError, ResponseContext};
use super::quota::{Quota, QuotaCount, Rounding};
use super::route::{Route, query_parameter};
use super::tokens::IssuedTokens;
use super::{contracts, documents, invoices, organizations, reports, trustors};
use crate::values::clock::saturating_add;
use crate::{BaseUrl, Period, Timestamp};

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) settings: Settings,
    draws: SeededRandom,
    /// The number of requests so far, from which each correlation id is drawn.
    request_count: u32,
    tokens: IssuedTokens,
    reports: BTreeMap<(Timestamp, Timestamp), ReportProgress>,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) report_completion: Readiness,
    pub(super) token_lifetime: Duration,
    pub(super) quota: Option<Quota>,
    pub(super) reset_rounding: Rounding,
    pub(super) gzip: bool,
    pub(super) mixed_dates: bool,
    pub(super) trustor_count: u32,
    pub(super) sends_next_uri: bool,
    /// The base URL of documents, and the time for which the URL of a document is valid.
    pub(super) document_base: BaseUrl,
    pub(super) document_lifetime: Duration,
}

/// The condition for a report to be complete.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readiness {
    /// A time after the first request for the report.
    After(Duration),
    /// A number of `InProgress` answers.
    Answers(u32),
}

/// The progress of a report that was requested.
#[derive(Clone, Copy, Debug)]
struct ReportProgress {
    first_asked: DateTime<Utc>,
    /// The number of `InProgress` answers so far.
    pending_answers: u32,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            settings: Settings {
                report_completion: Readiness::After(Duration::from_secs(10)),
                token_lifetime: Duration::from_secs(24 * 3600),
                quota: Some(Quota { allowed: 300, window: Duration::from_secs(60) }),
                reset_rounding: Rounding::Up,
                gzip: true,
                mixed_dates: true,
                trustor_count: 5_000,
                sends_next_uri: true,
                document_base: super::address("https://documents.sandbox.invalid"),
                document_lifetime: Duration::from_secs(600),
            },
            draws: SeededRandom::new(seed),
            request_count: 0,
            tokens: IssuedTokens::default(),
            reports: BTreeMap::new(),
        }
    }

    /// Counts a request, and returns the context of its response.
    pub(super) fn context_for(&mut self, now: DateTime<Utc>) -> ResponseContext {
        let correlation = self.draws.derive("correlation").uuid(self.request_count);
        self.request_count = self.request_count.wrapping_add(1);
        ResponseContext { now, correlation_id: correlation }
    }

    /// Returns the number of the token of a request.
    pub(super) fn token_number(&self, headers: &HeaderMap) -> Option<usize> {
        self.tokens.number_of(headers)
    }

    /// Revokes all tokens that were issued so far.
    pub(super) fn revoke_tokens(&mut self) {
        self.tokens.revoke_all();
    }

    /// Answers a request.
    pub(super) fn serve(
        &mut self,
        route: &Route,
        envelope: &ResponseContext,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        match route {
            Route::Login => {
                let lifetime = self.settings.token_lifetime;
                self.tokens.log_in(request, lifetime, self.draws, envelope)
            }
            Route::Document(id) => documents::serve(id, request, envelope, self.draws),
            Route::NotFound => envelope.error(&ApiError::for_status(StatusCode::NOT_FOUND)),
            route => self.serve_api(route, envelope, request),
        }
    }

    fn serve_api(
        &mut self,
        route: &Route,
        envelope: &ResponseContext,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        let token = match self.tokens.check(request.headers(), envelope.now) {
            Ok(token) => token,
            Err(code) => {
                let message = "The credentials are missing, unknown or no longer valid";
                return envelope.error(&ApiError::new(StatusCode::UNAUTHORIZED, code, message));
            }
        };
        let rounding = self.settings.reset_rounding;
        let counted = self.settings.quota.map(|quota| quota.count(rounding, &mut token.window, envelope.now));
        let mut response = match counted.filter(|counted| counted.is_over_limit) {
            Some(counted) => throttle(envelope, counted),
            None => match self.answer(route, request, envelope.now) {
                Ok(body) => envelope.json(StatusCode::OK, &body),
                Err(refusal) => envelope.error(&refusal),
            },
        };
        if let Some(counted) = counted {
            counted.set_headers(response.headers_mut());
        }
        response
    }

    fn answer(
        &mut self,
        route: &Route,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Value, ApiError> {
        if *route != Route::UnknownOperation && request.method() != Method::GET {
            return Err(ApiError::for_status(StatusCode::METHOD_NOT_ALLOWED));
        }
        match route {
            Route::Report => {
                let period = period(request.uri())?;
                let mixed_dates = self.settings.mixed_dates;
                Ok(match self.poll_report(period, now) {
                    true => reports::complete(period, self.draws, mixed_dates),
                    false => reports::in_progress(period),
                })
            }
            Route::Overview(id) => {
                let index = index(request.uri())?;
                organizations::overview(id, self.settings.trustor_count, index, now, self.draws)
                    .ok_or_else(|| not_found("organization, or no such billing period of it"))
            }
            Route::Trustors => trustors::page(
                request.uri(),
                self.settings.trustor_count,
                self.settings.sends_next_uri,
                self.draws,
            ),
            Route::OwnOrganization => Ok(trustors::own_organization()),
            Route::Contracts => contracts::page(request.uri(), now),
            Route::Contract(id) => contracts::contract(id, now).ok_or_else(|| not_found("contract")),
            Route::ContractPeriod(id, period) => contracts::period(id, period, now, self.draws)
                .ok_or_else(|| not_found("contract, or no such billing period of it")),
            Route::Invoices => invoices::page(request.uri(), now, self.draws),
            Route::InvoiceLines(id) => invoices::lines(request.uri(), id, now, self.draws)
                .unwrap_or_else(|| Err(not_found("invoice"))),
            Route::InvoiceDocument(id) => {
                let Settings { document_base: documents, document_lifetime, .. } = &self.settings;
                documents::document_url(id, documents, *document_lifetime, now, self.draws)
                    .ok_or_else(|| not_found("invoice"))
            }
            _ => Err(ApiError::for_status(StatusCode::NOT_FOUND)),
        }
    }

    fn poll_report(&mut self, period: Period, now: DateTime<Utc>) -> bool {
        let fresh = ReportProgress { first_asked: now, pending_answers: 0 };
        let making = self.reports.entry((period.start(), period.end())).or_insert(fresh);
        let ready = match self.settings.report_completion {
            Readiness::After(duration) => now >= saturating_add(making.first_asked, duration),
            Readiness::Answers(n) => making.pending_answers >= n,
        };
        if !ready {
            making.pending_answers = making.pending_answers.saturating_add(1);
        }
        ready
    }
}

fn not_found(of: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not.found", format!("There is no such {of}"))
}

/// Parses the period of a request for a report.
fn period(uri: &Uri) -> Result<Period, ApiError> {
    let date = |name: &str| {
        let text = query_parameter(uri, name).ok_or_else(|| {
            ApiError::new(StatusCode::BAD_REQUEST, "bad.request", format!("{name} is missing"))
        })?;
        text.parse::<Timestamp>().map_err(|_| {
            let message = format!("{name} is not a date of the form yyyy-MM-ddTHH:mm:ss.SSSZ");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid.date", message)
        })
    };
    Period::new(date("startDate")?, date("endDate")?).map_err(|_| {
        let message = "startDate must be before endDate";
        ApiError::new(StatusCode::BAD_REQUEST, "invalid.date", message)
    })
}

fn index(uri: &Uri) -> Result<u32, ApiError> {
    match query_parameter(uri, "billingPeriodIndex") {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| {
            let message = "billingPeriodIndex must be a number from 0";
            ApiError::new(StatusCode::BAD_REQUEST, "invalid.value", message)
        }),
    }
}

fn throttle(envelope: &ResponseContext, counted: QuotaCount) -> Response<Bytes> {
    let message =
        format!("Rate limit exceeded the maximum. Retry the request in [{}] seconds", counted.reset_seconds);
    let status = StatusCode::TOO_MANY_REQUESTS;
    let mut response = envelope.error(&ApiError::new(status, "too.many.requests.retry.after", message));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(counted.reset_seconds));
    response
}
