//! The internal side of [`Machine`](super::Machine): data that nested machines pass to each other.

#![expect(unnameable_types, reason = "sealed: machines are written in this crate only")]

use chrono::{DateTime, Utc};

use super::{Reply, Step};
use crate::Secret;
use crate::error::ErrorContext;
use crate::machine::progress::WaitReason;

/// A reply on its way through nested machines, with data that the outer machines add.
#[derive(Debug)]
pub struct ReceivedReply {
    pub(crate) reply: Reply,
    /// When the server asks to be called again, read once from `Retry-After` for everyone on the way.
    pub(crate) retry_after: Option<DateTime<Utc>>,
    /// The time of the next request after a 429, if a session tracks the quota.
    pub(crate) not_before: Option<NotBefore>,
    /// The number of further requests sent for this one: logins, and repeats after a 401.
    pub(crate) extra_requests: u32,
    /// The token of the request, so that it can be removed from errors.
    pub(crate) sent_token: Option<Secret>,
}

/// The earliest time of the next request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotBefore {
    pub(crate) until: DateTime<Utc>,
    /// The time that the server named, if any. `until` may be slightly later.
    pub(crate) server_time: Option<DateTime<Utc>>,
}

impl NotBefore {
    pub(crate) fn times_mut(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        std::iter::once(&mut self.until).chain(&mut self.server_time)
    }
}

/// A request that has to wait before it can be sent.
#[derive(Clone, Debug)]
pub struct Hold {
    pub(crate) not_before: NotBefore,
    pub(crate) wait_reason: WaitReason,
    /// The last response of the server, if there was one.
    pub(crate) context: Option<ErrorContext>,
}

/// The methods of a machine that only other machines call.
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
