//! The known state of the server's current window, and the expectation of other clients' requests.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::rate_limit_headers::RateLimitHeaders;
use crate::values::clock::{between, saturating_add};

/// The known state of the server's current window.
#[derive(Debug)]
pub(super) struct QuotaWindow {
    pub(super) allowed: u32,
    pub(super) began: DateTime<Utc>,
    /// The end of the window. It is never earlier than the server's end: at this time the next window has
    /// begun, or begins with the next request.
    pub(super) ends: DateTime<Utc>,
    /// The length of windows, as far as the server has shown it.
    pub(super) length: Duration,
    /// The number of our requests that may count in this window.
    pub(super) ours: u32,
    /// The number of other clients' requests that the server's counts prove.
    pub(super) others: u32,
    /// The part of `others` that preceded our first observation, and the time of that observation. When those
    /// requests came is unknown, so they say nothing about the rate of other clients.
    pub(super) others_at_first: u32,
    pub(super) first_seen: DateTime<Utc>,
    /// The number of other clients' requests in the window before, extrapolated to its end at their rate
    /// until the last response.
    pub(super) others_in_previous: u32,
    /// The time of the last response that left room in the window, and the likely number of other clients'
    /// requests then. Responses of a full window are left out: the server refuses further requests without
    /// counting them, so its count no longer shows a rate.
    pub(super) last_observation: Option<(DateTime<Utc>, u32)>,
    /// The largest burst of other clients' requests above their expected rate, in this window and in the one
    /// before.
    pub(super) max_burst: u32,
    pub(super) previous_max_burst: u32,
    /// True if a response has confirmed this window. A window that began by the clock alone is a guess.
    pub(super) confirmed: bool,
    /// True if the server itself sent a successful response without the headers in this window.
    pub(super) headers_missing: bool,
}

impl QuotaWindow {
    /// Builds a window from the first response that describes it. `ours` of the requests counted may be our
    /// own.
    pub(super) fn from_first_answer(announced: &RateLimitHeaders, ours: u32, now: DateTime<Utc>) -> Self {
        let others = announced.used.saturating_sub(ours);
        Self {
            allowed: announced.allowed,
            began: now,
            ends: announced.ends,
            length: announced.remaining_time.max(DEFAULT_WINDOW),
            ours,
            others,
            others_at_first: others,
            first_seen: now,
            others_in_previous: 0,
            last_observation: Some((now, others)),
            max_burst: 0,
            previous_max_burst: 0,
            confirmed: true,
            headers_missing: false,
        }
    }

    pub(super) fn times_mut(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        let Self { began, ends, first_seen, last_observation, .. } = self;
        [began, ends, first_seen].into_iter().chain(last_observation.as_mut().map(|(time, _)| time))
    }

    /// Starts the next window once the clock says that this one is over. No response has confirmed the new
    /// window yet.
    pub(super) fn roll_over(&mut self, late: u32, now: DateTime<Utc>) {
        if now < saturating_add(self.ends, WINDOW_MARGIN) {
            return;
        }
        // A request that was sent shortly before the end may have arrived after it, so it counts in the new
        // window too. The server starts a window with a request and not with the end of the last one: a full
        // length from now is the latest end possible.
        self.start_next(saturating_add(now, DEFAULT_WINDOW), late, now);
        self.confirmed = false;
    }

