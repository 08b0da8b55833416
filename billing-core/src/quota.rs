//! The quota of a token: what the rate limit still allows, learned from the answers.
//!
//! The server counts requests in windows and says in three headers how many are allowed, how many it has counted and when
//! the window ends. Ours count when they are sent; a count beyond our own sends is somebody else's traffic, and as much
//! again is left free for it. Without the headers requests are spaced: 5 a second, halved at a 429, creeping up.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use crate::error::Evidence;
use crate::machine::{Hold, NotBefore};
use crate::policy::{draw, retry_after, unhinted_throttle};
use crate::progress::Waiting;
use crate::timestamp::{after, between};

/// How a session spaces requests while the server sends no rate-limit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// The shortest time between two requests, `None` for no spacing. 200 ms.
    pub unannounced: Option<Duration>,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { unannounced: Some(Duration::from_millis(200)) }
    }
}

#[derive(Debug)]
pub(crate) struct Quota {
    pacing: Pacing,
    seed: u64,
    window: Option<Window>,
    /// After a 429: nothing before this, and what the server said.
    parked: Option<(NotBefore, Evidence)>,
    /// 429s in a row.
    throttled: u32,
    /// Sent before the first window was known.
    unwindowed: u32,
    /// Sent and not yet answered.
    in_flight: u32,
    /// Without headers: the present spacing, and when the next request may go.
    spacing: Duration,
    next: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Window {
    allowed: u32,
    ends: DateTime<Utc>,
    began: DateTime<Utc>,
    /// Requests of ours that can count in this window.
    ours: u32,
    /// Requests of others in this window, as far as the server's count shows them.
    foreign: u32,
    /// Requests of others in the window before.
    foreign_before: u32,
    /// Whether an answer has confirmed this window; one that was begun by the clock alone is a guess.
    confirmed: bool,
}

impl Quota {
    pub(crate) fn new(pacing: Pacing, seed: u64) -> Self {
        let spacing = pacing.unannounced.unwrap_or_default();
        Self {
            pacing,
            seed,
            window: None,
            parked: None,
            throttled: 0,
            unwindowed: 0,
            in_flight: 0,
            spacing,
            next: None,
        }
    }

    /// Lets a request out at `now` and counts it, or says how long it has to wait.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> Result<(), Box<Hold>> {
        if let Some((not_before, evidence)) = &self.parked {
            if not_before.until > now {
                return hold(*not_before, Waiting::Throttled, Some(evidence.clone()));
            }
            self.parked = None;
        }
        if let Some(window) = &mut self.window {
            window.roll(self.in_flight, now);
            if window.free(now) == 0 {
                let ends = window.ends;
                let not_before = NotBefore { until: self.a_little_after(ends), asked: Some(ends) };
                return hold(not_before, Waiting::Quota, None);
            }
            window.ours += 1;
        } else {
            if let Some(next) = self.next.filter(|next| *next > now) {
                return hold(NotBefore { until: next, asked: None }, Waiting::Spacing, None);
            }
            self.next = self.pacing.unannounced.map(|_| after(now, self.spacing));
            self.unwindowed = self.unwindowed.saturating_add(1);
        }
        self.in_flight += 1;
        Ok(())
    }

