//! A line on the terminal that says what is being waited for.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use billing_core::{Event, Operation};
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
        let shown = verbosity == Verbosity::Normal && stderr().is_terminal();
        let target = match shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is a constant; should it be wrong, the default shows as well.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        if shown {
            bar.set_message(operation.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            interrupt::progress_shown(true);
        }
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        interrupt::progress_shown(false);
    }
}
