//! The billing periods of an organisation, one after the other.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use billing_core::history::{HistoryStep, PeriodResult};
use billing_core::{Error, History};
use futures_core::Stream;

use crate::Client;
use crate::turns::Turns;

/// The billing periods of an organisation, as a stream, each asked for when it is polled for; see [`Client::history`].
///
/// Whoever wants to go on later saves [`Walk::rest`], and gives it to [`Client::walk`]. An error ends it; the rest is then
/// the period that failed and what comes after.
#[must_use = "nothing is fetched before it is polled"]
pub struct Walk(Turns<History, HistoryStep>);

impl Walk {
    pub(crate) fn new(client: Client, history: History) -> Self {
        Self(Turns::new(client, history))
    }

    /// The machine for what has not been read yet; `None` at the end of the walk.
    pub fn rest(&self) -> Option<&History> {
        self.0.rest()
    }
}

impl Stream for Walk {
    type Item = Result<PeriodResult, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx, |visit| (visit.result, visit.rest))
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("client", &self.0.client).field("rest", &self.rest()).finish()
    }
}
