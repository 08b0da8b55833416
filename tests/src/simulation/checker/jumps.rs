//! Clocks that jump under a session that lives, and under the machines that are parked or have a request out.
//!
//! To a client, time that its clock jumps over is time that passes. So where it jumps ahead, everything that is waited for
//! looks nearer by so much or over, and what comes too early by that is excused: a poll, a request before a 429 is over, a
//! login before the token's end. Where it is set back nothing may come any earlier, nor much later: a machine waits no longer
//! than the longest that it would ask for, and a session by no more than has passed since it last looked at its clock.

use super::patience::millis;
use super::*;

impl Checker {
    pub(super) fn jumps(&mut self, session: usize, by: i64, at: i64) {
        let of_session =
            |operation: &&mut Operation| operation.session == Some(session) && operation.phase != Phase::Over;
        self.operations.iter_mut().filter(of_session).for_each(|operation| operation.clock_jumps(by, at));
        if let Some(session) = self.sessions.get_mut(session) {
            match by {
                ..0 => session.clock_is_set_back(-by, at),
                _ => session.clock_jumps_ahead(by),
            }
        }
    }
}

impl Operation {
    fn clock_jumps(&mut self, by: i64, at: i64) {
        self.its_times_are(-by, at);
        self.not_before = self.not_before.saturating_sub(by.max(0));
        if let Phase::Out { timed_out, .. } = &mut self.phase {
            *timed_out = timed_out.saturating_sub(by);
        }
        self.may_be_late = true;
    }

    /// Its clock shows its times to be so much later from now on.
    pub(super) fn its_times_are(&mut self, later: i64, at: i64) {
        let times = [
            &mut self.deadline,
            &mut self.began,
            &mut self.promised,
            &mut self.promised_before,
            &mut self.due_at_most,
            &mut self.answered,
        ];
        for time in times.into_iter().chain(&mut self.asked) {
            *time = time.saturating_add(later);
        }
        // It may have moved them back with the clock: by how much is its own affair.
        if later > 0 {
            (self.age_known, self.set_back) = (false, true);
            self.deadline_known &= matches!(self.phase, Phase::Out { .. });
        }
        // The bounds count by the machine's own clock: anew from here.
        (self.calls, self.throttled, self.bounded_since) = (0, 0, at);
    }

    /// The longest that any wait may be whose time has moved with a clock.
    pub(super) fn longest_wait(&self) -> i64 {
        let Policy { poll: polls, retry: retries, max_server_wait: patience, .. } = &*self.policy;
        let own = [polls.min_wait.saturating_mul(2), polls.max_wait.saturating_mul(2), retries.max_delay]
            .map(millis);
        own.into_iter().fold(millis(*patience).saturating_add(1_000).max(120_000), i64::max)
    }
}
