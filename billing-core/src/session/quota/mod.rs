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
use crate::machine::retry_after::unhinted_throttle;
use crate::machine::{Hold, NotBefore};
use crate::values::clock::{after, before, between};

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
        usable: u32,
        /// How many can go out before the end of the present one.
        free: u32,
        /// When that ends.
        ends: DateTime<Utc>,
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
    window: Option<Window>,
    /// After a 429: nothing before this, and what the server said.
    parked: Option<(NotBefore, ErrorContext)>,
    /// 429s in a row, each burst of them counted once.
    throttled: u32,
    /// The number of the next ticket, and of the first that went out with the present token, which there is since then.
    next_ticket: Ticket,
    first_ticket: Ticket,
    renewed: DateTime<Utc>,
    /// When the requests that are not yet answered were sent.
    in_flight: BTreeMap<Ticket, DateTime<Utc>>,
    /// How long the fastest answer took.
    shortest: Duration,
    /// And of those of the last minute that never will be, though the server may have counted them.
    lost: VecDeque<DateTime<Utc>>,
    /// Without headers: the present spacing, and when the next request may go.
    spacing: Duration,
    next: Option<DateTime<Utc>>,
}

/// What is known of the present window of the server's.
#[derive(Debug)]
struct Window {
    allowed: u32,
    began: DateTime<Utc>,
    /// Not before it is over: by then the next one has begun, or begins with the next request.
    ends: DateTime<Utc>,
    /// How long windows are, as far as the server has shown.
    length: Duration,
    /// Requests of ours that can count in this window.
    ours: u32,
    /// Requests of others, as far as the server's count shows them.
    foreign: u32,
    /// How many of those were there before we were, and when we first looked: they say nothing of what is to come.
    foreign_at_first: u32,
    looked: DateTime<Utc>,
    /// How many requests others sent in the window before, or would have by its end at their pace until the last answer.
    foreign_before: u32,
    /// When an answer last told how many others had likely sent, with room for more, and how many. Where there is no room, they are
    /// refused and not counted, and nothing can be told of their pace.
    told: Option<(DateTime<Utc>, u32)>,
    /// By how many that rose at once beyond the pace of others, at most, in this window and in the one before.
    leap: u32,
    leap_before: u32,
    /// Whether an answer has confirmed this window; one that was begun by the clock alone is a guess.
    confirmed: bool,
    /// Whether a good answer of the server's own came in this window without the headers.
    unannounced: bool,
}

impl Quota {
    pub(crate) fn new(pacing: Pacing, seed: u64) -> Self {
        Self {
            pacing,
            seed,
            window: None,
            parked: None,
            throttled: 0,
            next_ticket: 0,
            first_ticket: 0,
            renewed: DateTime::<Utc>::MIN_UTC,
            in_flight: BTreeMap::new(),
            shortest: Duration::MAX,
            lost: VecDeque::new(),
            spacing: pacing.min_interval.unwrap_or_default(),
            next: None,
        }
    }

