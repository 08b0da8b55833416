//! Checks of the longest waits and of deferrals.
//!
//! A wait has one of three reasons: the operation's own schedule, a hint of the server, or a delay by its
//! session. The design limits each of them. A hint beyond `max_server_wait` ends the operation instead of a
//! wait.

use billing_core::Policy;
use billing_core::poll::PollSchedule;

use super::table::Judged;
use super::*;

impl Operation {
    /// Returns the latest time of the next request by the schedules, after an answer at `at` that was
    /// `judged` so.
    pub(super) fn due_at_most(&self, judged: &Judged, hinted: bool, at: i64) -> i64 {
        let age = self.age_known.then(|| at - self.began);
        let poll = poll_wait(&self.policy.poll, age);
        // If the meaning of an earlier answer is in doubt, so is the number of failures in a row.
        let any = || retry_wait(&self.policy, 0).max(retry_wait(&self.policy, u32::MAX));
        let retry = |n: u32| if self.doubt { any() } else { retry_wait(&self.policy, n.saturating_sub(1)) };
        let wait = match judged {
            Judged::InProgress | Judged::Odd => poll,
            Judged::Transient(_) => retry(self.transient),
            Judged::Unreadable => retry(self.unreadable),
            Judged::Doubtful => any().max(if self.kind == Kind::Report { poll } else { 0 }),
            // A session may delay it for longer; the session's own checks cover that.
            Judged::Throttled if hinted || self.session.is_some() => 1_000,
            Judged::Throttled => unhinted(self.throttled_in_row),
            Judged::Good | Judged::Unauthorized | Judged::Final(_) => 0,
        };
        at.saturating_add(wait.max(if self.kind == Kind::Report { 2_000 } else { 0 }))
    }

    /// Checks that no wait is longer than its reason allows.
    pub(super) fn waits_no_longer(
        &self,
        until: i64,
        why: &WaitReason,
        session: Option<&Session>,
        at: i64,
    ) -> Result<(), Violation> {
        ensure(!self.set_back || until <= at.saturating_add(self.longest_wait()), "wait", || {
            format!("it waits {} ms by a clock that was set back", until - at)
        })?;
        // An operation that wakes early or is restored asks for the same wait again.
        if until <= self.promised {
            return Ok(());
        }
        let patience = millis(self.policy.max_server_wait);
        let own = match why {
            WaitReason::ReportPending(_) | WaitReason::Retry(_) | WaitReason::Throttled => {
                let asked = self.asked.unwrap_or(i64::MIN);
                ensure(asked <= self.answered.saturating_add(patience), "patience", || {
                    format!("it waits for a hint that is {} ms away", asked - at)
                })?;
                self.due_at_most.max(asked)
            }
            _ => i64::MIN,
        };
        let held = session.map_or(i64::MIN, |session| session.holds_at_most(why, patience, at));
        ensure(until <= own.max(held), "wait", || {
            format!(
                "it waits {} ms longer than it has a reason for: {why}",
                until.saturating_sub(own.max(held))
            )
        })
    }

    /// Checks that a deferral was requested by the server and exceeds the operation's `max_server_wait`.
    pub(super) fn puts_off(
        &self,
        retry_at: Option<i64>,
        session: Option<&Session>,
        at: i64,
    ) -> Result<(), Violation> {
        let Some(retry_at) = retry_at else {
            return Err(Violation { rule: "deferred", text: "until no time at all".to_owned() });
        };
        let asked = self.asked == Some(retry_at) || session.is_some_and(|session| session.asks(retry_at, at));
        ensure(asked, "deferred", || format!("until {retry_at}, which nobody has asked for"))?;
        let impatient = retry_at > at.saturating_add(millis(self.policy.max_server_wait));
        ensure(impatient || !self.deadline_known || retry_at >= self.deadline, "deferred", || {
            format!("until {retry_at}, for which there is time and patience")
        })
    }

    /// Checks that the operation fails by its deadline only if the next request would come after it.
    pub(super) fn has_no_time(&self, session: Option<&Session>, at: i64) -> Result<(), Violation> {
        let held = session.map_or(i64::MIN, |session| session.longest_hold(at));
        let late = at.max(self.due_at_most).max(held) >= self.deadline;
        ensure(!self.deadline_known || late, "deadline", || {
            format!("given up {} ms early", self.deadline - at)
        })
    }
}

/// Returns the longest wait between two polls of a report of this age, if the age is known.
fn poll_wait(polls: &PollSchedule, age: Option<i64>) -> i64 {
    let [least, most] = [polls.min_wait, polls.max_wait].map(millis);
    let by_age = age.map_or(i64::MAX, |age| {
        // growth·√age, as an integer square root in milliseconds.
        let square = i128::from(age.max(0)) * 1_000 * i128::from(polls.growth_permille).pow(2) / 1_000_000;
        i64::try_from(square.isqrt()).unwrap_or(i64::MAX).saturating_add(1)
    });
    let usual = by_age.min(most).max(least).max(2_000);
    let usual = usual.saturating_add(usual.saturating_mul(polls.jitter_permille.min(1_000).into()) / 1_000);
    let learned = polls.adaptive.as_ref().map(|_| {
        // The planned poll is at most at twice the age, and at least 15 s later. The report may be one
        // second older by then.
        let planned = age.map_or(i64::MAX, |age| (age + 1_000).saturating_mul(2).max(15_000) + 1_000);
        planned.min(119_000).max(least).saturating_add(1_000)
    });
    usual.max(learned.unwrap_or_default())
}

/// Returns the longest wait after failure `k` in a row.
fn retry_wait(policy: &Policy, k: u32) -> i64 {
    let retries = &policy.retry;
    millis(retries.initial_delay.saturating_mul(retries.factor.saturating_pow(k)).min(retries.max_delay))
}

/// Returns how long the `n`th 429 in a row without a hint delays requests: 5 s, then 10, 20, 40 and 60 s.
pub(super) fn unhinted(n: u32) -> i64 {
    5_000_i64.saturating_mul(2_i64.saturating_pow(n.saturating_sub(1))).min(60_000)
}

pub(super) fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
