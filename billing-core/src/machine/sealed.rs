//! What machines pass between them and nobody else sees.

#![expect(unnameable_types, reason = "sealed: machines are written in this crate only")]

use chrono::{DateTime, Utc};

use super::{Reply, Step};
use crate::Secret;
use crate::error::ErrorContext;
use crate::machine::progress::WaitReason;

/// A reply on its way through nested machines, with what the outer ones know of it.
#[derive(Debug)]
pub struct ReceivedReply {
    pub(crate) reply: Reply,
    /// When the server asks to be called again, read once from `Retry-After` for everyone on the way.
    pub(crate) retry_after: Option<DateTime<Utc>>,
    /// Where a session watches the quota: when it lets the next request out after a 429.
    pub(crate) not_before: Option<NotBefore>,
    /// Requests that were sent for this one beside it: logins, and the same again after a 401.
    pub(crate) extra_requests: u32,
    /// The token that it was sent with, so that an error does not repeat it.
    pub(crate) sent_token: Option<Secret>,
}

/// When the next request may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotBefore {
    pub(crate) until: DateTime<Utc>,
    /// The time that the server named, if it named one; `until` may be a little later.
    pub(crate) server_time: Option<DateTime<Utc>>,
}

impl NotBefore {
    pub(crate) fn times_mut(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        std::iter::once(&mut self.until).chain(&mut self.server_time)
    }
}

/// Why a request has to wait before it is sent.
#[derive(Clone, Debug)]
pub struct Hold {
    pub(crate) not_before: NotBefore,
    pub(crate) wait_reason: WaitReason,
    /// What the server said, if it said something.
    pub(crate) context: Option<ErrorContext>,
}

/// The side of a machine that is turned to other machines.
pub trait MachineInternals: Sized {
    #[doc(hidden)]
    fn on_reply(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self>
    where
        Self: super::Machine;

    #[doc(hidden)]
    fn on_hold(self, hold: Hold, now: DateTime<Utc>) -> Step<Self>
    where
        Self: super::Machine;
}