    /// Returns true if the window stayed unconfirmed to its end although the server did respond. The server
    /// no longer announces a quota, or a gateway's headers were taken for the server's; the session then goes
    /// back to spacing.
    pub(super) fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        now >= saturating_add(self.ends, WINDOW_MARGIN) && !self.confirmed && self.headers_missing
    }

    /// Replaces this window by the next one, which ends at `ends` and counts `ours` requests of ours.
    pub(super) fn start_next(&mut self, ends: DateTime<Utc>, ours: u32, now: DateTime<Utc>) {
        // A client that was not seen in this window may come back once there is room, so its former number is
        // halved in each window instead of dropped at once.
        let by_rate = self.expected_by_rate(between(self.began, self.ends), self.ends);
        let others_before = by_rate.max(self.others_in_previous / 2);
        let burst_before = self.max_burst.max(self.previous_max_burst / 2);
        *self = Self {
            began: now,
            ends,
            ours,
            others: 0,
            others_at_first: 0,
            first_seen: now,
            others_in_previous: others_before,
            last_observation: None,
            max_burst: 0,
            previous_max_burst: burst_before,
            headers_missing: false,
            ..*self
        };
    }

    /// Records the server's count. Other clients have sent at least the count above all our requests, and
    /// likely the count above those of ours that are not `on_their_way`.
    pub(super) fn record_count(&mut self, count: u32, on_their_way: u32, now: DateTime<Utc>) {
        let others = count.saturating_sub(self.ours);
        let likely = count.saturating_sub(self.ours.saturating_sub(on_their_way));
        // Growth above the expected rate is a burst, from the second observation on: the first one has
        // nothing to compare with.
        if self.last_observation.is_some() {
            let expected = self.others.saturating_add(self.expected_others(OBSERVATION_LAG, now));
            self.max_burst = self.max_burst.max(others.saturating_sub(expected));
        }
        // Only the proven number enters the count; the likely number is good enough for a rate.
        self.others = self.others.max(others);
        if self.remaining() > 0 {
            self.last_observation = Some((now, self.others.max(likely)));
        }
    }

    /// Returns the number of requests that the server still allows in this window.
    pub(super) fn remaining(&self) -> u32 {
        self.allowed.saturating_sub(self.ours.saturating_add(self.others))
    }

    /// Returns the number of requests to keep free for other clients: as many as they will probably send
    /// until the end of the window. Towards the end it does not fall below the number that may have arrived
    /// unseen before a request of ours does, because that request would get the 429.
    pub(super) fn reserved_for_others(&self, now: DateTime<Utc>) -> u32 {
        let unseen = self.expected_others(OBSERVATION_LAG, now);
        // Requests do not arrive evenly: at times twice the usual number arrives, or a burst as large as the
        // largest so far. The reserve for bursts is at most a quarter of the quota, so that this session gets
        // a share next to many other clients.
        let crowd = self.max_burst.max(self.previous_max_burst).min(self.allowed / 4);
        let until_the_end = self.expected_others(between(now, self.ends), now);
        until_the_end.max(unseen.saturating_add(unseen.max(crowd)))
    }

    /// Returns the number of other clients' requests expected within `time`, at the rate of this window or of
    /// the one before, whichever is higher.
    fn expected_others(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let whole = between(self.began, self.ends).as_millis().max(1);
        let by_the_last = u128::from(self.others_in_previous) * time.as_millis() / whole;
        self.expected_by_rate(time, now).max(u32::try_from(by_the_last).unwrap_or(u32::MAX))
    }

    /// Returns the number expected within `time` at the rate of this window alone, up to its last
    /// observation. The time since then is not taken for a pause. The rate is taken over at least 20 s where
    /// so much time has passed: a shorter sample gives no usable rate.
    fn expected_by_rate(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let (observed_at, others) = self.last_observation.unwrap_or((self.first_seen, self.others_at_first));
        let rise = others.saturating_sub(self.others_at_first);
        let sample = between(self.first_seen, observed_at)
            .max(between(self.first_seen, now).min(MIN_OBSERVATION))
            .as_millis()
            .max(1000);
        u32::try_from(u128::from(rise) * time.as_millis() / sample).unwrap_or(u32::MAX)
    }

    /// Returns the number of other clients' requests since our first observation.
    pub(super) fn observed_others(&self) -> u32 {
        self.others.saturating_sub(self.others_at_first)
    }
}

/// The time after the end of a window at which the next one is assumed to have begun.
pub(super) const WINDOW_MARGIN: Duration = Duration::from_millis(250);
/// The time from an observation of other clients to the moment when the server counts our next request: one
/// recheck interval and the way to the server.
const OBSERVATION_LAG: Duration = Duration::from_secs(2);
/// The shortest time over which the rate of other clients is computed.
const MIN_OBSERVATION: Duration = Duration::from_secs(20);
/// The length of a window that no response has confirmed yet. The published limits are per minute.
pub(super) const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