    /// Lets a request out at `now` and counts it, or says how long it has to wait.
    pub(crate) fn admit(&mut self, now: DateTime<Utc>) -> Result<Ticket, Box<Hold>> {
        if let Some((not_before, evidence)) = &self.parked {
            if not_before.until > now {
                return hold(*not_before, WaitReason::Throttled, Some(evidence.clone()));
            }
            self.parked = None;
        }
        self.window.take_if(|window| window.has_lapsed(now));
        if let Some(window) = &mut self.window {
            let late = uncounted(&self.in_flight, &self.lost, before(window.ends, SAME_WINDOW));
            window.roll(late, now);
            let (free, reserve, ends) = (window.free(), window.reserve(now), window.ends);
            if free > reserve {
                window.ours += 1;
            } else if free == 0 {
                let not_before = NotBefore { until: self.a_little_after(ends), asked: Some(ends) };
                return hold(not_before, WaitReason::Quota, None);
            } else {
                // What is left is likely to be wanted by others. The fewer seconds are left, the less that is.
                let until = after(now, LOOK_AGAIN).min(self.a_little_after(ends));
                return hold(NotBefore { until, asked: None }, WaitReason::Quota, None);
            }
        } else {
            if let Some(next) = self.next.filter(|next| *next > now) {
                return hold(NotBefore { until: next, asked: None }, WaitReason::Spacing, None);
            }
            self.next = self.pacing.min_interval.map(|_| after(now, self.spacing));
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.in_flight.insert(ticket, now);
        Ok(ticket)
    }

    /// How fast requests can go out, as far as is known at `now`.
    pub(crate) fn pace(&self, now: DateTime<Utc>) -> Throughput {
        let parked =
            self.parked.as_ref().map(|(not_before, _)| not_before.until).filter(|until| *until > now);
        match (&self.window, self.pacing.min_interval) {
            (Some(window), _) => {
                let free = window.free().saturating_sub(window.reserve(now));
                Throughput::Window {
                    usable: window.allowed.saturating_sub(window.rise().max(window.foreign_before)),
                    free: if parked.is_some() { 0 } else { free },
                    ends: parked.map_or(window.ends, |parked| parked.max(window.ends)).max(now),
                    length: window.length,
                }
            }
            (None, Some(_)) => Throughput::Spaced(self.spacing),
            (None, None) => Throughput::Unlimited,
        }
    }

    /// There is a new token, which the server counts in windows of its own: the first answer with it tells their end. That
    /// it counts anew is not taken for granted.
    pub(crate) fn renew(&mut self, now: DateTime<Utc>) {
        (self.first_ticket, self.renewed) = (self.next_ticket, now);
        self.unlearn();
    }

    /// What is known of the window becomes a guess, as it was learned with a token before.
    fn unlearn(&mut self) {
        if let Some(window) = &mut self.window {
            (window.began, window.confirmed, window.unannounced) = (self.renewed, false, false);
        }
    }

    /// The clock was set back: what is remembered by it moves with it.
    pub(crate) fn set_back(&mut self, by: Duration) {
        let Self { window, parked, renewed, in_flight, lost, next, .. } = self;
        let of_window = window.iter_mut().flat_map(Window::times);
        let of_park = parked.iter_mut().flat_map(|(not_before, _)| not_before.times());
        let sent = in_flight.values_mut().chain(lost);
        for time in of_window.chain(of_park).chain(sent).chain(next).chain([renewed]) {
            *time = before(*time, by);
        }
    }

    /// A request that was let out was taken back: nobody waits for it any more.
    pub(crate) fn forget(&mut self, ticket: Ticket) {
        self.in_flight.remove(&ticket);
    }

    /// A request that was let out has had no answer, though the server may have counted it.
    pub(crate) fn lose(&mut self, ticket: Ticket, now: DateTime<Utc>) {
        let Some(sent) = self.in_flight.remove(&ticket) else { return };
        if let Some(window) = self.window.as_mut().filter(|window| !window.confirmed) {
            // It may have begun the server's window, and that any time until now.
            window.ends = window.ends.max(after(now, USUAL_WINDOW));
        }
        while self.lost.front().is_some_and(|first| *first < before(sent, USUAL_WINDOW)) {
            self.lost.pop_front();
        }
        self.lost.push_back(sent);
    }

    /// Learns from the answer to a request that was let out. After a 429, when the next may go.
    pub(crate) fn observe(
        &mut self,
        ticket: Ticket,
        status: StatusCode,
        headers: &HeaderMap,
        retry_after: Option<DateTime<Utc>>,
        evidence: impl FnOnce() -> ErrorContext,
        now: DateTime<Utc>,
    ) -> Option<NotBefore> {
        let sent = self.in_flight.remove(&ticket).unwrap_or(now);
        self.shortest = self.shortest.min(between(sent, now));
        let length = self.window.as_ref().map_or(USUAL_WINDOW, |window| window.length);
        let announced = Announced::read(headers, length, now);
        match (&announced, &mut self.window) {
            // It speaks of the windows of a token before: as if it had come while there was no other.
            (Some(announced), None) if ticket < self.first_ticket => {
                self.learn(announced, sent, now);
                self.unlearn();
            }
            _ if ticket < self.first_ticket => {}
            (Some(announced), _) => self.learn(announced, sent, now),
            // The server's own answer, and no page of a gateway's.
            (None, Some(window)) => {
                window.unannounced |= status.is_success() && headers.contains_key("inin-correlation-id");
            }
            (None, None) => {}
        }
        if status != StatusCode::TOO_MANY_REQUESTS {
            self.throttled = 0;
            if let Some(fastest) = self.pacing.min_interval {
                self.spacing = (self.spacing * 49 / 50).max(fastest);
            }
            return None;
        }
        // What was sent before the park says the same once more: a burst is one event, not many.
        let known = self.parked.as_ref().is_some_and(|(parked, _)| parked.until > now);
        let named = retry_after.max(announced.map(|a| a.ends));
        let window = self.window.as_ref().filter(|w| w.confirmed && w.ends > now).map(|w| w.ends);
        // Without a word of the server's on this 429, the window says nothing either: by its count there was room.
        let asked = named.map(|named| window.map_or(named, |ends| ends.max(named)));
        let until = match asked {
            Some(asked) => self.a_little_after(asked.max(after(now, Duration::from_secs(1)))),
            None if known => now,
            None => after(now, unhinted_throttle(self.throttled)),
        };
        if !known {
            self.throttled = self.throttled.saturating_add(1);
            self.spacing = (self.spacing * 2).clamp(Duration::from_millis(100), SLOWEST);
        }
        match &mut self.parked {
            Some((parked, _)) if parked.until >= until => {}
            parked => *parked = Some((NotBefore { until, asked }, evidence())),
        }
        self.parked.as_ref().map(|(not_before, _)| *not_before)
    }

    /// Learns from what an answer says of the window. `sent` is when its request went out.
    fn learn(&mut self, announced: &Announced, sent: DateTime<Utc>, now: DateTime<Utc>) {
        // Beside what a first answer counts, whatever is out or was lost may be counted yet.
        let later = uncounted(&self.in_flight, &self.lost, before(now, USUAL_WINDOW));
        let all = u32::try_from(self.next_ticket).unwrap_or(u32::MAX);
        let ours = all.min(announced.count.saturating_add(later));
        let Some(window) = &mut self.window else {
            self.window = Some(Window::first(announced, ours, now));
            return;
        };
        let late = uncounted(&self.in_flight, &self.lost, before(window.ends, SAME_WINDOW));
        window.roll(late, now);
        // The end as if the answer had been made when its request was sent: its delay makes no new window of the old one.
        let earliest_end = before(announced.ends, between(sent, now));
        if sent < window.began {
            // It may be of the window before, and says nothing certain of this one; unless that is only guessed, and the
            // window that it speaks of goes on for certain.
            if !window.confirmed && between(now, earliest_end) > SAME_WINDOW {
                let foreign_before = window.foreign_before;
                *window = Window { foreign_before, ..Window::first(announced, ours, now) };
            }
            return;
        }
        // Nowhere but at its beginning does a window say how long it is.
        let seen_in_this = if window.confirmed { window.length } else { USUAL_WINDOW };
        window.length = seen_in_this.max(announced.left);
        if window.confirmed && between(window.ends, earliest_end) > SAME_WINDOW {
            // A new window, before we thought that the old one was over.
            window.renew(announced.ends, late.saturating_add(1), now);
        } else if window.confirmed {
            // Of several answers about one window the earliest end is closest to the truth, as delay only adds to it.
            window.ends = window.ends.min(announced.ends);
        } else {
            window.ends = announced.ends;
        }
        window.confirmed = true;
        window.allowed = announced.allowed;
        // What went out less than the shortest way to the server and back ago is hardly in its count.
        let on_their_way =
            self.in_flight.values().rev().take_while(|sent| **sent > before(now, self.shortest)).count();
        let on_their_way = u32::try_from(on_their_way).unwrap_or(u32::MAX);
        window.count(announced.count, on_their_way, now);
    }

    /// A little after `time`: clocks differ, seconds are rounded, and many clients should not all start in one instant.
    fn a_little_after(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        let n = u32::try_from(time.timestamp_millis().rem_euclid(1 << 31)).unwrap_or_default();
        let jitter = draw(self.seed, n, A_LITTLE.as_millis());
        after(time, A_LITTLE + Duration::from_millis(u64::try_from(jitter).unwrap_or_default()))
    }
}

impl Window {
    /// The window of which `announced` is the first word, in which `ours` may be requests of ours.
    fn first(announced: &Announced, ours: u32, now: DateTime<Utc>) -> Self {
        let foreign = announced.count.saturating_sub(ours);
        Self {
            allowed: announced.allowed,
            began: now,
            ends: announced.ends,
            length: announced.left.max(USUAL_WINDOW),
            ours,
            foreign,
            foreign_at_first: foreign,
            looked: now,
            foreign_before: 0,
            told: Some((now, foreign)),
            leap: 0,
            leap_before: 0,
            confirmed: true,
            unannounced: false,
        }
    }

