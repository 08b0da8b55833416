//! Checks of the operations that share a session.

use super::super::trace::Says;
use super::patience::unhinted;
use super::table::{Judged, judge};
use super::*;

/// The checker's state of a session.
#[derive(Debug)]
pub(super) struct Session {
    /// Set if it can log in.
    pub(super) renewable: bool,
    current: Option<Current>,
    /// The operation whose login is in flight, and the earliest and latest end of the others' wait for it.
    login: Option<usize>,
    joined: i64,
    joined_at_most: i64,
    /// The earliest next login, the latest time until which the client itself may delay it, and the time
    /// that the login service asked for.
    next_login: i64,
    next_login_at_most: i64,
    login_asks: Option<(i64, i64)>,
    failed: u32,
    login_throttled: u32,
    /// Set if a login may have failed once more than was counted, so that the session may give up earlier
    /// than expected.
    in_doubt: bool,
    /// Set if the credentials were refused, which is permanent.
    pub(super) refused: bool,
    /// Set if its token was refused and it cannot get another.
    pub(super) lost_its_token: bool,
    /// The answer that refused the login or made the session give up.
    pub(super) given: Option<Reply>,
    /// The earliest and latest end of the delay after a 429.
    pub(super) parked: i64,
    parked_at_most: i64,
    /// The same for 429s without a hint, and the highest possible number of them in a row.
    parked_unasked: i64,
    throttled_in_row: u32,
    /// The times that the server has named, each with the latest time it can be understood as: the ends of
    /// 429 delays and of windows.
    asked: Vec<(i64, i64)>,
    /// The widest spacing of requests, and its latest end by a clock that was set back.
    spacing: i64,
    spaced_at_most: i64,
    /// The last time at which it certainly read its clock, and the amount and number of backward jumps
    /// since then.
    looked: i64,
    set_back: i64,
    set_backs: i64,
    /// Set if an answer has reported the quota; and the latest end of its window.
    pub(super) told: bool,
    window_ends: i64,
}

/// The cause of a failed login attempt: the deadline of its operation, or another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CutShort {
    No,
    Yes,
    Perhaps,
}

#[derive(Debug)]
struct Current {
    token: Rc<str>,
    got: i64,
    lifetime: Option<i64>,
    refused: bool,
}

impl Session {
    pub(super) fn new(renewable: bool) -> Self {
        Self {
            renewable,
            current: None,
            login: None,
            joined: i64::MIN,
            joined_at_most: i64::MIN,
            next_login: i64::MIN,
            next_login_at_most: i64::MIN,
            login_asks: None,
            failed: 0,
            login_throttled: 0,
            in_doubt: false,
            refused: false,
            lost_its_token: false,
            given: None,
            parked: i64::MIN,
            parked_at_most: i64::MIN,
            parked_unasked: i64::MIN,
            throttled_in_row: 0,
            asked: Vec::new(),
            spacing: SPACING,
            spaced_at_most: i64::MIN,
            looked: i64::MIN,
            set_back: 0,
            set_backs: 0,
            told: false,
            window_ends: i64::MIN,
        }
    }

    /// Checks rule D6: one login at a time, and none while the token is good.
    pub(super) fn login_begins(
        &mut self,
        number: usize,
        request: &Request,
        at: i64,
    ) -> Result<(), Violation> {
        let break_d6 = |text: String| Err(Violation { rule: "D6", text });
        if !self.renewable || self.refused {
            return break_d6("a login with credentials that are not good for one".to_owned());
        }
        // An operation past its time is not expected to report its login.
        if let Some(other) = self.login.filter(|_| at < self.joined) {
            return break_d6(format!("a login while that of operation {other} is out"));
        }
        if at < self.next_login {
            return break_d6(format!("a login {} ms too early", self.next_login - at));
        }
        if let Some(current) = self.current.as_ref().filter(|current| !current.refused) {
            // A token is renewed early by a tenth of its lifetime, at most 60 s, but used for at least 30
            // s.
            let good_for = current.lifetime.map(|whole| (whole - (whole / 10).min(60_000)).max(30_000));
            if good_for.is_none_or(|good_for| at < current.got.saturating_add(good_for)) {
                return break_d6("a login while there is a token that nobody has refused".to_owned());
            }
        }
        self.login = Some(number);
        self.joined = at.saturating_add(request.timeout).saturating_add(A_LITTLE);
        self.joined_at_most = self.joined;
        Ok(())
    }

