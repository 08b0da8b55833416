//! The quota of a token: the number of requests that the rate limit still allows, learned from responses.
//!
//! The server counts requests in windows. Three headers of each response give the number allowed, the number
//! counted and the seconds until the window ends. A request of ours counts from the moment it is sent. A
//! server count above our own sends is traffic of other clients, and the quota keeps requests free for as
//! many more as their rate lets expect. Without the headers, requests are spaced: 5 a second, half of that
//! after a 429, then slowly faster again.

mod rate_limit_headers;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use self::rate_limit_headers::RateLimitHeaders;
use self::window::{DEFAULT_WINDOW, QuotaWindow, WINDOW_MARGIN};
use crate::error::ErrorContext;
use crate::machine::jitter::draw;
use crate::machine::progress::WaitReason;
use crate::machine::retry_after::throttle_backoff;
use crate::machine::{Hold, NotBefore};
use crate::values::clock::{between, saturating_add, saturating_sub};

/// The spacing of a session's requests while the server sends no rate-limit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// The shortest time between two requests; `None` for no spacing. The default is 200 ms.
    pub min_interval: Option<Duration>,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { min_interval: Some(Duration::from_millis(200)) }
    }
}

/// The rate at which requests can be sent, as far as it is known; see
/// [`Session::throughput`](crate::Session::throughput).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Throughput {
    /// A number of requests in each quota window.
    Window {
        /// The number of requests in each window that this session can use, after those of other clients.
        usable_per_window: u32,
        /// The number of requests that can still be sent in the current window.
        remaining: u32,
        /// The end of the current window, or of the wait after a 429 if that is later.
        ends_at: DateTime<Utc>,
        /// The length of each window.
        length: Duration,
    },
    /// One request in each interval of this length, because the server announces no quota.
    Spaced(Duration),
    /// No limit: the server announces no quota and spacing is off.
    Unlimited,
}

/// The number of an admitted request. Its response is reported to the quota under this number.
pub(crate) type Ticket = u64;

/// The quota of a session; see the [module's text](self).
#[derive(Debug)]
pub(crate) struct Quota {
    pacing: Pacing,
    seed: u64,
    /// The current window; `None` while no response with rate-limit headers is known.
    window: Option<QuotaWindow>,
    /// The earliest time of the next request after a 429, with the context of that response.
    throttled_until: Option<(NotBefore, ErrorContext)>,
    /// The number of 429s in a row. Each burst counts once.
    throttle_count: u32,
    /// The number of the next ticket, the first ticket that was issued under the current token, and the time
    /// of that token. Responses to earlier tickets describe the windows of an older token.
    next_ticket: Ticket,
    first_ticket_of_token: Ticket,
    token_since: DateTime<Utc>,
    /// The send times of the requests in flight.
    in_flight: BTreeMap<Ticket, DateTime<Utc>>,
    /// The shortest time from a request to its response so far.
    min_round_trip: Duration,
    /// The send times of requests of the last minute that got no response. The server may have counted them.
    unanswered: VecDeque<DateTime<Utc>>,
    /// The current spacing and the earliest time of the next request; both apply only without rate-limit
    /// headers.
    spacing: Duration,
    next_send_at: Option<DateTime<Utc>>,
}

impl Quota {
    /// Builds the quota of a session that has sent nothing yet. `seed` determines the jitter.
    pub(crate) fn new(pacing: Pacing, seed: u64) -> Self {
        Self {
            pacing,
            seed,
            window: None,
            throttled_until: None,
            throttle_count: 0,
            next_ticket: 0,
            first_ticket_of_token: 0,
            token_since: DateTime::<Utc>::MIN_UTC,
            in_flight: BTreeMap::new(),
            min_round_trip: Duration::MAX,
            unanswered: VecDeque::new(),
            spacing: pacing.min_interval.unwrap_or_default(),
            next_send_at: None,
        }
    }

