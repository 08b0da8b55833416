//! The billing periods of an organisation, in sequence.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use billing_core::history::{HistoryStep, PeriodResult};
use billing_core::{Error, History};
use futures_core::Stream;

use crate::Client;
use crate::turns::StepStream;

/// A stream of the billing periods of an organisation, each fetched when it is polled for; see
/// [`Client::history`].
///
/// To continue later, save [`Periods::rest`] and pass it to [`Client::resume_history`]. An error ends the
/// sequence; the rest then begins with the period that failed.
#[must_use = "nothing is fetched before it is polled"]
pub struct Periods(StepStream<History, HistoryStep>);

impl Periods {
    pub(crate) fn new(client: Client, history: History) -> Self {
        Self(StepStream::new(client, history))
    }

    /// Returns the machine for the periods that were not read yet, or `None` at the end of the walk.
    pub fn rest(&self) -> Option<&History> {
        self.0.rest()
    }
}

impl Stream for Periods {
    type Item = Result<PeriodResult, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx, |visit| (visit.result, visit.rest))
    }
}

impl fmt::Debug for Periods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periods").field("client", &self.0.client).field("rest", &self.rest()).finish()
    }
}