    /// Returns what must follow a login's reply for the operation that sent it.
    pub(super) fn login_ends(
        &mut self,
        number: usize,
        reply: &Reply,
        cut_short: CutShort,
        at: i64,
    ) -> Expect {
        if self.login != Some(number) {
            return Expect::Goes;
        }
        self.login = None;
        match cut_short {
            CutShort::No => {}
            CutShort::Yes => return Expect::Goes,
            CutShort::Perhaps => {
                (self.in_doubt, self.given, self.next_login) = (true, Some(reply.clone()), i64::MIN);
                self.next_login_at_most = at + 20_000;
                return Expect::Goes;
            }
        }
        if let (Some(200), Says::Token(token, lifetime)) = (reply.status, &reply.says) {
            (self.failed, self.login_throttled, self.in_doubt) = (0, 0, false);
            self.current =
                Some(Current { token: token.clone(), got: at, lifetime: *lifetime, refused: false });
            return Expect::Goes;
        }
        self.next_login = at.saturating_add(reply.hint.unwrap_or_default());
        self.login_asks = reply.hint.map(|hint| at.saturating_add(hint)).map(|asks| (asks, asks));
        if self.in_doubt {
            self.given = Some(reply.clone());
        }
        // A login's answer is a single object, like an overview's, so that table applies.
        match judge(Kind::Overview, &Reply { corrupted: false, ..reply.clone() }) {
            Judged::Throttled => {
                self.login_throttled += 1;
                let (least, most) = match reply.hint {
                    Some(_) => (1_000, 1_000),
                    None => (5_000, unhinted(self.login_throttled)),
                };
                self.next_login = self.next_login.max(at + least);
                self.next_login_at_most = at + most;
                Expect::Goes
            }
            Judged::Unauthorized => self.refuses(reply),
            // Other refusals can come from a gateway and may pass.
            Judged::Final(ErrorKind::Rejected) if reply.code.as_deref() == Some("invalid_client") => {
                self.refuses(reply)
            }
            Judged::Final(_) => self.gives_up(reply),
            _ => {
                self.failed += 1;
                if self.failed > MOST_FAILED {
                    return self.gives_up(reply);
                }
                if self.in_doubt {
                    // This failure may have made the session give up, and the next operation then tries at
                    // once.
                    self.next_login = i64::MIN;
                }
                // Full jitter from 0.5 s, doubled each time.
                self.next_login_at_most =
                    at + if self.in_doubt { 20_000 } else { (250 << self.failed).min(20_000) };
                Expect::Goes
            }
        }
    }

    fn refuses(&mut self, reply: &Reply) -> Expect {
        self.refused = true;
        self.given = Some(reply.clone());
        Expect::FailsByLogin
    }

    fn gives_up(&mut self, reply: &Reply) -> Expect {
        self.failed = 0;
        self.next_login = i64::MIN;
        (self.next_login_at_most, self.login_asks) = (i64::MIN, None);
        self.given = Some(reply.clone());
        Expect::FailsByLogin
    }

    /// Notes that the login was given up, as an operation that ends with `kind` reports. A late wake-up may
    /// report an earlier failure, so a doubt remains a doubt.
    pub(super) fn is_given_up_as(&mut self, kind: &ErrorKind) {
        if self.in_doubt && !matches!(kind, ErrorKind::DeadlineExceeded(_) | ErrorKind::Deferred(_)) {
            self.failed = 0;
        }
    }

    /// Checks rules D6 and D7 for a request to the API.
    pub(super) fn call_begins(&self, request: &Request, at: i64) -> Result<(), Violation> {
        ensure(at >= self.parked, "D7", || {
            format!("a request {} ms before a 429 is over", self.parked - at)
        })?;
        if !self.renewable {
            return Ok(());
        }
        let Some(current) = &self.current else {
            return Err(Violation { rule: "D6", text: "a request without a login".to_owned() });
        };
        let offered = request.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer "));
        ensure(offered == Some(&*current.token), "D6", || "a request with another token".to_owned())?;
        ensure(!current.refused, "D6", || "a request with a token that was refused".to_owned())
    }

