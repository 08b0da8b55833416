//! The trait [`Machine`]: one operation, driven by requests, replies and time.
//!
//! A driver steps a machine with the current time. The machine answers with a request to send, a time to wait for, or its result:
//!
//! ```text
//!              ┌──────────────────────────── receive(reply, now) ───────────────────────────┐
//!              ▼                                                                            │
//!   step(now) ─┬─► Step::Send(request, sent) ── a driver performs the request ──► sent ─────┘
//!              ├─► Step::Wait(until, machine) ── a driver waits, then step(now) again
//!              └─► Step::Done(result)
//! ```
//!
//! Every step consumes its input. So a reply can be delivered once, and only to the machine that sent the request, and nothing
//! can be stepped after the end. The loop of a driver is the same for every machine:
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

/// An operation in progress. The [module documentation](self) shows how to drive it.
///
/// The trait is sealed: machines of this crate pass data between them that the trait does not show.
pub trait Machine: sealed::MachineInternals {
    /// The result of a successful operation.
    type Output;

    /// Advances the machine at the time `now`. The call consumes the machine:
    ///
    /// ```compile_fail,E0382
    /// # fn misuse<M: billing_core::Machine>(machine: M, now: chrono::DateTime<chrono::Utc>) {
    /// let once = machine.step(now);
    /// let twice = machine.step(now);
    /// # }
    /// ```
    ///
    /// Stepping a machine too early is harmless: it answers with the same wait again.
    ///
    /// `now` should come from a clock that does not jump, such as the wall time at the start plus monotonic time since. A jump
    /// forward looks like time that passed: waits and the deadline may be over. After a jump backward the machine waits at most
    /// as long as its longest wait, and its [session](crate::Session) moves its own times back as well. If the clock is set back
    /// while a request is in flight, the deadline is later by the same amount.
    fn step(self, now: DateTime<Utc>) -> Step<Self>;

    /// Returns the progress of the operation, for displays and logs.
    fn progress(&self) -> Progress;
}

/// The next action of a driver.
#[derive(Debug)]
#[must_use = "a step that is dropped ends the operation without its outcome"]
pub enum Step<M: Machine> {
    /// Send this request, then pass the reply to [`Sent::receive`].
    Send(Box<Request>, Sent<M>),
    /// Wait until this time, then call [`Machine::step`].
    Wait(DateTime<Utc>, M),
    /// The operation has ended with this result.
    Done(Result<M::Output, Error>),
}

/// A machine with a request in flight. It is not `Clone`: each request has one reply. Misuse does not compile:
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
    /// Advances the machine with the reply to its request, received at the time `now`.
    pub fn receive(self, reply: Reply, now: DateTime<Utc>) -> Step<M> {
        let retry_after = reply.as_ref().ok().and_then(|response| retry_after(response.headers(), now));
        self.0.on_reply(
            ReceivedReply { reply, retry_after, not_before: None, extra_requests: 0, sent_token: None },
            now,
        )
    }

    /// Returns the progress of the operation.
    pub fn progress(&self) -> Progress {
        self.0.progress()
    }

    /// Crate-private: cloning a machine with a request in flight could send the request twice.
    pub(crate) fn inner(&self) -> &M {
        &self.0
    }

    pub(crate) fn new(machine: M) -> Self {
        Self(machine)
    }

    pub(crate) fn receive_with(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<M> {
        self.0.on_reply(received, now)
    }

    /// Takes the request back: it was not sent and must wait until the time in `hold`.
    pub(crate) fn postpone(self, hold: Hold, now: DateTime<Utc>) -> Step<M> {
        self.0.on_hold(hold, now)
    }

    /// Returns the machine as if the request had not been sent.
    pub(crate) fn into_unsent(self) -> M {
        self.0
    }
}

/// The reply to a request: a response with its whole decoded body (see [`BodyReader`]), or the reason why there is none.
pub type Reply = Result<http::Response<Bytes>, TransportError>;
