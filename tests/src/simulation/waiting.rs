//! Waits: their length, accuracy, process, and saving and restoring.

use billing_core::machine::WaitReason;
use chrono::{DateTime, Utc};

use super::checker::Violation;
use super::life::Parked;
use super::trace::{Event, What};
use super::world::{Act, State, World};

impl<W: FnMut(&Event)> World<W> {
    pub(super) fn park(
        &mut self,
        slot: usize,
        until: DateTime<Utc>,
        life: Box<dyn Parked>,
    ) -> Result<(), Violation> {
        let progress = life.progress();
        let (until, local) = (self.of_local(slot, until), self.local(slot));
        self.see(slot, What::Waits { until, why: progress.wait_reason, polls: progress.pending_answers })?;
        if self.scenario.shows {
            self.see(slot, What::Shows("a parked machine", life.show()))?;
            if let Some(process) = self.slots[slot].process {
                let session = format!("{:?} at {local}", self.processes[process].session.borrow());
                self.see(slot, What::Shows("the session", session))?;
            }
        }
        if self.slots[slot].process.is_some() && self.whims.fork(7).permille(self.scenario.moves) {
            return self.migrate(slot, &*life);
        }
        let life = self.as_it_is_or_restored(slot, life)?;
        let mut wake = until + self.whims.millis(self.scenario.late);
        if self.whims.permille(self.scenario.early) {
            wake = self.now + self.whims.millis((until - self.now).max(0));
        }
        self.slots[slot].state = State::Parked(life);
        self.due(wake, slot, Act::Wake);
        Ok(())
    }

    /// Saves and restores a machine in place, at random.
    pub(super) fn as_it_is_or_restored(
        &mut self,
        slot: usize,
        life: Box<dyn Parked>,
    ) -> Result<Box<dyn Parked>, Violation> {
        // The start of a wait for a login and the counts of refused tokens and of logins are not saved, so
        // a restored machine may differ from its original.
        let forgets = self.slots[slot].relies_on_session || life.progress().wait_reason == WaitReason::Login;
        if life.awaits_login() || (self.scenario.own_waits && forgets) {
            return Ok(life);
        }
        if !self.whims.fork(8).permille(self.scenario.restores) {
            return Ok(life);
        }
        self.tally.note(RESTORED, u64::from(self.scenario.own_waits));
        self.restore(slot, &*life, self.slots[slot].process, 0)
    }

    /// Moves the machine to another process, after some time and with another clock.
    fn migrate(&mut self, slot: usize, life: &dyn Parked) -> Result<(), Violation> {
        let from = self.slots[slot].process;
        let to = self.whims.index(self.processes.len());
        let ahead = |process: usize| self.processes[process].ahead;
        let later = from.map_or(0, ahead) - ahead(to);
        let restored = self.restore(slot, life, Some(to), later)?;
        self.slots[slot].process = Some(to);
        self.slots[slot].state = State::Parked(restored);
        let away = if from == Some(to) { 0 } else { self.whims.pick(&[0, 1_000, 1_000_000]) };
        let away = self.whims.millis(away);
        self.due(self.now + away, slot, Act::Wake);
        Ok(())
    }

    fn restore(
        &mut self,
        slot: usize,
        life: &dyn Parked,
        to: Option<usize>,
        later: i64,
    ) -> Result<Box<dyn Parked>, Violation> {
        let text = life.save();
        let session = self.processes[to.unwrap_or_default()].session.clone();
        let restored = life.restore(&text, &session);
        self.see(slot, What::Shows("what is saved", text))?;
        self.see(slot, What::Moves { session: to, later })?;
        Ok(restored)
    }

    /// Wakes the waiting machines, as the drivers do when the revision of a session changes.
    pub(super) fn wake_who_waits_for_a_login(&mut self) {
        for process in 0..self.processes.len() {
            let revision = self.processes[process].session.borrow().revision();
            if revision == self.processes[process].revision {
                continue;
            }
            self.processes[process].revision = revision;
            for slot in 0..self.slots.len() {
                let place = &mut self.slots[slot];
                let waits = matches!(&place.state, State::Parked(life) if life.awaits_login());
                if place.process == Some(process) && waits {
                    place.epoch += 1;
                    self.due(self.now, slot, Act::Wake);
                }
            }
        }
    }
}

const RESTORED: &str = "restored where it must not matter";
