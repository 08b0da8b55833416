//! Checks of one operation, from its start to its single end.

use super::sessions::CutShort;
use super::table::{Judged, judge};
use super::*;

/// The checker's state of an operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) session: Option<usize>,
    pub(super) policy: Rc<Policy>,
    pub(super) began: i64,
    pub(super) deadline: i64,
    pub(super) phase: Phase,
    pub(super) expect: Expect,
    /// The digest of the first request, which every later one must repeat.
    digest: Option<u64>,
    /// The earliest time of the next request to the API and of any other kind of wait, from the last
    /// answer.
    pub(super) not_before: i64,
    /// The latest time of the next request to the API, unless the server or the session delays it; and the
    /// wait that the last answer asked for.
    pub(super) due_at_most: i64,
    pub(super) asked: Option<i64>,
    pub(super) answered: i64,
    /// The latest end of its waits since its last request.
    pub(super) promised: i64,
    /// The latest end of the waits before its last request: the only one left to an operation that is saved
    /// during the request.
    pub(super) promised_before: i64,
    /// Set if the clock may have jumped since the last request.
    jumped: bool,
    /// Set if a jump may make the operation notice its deadline late.
    pub(super) may_be_late: bool,
    /// Set if its clock was set back since its last request.
    pub(super) set_back: bool,
    /// Set if its deadline and age are known. They are unknown if it may have moved them with a clock that
    /// was set back.
    pub(super) deadline_known: bool,
    pub(super) age_known: bool,
    /// Set if the last answer was a 401 that is not an error: the same request must follow at once.
    again: bool,
    /// The failures in a row, as the decision table counts them; doubtful if the meaning of an answer was.
    pub(super) transient: u32,
    pub(super) unreadable: u32,
    odd: u32,
    pub(super) throttled_in_row: u32,
    pub(super) doubt: bool,
    polls: Option<u32>,
    /// The 401s for the current request, for the current token and for a replaced one.
    refused: u32,
    replaced: u32,
    /// The number of requests: all of them, those to the API that do not repeat after a 401, and 429s. The
    /// bounds count them since the last jump.
    pub(super) sent: u32,
    pub(super) calls: i64,
    pub(super) throttled: i64,
    pub(super) bounded_since: i64,
    /// Set if it was restored and may have forgotten state that is not saved.
    pub(super) restored: bool,
    /// The last answer of the API.
    pub(super) last: Option<Reply>,
}

/// The state of an operation.
#[derive(Debug, PartialEq)]
pub(super) enum Phase {
    Idle,
    /// A request is in flight. `told` is set if an earlier answer had reported the quota. The other field
    /// is the end of the attempt by its clock.
    Out {
        request: Request,
        timed_out: i64,
        told: bool,
    },
    Over,
}

/// The expectation for the next event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expect {
    /// It continues. It ends only if time is short or the login fails.
    Goes,
    /// Success and nothing else.
    Good,
    /// This error and nothing else.
    Fails(ErrorKind),
    /// The failure of the login and nothing else.
    FailsByLogin,
    /// Anything: a damaged answer has an uncertain meaning.
    Anything,
}

impl Operation {
    pub(super) fn new(
        kind: Kind,
        session: Option<usize>,
        policy: Rc<Policy>,
        at: i64,
        deadline: i64,
    ) -> Self {
        Self {
            kind,
            session,
            policy,
            began: at,
            deadline,
            phase: Phase::Idle,
            expect: Expect::Goes,
            digest: None,
            not_before: at,
            due_at_most: at,
            asked: None,
            answered: at,
            promised: i64::MIN,
            promised_before: i64::MIN,
            jumped: false,
            may_be_late: false,
            set_back: false,
            deadline_known: true,
            age_known: true,
            again: false,
            transient: 0,
            unreadable: 0,
            odd: 0,
            throttled_in_row: 0,
            doubt: false,
            polls: Some(0),
            refused: 0,
            replaced: 0,
            sent: 0,
            calls: 0,
            throttled: 0,
            bounded_since: at,
            restored: false,
            last: None,
        }
    }