    fn times(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        let Self { began, ends, looked, told, .. } = self;
        [began, ends, looked].into_iter().chain(told.as_mut().map(|(time, _)| time))
    }

    /// Begins the next window when the clock says that this one is over.
    fn roll(&mut self, late: u32, now: DateTime<Utc>) {
        if now < after(self.ends, A_LITTLE) {
            return;
        }
        // What was sent shortly before the end may have arrived after it, and counts in the new window too.
        self.renew(after(now, USUAL_WINDOW), late, now);
        self.confirmed = false;
    }

    /// Whether it was a guess to its end, though there were answers that could have told: the server announces no quota
    /// any more, and what it once said (or a gateway did) is not kept for ever.
    fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        now >= after(self.ends, A_LITTLE) && !self.confirmed && self.unannounced
    }

    fn renew(&mut self, ends: DateTime<Utc>, ours: u32, now: DateTime<Utc>) {
        // Who was not seen in a window may only have come after we had used it up, and is forgotten by halves.
        let by_pace = self.by_pace(between(self.began, self.ends), self.ends);
        let foreign_before = by_pace.max(self.foreign_before / 2);
        let leap_before = self.leap.max(self.leap_before / 2);
        *self = Self {
            began: now,
            ends,
            ours,
            foreign: 0,
            foreign_at_first: 0,
            looked: now,
            foreign_before,
            told: None,
            leap: 0,
            leap_before,
            unannounced: false,
            ..*self
        };
    }

