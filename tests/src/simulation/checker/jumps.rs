//! Checks of clock jumps under a live session and under machines that wait or have a request in flight.
//!
//! For a client, a forward jump of the clock is time that passes: everything it waits for appears closer or
//! over. The checker therefore excuses a poll, a request during a 429 or a login that comes too early by at
//! most the jump. After a backward jump nothing may come earlier, nor much later: a machine waits at most
//! its longest possible wait, and a session waits longer by at most the time since it last read its clock.

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

    /// Moves the times of the operation by `later`, as its clock now shows them.
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
        // After a backward jump the operation may have moved its times by an amount that the checker
        // cannot know.
        if later > 0 {
            (self.age_known, self.set_back) = (false, true);
            self.deadline_known &= matches!(self.phase, Phase::Out { .. });
        }
        // The bounds follow the machine's own clock, so they restart here.
        (self.calls, self.throttled, self.bounded_since) = (0, 0, at);
    }

    /// Returns the longest possible wait if its time has moved with a clock.
    pub(super) fn longest_wait(&self) -> i64 {
        let Policy { poll: polls, retry: retries, max_server_wait: patience, .. } = &*self.policy;
        let own = [polls.min_wait.saturating_mul(2), polls.max_wait.saturating_mul(2), retries.max_delay]
            .map(millis);
        own.into_iter().fold(millis(*patience).saturating_add(1_000).max(120_000), i64::max)
    }
}
