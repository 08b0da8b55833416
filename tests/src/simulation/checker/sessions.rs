//! What holds for the operations of one session together.

use super::super::trace::Says;
use super::table::{Judged, judge};
use super::*;

/// What the checker remembers of a session.
#[derive(Debug)]
pub(super) struct Session {
    /// Whether it can log in.
    pub(super) renewable: bool,
    current: Option<Current>,
    /// Whose login is out.
    login: Option<usize>,
    /// No login before this.
    next_login: i64,
    failed: u32,
    /// Whether the credentials were refused, which is for good.
    pub(super) refused: bool,
    /// The answer by which the login was refused or given up.
    pub(super) given: Option<Reply>,
    /// Until when a 429 has parked it, at least and at most.
    pub(super) parked: i64,
    parked_at_most: i64,
    /// Whether an answer has told the quota, and when its window ends at the latest.
    pub(super) told: bool,
    window_ends: i64,
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
            next_login: i64::MIN,
            failed: 0,
            refused: false,
            given: None,
            parked: i64::MIN,
            parked_at_most: i64::MIN,
            told: false,
            window_ends: i64::MIN,
        }
    }

    /// Rule 6: one login at a time, and none while there is a good token.
    pub(super) fn login_begins(&mut self, number: usize, _: &Request, at: i64) -> Result<(), Violation> {
        let break_6 = |text: String| Err(Violation { rule: "6", text });
        if !self.renewable || self.refused {
            return break_6("a login with credentials that are not good for one".to_owned());
        }
        if let Some(other) = self.login {
            return break_6(format!("a login while that of operation {other} is out"));
        }
        if at < self.next_login {
            return break_6(format!("a login {} ms too early", self.next_login - at));
        }
        if let Some(current) = self.current.as_ref().filter(|current| !current.refused) {
            // A token is renewed a little early, by a tenth of its lifetime, a minute at most, but used for half a minute.
            let good_for = current.lifetime.map(|whole| (whole - (whole / 10).min(60_000)).max(30_000));
            if good_for.is_none_or(|good_for| at < current.got.saturating_add(good_for)) {
                return break_6("a login while there is a token that nobody has refused".to_owned());
            }
        }
        self.login = Some(number);
        Ok(())
    }

    /// What a login's reply has to lead to for the operation that sent it.
    pub(super) fn login_ends(&mut self, number: usize, reply: &Reply, cut_short: bool, at: i64) -> Expect {
        if self.login != Some(number) {
            return Expect::Goes;
        }
        self.login = None;
        if cut_short {
            return Expect::Goes;
        }
        if let (Some(200), Says::Token(token, lifetime)) = (reply.status, &reply.says) {
            self.failed = 0;
            self.current =
                Some(Current { token: token.clone(), got: at, lifetime: *lifetime, refused: false });
            return Expect::Goes;
        }
        self.next_login = at.saturating_add(reply.hint.unwrap_or_default());
        // The table is that of the overview, whose answer is one object as well.
        match judge(Kind::Overview, &Reply { corrupted: false, ..reply.clone() }) {
            Judged::Throttled => {
                self.next_login = self.next_login.max(at + if reply.hint.is_some() { 1_000 } else { 5_000 });
                Expect::Goes
            }
            Judged::Unauthorized => self.refuses(reply),
            // Other refusals can be a gateway's, and over tomorrow.
            Judged::Final(ErrorKind::Rejected) if reply.code.as_deref() == Some("invalid_client") => {
                self.refuses(reply)
            }
            Judged::Final(_) => self.gives_up(reply),
            _ => {
                self.failed += 1;
                if self.failed > MOST_FAILED { self.gives_up(reply) } else { Expect::Goes }
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
        self.given = Some(reply.clone());
        Expect::FailsByLogin
    }

    /// Rules 6 and 7, for a request to the API.
    pub(super) fn call_begins(&self, request: &Request, at: i64) -> Result<(), Violation> {
        ensure(at >= self.parked, "7", || format!("a request {} ms before a 429 is over", self.parked - at))?;
        if !self.renewable {
            return Ok(());
        }
        let Some(current) = &self.current else {
            return Err(Violation { rule: "6", text: "a request without a login".to_owned() });
        };
        let offered = request.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer "));
        ensure(offered == Some(&*current.token), "6", || "a request with another token".to_owned())?;
        ensure(!current.refused, "6", || "a request with a token that was refused".to_owned())
    }

    pub(super) fn call_ends(&mut self, reply: &Reply, at: i64) {
        // The seconds that are left of a window may be rounded down.
        let window_at_most = reply.window.map(|window| window.saturating_add(ROUNDED));
        if let Some(window) = window_at_most {
            self.told = true;
            self.window_ends = self.window_ends.max(at.saturating_add(window));
        }
        if reply.status == Some(429) {
            // Without a hint for 5 s, and then for 10, 20, 40, 60.
            let (least, most) = match reply.hint.max(reply.window) {
                Some(asked) => (asked.max(1_000), asked.max(window_at_most.unwrap_or_default()).max(1_000)),
                // One more of a burst, on what was sent before the first: nothing new.
                None if self.parked_at_most > at => (0, 60_000),
                None => (5_000, 60_000),
            };
            self.parked = self.parked.max(at.saturating_add(least));
            self.parked_at_most = self.parked_at_most.max(at.saturating_add(most));
        }
    }

    /// Whether a wait until then can be for a 429: for the end of the window that the server last told of, perhaps.
    pub(super) fn is_parked(&self, until: i64) -> bool {
        self.parked > i64::MIN && self.holds(until)
    }

    /// Whether it may let nothing out until then, by what the server has told.
    pub(super) fn holds(&self, until: i64) -> bool {
        self.parked_at_most.max(self.window_ends).saturating_add(A_LITTLE) >= until
    }

    /// A 401 came: was it for the token that is the current one?
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

    pub(super) fn dropped(&mut self, number: usize) {
        if self.login == Some(number) {
            self.login = None;
        }
    }
}

/// So many failures of the login in a row are repeated.
const MOST_FAILED: u32 = 5;
/// How much later than the server asks a session lets requests out.
const A_LITTLE: i64 = 1_000;
const ROUNDED: i64 = 1_000;