    /// A request that was let out will have no answer that we see.
    pub(crate) fn forget(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Learns from the answer to a request that was let out. After a 429, when the next may go.
    pub(crate) fn observe(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        evidence: impl FnOnce() -> Evidence,
        now: DateTime<Utc>,
    ) -> Option<NotBefore> {
        self.forget();
        let announced = Announced::read(headers, now);
        if let Some(announced) = &announced {
            self.learn(announced, now);
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            self.throttled = 0;
            if let Some(fastest) = self.pacing.unannounced {
                self.spacing = (self.spacing * 49 / 50).max(fastest);
            }
            return None;
        }
        let asked = retry_after(headers, now).max(announced.map(|a| a.ends));
        let until = match asked {
            Some(asked) => self.a_little_after(asked.max(after(now, Duration::from_secs(1)))),
            None => after(now, unhinted_throttle(self.throttled)),
        };
        self.throttled = self.throttled.saturating_add(1);
        self.spacing = (self.spacing * 2).clamp(Duration::from_millis(100), SLOWEST);
        match &mut self.parked {
            Some((parked, _)) if parked.until >= until => {}
            parked => *parked = Some((NotBefore { until, asked }, evidence())),
        }
        self.parked.as_ref().map(|(not_before, _)| *not_before)
    }

    fn learn(&mut self, announced: &Announced, now: DateTime<Utc>) {
        let in_flight = self.in_flight;
        let Some(window) = &mut self.window else {
            // The first answer: whatever we sent so far may be in its count, and what is still out will be.
            let ours = announced.count.min(self.unwindowed).max(in_flight.saturating_add(1));
            let foreign = announced.count.saturating_sub(ours);
            self.window = Some(Window {
                allowed: announced.allowed,
                ends: announced.ends,
                began: now,
                ours,
                foreign,
                foreign_before: 0,
                confirmed: true,
            });
            return;
        };
        window.roll(in_flight, now);
        let later = between(window.ends, announced.ends);
        let earlier = between(announced.ends, window.ends);
        if window.confirmed && later > SAME_WINDOW {
            // A new window, before we thought that the old one was over.
            window.renew(announced.ends, in_flight.saturating_add(1), now);
        } else if window.confirmed && earlier > SAME_WINDOW {
            // An answer from an old window, late: it says nothing about this one.
            return;
        } else {
            // Of several answers about one window the earliest end is closest to the truth, as delay only adds to it;
            // a guess gives way to the first answer.
            window.ends = if window.confirmed { window.ends.min(announced.ends) } else { announced.ends };
        }
        window.confirmed = true;
        window.allowed = announced.allowed;
        window.foreign = window.foreign.max(announced.count.saturating_sub(window.ours));
    }

    /// A little after `time`: clocks differ, seconds are rounded, and many clients should not all start in one instant.
    fn a_little_after(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let n = u32::try_from(time.timestamp_millis().rem_euclid(1 << 31)).unwrap_or_default();
        let jitter = draw(self.seed, n, A_LITTLE.as_millis());
        after(time, A_LITTLE + Duration::from_millis(u64::try_from(jitter).unwrap_or_default()))
    }
}

impl Window {
    /// Begins the next window when the clock says that this one is over.
    fn roll(&mut self, in_flight: u32, now: DateTime<Utc>) {
        if now >= after(self.ends, A_LITTLE) {
            // What is still in flight may be counted in either window, so it is counted in the new one too.
            self.renew(after(now, USUAL_WINDOW), in_flight, now);
            self.confirmed = false;
        }
    }

    fn renew(&mut self, ends: DateTime<Utc>, ours: u32, now: DateTime<Utc>) {
        *self = Self { ends, began: now, ours, foreign: 0, foreign_before: self.foreign, ..*self };
    }

    /// How many more of ours fit, with room left for as much foreign traffic as is to be expected.
    fn free(&self, now: DateTime<Utc>) -> u32 {
        let expected = self.foreign_before.max(self.foreign_by_the_end(now));
        let taken = self.ours.saturating_add(self.foreign.max(expected));
        self.allowed.saturating_sub(taken)
    }

    /// The foreign traffic of this window if it goes on as it began.
    fn foreign_by_the_end(&self, now: DateTime<Utc>) -> u32 {
        let elapsed = between(self.began, now).as_millis().max(1000);
        let whole = between(self.began, self.ends).as_millis().max(elapsed);
        u32::try_from(u128::from(self.foreign) * whole / elapsed)
            .unwrap_or(u32::MAX)
            .min(self.foreign.saturating_mul(4))
    }
}

fn hold(not_before: NotBefore, waiting: Waiting, evidence: Option<Evidence>) -> Result<(), Box<Hold>> {
    Err(Box::new(Hold { not_before, waiting, evidence }))
}

/// What the rate-limit headers of one answer say.
struct Announced {
    allowed: u32,
    count: u32,
    ends: DateTime<Utc>,
}

impl Announced {
    fn read(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let (allowed, count) = (number("inin-ratelimit-allowed")?, number("inin-ratelimit-count")?);
        // A quota of nothing or a window without end is no rate limit that one could keep.
        let reset = number("inin-ratelimit-reset").filter(|reset| *reset <= LONGEST_WINDOW && allowed > 0)?;
        Some(Self { allowed, count, ends: after(now, Duration::from_secs(reset.into())) })
    }
}

/// How long after the end of a window the next one is trusted to have begun.
const A_LITTLE: Duration = Duration::from_millis(250);
const SLOWEST: Duration = Duration::from_secs(10);
/// Ends of windows that differ by less are the same end: whole seconds, and the delay of the answer.
const SAME_WINDOW: Duration = Duration::from_secs(5);
/// The length of a window that no answer has confirmed yet; the published limits are by the minute.
const USUAL_WINDOW: Duration = Duration::from_secs(60);
const LONGEST_WINDOW: u32 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> DateTime<Utc> {
        after(DateTime::UNIX_EPOCH, Duration::from_secs_f64(seconds))
    }

