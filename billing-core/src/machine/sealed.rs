//! Internal protocol between nested machines.

#![expect(unnameable_types, reason = "sealed: machines are written in this crate only")]

use chrono::{DateTime, Utc};

use super::{Reply, Step};
use crate::Secret;
use crate::error::ErrorContext;
use crate::machine::progress::WaitReason;

/// A reply that is passed through nested machines, with data from the outer ones.
#[derive(Debug)]
pub struct ReceivedReply {
    pub(crate) reply: Reply,
    /// The time from `Retry-After`, parsed once for all machines.
    pub(crate) retry_after: Option<DateTime<Utc>>,
    /// The session's time for the next request after a 429, if a session is used.
    pub(crate) not_before: Option<NotBefore>,
    /// The number of additional requests sent for this one: logins, and the repeat after a 401.
    pub(crate) extra_requests: u32,
    /// The token of the request, which an error must not repeat.
    pub(crate) sent_token: Option<Secret>,
}

/// The earliest time of the next request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotBefore {
    pub(crate) until: DateTime<Utc>,
    /// The time from the server, if it gave one; `until` may be a little later.
    pub(crate) server_time: Option<DateTime<Utc>>,
}

impl NotBefore {
    /// Returns all its times, to shift them after a jump of the clock.
    pub(crate) fn times_mut(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
        std::iter::once(&mut self.until).chain(&mut self.server_time)
    }
}

/// The reason and the end of a wait before a request is sent.
#[derive(Clone, Debug)]
pub struct Hold {
    pub(crate) not_before: NotBefore,
    pub(crate) wait_reason: WaitReason,
    /// The context of the server's last response, if there was one.
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