    /// Admits a request at `now` and counts it, or returns the time that it has to wait for and the reason.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> Result<Ticket, Box<Hold>> {
        // A 429 overrides every count: the server has just refused a request that our count would have
        // admitted.
        if let Some((not_before, context)) = &self.throttled_until {
            if not_before.until > now {
                return hold_until(*not_before, WaitReason::Throttled, Some(context.clone()));
            }
            self.throttled_until = None;
        }
        self.window.take_if(|window| window.has_lapsed(now));
        if let Some(window) = &mut self.window {
            // The window may end earlier or later than estimated, so requests that were sent shortly before the
            // estimated end may count in the next window.
            let late = possibly_uncounted(
                &self.in_flight,
                &self.unanswered,
                saturating_sub(window.ends, WINDOW_END_TOLERANCE),
            );
            window.roll_over(late, now);
            let (free, reserve, ends) = (window.remaining(), window.reserved_for_others(now), window.ends);
            if free > reserve {
                window.ours += 1;
            } else if free == 0 {
                let not_before = NotBefore { until: self.with_margin(ends), server_time: Some(ends) };
                return hold_until(not_before, WaitReason::QuotaExhausted, None);
            } else {
                // Other clients will probably need the rest. The reserve shrinks towards the end of the
                // window, so the quota checks again every second instead of waiting for the next window.
                let until = saturating_add(now, RECHECK_INTERVAL).min(self.with_margin(ends));
                return hold_until(NotBefore { until, server_time: None }, WaitReason::QuotaExhausted, None);
            }
        } else {
            if let Some(next) = self.next_send_at.filter(|next| *next > now) {
                return hold_until(NotBefore { until: next, server_time: None }, WaitReason::Spacing, None);
            }
            self.next_send_at = self.pacing.min_interval.map(|_| saturating_add(now, self.spacing));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.in_flight.insert(ticket, now);
        Ok(ticket)
    }

    /// Returns the rate at which requests can be sent, as far as it is known at `now`.
    pub(crate) fn throughput(&self, now: DateTime<Utc>) -> Throughput {
        let throttled = self
            .throttled_until
            .as_ref()
            .map(|(not_before, _)| not_before.until)
            .filter(|until| *until > now);
        match (&self.window, self.pacing.min_interval) {
            (Some(window), _) => {
                let free = window.remaining().saturating_sub(window.reserved_for_others(now));
                Throughput::Window {
                    usable_per_window: window
                        .allowed
                        .saturating_sub(window.observed_others().max(window.others_in_previous)),
                    remaining: if throttled.is_some() { 0 } else { free },
                    ends_at: throttled.map_or(window.ends, |throttled| throttled.max(window.ends)).max(now),
                    length: window.length,
                }
            }
            (None, Some(_)) => Throughput::Spaced(self.spacing),
            (None, None) => Throughput::Unlimited,
        }
    }

    /// Records a new token. The server counts each token in windows of its own, so the first response to a
    /// request with the new token tells the end of the window. The old counts stay until then, in case the
    /// server does not count anew.
    pub(crate) fn on_new_token(&mut self, now: DateTime<Utc>) {
        (self.first_ticket_of_token, self.token_since) = (self.next_ticket, now);
        self.unconfirm_window();
    }

    /// Marks the window as a guess, because it was learned under an older token.
    fn unconfirm_window(&mut self) {
        if let Some(window) = &mut self.window {
            (window.began, window.confirmed, window.headers_missing) = (self.token_since, false, false);
        }
    }

    /// Moves all remembered times back by `by`, because the clock was set back.
    pub(crate) fn shift_back(&mut self, by: Duration) {
        let Self {
            window,
            throttled_until: throttled,
            token_since: renewed,
            in_flight,
            unanswered,
            next_send_at: next,
            ..
        } = self;
        let of_window = window.iter_mut().flat_map(QuotaWindow::times_mut);
        let of_park = throttled.iter_mut().flat_map(|(not_before, _)| not_before.times_mut());
        let sent = in_flight.values_mut().chain(unanswered);
        for time in of_window.chain(of_park).chain(sent).chain(next).chain([renewed]) {
            *time = saturating_sub(*time, by);
        }
    }

