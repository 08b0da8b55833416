//! The quota of a token: what the rate limit still allows, learned from the answers.
//!
//! The server counts requests in windows and says in three headers how many are allowed, how many it has counted and when
//! the window ends. Ours count when they are sent; a count beyond our own sends is somebody else's traffic, and as much
//! again is left free for it. Without the headers requests are spaced: 5 a second, halved at a 429, creeping up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use crate::error::ErrorContext;
use crate::machine::jitter::draw;
use crate::machine::progress::WaitReason;
use crate::machine::retry_after::throttle_backoff;
use crate::machine::{Hold, NotBefore};
use crate::values::clock::{between, saturating_add, saturating_sub};

/// How a session spaces requests while the server sends no rate-limit headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// The shortest time between two requests, `None` for no spacing. 200 ms.
    pub min_interval: Option<Duration>,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { min_interval: Some(Duration::from_millis(200)) }
    }
}

/// How fast requests can go out, as far as the server has said; see [`Session::throughput`](crate::Session::throughput).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Throughput {
    /// So many a window.
    Window {
        /// How many of each window are ours, as others take the rest.
        usable_per_window: u32,
        /// How many can go out before the end of the present one.
        remaining: u32,
        /// When that ends.
        ends_at: DateTime<Utc>,
        /// How long each is.
        length: Duration,
    },
    /// One in so much time, as the server announces no quota.
    Spaced(Duration),
    /// As fast as they are answered.
    Unlimited,
}

/// The number of a request that was let out, to come back with its answer.
pub(crate) type Ticket = u64;

#[derive(Debug)]
pub(crate) struct Quota {
    pacing: Pacing,
    seed: u64,
    window: Option<QuotaWindow>,
    /// After a 429: nothing before this, and what the server said.
    throttled_until: Option<(NotBefore, ErrorContext)>,
    /// 429s in a row, each burst of them counted once.
    throttle_count: u32,
    /// The number of the next ticket, and of the first that went out with the present token, which there is since then.
    next_ticket: Ticket,
    first_ticket_of_token: Ticket,
    token_since: DateTime<Utc>,
    /// When the requests that are not yet answered were sent.
    in_flight: BTreeMap<Ticket, DateTime<Utc>>,
    /// How long the fastest answer took.
    min_round_trip: Duration,
    /// And of those of the last minute that never will be, though the server may have counted them.
    unanswered: VecDeque<DateTime<Utc>>,
    /// Without headers: the present spacing, and when the next request may go.
    spacing: Duration,
    next_send_at: Option<DateTime<Utc>>,
}

/// What is known of the present window of the server's.
#[derive(Debug)]
struct QuotaWindow {
    allowed: u32,
    began: DateTime<Utc>,
    /// Not before it is over: by then the next one has begun, or begins with the next request.
    ends: DateTime<Utc>,
    /// How long windows are, as far as the server has shown.
    length: Duration,
    /// Requests of ours that can count in this window.
    ours: u32,
    /// Requests of others, as far as the server's count shows them.
    others: u32,
    /// How many of those were there before we were, and when we first looked: they say nothing of what is to come.
    others_at_first: u32,
    first_seen: DateTime<Utc>,
    /// How many requests others sent in the window before, or would have by its end at their pace until the last answer.
    others_in_previous: u32,
    /// When an answer last told how many others had likely sent, with room for more, and how many. Where there is no room, they are
    /// refused and not counted, and nothing can be told of their pace.
    last_observation: Option<(DateTime<Utc>, u32)>,
    /// By how many that rose at once beyond the pace of others, at most, in this window and in the one before.
    max_burst: u32,
    previous_max_burst: u32,
    /// Whether an answer has confirmed this window; one that was begun by the clock alone is a guess.
    confirmed: bool,
    /// Whether a good answer of the server's own came in this window without the headers.
    headers_missing: bool,
}

impl Quota {
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