    /// Takes in what an answer counts. Others have sent at least what is beyond all of ours, and likely what is beyond those of
    /// ours that are not `on_their_way`.
    fn count(&mut self, count: u32, on_their_way: u32, now: DateTime<Utc>) {
        let foreign = count.saturating_sub(self.ours);
        let likely = count.saturating_sub(self.ours.saturating_sub(on_their_way));
        if self.told.is_some() {
            let expected = self.foreign.saturating_add(self.expected(UNSEEN, now));
            self.leap = self.leap.max(foreign.saturating_sub(expected));
        }
        self.foreign = self.foreign.max(foreign);
        if self.free() > 0 {
            self.told = Some((now, self.foreign.max(likely)));
        }
    }

    /// How many requests the server would still allow.
    fn free(&self) -> u32 {
        self.allowed.saturating_sub(self.ours.saturating_add(self.foreign))
    }

    /// How many requests to leave to others: as many as are to be expected of them until the end, and at the end still as many
    /// as may have come unseen when a request of ours arrives, as that would be the one that is refused.
    fn reserve(&self, now: DateTime<Utc>) -> u32 {
        let unseen = self.expected(UNSEEN, now);
        // Nobody comes evenly: now and then twice as many come as usual, or as many at once as have come before. Who shares a
        // quota with a crowd has his part in it all the same.
        let crowd = self.leap.max(self.leap_before).min(self.allowed / 4);
        let until_the_end = self.expected(between(now, self.ends), now);
        until_the_end.max(unseen.saturating_add(unseen.max(crowd)))
    }

