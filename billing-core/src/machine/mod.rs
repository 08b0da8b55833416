//! The machine: what every operation is to whoever drives it.
//!
//! A machine is stepped with the time. It answers with a request to perform, a time to wait for, or its end:
//!
//! ```text
//!              ┌──────────────────────────── receive(reply, now) ───────────────────────────┐
//!              ▼                                                                            │
//!   step(now) ─┬─► Step::Send(request, sent) ── a driver performs the request ──► sent ─────┘
//!              ├─► Step::Wait(until, machine) ── a driver waits, then step(now) again
//!              └─► Step::Done(result)
//! ```
//!
//! Every step consumes what it was given: a reply can be handed over once, and only to the machine that asked; after
//! the end there is nothing left to step. The loop that a driver needs is the same for every machine:
//!
//! ```
//! use billing_core::{Machine, Reply, Request, Step};
//! use chrono::{DateTime, Utc};
//!
//! fn drive<M: Machine>(
//!     machine: M,
//!     mut perform: impl FnMut(Request) -> Reply,
//!     mut sleep_until: impl FnMut(DateTime<Utc>),
//!     now: impl Fn() -> DateTime<Utc>,
//! ) -> Result<M::Output, billing_core::Error> {
//!     let mut step = machine.step(now());
//!     loop {
//!         step = match step {
//!             Step::Send(request, sent) => {
//!                 let reply = perform(*request);
//!                 sent.receive(reply, now())
//!             }
//!             Step::Wait(until, machine) => {
//!                 sleep_until(until);
//!                 machine.step(now())
//!             }
//!             Step::Done(result) => return result,
//!         }
//!     }
//! }
//! ```

pub(crate) mod body;
pub(crate) mod checkpoint;
pub(crate) mod decision;
pub mod download;
pub(crate) mod download_counter;
pub(crate) mod event;
pub mod exchange;
pub(crate) mod jitter;
pub mod pages;
pub(crate) mod policy;
pub(crate) mod progress;
mod request;
pub(crate) mod retry_after;
pub(crate) mod sealed;
mod transport_error;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use self::retry_after::retry_after;
use crate::error::Error;

pub use body::{BodyReader, MAX_HEAD_BYTES, MAX_HEADERS};
pub use download::{Document, Download};
pub use download_counter::{BodyTarget, DownloadCounter};
pub use event::{Event, ResponseInfo};
pub use exchange::Exchange;
pub use pages::{NextPage, Page, PageStep, Pages};
pub use policy::{Policy, RetrySchedule};
pub use progress::{Progress, RetryCause, WaitReason, WakeReason};
pub use request::Request;
pub(crate) use sealed::{Hold, NotBefore, ReceivedReply};
pub use transport_error::{TransportError, TransportErrorKind};

/// An operation in progress; see the [module's text](self) for how to drive it.
///
/// Implemented by the machines of this crate only, because they pass more between them than this trait shows.
pub trait Machine: sealed::MachineInternals {
    /// What a successful end yields.
    type Output;

    /// Goes on, at the time `now`, and is used up by it:
    ///
    /// ```compile_fail,E0382
    /// # fn misuse<M: billing_core::Machine>(machine: M, now: chrono::DateTime<chrono::Utc>) {
    /// let once = machine.step(now);
    /// let twice = machine.step(now);
    /// # }
    /// ```
    ///
    /// Stepping a machine before the time that it waits for is harmless: it asks to wait
    /// again.
    ///
    /// `now` should come from a clock that does not jump, such as wall time at the start plus monotonic time since. Time that
    /// a clock jumps over looks like time that passes: waits and the deadline may be over. Where a clock is set back, a wait is
    /// no longer than the longest that the machine would ask for, and its [session](crate::Session) moves its times as well;
    /// but the deadline is later by what the clock is set back while a request is out.
    fn step(self, now: DateTime<Utc>) -> Step<Self>;

    /// How far it has come, for progress displays and logs.
    fn progress(&self) -> Progress;
}

/// What a machine wants.
#[derive(Debug)]
#[must_use = "a step that is dropped ends the operation without its outcome"]
pub enum Step<M: Machine> {
    /// Perform this exchange, then hand the reply to [`Sent::receive`].
    Send(Box<Request>, Sent<M>),
    /// Nothing to do before this time; then call [`Machine::step`].
    Wait(DateTime<Utc>, M),
    /// The end. Nothing comes after it.
    Done(Result<M::Output, Error>),
}

/// A machine whose request is out. It is not `Clone`: one request, one reply. What would break that does not compile:
///
/// ```compile_fail,E0382
/// # fn misuse<M: billing_core::Machine>(sent: billing_core::Sent<M>, now: chrono::DateTime<chrono::Utc>) {
/// let reply = || Ok(http::Response::new(bytes::Bytes::new()));
/// let once = sent.receive(reply(), now);
/// let twice = sent.receive(reply(), now);
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # fn misuse<M: billing_core::Machine + Clone>(sent: billing_core::Sent<M>) {
/// let another = sent.clone();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "without the reply the operation never ends"]
pub struct Sent<M>(M);

impl<M: Machine> Sent<M> {
    /// Goes on with what came back, at the time `now`.
    pub fn receive(self, reply: Reply, now: DateTime<Utc>) -> Step<M> {
        let retry_after = reply.as_ref().ok().and_then(|response| retry_after(response.headers(), now));
        self.0.on_reply(
            ReceivedReply { reply, retry_after, not_before: None, extra_requests: 0, sent_token: None },
            now,
        )
    }

    /// How far the machine has come.
    pub fn progress(&self) -> Progress {
        self.0.progress()
    }

    /// Not for everybody: a copy of a machine whose request is out would send it again.
    pub(crate) fn inner(&self) -> &M {
        &self.0
    }

    pub(crate) fn new(machine: M) -> Self {
        Self(machine)
    }

    pub(crate) fn receive_with(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<M> {
        self.0.on_reply(received, now)
    }

    /// Takes the request back: it was not sent, and cannot be before `hold.until`.
    pub(crate) fn postpone(self, hold: Hold, now: DateTime<Utc>) -> Step<M> {
        self.0.on_hold(hold, now)
    }

    /// Takes the request back as if the machine had not been stepped.
    pub(crate) fn into_unsent(self) -> M {
        self.0
    }
}

/// What came back for a request: a response with its whole body, decoded (see [`BodyReader`]), or
/// why there is none.
pub type Reply = Result<http::Response<Bytes>, TransportError>;