    /// Lets a request out at `now` and counts it, or says how long it has to wait.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> Result<Ticket, Box<Hold>> {
        if let Some((not_before, evidence)) = &self.throttled_until {
            if not_before.until > now {
                return hold_until(*not_before, WaitReason::Throttled, Some(evidence.clone()));
            }
            self.throttled_until = None;
        }
        self.window.take_if(|window| window.has_lapsed(now));
        if let Some(window) = &mut self.window {
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
                // What is left is likely to be wanted by others. The fewer seconds are left, the less that is.
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

    /// How fast requests can go out, as far as is known at `now`.
    pub(crate) fn throughput(&self, now: DateTime<Utc>) -> Throughput {
        let parked = self
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
                    remaining: if parked.is_some() { 0 } else { free },
                    ends_at: parked.map_or(window.ends, |parked| parked.max(window.ends)).max(now),
                    length: window.length,
                }
            }
            (None, Some(_)) => Throughput::Spaced(self.spacing),
            (None, None) => Throughput::Unlimited,
        }
    }

    /// There is a new token, which the server counts in windows of its own: the first answer with it tells their end. That
    /// it counts anew is not taken for granted.
    pub(crate) fn on_new_token(&mut self, now: DateTime<Utc>) {
        (self.first_ticket_of_token, self.token_since) = (self.next_ticket, now);
        self.unconfirm_window();
    }

    /// What is known of the window becomes a guess, as it was learned with a token before.
    fn unconfirm_window(&mut self) {
        if let Some(window) = &mut self.window {
            (window.began, window.confirmed, window.headers_missing) = (self.token_since, false, false);
        }
    }

    /// The clock was set back: what is remembered by it moves with it.
    pub(crate) fn shift_back(&mut self, by: Duration) {
        let Self {
            window,
            throttled_until: parked,
            token_since: renewed,
            in_flight,
            unanswered: lost,
            next_send_at: next,
            ..
        } = self;
        let of_window = window.iter_mut().flat_map(QuotaWindow::times_mut);
        let of_park = parked.iter_mut().flat_map(|(not_before, _)| not_before.times_mut());
        let sent = in_flight.values_mut().chain(lost);
        for time in of_window.chain(of_park).chain(sent).chain(next).chain([renewed]) {
            *time = saturating_sub(*time, by);
        }
    }

    /// A request that was let out was taken back: nobody waits for it any more.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.in_flight.remove(&ticket);
    }

    /// A request that was let out has had no answer, though the server may have counted it.
    pub(crate) fn mark_unanswered(&mut self, ticket: Ticket, now: DateTime<Utc>) {
        let Some(sent) = self.in_flight.remove(&ticket) else { return };
        if let Some(window) = self.window.as_mut().filter(|window| !window.confirmed) {
            // It may have begun the server's window, and that any time until now.
            window.ends = window.ends.max(saturating_add(now, DEFAULT_WINDOW));
        }
        while self.unanswered.front().is_some_and(|first| *first < saturating_sub(sent, DEFAULT_WINDOW)) {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(sent);
    }

    /// Learns from the answer to a request that was let out. After a 429, when the next may go.
    pub(crate) fn on_response(
        &mut self,
        ticket: Ticket,
        status: StatusCode,
        headers: &HeaderMap,
        retry_after: Option<DateTime<Utc>>,
        evidence: impl FnOnce() -> ErrorContext,
        now: DateTime<Utc>,
    ) -> Option<NotBefore> {
        let sent = self.in_flight.remove(&ticket).unwrap_or(now);
        self.min_round_trip = self.min_round_trip.min(between(sent, now));
        let length = self.window.as_ref().map_or(DEFAULT_WINDOW, |window| window.length);
        let announced = RateLimitHeaders::parse(headers, length, now);
        match (&announced, &mut self.window) {
            // It speaks of the windows of a token before: as if it had come while there was no other.
            (Some(announced), None) if ticket < self.first_ticket_of_token => {
                self.update_window(announced, sent, now);
                self.unconfirm_window();
            }
            _ if ticket < self.first_ticket_of_token => {}
            (Some(announced), _) => self.update_window(announced, sent, now),
            // The server's own answer, and no page of a gateway's.
            (None, Some(window)) => {
                window.headers_missing |= status.is_success() && headers.contains_key("inin-correlation-id");
            }
            (None, None) => {}
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            self.throttle_count = 0;
            if let Some(fastest) = self.pacing.min_interval {
                self.spacing = (self.spacing * 49 / 50).max(fastest);
            }
            return None;
        }
        // What was sent before the park says the same once more: a burst is one event, not many.
        let known = self.throttled_until.as_ref().is_some_and(|(parked, _)| parked.until > now);
        let named = retry_after.max(announced.map(|a| a.ends));
        let window = self.window.as_ref().filter(|w| w.confirmed && w.ends > now).map(|w| w.ends);
        // Without a word of the server's on this 429, the window says nothing either: by its count there was room.
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
            Some((parked, _)) if parked.until >= until => {}
            parked => *parked = Some((NotBefore { until, server_time: asked }, evidence())),
        }
        self.throttled_until.as_ref().map(|(not_before, _)| *not_before)
    }

    /// Learns from what an answer says of the window. `sent` is when its request went out.
    fn update_window(&mut self, announced: &RateLimitHeaders, sent: DateTime<Utc>, now: DateTime<Utc>) {
        // Beside what a first answer counts, whatever is out or was lost may be counted yet.
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
        // The end as if the answer had been made when its request was sent: its delay makes no new window of the old one.
        let earliest_end = saturating_sub(announced.ends, between(sent, now));
        if sent < window.began {
            // It may be of the window before, and says nothing certain of this one; unless that is only guessed, and the
            // window that it speaks of goes on for certain.
            if !window.confirmed && between(now, earliest_end) > WINDOW_END_TOLERANCE {
                let foreign_before = window.others_in_previous;
                *window = QuotaWindow {
                    others_in_previous: foreign_before,
                    ..QuotaWindow::from_first_answer(announced, ours, now)
                };
            }
            return;
        }
        // Nowhere but at its beginning does a window say how long it is.
        let seen_in_this = if window.confirmed { window.length } else { DEFAULT_WINDOW };
        window.length = seen_in_this.max(announced.remaining_time);
        if window.confirmed && between(window.ends, earliest_end) > WINDOW_END_TOLERANCE {
            // A new window, before we thought that the old one was over.
            window.start_next(announced.ends, late.saturating_add(1), now);
        } else if window.confirmed {
            // Of several answers about one window the earliest end is closest to the truth, as delay only adds to it.
            window.ends = window.ends.min(announced.ends);
        } else {
            window.ends = announced.ends;
        }
        window.confirmed = true;
        window.allowed = announced.allowed;
        // What went out less than the shortest way to the server and back ago is hardly in its count.
        let on_their_way = self
            .in_flight
            .values()
            .rev()
            .take_while(|sent| **sent > saturating_sub(now, self.min_round_trip))
            .count();
        let on_their_way = u32::try_from(on_their_way).unwrap_or(u32::MAX);
        window.record_count(announced.used, on_their_way, now);
    }

    /// A little after `time`: clocks differ, seconds are rounded, and many clients should not all start in one instant.
    fn with_margin(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let n = u32::try_from(time.timestamp_millis().rem_euclid(1 << 31)).unwrap_or_default();
        let jitter = draw(self.seed, n, WINDOW_MARGIN.as_millis());
        saturating_add(time, WINDOW_MARGIN + Duration::from_millis(u64::try_from(jitter).unwrap_or_default()))
    }
}

