//! The billing periods of an organisation, one after the other.

use std::iter::FusedIterator;

use billing_core::history::Finding;
use billing_core::{Error, History};

use crate::Client;

/// The billing periods of an organisation, each asked for when it is read; see [`Client::history`].
///
/// After an error it yields nothing more.
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing unless it is read"]
pub struct Walk {
    client: Client,
    rest: Option<History>,
}

impl Walk {
    pub(crate) fn new(client: Client, history: History) -> Self {
        Self { client, rest: Some(history) }
    }

    /// The machine for what was not read yet, which can be saved and given to [`Client::walk`]; `None` at the end.
    pub fn rest(&self) -> Option<&History> {
        self.rest.as_ref()
    }
}

impl Iterator for Walk {
    type Item = Result<Finding, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let history = self.rest.take()?;
        Some(self.client.run(history).map(|visit| {
            self.rest = visit.rest;
            visit.finding
        }))
    }
}

impl FusedIterator for Walk {}
