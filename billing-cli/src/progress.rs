//! A line on the terminal that says what is being waited for.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use billing_core::{Event, FleetProgress, Operation};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt;
use crate::log::Verbosity;

/// Shown on standard error when that is a terminal and nothing else is written to it; gone when it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    operation: Operation,
    requests: Cell<u32>,
}

impl Progress {
    pub(crate) fn new(operation: Operation, verbosity: Verbosity) -> Self {
        let bar = bar("{spinner} {wide_msg} {elapsed}", verbosity);
        bar.set_message(operation.to_string());
        Self { bar, operation, requests: Cell::new(0) }
    }

    pub(crate) fn show(&self, event: &Event<'_>) {
        if self.bar.is_hidden() {
            return;
        }
        let Self { operation, requests, .. } = self;
        match event {
            Event::Sending(_) => {
                requests.set(requests.get() + 1);
                self.bar.set_message(format!("{operation}: asking (request {})", requests.get()));
            }
            Event::Waiting(progress) => {
                self.bar.set_message(format!("{operation}: {}", progress.explain()));
            }
            _ => {}
        }
    }
}

/// A bar for a run over many organisations, under the same conditions.
pub(crate) struct FleetBar(ProgressBar);

impl FleetBar {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self(bar("{spinner} [{bar:24}] {pos}/{len} {wide_msg}", verbosity))
    }

    pub(crate) fn show(&self, progress: &FleetProgress) {
        let whole = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.0.set_length(whole(progress.organizations));
        self.0.set_position(whole(progress.done));
        self.0.set_message(progress.to_string());
    }

    /// Says something that stays, above the bar.
    pub(crate) fn aside(&self, say: impl FnOnce()) {
        self.0.suspend(say);
    }
}

impl Drop for FleetBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        interrupt::progress_shown(false);
    }
}

/// A bar by a template, hidden where there is no terminal or something else is said there.
fn bar(template: &'static str, verbosity: Verbosity) -> ProgressBar {
    let shown = verbosity == Verbosity::Normal && stderr().is_terminal();
    let target = match shown {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(None, target);
    // The template is a constant; should it be wrong, the default shows as well.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    if shown {
        bar.enable_steady_tick(Duration::from_millis(120));
        interrupt::progress_shown(true);
    }
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        interrupt::progress_shown(false);
    }
}