    pub(super) fn sends(
        &mut self,
        request: &Request,
        session: Option<&Session>,
        at: i64,
    ) -> Result<(), Violation> {
        ensure(self.phase == Phase::Idle, "D2", || "two requests of one machine are in flight".to_owned())?;
        ensure(matches!(self.expect, Expect::Goes | Expect::Anything), "table", || {
            format!("a request, where {:?} is expected", self.expect)
        })?;
        ensure(at < self.deadline, "deadline", || "a request after the deadline".to_owned())?;
        ensure(request.timeout <= self.deadline - at, "deadline", || {
            "an attempt beyond the deadline".to_owned()
        })?;
        let allowed = match (request.to, self.policy.attempt_timeout) {
            (Origin::Api, Some(attempt)) => i64::try_from(attempt.as_millis()).unwrap_or(i64::MAX),
            (Origin::Api, None) if self.kind == Kind::Overview => 60_000,
            _ => LOGIN_ATTEMPT,
        };
        ensure(request.timeout <= allowed, "deadline", || "an attempt beyond its bound".to_owned())?;
        let timed_out = at.saturating_add(request.timeout);
        if request.timeout < allowed && !self.deadline_known {
            // The deadline shortened this attempt, so its timeout reveals the deadline.
            (self.deadline, self.deadline_known) = (timed_out, true);
        }
        let scheme = match request.to {
            Origin::Api => "Bearer ",
            Origin::Login => "Basic ",
            Origin::Elsewhere => {
                return Err(Violation { rule: "D9", text: "a request to another origin".to_owned() });
            }
        };
        ensure(request.fits, "D13", || "its path or query is not what it asks for".to_owned())?;
        let fits = request.authorization.as_deref().is_some_and(|text| text.starts_with(scheme));
        ensure(fits, "D9", || format!("{:?} with the credentials of another origin", request.to))?;
        self.sent += 1;
        self.promised_before = self.promised_before.max(std::mem::replace(&mut self.promised, i64::MIN));
        (self.set_back, self.may_be_late) = (false, false);
        if request.to == Origin::Api {
            self.calls(request, at)?;
        }
        self.expect = Expect::Goes;
        let told = session.is_some_and(|session| session.told);
        self.phase = Phase::Out { request: request.clone(), timed_out, told };
        Ok(())
    }

    /// Checks a request to the API.
    fn calls(&mut self, request: &Request, at: i64) -> Result<(), Violation> {
        let first = *self.digest.get_or_insert(request.digest);
        ensure(first == request.digest, "D1", || "not the same request as before".to_owned())?;
        if self.again {
            self.again = false;
        } else {
            ensure(self.jumped || at >= self.not_before, "D4", || {
                format!("{} ms too early", self.not_before - at)
            })?;
            self.calls += 1;
            let time = (self.deadline - self.bounded_since).max(0);
            ensure(self.kind != Kind::Report || self.calls <= time / 2_000 + 1, "D5", || {
                format!("{} polls in {time} ms", self.calls)
            })?;
            // Each transient failure, and the start, may be followed by this many undecodable answers.
            // 429s have their own bound.
            let once =
                i64::from(self.policy.retry.max_retries + 1) * i64::from(self.policy.max_decode_retries + 1);
            let most = once + self.throttled;
            ensure(self.kind == Kind::Report || self.calls <= most, "D5", || {
                format!("{} requests, where {most} are the bound", self.calls)
            })?;
        }
        self.jumped = false;
        Ok(())
    }

