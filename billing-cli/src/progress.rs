//! Progress on the terminal.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use billing_core::fleet::FleetProgress;
use billing_core::{Event, Operation};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt;
use crate::log::Verbosity;
use crate::text::printable;

/// A progress line on standard error, shown if that is a terminal and nothing else is written to it. It
/// disappears on drop.
pub(crate) struct RequestBar {
    bar: ProgressBar,
    operation: Operation,
    requests: Cell<u32>,
    /// The number of items read so far.
    read: RefCell<String>,
}

impl RequestBar {
    pub(crate) fn new(operation: Operation, verbosity: Verbosity) -> Self {
        let bar = new_bar("{spinner} {wide_msg} {elapsed}", verbosity);
        bar.set_message(operation.to_string());
        Self { bar, operation, requests: Cell::new(0), read: RefCell::default() }
    }

    /// Sets the number of items read so far: `3 pages`.
    pub(crate) fn set_read(&self, parts: &str) {
        *self.read.borrow_mut() = format!("{parts} read, ");
    }

    pub(crate) fn show(&self, event: &Event<'_>) {
        if self.bar.is_hidden() {
            return;
        }
        let Self { operation, requests, .. } = self;
        let read = self.read.borrow();
        match event {
            Event::Sending(_) => {
                requests.set(requests.get() + 1);
                self.bar.set_message(format!("{operation}: {read}sending request {}", requests.get()));
            }
            Event::Waiting(progress) => {
                self.bar
                    .set_message(printable_message(&format!("{operation}: {read}{}", progress.explain())));
            }
            _ => {}
        }
    }
}

/// A progress bar for a run over many organisations, shown under the same conditions.
pub(crate) struct FleetBar(ProgressBar);

impl FleetBar {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self(new_bar("{spinner} {bar:8} {wide_msg}", verbosity))
    }

    pub(crate) fn show(&self, progress: &FleetProgress) {
        let whole = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.0.set_length(whole(progress.organizations));
        self.0.set_position(whole(progress.done));
        self.0.set_message(printable_message(&fleet_message(progress)));
    }

    /// Prints a permanent line above the bar.
    pub(crate) fn suspend(&self, say: impl FnOnce()) {
        self.0.suspend(say);
    }
}

impl Drop for FleetBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        interrupt::set_progress_shown(false);
    }
}

/// A message that the result is being rendered and written, shown under the same conditions.
pub(crate) struct WritingBar(ProgressBar);

impl WritingBar {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        let bar = new_bar("{spinner} {wide_msg} {elapsed}", verbosity);
        bar.set_message("writing the result");
        Self(bar)
    }
}

impl Drop for WritingBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        interrupt::set_progress_shown(false);
    }
}

/// Formats the state for a terminal of usual width: organisations done and failed, the speed, and the
/// expected end. On a wider terminal it adds the reason for the current wait.
fn fleet_message(progress: &FleetProgress) -> String {
    let FleetProgress { at, organizations, done, incomplete: failed, answers_per_minute: per_minute, .. } =
        progress;
    let failures = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
    let mut parts = vec![format!("{done} of {organizations}{failures}"), format!("{per_minute} a minute")];
    if let Some(finishes) = progress.estimated_end.filter(|_| done < organizations) {
        let form = if finishes.date_naive() == at.date_naive() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
        let left = finishes.signed_duration_since(at);
        let left = match (left.num_hours(), left.num_minutes()) {
            (0, 0) => format!("{} s", left.num_seconds()),
            (0, minutes) => format!("{minutes} min"),
            (hours, minutes) => format!("{hours} h {} min", minutes % 60),
        };
        parts.push(format!("ends {}, in {left}", finishes.format(form)));
    }
    parts.extend(progress.wait_reason.as_ref().map(|(waiting, _)| waiting.to_string()));
    parts.join("; ")
}

/// Escapes the message of a bar. It can contain server text, such as an unknown status.
fn printable_message(text: &str) -> String {
    printable(text).into_owned()
}

/// Creates a bar from a template; hidden if there is no terminal or something else is written there.
fn new_bar(template: &'static str, verbosity: Verbosity) -> ProgressBar {
    let shown = verbosity == Verbosity::Normal && stderr().is_terminal();
    let target = match shown {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    // The template is constant. If it is invalid, the default is used.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if shown {
        bar.enable_steady_tick(Duration::from_millis(120));
        interrupt::set_progress_shown(true);
    }
    bar
}

impl Drop for RequestBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        interrupt::set_progress_shown(false);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use billing_core::fleet::FleetPlan;
    use billing_core::{Credentials, Environment, Fleet, PeriodSelection, Policy, Session};
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn progress(done: usize, failed: usize, left: Option<TimeDelta>) -> FleetProgress {
        let at: DateTime<Utc> = "2026-11-02T13:48:03Z".parse().unwrap();
        let environment = Environment::default();
        let organization = ["a".parse().unwrap()];
        let assignment = FleetPlan::new(organization, PeriodSelection::All, environment.api().clone(), at);
        let session = Session::new(environment, Credentials::access_token("t").unwrap());
        let mut progress =
            Fleet::new(&assignment, Policy::default(), Rc::new(RefCell::new(session))).progress(at);
        (progress.organizations, progress.done, progress.incomplete, progress.answers_per_minute) =
            (5000, done, failed, 300);
        progress.estimated_end = left.map(|left| at + left);
        progress
    }

    #[test]
    fn a_usual_terminal_has_room_for_the_end() {
        let seconds = |n| Some(TimeDelta::seconds(n));
        for (progress, said) in [
            (progress(0, 0, None), "0 of 5000; 300 a minute"),
            (progress(12, 0, seconds(990)), "12 of 5000; 300 a minute; ends 14:04 UTC, in 16 min"),
            (
                progress(4321, 123, seconds(4800)),
                "4321 of 5000, 123 failed; 300 a minute; ends 15:08 UTC, in 1 h 20 min",
            ),
            (progress(4999, 0, seconds(4)), "4999 of 5000; 300 a minute; ends 13:48 UTC, in 4 s"),
            (
                progress(9, 0, seconds(39_600)),
                "9 of 5000; 300 a minute; ends 2026-11-03 00:48 UTC, in 11 h 0 min",
            ),
            (progress(5000, 2, seconds(0)), "5000 of 5000, 2 failed; 300 a minute"),
        ] {
            assert_eq!(fleet_message(&progress), said);
            // The bar precedes the text.
            assert!("⠋ ████████ ".chars().count() + said.len() <= 80, "{said}");
        }
    }

    #[test]
    fn what_the_server_said_does_not_steer_the_terminal() {
        assert_eq!(
            printable_message("status \u{1b}]0;x\u{7}\r\nagain"),
            "status \u{fffd}]0;x\u{fffd}  again"
        );
    }
}