impl QuotaWindow {
    /// The window of which `announced` is the first word, in which `ours` may be requests of ours.
    fn from_first_answer(announced: &RateLimitHeaders, ours: u32, now: DateTime<Utc>) -> Self {
        let foreign = announced.used.saturating_sub(ours);
        Self {
            allowed: announced.allowed,
            began: now,
            ends: announced.ends,
            length: announced.remaining_time.max(DEFAULT_WINDOW),
            ours,
            others: foreign,
            others_at_first: foreign,
            first_seen: now,
            others_in_previous: 0,
            last_observation: Some((now, foreign)),
            max_burst: 0,
            previous_max_burst: 0,
            confirmed: true,
            headers_missing: false,
        }
    }

    fn times_mut(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        let Self { began, ends, first_seen: looked, last_observation: told, .. } = self;
        [began, ends, looked].into_iter().chain(told.as_mut().map(|(time, _)| time))
    }

    /// Begins the next window when the clock says that this one is over.
    fn roll_over(&mut self, late: u32, now: DateTime<Utc>) {
        if now < saturating_add(self.ends, WINDOW_MARGIN) {
            return;
        }
        // What was sent shortly before the end may have arrived after it, and counts in the new window too.
        self.start_next(saturating_add(now, DEFAULT_WINDOW), late, now);
        self.confirmed = false;
    }