    /// How many requests of others are to be expected in so much time, by the pace of this window and of the one before.
    fn expected(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let whole = between(self.began, self.ends).as_millis().max(1);
        let by_the_last = u128::from(self.foreign_before) * time.as_millis() / whole;
        self.by_pace(time, now).max(u32::try_from(by_the_last).unwrap_or(u32::MAX))
    }

    /// How many by the pace of this window alone, of which we know until the last answer: what has not been looked at since is no
    /// pause of theirs. But a few seconds tell of no pace.
    fn by_pace(&self, time: Duration, now: DateTime<Utc>) -> u32 {
        let (told, foreign) = self.told.unwrap_or((self.looked, self.foreign_at_first));
        let rise = foreign.saturating_sub(self.foreign_at_first);
        let seen =
            between(self.looked, told).max(between(self.looked, now).min(A_PACE)).as_millis().max(1000);
        u32::try_from(u128::from(rise) * time.as_millis() / seen).unwrap_or(u32::MAX)
    }

    /// How many requests others have sent since we first looked.
    fn rise(&self) -> u32 {
        self.foreign.saturating_sub(self.foreign_at_first)
    }
}

/// How many requests that were sent since then may be counted by the server and are in no answer's count.
fn uncounted(
    in_flight: &BTreeMap<Ticket, DateTime<Utc>>,
    lost: &VecDeque<DateTime<Utc>>,
    since: DateTime<Utc>,
) -> u32 {
    let n = in_flight.values().chain(lost).filter(|sent| **sent >= since).count();
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn hold(
    not_before: NotBefore,
    waiting: WaitReason,
    evidence: Option<ErrorContext>,
) -> Result<Ticket, Box<Hold>> {
    Err(Box::new(Hold { not_before, waiting, evidence }))
}

/// What the rate-limit headers of one answer say.
#[derive(Clone, Copy)]
struct Announced {
    allowed: u32,
    count: u32,
    /// When the window is over at the latest, however the server rounds.
    ends: DateTime<Utc>,
    /// How long that is, as the server says it.
    left: Duration,
}

impl Announced {
    /// `length` is how long windows are, as far as is known.
    fn read(headers: &HeaderMap, length: Duration, now: DateTime<Utc>) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let (allowed, count) = (number("inin-ratelimit-allowed")?, number("inin-ratelimit-count")?);
        // A quota of nothing or a window without end is no rate limit that one could keep.
        let reset = number("inin-ratelimit-reset").filter(|reset| *reset <= LONGEST_WINDOW && allowed > 0)?;
        let left = Duration::from_secs(reset.into());
        // Rounded down, it leaves out up to a second; but no more is left of a window than its length.
        let most = if left == length && length == USUAL_WINDOW { left } else { left + ROUNDED };
        Some(Self { allowed, count, ends: after(now, most), left })
    }
}

/// How long after the end of a window the next one is trusted to have begun.
const A_LITTLE: Duration = Duration::from_millis(250);
/// How soon to look again whether others have left something.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long it is from what we have seen of others to when a request of ours is counted: until we look again, and its way.
const UNSEEN: Duration = Duration::from_secs(2);
/// So much of a window tells how fast others go on.
const A_PACE: Duration = Duration::from_secs(20);
const SLOWEST: Duration = Duration::from_secs(10);
/// Ends of windows that differ by less are the same end: whole seconds, and the delay of the answer.
const SAME_WINDOW: Duration = Duration::from_secs(5);
/// The length of a window that no answer has confirmed yet; the published limits are by the minute.
const USUAL_WINDOW: Duration = Duration::from_secs(60);
const LONGEST_WINDOW: u32 = 24 * 3600;
/// Whether the server rounds the seconds until the end of a window up or down is not known.
const ROUNDED: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
