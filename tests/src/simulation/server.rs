//! The server: a small, fast model of Genesys Cloud, and the real sandbox behind the same face.
//!
//! The model does what the sandbox does, by a tenth of the work: its bodies are written once. What it has beyond it are
//! strangers, windows by the clock, reports that go back, lists, and answers of any oddness.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use billing_core::Credentials;
use billing_core::sandbox::{Sandbox, SimulatedResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Request, Response};

use super::rng::Rng;
use super::scenario::{Credential, Quota, Scenario};
use super::trace::Next;

/// The prefix of every secret of the model, so that a leak can be found anywhere.
pub(super) const TOKEN: &str = "t0ken-";
const CLIENT_ID: &str = "clientid";
/// With the colon the id has nine characters, so that this text begins with [`BASIC_SECRET`] in Base64.
const CLIENT_SECRET: &str = "s3cret";
const BASIC_SECRET: &str = "czNjcmV0";

/// Text that is in no rendering.
pub(super) const SECRETS: [&str; 4] =
    [TOKEN, CLIENT_SECRET, BASIC_SECRET, billing_core::sandbox::CLIENT_SECRET];

/// The server's answer to a request.
pub(super) struct Served {
    pub(super) response: Response<Bytes>,
    /// Set if the quota refused the request; `None` if no quota applied.
    pub(super) over: Option<bool>,
    /// The target of a page's next link.
    pub(super) next: Option<Next>,
}

pub(super) enum Server {
    Model(Box<Model>),
    Sandbox(Box<Sandbox>),
}

pub(super) struct Model {
    rng: Rng,
    quota: Option<Quota>,
    stranger: u64,
    /// From when on there are neither strangers nor reports that go back.
    calm: i64,
    lifetime: Option<i64>,
    back: u64,
    longest_report: i64,
    tokens: HashMap<Rc<str>, Token>,
    reports: HashMap<u64, i64>,
    answered: u64,
}

struct Token {
    /// Whose it is.
    owner: usize,
    expires: i64,
    /// The end of its window, and the number of requests counted in it.
    window: (i64, u32),
}

impl Server {
    pub(super) fn new(scenario: &Scenario, rng: &Rng) -> Self {
        let mut rng = rng.fork(1);
        if scenario.sandbox {
            let mut sandbox = Sandbox::new(rng.draw())
                .report_duration(Duration::from_millis(scenario.report.unsigned_abs()))
                .round_reset_down(scenario.quota.is_some_and(|quota| quota.rounded_down))
                .gzip(scenario.gzip);
            sandbox = match scenario.quota.filter(|quota| quota.told) {
                Some(q) => sandbox.quota(q.allowed, Duration::from_millis(q.window.unsigned_abs())),
                None => sandbox.without_quota(),
            };
            if let Some(lifetime) = scenario.token_lifetime {
                sandbox = sandbox.token_lifetime(Duration::from_secs(lifetime.unsigned_abs()));
            }
            return Self::Sandbox(Box::new(sandbox));
        }
        Self::Model(Box::new(Model {
            rng,
            quota: scenario.quota,
            stranger: scenario.stranger,
            calm: scenario.calm.unwrap_or(i64::MAX),
            lifetime: scenario.token_lifetime,
            back: scenario.back,
            longest_report: scenario.report,
            tokens: HashMap::new(),
            reports: HashMap::new(),
            answered: 0,
        }))
    }

    /// The credentials of session number `owner`.
    pub(super) fn credentials(&mut self, credential: Credential, owner: usize) -> Credentials {
        let made = match (self, credential) {
            (Self::Sandbox(sandbox), _) => Ok(sandbox.credentials()),
            (Self::Model(_), Credential::Client) => Credentials::client(CLIENT_ID, CLIENT_SECRET),
            (Self::Model(model), Credential::Token) => {
                Credentials::access_token(&*model.issue(owner, i64::MAX))
            }
        };
        made.unwrap_or_else(|error| panic!("both texts are valid: {error}"))
    }

    /// A token for an operation without a session.
    pub(super) fn token(&mut self, owner: usize) -> Option<Rc<str>> {
        match self {
            Self::Model(model) => Some(model.issue(owner, i64::MAX)),
            Self::Sandbox(_) => None,
        }
    }