    pub(super) fn receives(
        &mut self,
        reply: &Reply,
        session: Option<&mut Session>,
        number: usize,
        at: i64,
    ) -> Result<(), Violation> {
        let Phase::Out { request, timed_out, .. } = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return Err(Violation { rule: "D2", text: "a reply to nothing".to_owned() });
        };
        if request.to == Origin::Login {
            let cut_short = match reply.failure {
                None => CutShort::No,
                Some(_) if at >= self.deadline => CutShort::Yes,
                Some(_) if self.deadline_known || at < timed_out => CutShort::No,
                Some(_) => CutShort::Perhaps,
            };
            if let Some(session) = session {
                self.expect = session.login_ends(number, reply, cut_short, at);
            }
            return Ok(());
        }
        ensure(reply.length <= self.policy.max_body, "D14", || format!("a body of {} bytes", reply.length))?;
        self.again = false;
        self.last = Some(reply.clone());
        (self.due_at_most, self.asked, self.answered) = (at, None, at);
        let judged = judge(self.kind, reply);
        let mut not_before = at.saturating_add(reply.hint.unwrap_or_default());
        if let Some(session) = session {
            session.call_ends(reply, at);
            if judged == Judged::Unauthorized && session.renewable {
                let current = session.invalidates(&request);
                let count = if current { &mut self.refused } else { &mut self.replaced };
                *count += 1;
                if *count <= if current { 1 } else { 3 } {
                    self.again = true;
                    self.expect = Expect::Goes;
                    return Ok(());
                }
            } else if judged == Judged::Throttled {
                not_before = not_before.max(session.parked);
            }
        }
        (self.refused, self.replaced) = (0, 0);
        let floor = match self.kind {
            Kind::Report => 2_000,
            _ if judged == Judged::Throttled => 1_000,
            _ => 0,
        };
        self.not_before = not_before.max(at + floor);
        self.expect = self.counts(judged.clone(), reply, at)?;
        // After a 429 the session may delay longer than the hint.
        let own_hint = self.session.is_none() || judged != Judged::Throttled;
        self.asked = reply.hint.filter(|_| own_hint).map(|hint| at.saturating_add(hint));
        self.due_at_most = self.due_at_most(&judged, reply.hint.is_some(), at);
        Ok(())
    }

    /// Counts an answer as the decision table does and returns what must follow.
    fn counts(&mut self, judged: Judged, reply: &Reply, at: i64) -> Result<Expect, Violation> {
        let settled = matches!(judged, Judged::Good | Judged::InProgress | Judged::Odd);
        if settled {
            (self.transient, self.unreadable, self.throttled_in_row) = (0, 0, 0);
        }
        Ok(match judged {
            Judged::Good => Expect::Good,
            Judged::Doubtful => {
                (self.doubt, self.polls) = (true, None);
                Expect::Anything
            }
            Judged::InProgress => {
                (self.odd, self.doubt) = (0, false);
                self.polls = self.polls.map(|polls| polls + 1);
                Expect::Goes
            }
            Judged::Odd => {
                self.odd += 1;
                self.polls = self.polls.map(|polls| polls + 1);
                match self.odd {
                    _ if self.doubt => Expect::Anything,
                    3.. => Expect::Fails(ErrorKind::UnknownStatus("Paused".to_owned())),
                    _ => Expect::Goes,
                }
            }
            Judged::Unreadable => {
                self.unreadable += 1;
                match self.unreadable > self.policy.max_decode_retries {
                    _ if self.doubt => Expect::Anything,
                    true => Expect::Fails(table::undecodable()),
                    false => Expect::Goes,
                }
            }
            Judged::Transient(kind) => {
                self.transient += 1;
                self.unreadable = 0;
                match self.transient > self.policy.retry.max_retries {
                    _ if self.doubt => Expect::Anything,
                    true => Expect::Fails(kind),
                    false => Expect::Goes,
                }
            }
            Judged::Throttled => {
                self.throttled += 1;
                self.throttled_in_row += 1;
                let time = (self.deadline - self.bounded_since).max(0);
                ensure(self.throttled <= time / 1_000 + 1, "D5", || format!("{} 429s", self.throttled))?;
                // A session uses the window and the other 429s of the same burst.
                if self.session.is_none() && reply.hint.is_none() {
                    self.not_before = self.not_before.max(at + 5_000);
                }
                Expect::Goes
            }
            Judged::Unauthorized => Expect::Fails(ErrorKind::Unauthorized),
            Judged::Final(kind) => Expect::Fails(kind),
        })
    }

    pub(super) fn waits(
        &mut self,
        until: i64,
        why: &WaitReason,
        polls: u32,
        session: Option<&Session>,
        at: i64,
    ) -> Result<(), Violation> {
        ensure(self.phase == Phase::Idle, "D2", || "a wait while a request is out".to_owned())?;
        ensure(matches!(self.expect, Expect::Goes | Expect::Anything), "table", || {
            format!("a wait, where {:?} is expected", self.expect)
        })?;
        ensure(until > at, "wait", || "a wait that is over is no wait".to_owned())?;
        ensure(until <= self.deadline, "D4", || "a wait beyond the deadline".to_owned())?;
        let own = matches!(why, WaitReason::ReportPending(_) | WaitReason::Retry(_));
        ensure(!(self.again && own), "D6", || format!("a 401 moves the schedule: {why}"))?;
        ensure(self.polls.is_none_or(|expected| expected == polls), "D6", || {
            format!("{polls} polls are counted, where there were {:?}", self.polls)
        })?;
        self.polls = Some(polls);
        if *why == WaitReason::Throttled && !self.restored && until > self.promised {
            let due = session.is_none_or(|session| session.is_parked(until, at));
            ensure(due, "D7", || "it waits for a 429 that its session has not had".to_owned())?;
        }
        self.waits_no_longer(until, why, session, at)?;
        self.promised = self.promised.max(until);
        self.expect = Expect::Goes;
        Ok(())
    }

    /// Returns true if its clock may have jumped since its last request.
    pub(super) fn jumps(&self) -> bool {
        self.jumped
    }

    pub(super) fn moves(&mut self, session: Option<usize>, later: i64, at: i64) {
        let elsewhere = session != self.session;
        self.session = session;
        self.restored = true;
        self.promised = self.promised.max(self.promised_before);
        (self.refused, self.replaced) = (0, 0);
        if later != 0 || elsewhere {
            self.jumped = true;
            self.again = false;
            self.its_times_are(later, at);
        }
    }
}

/// The timeout of a login attempt, and of an attempt for a report, in milliseconds.
const LOGIN_ATTEMPT: i64 = 30_000;