    /// Whether it was a guess to its end, though there were answers that could have told: the server announces no quota
    /// any more, and what it once said (or a gateway did) is not kept for ever.
    fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        now >= saturating_add(self.ends, WINDOW_MARGIN) && !self.confirmed && self.headers_missing
    }

    fn start_next(&mut self, ends: DateTime<Utc>, ours: u32, now: DateTime<Utc>) {
        // Who was not seen in a window may only have come after we had used it up, and is forgotten by halves.
        let by_pace = self.expected_by_rate(between(self.began, self.ends), self.ends);
        let foreign_before = by_pace.max(self.others_in_previous / 2);
        let leap_before = self.max_burst.max(self.previous_max_burst / 2);
        *self = Self {
            began: now,
            ends,
            ours,
            others: 0,
            others_at_first: 0,
            first_seen: now,
            others_in_previous: foreign_before,
            last_observation: None,
            max_burst: 0,
            previous_max_burst: leap_before,
            headers_missing: false,
            ..*self
        };
    }

    /// Takes in what an answer counts. Others have sent at least what is beyond all of ours, and likely what is beyond those of
    /// ours that are not `on_their_way`.
    fn record_count(&mut self, count: u32, on_their_way: u32, now: DateTime<Utc>) {
        let foreign = count.saturating_sub(self.ours);
        let likely = count.saturating_sub(self.ours.saturating_sub(on_their_way));
        if self.last_observation.is_some() {
            let expected = self.others.saturating_add(self.expected_others(OBSERVATION_LAG, now));
            self.max_burst = self.max_burst.max(foreign.saturating_sub(expected));
        }
        self.others = self.others.max(foreign);
        if self.remaining() > 0 {
            self.last_observation = Some((now, self.others.max(likely)));
        }
    }

    /// How many requests the server would still allow.
    fn remaining(&self) -> u32 {
        self.allowed.saturating_sub(self.ours.saturating_add(self.others))
    }

    /// How many requests to leave to others: as many as are to be expected of them until the end, and at the end still as many
    /// as may have come unseen when a request of ours arrives, as that would be the one that is refused.
    fn reserved_for_others(&self, now: DateTime<Utc>) -> u32 {
        let unseen = self.expected_others(OBSERVATION_LAG, now);
        // Nobody comes evenly: now and then twice as many come as usual, or as many at once as have come before. Who shares a
        // quota with a crowd has his part in it all the same.
        let crowd = self.max_burst.max(self.previous_max_burst).min(self.allowed / 4);
        let until_the_end = self.expected_others(between(now, self.ends), now);
        until_the_end.max(unseen.saturating_add(unseen.max(crowd)))
    }

    /// How many requests of others are to be expected in so much time, by the pace of this window and of the one before.
    fn expected_others(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let whole = between(self.began, self.ends).as_millis().max(1);
        let by_the_last = u128::from(self.others_in_previous) * time.as_millis() / whole;
        self.expected_by_rate(time, now).max(u32::try_from(by_the_last).unwrap_or(u32::MAX))
    }

    /// How many by the pace of this window alone, of which we know until the last answer: what has not been looked at since is no
    /// pause of theirs. But a few seconds tell of no pace.
    fn expected_by_rate(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let (told, foreign) = self.last_observation.unwrap_or((self.first_seen, self.others_at_first));
        let rise = foreign.saturating_sub(self.others_at_first);
        let seen = between(self.first_seen, told)
            .max(between(self.first_seen, now).min(MIN_OBSERVATION))
            .as_millis()
            .max(1000);
        u32::try_from(u128::from(rise) * time.as_millis() / seen).unwrap_or(u32::MAX)
    }

    /// How many requests others have sent since we first looked.
    fn observed_others(&self) -> u32 {
        self.others.saturating_sub(self.others_at_first)
    }
}