    /// Makes the tokens of a session bad.
    pub(super) fn revoke(&mut self, owner: usize) {
        match self {
            Self::Model(model) => model.tokens.retain(|_, token| token.owner != owner),
            // It has this as a fault of the next request.
            Self::Sandbox(sandbox) => {
                sandbox.inject(
                    billing_core::sandbox::FaultTarget::Api,
                    billing_core::sandbox::Fault::ExpireToken,
                );
            }
        }
    }

    /// Answers a request of session number `owner` at the time `at`, which the server's clock shows as `now`.
    pub(super) fn serve(
        &mut self,
        request: &Request<Bytes>,
        owner: usize,
        at: i64,
        now: DateTime<Utc>,
    ) -> Served {
        match self {
            Self::Model(model) => model.serve(request, owner, at),
            Self::Sandbox(sandbox) => match sandbox.respond(request, now) {
                SimulatedResponse::Response(response) => Served {
                    over: (request.uri().path() != LOGIN_PATH).then(|| response.status().as_u16() == 429),
                    response,
                    next: None,
                },
                _ => unreachable!("no fault of the sandbox's own that loses the answer was asked for"),
            },
        }
    }
}

impl Model {
    fn issue(&mut self, owner: usize, expires: i64) -> Rc<str> {
        let text: Rc<str> = format!("{TOKEN}{:016x}{}", self.rng.draw(), self.tokens.len()).into();
        self.tokens.insert(text.clone(), Token { owner, expires, window: (i64::MIN, 0) });
        text
    }

    fn serve(&mut self, request: &Request<Bytes>, owner: usize, at: i64) -> Served {
        self.answered += 1;
        let path = request.uri().path();
        if path == LOGIN_PATH {
            return self.log_in(request, owner, at);
        }
        let authorization = request.headers().get("authorization").and_then(|v| v.to_str().ok());
        let offered = authorization.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        let Some(token) = self.tokens.get_mut(offered).filter(|token| at < token.expires) else {
            return self.refuse(401, "bad.credentials", HeaderMap::new());
        };
        let mut headers = HeaderMap::with_capacity(8);
        let mut over = None;
        if let Some(quota) = self.quota {
            if at >= token.window.0 {
                let begun = if quota.fixed { at - at.rem_euclid(quota.window) } else { at };
                token.window = (begun + quota.window, 0);
            }
            if at < self.calm && self.rng.permille(self.stranger) {
                token.window.1 = (token.window.1 + 1).min(quota.allowed);
            }
            let refused = token.window.1 >= quota.allowed;
            token.window.1 += u32::from(!refused);
            over = Some(refused);
            let left = token.window.0 - at;
            let reset = if quota.rounded_down { left / 1000 } else { (left + 999) / 1000 };
            if quota.told {
                headers.insert("inin-ratelimit-allowed", HeaderValue::from(quota.allowed));
                headers.insert("inin-ratelimit-count", HeaderValue::from(token.window.1));
                headers.insert("inin-ratelimit-reset", HeaderValue::from(reset));
            }
            if refused {
                headers.insert("retry-after", HeaderValue::from(reset));
                return Served { over, ..self.refuse(429, "too.many.requests.retry.after", headers) };
            }
        }
        let (body, next) = self.answer(request, at);
        Served { response: self.json(200, body, headers), over, next }
    }

    fn answer(&mut self, request: &Request<Bytes>, at: i64) -> (Bytes, Option<Next>) {
        let path = request.uri().path();
        if let Some(list) = path.strip_prefix("/api/v2/numbers/") {
            return self.page(list, request.uri().query().unwrap_or_default());
        }
        if !path.ends_with("/billableusage") {
            return (Bytes::from_static(OVERVIEW), None);
        }
        let key = super::trace::text(request.uri().query());
        let ready = match self.reports.get(&key) {
            Some(ready) => *ready,
            None => {
                let ready = at + self.rng.millis(self.longest_report);
                self.reports.insert(key, ready);
                ready
            }
        };
        let complete = at >= ready && !(at < self.calm && self.rng.permille(self.back));
        (Bytes::from_static(if complete { COMPLETE } else { IN_PROGRESS }), None)
    }