    /// Forgets an admitted request whose caller was dropped. No response will be reported for it.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.in_flight.remove(&ticket);
    }

    /// Records that an admitted request got no response. The server may have counted it all the same.
    pub(crate) fn mark_unanswered(&mut self, ticket: Ticket, now: DateTime<Utc>) {
        let Some(sent) = self.in_flight.remove(&ticket) else { return };
        if let Some(window) = self.window.as_mut().filter(|window| !window.confirmed) {
            // The request may have started the server's window at any time until now, so that window may last
            // a full length from now.
            window.ends = window.ends.max(saturating_add(now, DEFAULT_WINDOW));
        }
        while self.unanswered.front().is_some_and(|first| *first < saturating_sub(sent, DEFAULT_WINDOW)) {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(sent);
    }

    /// Learns from the response to an admitted request. After a 429, returns the earliest time of the next
    /// request.
    pub(crate) fn on_response(
        &mut self,
        ticket: Ticket,
        status: StatusCode,
        headers: &HeaderMap,
        retry_after: Option<DateTime<Utc>>,
        context: impl FnOnce() -> ErrorContext,
        now: DateTime<Utc>,
    ) -> Option<NotBefore> {
        let sent = self.in_flight.remove(&ticket).unwrap_or(now);
        self.min_round_trip = self.min_round_trip.min(between(sent, now));
        let length = self.window.as_ref().map_or(DEFAULT_WINDOW, |window| window.length);
        let announced = RateLimitHeaders::parse(headers, length, now);
        match (&announced, &mut self.window) {
            // The response describes a window of an older token. It is used only while no other window is
            // known: it gives the number allowed, but its end stays a guess.
            (Some(announced), None) if ticket < self.first_ticket_of_token => {
                self.update_window(announced, sent, now);
                self.unconfirm_window();
            }
            _ if ticket < self.first_ticket_of_token => {}
            (Some(announced), _) => self.update_window(announced, sent, now),
            // The correlation id shows that the API itself responded, and not a gateway on the way.
            (None, Some(window)) => {
                window.headers_missing |= status.is_success() && headers.contains_key("inin-correlation-id");
            }
            (None, None) => {}
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            self.throttle_count = 0;
            if let Some(fastest) = self.pacing.min_interval {
                // Requests speed up slowly (2 % for each response) and slow down fast (half the
                // rate for each 429).
                self.spacing = (self.spacing * 49 / 50).max(fastest);
            }
            return None;
        }
        // Requests that were in flight when the wait began get a 429 as well. Such a burst is one event: if
        // each 429 counted, ten at once would take the spacing to its maximum.
        let known = self.throttled_until.as_ref().is_some_and(|(throttled, _)| throttled.until > now);
        let named = retry_after.max(announced.map(|a| a.ends));
        let window = self.window.as_ref().filter(|w| w.confirmed && w.ends > now).map(|w| w.ends);
        // If this 429 names no time, the window's end is not used either: by the window's count there was
        // room, so the server has refused the request for another reason.
        let asked = named.map(|named| window.map_or(named, |ends| ends.max(named)));
        let until = match asked {
            Some(asked) => self.with_margin(asked.max(saturating_add(now, Duration::from_secs(1)))),
            None if known => now,
            None => saturating_add(now, throttle_backoff(self.throttle_count)),
        };
        if !known {
            self.throttle_count = self.throttle_count.saturating_add(1);
            self.spacing = (self.spacing * 2).clamp(Duration::from_millis(100), MAX_SPACING);
        }
        match &mut self.throttled_until {
            Some((throttled, _)) if throttled.until >= until => {}
            throttled => *throttled = Some((NotBefore { until, server_time: asked }, context())),
        }
        self.throttled_until.as_ref().map(|(not_before, _)| *not_before)
    }

    /// Updates the window from the rate-limit headers of a response whose request was sent at `sent`.
    fn update_window(&mut self, announced: &RateLimitHeaders, sent: DateTime<Utc>, now: DateTime<Utc>) {
        // All requests that a first response counts are taken for ours (up to the number ever sent), and so
        // are those in flight and those without a response, which the server may still count. The reserve for
        // other clients then starts from observed growth and not from our own traffic.
        let later =
            possibly_uncounted(&self.in_flight, &self.unanswered, saturating_sub(now, DEFAULT_WINDOW));
        let all = u32::try_from(self.next_ticket).unwrap_or(u32::MAX);
        let ours = all.min(announced.used.saturating_add(later));
        let Some(window) = &mut self.window else {
            self.window = Some(QuotaWindow::from_first_answer(announced, ours, now));
            return;
        };
        let late = possibly_uncounted(
            &self.in_flight,
            &self.unanswered,
            saturating_sub(window.ends, WINDOW_END_TOLERANCE),
        );
        window.roll_over(late, now);
        // The end of the window if the response had been made when its request was sent. A slow response must
        // not make a new window out of the old one.
        let earliest_end = saturating_sub(announced.ends, between(sent, now));
        if sent < window.began {
            // The request was sent in the window before, and its response may describe that window. It is
            // used only if the current window is a guess and the window described certainly still lasts.
            if !window.confirmed && between(now, earliest_end) > WINDOW_END_TOLERANCE {
                let others_before = window.others_in_previous;
                *window = QuotaWindow {
                    others_in_previous: others_before,
                    ..QuotaWindow::from_first_answer(announced, ours, now)
                };
            }
            return;
        }
        // Only a response at the beginning of a window shows the full length, so the longest remaining time
        // is kept.
        let known_length = if window.confirmed { window.length } else { DEFAULT_WINDOW };
        window.length = known_length.max(announced.remaining_time);
        if window.confirmed && between(window.ends, earliest_end) > WINDOW_END_TOLERANCE {
            // The server has started a new window earlier than estimated. It counts this request and those
            // that may be late.
            window.start_next(announced.ends, late.saturating_add(1), now);
        } else if window.confirmed {
            // Delay can only move the announced end later, so the earliest end of several responses is the
            // most exact.
            window.ends = window.ends.min(announced.ends);
        } else {
            window.ends = announced.ends;
        }
        window.confirmed = true;
        window.allowed = announced.allowed;
        // A request cannot arrive faster than the shortest round trip. The server has hardly counted requests
        // that were sent more recently than that.
        let on_their_way = self
            .in_flight
            .values()
            .rev()
            .take_while(|sent| **sent > saturating_sub(now, self.min_round_trip))
            .count();
        let on_their_way = u32::try_from(on_their_way).unwrap_or(u32::MAX);
        window.record_count(announced.used, on_their_way, now);
    }

    /// Returns a time shortly after `time`. Clocks differ and seconds are rounded; the jitter keeps many
    /// clients from starting at the same instant.
    fn with_margin(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let n = u32::try_from(time.timestamp_millis().rem_euclid(1 << 31)).unwrap_or_default();
        let jitter = draw(self.seed, n, WINDOW_MARGIN.as_millis());
        saturating_add(time, WINDOW_MARGIN + Duration::from_millis(u64::try_from(jitter).unwrap_or_default()))
    }
}

/// Returns the number of requests, sent at `since` or later, that the server may have counted and that no
/// response covers.
fn possibly_uncounted(
    in_flight: &BTreeMap<Ticket, DateTime<Utc>>,
    unanswered: &VecDeque<DateTime<Utc>>,
    since: DateTime<Utc>,
) -> u32 {
    let n = in_flight.values().chain(unanswered).filter(|sent| **sent >= since).count();
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Returns a refusal until `not_before`.
fn hold_until(
    not_before: NotBefore,
    wait_reason: WaitReason,
    context: Option<ErrorContext>,
) -> Result<Ticket, Box<Hold>> {
    Err(Box::new(Hold { not_before, wait_reason, context }))
}

/// The time until the next check for requests that other clients have left unused.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The longest spacing, which many 429s in a row lead to.
const MAX_SPACING: Duration = Duration::from_secs(10);
/// The largest difference between two announced ends of one window: whole seconds, and the delay of the
/// response.
const WINDOW_END_TOLERANCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
