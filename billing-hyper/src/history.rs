//! The billing periods of an organisation, one after the other.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use billing_core::history::{HistoryStep, PeriodResult};
use billing_core::{Error, History};
use futures_core::Stream;

use crate::Client;
use crate::turns::StepStream;

/// The billing periods of an organisation, as a stream, each asked for when it is polled for; see [`Client::history`].
///
/// Whoever wants to go on later saves [`Periods::rest`], and gives it to [`Client::resume_history`]. An error ends it; the rest is then
/// the period that failed and what comes after.
#[must_use = "nothing is fetched before it is polled"]
pub struct Periods(StepStream<History, HistoryStep>);

impl Periods {
    pub(crate) fn new(client: Client, history: History) -> Self {
        Self(StepStream::new(client, history))
    }

    /// The machine for what has not been read yet; `None` at the end of the walk.
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