    /// Page number `after` of the list: mostly it leads on, and the fifth is the last.
    fn page(&mut self, list: &str, query: &str) -> (Bytes, Option<Next>) {
        let number: u64 = query.trim_start_matches("after=").parse().unwrap_or_default();
        let (next, uri) = match self.rng.below(40) {
            _ if number >= 4 => (Next::End, String::new()),
            // To itself, or to any page before it.
            0 => (Next::Astray, format!("/api/v2/numbers/{list}?after={}", self.rng.below(number + 1))),
            1 => (Next::Astray, "https://api.evil.invalid/api/v2/numbers/1?after=9".to_owned()),
            2 => (Next::Astray, format!("//login.evil.invalid/{list}")),
            3 => {
                (Next::On, format!("https://api.sandbox.invalid/api/v2/numbers/{list}?after={}", number + 1))
            }
            4 => (Next::On, format!("?after={}", number + 1)),
            _ => (Next::On, format!("/api/v2/numbers/{list}?after={}", number + 1)),
        };
        let body = match next {
            Next::End => r#"{"entities":[1,2],"nextUri":null}"#.to_owned(),
            // An empty page, which is not the end.
            _ => format!(r#"{{"entities":[],"nextUri":"{uri}"}}"#),
        };
        (body.into(), Some(next))
    }

    fn log_in(&mut self, request: &Request<Bytes>, owner: usize, at: i64) -> Served {
        let authorization = request.headers().get("authorization").and_then(|v| v.to_str().ok());
        if !authorization.is_some_and(|text| text.starts_with("Basic ") && text.contains(BASIC_SECRET)) {
            return self.refuse(400, "invalid_client", HeaderMap::new());
        }
        let lifetime = self.lifetime.map_or(i64::MAX, |seconds| seconds * 1000);
        let token = self.issue(owner, at.saturating_add(lifetime));
        let expires = self.lifetime.map(|seconds| format!(r#","expires_in":{seconds}"#)).unwrap_or_default();
        let body = format!(r#"{{"access_token":"{token}","token_type":"bearer"{expires}}}"#);
        Served { response: self.json(200, body.into(), HeaderMap::new()), over: None, next: None }
    }

    fn refuse(&self, status: u16, code: &str, headers: HeaderMap) -> Served {
        Served { response: refusal(status, code, self.answered, headers), over: None, next: None }
    }

    fn json(&self, status: u16, body: Bytes, headers: HeaderMap) -> Response<Bytes> {
        json(status, body, self.answered, headers)
    }
}

/// An error in the API's shape, which is near enough to the login's.
pub(super) fn refusal(status: u16, code: &str, number: u64, headers: HeaderMap) -> Response<Bytes> {
    let name = if code.contains('.') { "code" } else { "error" };
    let body = format!(r#"{{"message":"No.","{name}":"{code}","status":{status},"contextId":"c-{number}"}}"#);
    json(status, body.into(), number, headers)
}

/// Answer number `number`.
pub(super) fn json(status: u16, body: Bytes, number: u64, mut headers: HeaderMap) -> Response<Bytes> {
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(&format!("c-{number}")) {
        headers.insert("inin-correlation-id", id);
    }
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    response
}

pub(super) const LOGIN_PATH: &str = "/oauth/token";

pub(super) const IN_PROGRESS: &[u8] =
    br#"{"startDate":"2026-10-01T00:00:00.000Z","endDate":"2026-11-01T00:00:00Z","status":"InProgress"}"#;
/// With a field that is new, an amount that is no number, and what is missing or null.
const COMPLETE: &[u8] = concat!(
    r#"{"startDate":"2026-10-01T00:00:00.000Z","endDate":null,"status":"Complete","new":[1,{}],"usages":["#,
    r#"{"name":"Genesys Cloud CX 1","totalUsage":"2"},"#,
    r#"{"name":null,"totalUsage":"many","resources":[{"name":"phone","date":"2026-10-03T00:00:00Z"}]}]}"#
)
.as_bytes();
const OVERVIEW: &[u8] = concat!(
    r#"{"currency":"EUR","subscriptionType":"BRAND_NEW","minimumMonthlyAmount":"1e3","usages":["#,
    r#"{"name":"seats","partNumber":"GC-1","grouping":"user-license","usageQuantity":"7","overagePrice":"n/a"}]}"#
)
.as_bytes();