    fn headers(allowed: u32, count: u32, reset: u32) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("inin-ratelimit-allowed", allowed.into());
        headers.insert("inin-ratelimit-count", count.into());
        headers.insert("inin-ratelimit-reset", reset.into());
        headers
    }

    fn ok(quota: &mut Quota, headers: &HeaderMap, now: f64) {
        assert!(quota.observe(StatusCode::OK, headers, Evidence::default, at(now)).is_none());
    }

    fn throttle(quota: &mut Quota, headers: &HeaderMap, now: f64) -> f64 {
        let not_before =
            quota.observe(StatusCode::TOO_MANY_REQUESTS, headers, Evidence::default, at(now)).unwrap();
        between(at(now), not_before.until).as_secs_f64()
    }

    fn retry_after(seconds: u32) -> HeaderMap {
        [(http::header::RETRY_AFTER, seconds.into())].into_iter().collect()
    }

    #[test]
    fn a_window_is_used_to_the_full_and_then_awaited() {
        let mut quota = Quota::new(Pacing::default(), 1);
        quota.admit(at(0.0)).unwrap();
        ok(&mut quota, &headers(10, 1, 60), 0.5);
        let sent = (0..20).filter(|_| quota.admit(at(1.0)).is_ok()).count();
        assert_eq!(sent, 9);
        let hold = quota.admit(at(1.0)).unwrap_err();
        let until = between(at(0.0), hold.not_before.until).as_secs_f64();
        assert!((60.5..=61.5).contains(&until) && hold.waiting == Waiting::Quota, "{until}");
        // The nine are still out: they may arrive in the new window, and are counted there too.
        let sent = (0..20).filter(|_| quota.admit(at(61.2)).is_ok()).count();
        assert_eq!(sent, 1);
    }

    #[test]
    fn out_of_order_answers_never_lower_what_is_used() {
        let mut quota = Quota::new(Pacing { unannounced: None }, 1);
        for _ in 0..4 {
            quota.admit(at(0.0)).unwrap();
        }
        ok(&mut quota, &headers(10, 4, 60), 0.1);
        ok(&mut quota, &headers(10, 2, 60), 0.2);
        let sent = (0..20).filter(|_| quota.admit(at(0.3)).is_ok()).count();
        assert_eq!(sent, 6);
    }

    #[test]
    fn a_strangers_requests_are_seen_and_reserved_for() {
        let mut quota = Quota::new(Pacing::default(), 1);
        quota.admit(at(0.0)).unwrap();
        ok(&mut quota, &headers(100, 11, 60), 0.0);
        let sent = (0..200).filter(|_| quota.admit(at(0.0)).is_ok()).count();
        assert!((50..=79).contains(&sent), "{sent}");
    }

    #[test]
    fn without_headers_requests_are_spaced() {
        let mut quota = Quota::new(Pacing::default(), 1);
        quota.admit(at(0.0)).unwrap();
        let hold = quota.admit(at(0.1)).unwrap_err();
        assert_eq!(hold.not_before.until, at(0.2));
        quota.admit(at(0.2)).unwrap();
        let mut free = Quota::new(Pacing { unannounced: None }, 1);
        assert!((0..1000).all(|_| free.admit(at(0.0)).is_ok()));
    }

    #[test]
    fn rule_7_a_429_parks_until_the_later_of_hint_and_window_and_a_little() {
        let mut quota = Quota::new(Pacing::default(), 1);
        quota.admit(at(0.0)).unwrap();
        let wait = throttle(&mut quota, &retry_after(42), 0.0);
        assert!((42.25..=42.5).contains(&wait), "{wait}");
        assert_eq!(quota.admit(at(10.0)).unwrap_err().waiting, Waiting::Throttled);
        quota.admit(at(43.0)).unwrap();

        let mut both = headers(10, 10, 50);
        both.extend(retry_after(3));
        let wait = throttle(&mut quota, &both, 43.0);
        assert!((50.25..=50.5).contains(&wait), "{wait}");
    }

    #[test]
    fn a_429_without_headers_backs_off_by_itself() {
        let mut quota = Quota::new(Pacing::default(), 1);
        let mut now = 0.0;
        for wait in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
            quota.admit(at(now)).unwrap();
            assert_eq!(throttle(&mut quota, &HeaderMap::new(), now), wait);
            now += wait;
        }
    }

    #[test]
    fn nonsense_in_headers_is_ignored() {
        let mut quota = Quota::new(Pacing { unannounced: None }, 1);
        for nonsense in [headers(0, 0, 0), headers(1, 1, u32::MAX)] {
            quota.admit(at(0.0)).unwrap();
            ok(&mut quota, &nonsense, 0.0);
            assert!(quota.window.is_none());
        }
    }
}
