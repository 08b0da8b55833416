//! Exchanges: one call with its retries.
//!
//! ```text
//!            ┌─── transient, at most 5 in a row: full jitter, Retry-After ───┐
//!            │    undecodable, at most 2 in a row                            │
//!            ▼    429, any number before the deadline                       │
//!   ready ─► sent ─► reply ─┬───────────────────────────────────────────────┘
//!                           ├─► accepted ─► Done(Ok)
//!                           └─► final, too many, past the deadline ─► Done(Err)
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::Call;
use crate::machine::checkpoint::Format;
use crate::machine::progress::Progress;
use crate::machine::retry_loop::{Handled, RetryLoop, into_step};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::{BaseUrl, Machine, Policy, Step};

/// One [`Call`], retried by the decision table until it succeeds or fails for good.
///
/// # Bound
/// Between two accepted responses there are at most 5 transient failures in a row, each followed by at most 2
/// undecodable responses in a row. Every 429 is followed by a wait of at least 1 s, so there are at most as
/// many 429s as seconds until the deadline. [`Authorized`](crate::Authorized) documents the requests that a
/// session adds.
#[derive(Clone, Debug)]
pub struct Exchange<C>(RetryLoop<C>);

impl<C: Call> Exchange<C> {
    /// Creates an exchange that sends `call` to the API at `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        Self(RetryLoop::new(call, api, policy))
    }
}

impl<C: Call> Machine for Exchange<C> {
    type Output = C::Output;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.0.resume(now), self)
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }
}

impl<C: Call> sealed::MachineInternals for Exchange<C> {
    fn on_reply(mut self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        match self.0.handle_reply(received, Duration::ZERO, now) {
            Ok(Handled::Accepted(value, _, _)) => Step::Done(Ok(value)),
            Ok(Handled::Retry) => into_step(self.0.advance(now), self),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn on_hold(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.handle_hold(hold, now);
        into_step(next, self)
    }
}

impl<C: Call + Serialize> Serialize for Exchange<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.save(Some(self.0.operation()), &self.0, serializer)
    }
}

impl<'de, C: Call + Serialize + DeserializeOwned> Deserialize<'de> for Exchange<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.restore(|attempts| Some(RetryLoop::operation(attempts)), deserializer).map(Self)
    }
}

const FORMAT: Format = Format { name: "billing-core exchange", version: 2 };

#[cfg(test)]
mod tests;