    pub(super) fn call_ends(&mut self, reply: &Reply, at: i64) {
        // The server may round the remaining seconds of a window down.
        let window_at_most = reply.window.map(|window| window.saturating_add(ROUNDED));
        if let Some((window, at_most)) = reply.window.zip(window_at_most) {
            self.told = true;
            self.window_ends = self.window_ends.max(at.saturating_add(at_most));
            self.names(at.saturating_add(window), at.saturating_add(at_most), at);
        }
        self.lost_its_token |= !self.renewable && reply.status == Some(401);
        if reply.status == Some(429) {
            self.throttled_in_row += 1;
            self.spacing = (self.spacing * 2).min(SLOWEST);
            let unhinted = unhinted(self.throttled_in_row);
            let (least, most) = match reply.hint.max(reply.window) {
                Some(asked) => {
                    let most = asked.max(window_at_most.unwrap_or_default());
                    self.names(at.saturating_add(asked), at.saturating_add(most), at);
                    (asked.max(1_000), most.max(1_000))
                }
                // Another 429 of a burst that was sent before the first one: it adds nothing.
                None if self.parked_at_most > at => (0, unhinted),
                None => (5_000, unhinted),
            };
            if reply.hint.max(reply.window).is_none() {
                self.parked_unasked = self.parked_unasked.max(at + unhinted);
            }
            self.parked = self.parked.max(at.saturating_add(least));
            self.parked_at_most = self.parked_at_most.max(at.saturating_add(most));
        } else if reply.status.is_some() {
            self.throttled_in_row = 0;
        }
    }

    /// Records a time that the server named, and the latest time it can be understood as.
    fn names(&mut self, time: i64, at_most: i64, at: i64) {
        if self.asked.last() == Some(&(time, at_most)) {
            return;
        }
        if self.asked.len() >= MANY {
            self.asked.retain(|(_, at_most)| *at_most > at);
        }
        self.asked.push((time, at_most));
    }

    /// Returns true if an operation may be deferred to `time` and not earlier: the server has named it.
    pub(super) fn asks(&self, time: i64, at: i64) -> bool {
        let longer = self.longer(at);
        let is_named = |(least, most): &(i64, i64)| (*least..=most.saturating_add(longer)).contains(&time);
        if self.login_asks.iter().any(is_named) {
            return true;
        }
        let named = self.asked.iter().any(is_named);
        // An unreported window is assumed to have the usual length.
        let guessed = self.told && time > at && time <= at + USUAL_WINDOW;
        (named || guessed) && time.saturating_add(A_LITTLE) >= self.parked
    }

    /// Returns the latest time until which it may delay a request for this reason, given the operation's
    /// `max_server_wait`.
    pub(super) fn holds_at_most(&self, why: &WaitReason, patience: i64, at: i64) -> i64 {
        let patient = at.saturating_add(patience.max(1_000)).saturating_add(A_LITTLE);
        let longer = self.longer(at);
        let late = |time: i64| time.saturating_add(longer);
        match why {
            WaitReason::Throttled if self.parked == i64::MIN => i64::MIN,
            WaitReason::Throttled => self.parked_to(at).min(patient).max(late(self.parked_unasked)),
            WaitReason::QuotaExhausted if self.told => {
                let ends = late(self.window_ends).max(at + USUAL_WINDOW).saturating_add(A_LITTLE);
                // Or it checks again after a second whether other clients have left any quota.
                ends.min(patient).max(at + 1_000)
            }
            WaitReason::Spacing => late(self.spaced_at_most).max(at + self.spacing),
            WaitReason::Login => {
                let asked = self.login_asks.map_or(i64::MIN, |(_, most)| late(most));
                late(self.joined_at_most.max(self.next_login_at_most)).max(asked.min(patient))
            }
            _ => i64::MIN,
        }
    }

