//! The server: thousands of cheap overviews, under a quota that other clients share.

use billing_core::PeriodSelection;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use super::{Quota, Scenario, Stranger};
use crate::simulation::Rng;

/// The true state of a period, or of an index without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Period,
    Nothing,
    Failed(u16),
}

/// The kind of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Healthy,
    Unknown,
    Forbidden,
    /// The index always answers with this status.
    Hole(u32, u16),
}

pub(super) struct Server {
    quota: Quota,
    lifetime: i64,
    odd: bool,
    stranger: Stranger,
    /// The time of the other client's next burst, and the number of its requests still to come.
    next_stranger: (i64, u32),
    tokens: Vec<Token>,
    rng: Rng,
    /// The number of our requests, and of those over the quota.
    pub(super) requests: u64,
    pub(super) throttled: u64,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    until: i64,
    window: Window,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    end: i64,
    count: u32,
}

impl Server {
    pub(super) fn new(scenario: &Scenario, rng: Rng) -> Self {
        Self {
            quota: scenario.quota,
            lifetime: scenario.token_lifetime,
            odd: scenario.odd,
            stranger: scenario.stranger,
            next_stranger: (0, 0),
            tokens: Vec::new(),
            rng,
            requests: 0,
            throttled: 0,
        }
    }

    /// Returns the results for organisation number `n` without transient failures.
    pub(super) fn truth(&self, n: usize, reach: PeriodSelection) -> Vec<(u32, Told)> {
        let at = |index| (index, self.told(n, index));
        let most = match reach {
            PeriodSelection::Nth(index) => return vec![at(index.get())],
            PeriodSelection::Latest(most) => most.get(),
            _ => u32::MAX,
        };
        if let Told::Failed(403 | 404) = self.told(n, 0) {
            return vec![at(0)];
        }
        let mut all = Vec::new();
        for index in 0..most {
            all.push(at(index));
            if self.told(n, index) == Told::Nothing {
                break;
            }
        }
        all
    }

    fn told(&self, n: usize, index: u32) -> Told {
        match self.kind(n) {
            Kind::Unknown => Told::Failed(404),
            Kind::Forbidden => Told::Failed(403),
            _ if index >= periods(n) => Told::Nothing,
            Kind::Hole(hole, status) if hole == index => Told::Failed(status),
            _ => Told::Period,
        }
    }

    fn kind(&self, n: usize) -> Kind {
        match n % 23 {
            _ if !self.odd => Kind::Healthy,
            3 => Kind::Unknown,
            7 => Kind::Forbidden,
            11 => Kind::Hole(1, 400),
            13 => Kind::Hole(0, 500),
            17 => Kind::Hole(2, 500),
            _ => Kind::Healthy,
        }
    }

    pub(super) fn log_in(&mut self, now: i64) -> Response<Bytes> {
        self.tokens.push(Token { until: now + self.lifetime, window: Window::default() });
        let (token, seconds) = (self.tokens.len(), self.lifetime / 1000);
        json(200, format!(r#"{{"access_token":"t0ken-{token}","expires_in":{seconds}}}"#))
    }

    pub(super) fn answer(&mut self, request: &http::Request<Bytes>, now: i64) -> Response<Bytes> {
        let number = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let number: usize = number.and_then(|text| text.rsplit_once('-')?.1.parse().ok()).unwrap_or_default();
        if self.tokens.get(number.wrapping_sub(1)).is_none_or(|token| now >= token.until) {
            return json(401, r#"{"code":"bad.credentials"}"#.to_owned());
        }
        // All requests of the client count for its first token.
        let counted = if self.quota.of_client { 0 } else { number - 1 };
        self.let_the_stranger_come(counted, now);
        let quota = self.quota;
        let window = quota.window(&mut self.tokens[counted].window, now);
        let over = window.count >= quota.allowed;
        window.count += u32::from(!over);
        let left = window.end - now;
        let reset = if quota.rounded_down { left / 1000 } else { (left + 999) / 1000 };
        let count = window.count;
        self.requests += 1;
        self.throttled += u64::from(over);
        let mut response = if over {
            let mut refusal = json(429, r#"{"code":"too.many.requests.retry.after"}"#.to_owned());
            refusal.headers_mut().insert("retry-after", HeaderValue::from(reset));
            refusal
        } else {
            self.overview(request.uri())
        };
        let headers = response.headers_mut();
        headers.insert("inin-ratelimit-allowed", HeaderValue::from(quota.allowed));
        headers.insert("inin-ratelimit-count", HeaderValue::from(count));
        headers.insert("inin-ratelimit-reset", HeaderValue::from(reset));
        response
    }

    fn overview(&self, uri: &http::Uri) -> Response<Bytes> {
        let n: usize = uri.path().rsplit_once("/org-").and_then(|(_, n)| n.parse().ok()).unwrap_or_default();
        let index = uri.query().and_then(|query| query.strip_prefix("billingPeriodIndex="));
        let index: u32 = index.and_then(|index| index.parse().ok()).unwrap_or_default();
        match self.told(n, index) {
            Told::Nothing => json(404, r#"{"code":"not.found"}"#.to_owned()),
            Told::Failed(status) => {
                let code = if status == 403 { "not.authorized" } else { "no" };
                json(status, format!(r#"{{"code":"{code}","contextId":"c-{n}-{index}"}}"#))
            }
            Told::Period => {
                let month = 2026 * 12 + 9 - index;
                let (year, month) = (month / 12, month % 12 + 1);
                json(
                    200,
                    format!(
                        r#"{{"organization":{{"id":"org-{n}"}},"currency":"EUR","billingPeriodStartDate":"{year}-{month:02}-01T00:00:00Z","billingPeriodEndDate":"{year}-{month:02}-28T23:59:59Z","usages":[{{"name":"CX 2","grouping":"user-license","usageQuantity":"{n}","prepayQuantity":"0","prepayPrice":"75.00","overagePrice":"85.50"}}]}}"#
                    ),
                )
            }
        }
    }

    fn let_the_stranger_come(&mut self, counted: usize, now: i64) {
        let (a_minute, burst) = match self.stranger {
            Stranger::Nobody => return,
            Stranger::Steady(n) => (n, 1),
            Stranger::Bursts(n) => (n, n / 3),
        };
        let mean = 60_000 * i64::from(burst) / i64::from(a_minute);
        while self.next_stranger.0 <= now {
            let (at, left) = self.next_stranger;
            if left == 0 {
                // Uniform from zero to twice the mean; bursts are periodic.
                let wait = if burst == 1 { self.rng.millis(2 * mean) } else { mean };
                self.next_stranger = (at + wait, burst);
                continue;
            }
            self.next_stranger.1 = left - 1;
            let allowed = self.quota.allowed;
            let window = self.quota.window(&mut self.tokens[counted].window, at);
            window.count = (window.count + 1).min(allowed);
        }
    }
}

impl Quota {
    fn window(self, window: &mut Window, now: i64) -> &mut Window {
        if now >= window.end {
            let begun = if self.fixed { now - now.rem_euclid(WINDOW) } else { now };
            *window = Window { end: begun + WINDOW, count: 0 };
        }
        window
    }
}

/// Returns the number of periods of organisation number `n`.
fn periods(n: usize) -> u32 {
    [60, 12, 3, 1, 30, 54, 7][n % 7]
}

pub(super) fn json(status: u16, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("inin-correlation-id", HeaderValue::from_static("c-1"));
    response
}

/// In milliseconds.
const WINDOW: i64 = 60_000;
