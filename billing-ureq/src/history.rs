//! The billing periods of an organisation, in sequence.

use std::iter::FusedIterator;

use billing_core::history::PeriodResult;
use billing_core::{Error, History};

use crate::Client;

/// An iterator over the billing periods of an organisation, each fetched when it is read; see
/// [`Client::history`].
///
/// To continue later, save [`Periods::rest`] and pass it to [`Client::resume_history`]. An error ends the
/// sequence; the rest then begins with the period that failed.
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing unless it is read"]
pub struct Periods {
    client: Client,
    rest: Option<History>,
    failed: bool,
}

impl Periods {
    pub(crate) fn new(client: Client, history: History) -> Self {
        Self { client, rest: Some(history), failed: false }
    }

    /// Returns the machine for the periods that were not read yet, or `None` at the end of the walk.
    pub fn rest(&self) -> Option<&History> {
        self.rest.as_ref()
    }
}

impl Iterator for Periods {
    type Item = Result<PeriodResult, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let history = self.rest.clone().filter(|_| !self.failed)?;
        Some(match self.client.run(history) {
            Ok(visit) => {
                self.rest = visit.rest;
                Ok(visit.result)
            }
            Err(error) => {
                self.failed = true;
                Err(error)
            }
        })
    }
}

impl FusedIterator for Periods {}