    /// Returns the latest time until which it may delay a request for any reason.
    pub(super) fn longest_hold(&self, at: i64) -> i64 {
        [WaitReason::Throttled, WaitReason::QuotaExhausted, WaitReason::Spacing, WaitReason::Login]
            .iter()
            .map(|why| self.holds_at_most(why, i64::MAX, at))
            .max()
            .unwrap_or(i64::MIN)
    }

    /// Returns true if a wait until this time can be due to a 429.
    pub(super) fn is_parked(&self, until: i64, at: i64) -> bool {
        self.parked > i64::MIN && self.parked_to(at) >= until
    }

    /// Returns the latest end of a 429 delay, which may be the end of the last reported window.
    fn parked_to(&self, at: i64) -> i64 {
        let ends = self.parked_at_most.max(self.window_ends);
        ends.saturating_add(self.longer(at)).saturating_add(A_LITTLE)
    }

    /// Returns true if this 401 refused the current token, and forgets that token.
    pub(super) fn invalidates(&mut self, request: &Request) -> bool {
        let offered = request.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer "));
        match &mut self.current {
            Some(current) if !current.refused && offered == Some(&*current.token) => {
                current.refused = true;
                true
            }
            _ => false,
        }
    }

    /// Moves all of its times closer by a forward jump.
    pub(super) fn clock_jumps_ahead(&mut self, by: i64) {
        let got = self.current.iter_mut().map(|current| &mut current.got);
        let asked = self.asked.iter_mut().chain(&mut self.login_asks).map(|(least, _)| least);
        let at_least = [&mut self.parked, &mut self.next_login, &mut self.joined];
        for time in got.chain(asked).chain(at_least) {
            *time = time.saturating_sub(by);
        }
    }

    /// Extends its waits after a backward jump by the time that the session cannot know of.
    pub(super) fn clock_is_set_back(&mut self, by: i64, at: i64) {
        self.set_back = self.set_back.saturating_add(by);
        self.set_backs += 1;
        if self.told {
            // The latest end of a window that it may have assumed so far.
            self.window_ends = self.window_ends.max(at + USUAL_WINDOW);
            self.asked.push((at, at + USUAL_WINDOW));
        }
        self.spaced_at_most = self.spaced_at_most.max(at + self.spacing);
    }

    /// Notes that the session reads its clock.
    pub(super) fn looks(&mut self, at: i64) {
        let longer = self.longer(at);
        (self.looked, self.set_back, self.set_backs) = (at, 0, 0);
        if longer == 0 {
            return;
        }
        let asked = self.asked.iter_mut().chain(&mut self.login_asks).map(|(_, most)| most);
        let at_most = [
            &mut self.parked_at_most,
            &mut self.parked_unasked,
            &mut self.window_ends,
            &mut self.next_login_at_most,
            &mut self.joined_at_most,
            &mut self.spaced_at_most,
        ];
        for time in asked.chain(at_most) {
            *time = time.saturating_add(longer);
        }
    }

    /// Returns the extra wait that backward jumps allow: the time since it last read its clock, plus the
    /// jumps too small for it to notice.
    fn longer(&self, at: i64) -> i64 {
        self.set_back.min(at.saturating_sub(self.looked).saturating_add(self.set_backs * OUT_OF_ORDER))
    }

    pub(super) fn dropped(&mut self, number: usize) {
        if self.login == Some(number) {
            self.login = None;
        }
    }
}

/// The number of failed logins in a row that are retried.
const MOST_FAILED: u32 = 5;
/// The margin in milliseconds that a session adds to the server's times.
const A_LITTLE: i64 = 1_000;
const ROUNDED: i64 = 1_000;
/// The assumed length of an unreported window, in milliseconds.
const USUAL_WINDOW: i64 = 60_000;
/// The spacing of requests without a quota, initially and at most, in milliseconds.
const SPACING: i64 = 200;
const SLOWEST: i64 = 10_000;
/// The tolerated disorder of the times that a session receives, in milliseconds.
const OUT_OF_ORDER: i64 = 10_000;
/// The number of recorded times above which past ones are dropped.
const MANY: usize = 256;