/// How many requests that were sent since then may be counted by the server and are in no answer's count.
fn possibly_uncounted(
    in_flight: &BTreeMap<Ticket, DateTime<Utc>>,
    lost: &VecDeque<DateTime<Utc>>,
    since: DateTime<Utc>,
) -> u32 {
    let n = in_flight.values().chain(lost).filter(|sent| **sent >= since).count();
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn hold_until(
    not_before: NotBefore,
    waiting: WaitReason,
    evidence: Option<ErrorContext>,
) -> Result<Ticket, Box<Hold>> {
    Err(Box::new(Hold { not_before, wait_reason: waiting, context: evidence }))
}

/// What the rate-limit headers of one answer say.
#[derive(Clone, Copy)]
struct RateLimitHeaders {
    allowed: u32,
    used: u32,
    /// When the window is over at the latest, however the server rounds.
    ends: DateTime<Utc>,
    /// How long that is, as the server says it.
    remaining_time: Duration,
}

impl RateLimitHeaders {
    /// `length` is how long windows are, as far as is known.
    fn parse(headers: &HeaderMap, length: Duration, now: DateTime<Utc>) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let (allowed, count) = (number("inin-ratelimit-allowed")?, number("inin-ratelimit-count")?);
        // A quota of nothing or a window without end is no rate limit that one could keep.
        let reset =
            number("inin-ratelimit-reset").filter(|reset| *reset <= MAX_WINDOW_SECONDS && allowed > 0)?;
        let left = Duration::from_secs(reset.into());
        // Rounded down, it leaves out up to a second; but no more is left of a window than its length.
        let most = if left == length && length == DEFAULT_WINDOW { left } else { left + HEADER_ROUNDING };
        Some(Self { allowed, used: count, ends: saturating_add(now, most), remaining_time: left })
    }
}

/// How long after the end of a window the next one is trusted to have begun.
const WINDOW_MARGIN: Duration = Duration::from_millis(250);
/// How soon to look again whether others have left something.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long it is from what we have seen of others to when a request of ours is counted: until we look again, and its way.
const OBSERVATION_LAG: Duration = Duration::from_secs(2);
/// So much of a window tells how fast others go on.
const MIN_OBSERVATION: Duration = Duration::from_secs(20);
const MAX_SPACING: Duration = Duration::from_secs(10);
/// Ends of windows that differ by less are the same end: whole seconds, and the delay of the answer.
const WINDOW_END_TOLERANCE: Duration = Duration::from_secs(5);
/// The length of a window that no answer has confirmed yet; the published limits are by the minute.
const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
const MAX_WINDOW_SECONDS: u32 = 24 * 3600;
/// Whether the server rounds the seconds until the end of a window up or down is not known.
const HEADER_ROUNDING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
