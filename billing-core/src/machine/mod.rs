//! State machines: one for each operation, run by a driver.
//!
//! Each step takes the current time and returns a request to perform, a time to wait for, or the result:
//!
//! ```text
//!              ┌──────────────────────────── receive(reply, now) ───────────────────────────┐
//!              ▼                                                                            │
//!   step(now) ─┬─► Step::Send(request, sent) ── a driver performs the request ──► sent ─────┘
//!              ├─► Step::Wait(until, machine) ── a driver waits, then step(now) again
//!              └─► Step::Done(result)
//! ```
//!
//! Every step consumes the machine. A reply can be handed over once, and only to the machine that sent the
//! request; after the result there is nothing left to step. The driver's loop is the same for every machine:
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
mod next_page;
pub mod pages;
pub(crate) mod policy;
pub(crate) mod progress;
mod request;
pub(crate) mod retry_after;
pub(crate) mod retry_loop;
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
pub use next_page::{NextPage, Page};
pub use pages::{PageStep, Pages};
pub use policy::{Policy, RetrySchedule};
pub use progress::{Progress, RetryCause, WaitReason, WakeReason};
pub use request::Request;
pub(crate) use sealed::{Hold, NotBefore, ReceivedReply};
pub use transport_error::{TransportError, TransportErrorKind};

/// An operation in progress. The [module documentation](self) shows how to drive it.
///
/// Implemented only by the machines of this crate, because they exchange more with each other than this trait
/// shows.
pub trait Machine: sealed::MachineInternals {
    /// The value of a successful operation.
    type Output;

    /// Advances the machine at the time `now` and consumes it:
    ///
    /// ```compile_fail,E0382
    /// # fn misuse<M: billing_core::Machine>(machine: M, now: chrono::DateTime<chrono::Utc>) {
    /// let once = machine.step(now);
    /// let twice = machine.step(now);
    /// # }
    /// ```
    ///
    /// Stepping a machine before the end of its wait is harmless: it returns [`Step::Wait`] again.
    ///
    /// `now` should come from a clock that does not jump, such as wall time at the start plus monotonic time
    /// since. A forward jump counts as elapsed time: waits and the deadline may end early. After a backward
    /// jump, a wait lasts no longer than the longest wait that the machine can ask for, and its
    /// [session](crate::Session) shifts its times as well; but if the clock is set back while a request is in
    /// flight, the deadline moves later by the same amount.
    fn step(self, now: DateTime<Utc>) -> Step<Self>;

    /// Returns a snapshot of the operation, for progress displays and logs.
    fn progress(&self) -> Progress;
}

/// The next action of a driver, as a machine returns it.
#[derive(Debug)]
#[must_use = "dropping a step abandons the operation"]
pub enum Step<M: Machine> {
    /// A request to perform; the reply goes to [`Sent::receive`].
    Send(Box<Request>, Sent<M>),
    /// A wait until this time; then call [`Machine::step`].
    Wait(DateTime<Utc>, M),
    /// The result of the operation. Nothing follows it.
    Done(Result<M::Output, Error>),
}

/// A machine with a request in flight. It is not `Clone`: one request takes one reply. Code that breaks this
/// does not compile:
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
#[must_use = "pass the reply to `receive`; without it the operation does not end"]
pub struct Sent<M>(M);

impl<M: Machine> Sent<M> {
    /// Advances the machine with the reply, at the time `now`.
    pub fn receive(self, reply: Reply, now: DateTime<Utc>) -> Step<M> {
        let retry_after = reply.as_ref().ok().and_then(|response| retry_after(response.headers(), now));
        self.0.on_reply(
            ReceivedReply { reply, retry_after, not_before: None, extra_requests: 0, sent_token: None },
            now,
        )
    }

    /// Returns a snapshot of the operation, for progress displays and logs.
    pub fn progress(&self) -> Progress {
        self.0.progress()
    }

    /// Returns the machine. Crate-private: cloning a machine with a request in flight could send the request
    /// twice.
    pub(crate) fn inner(&self) -> &M {
        &self.0
    }

    pub(crate) fn new(machine: M) -> Self {
        Self(machine)
    }

    /// Advances the machine with a reply to which a session has added its data.
    pub(crate) fn receive_with(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<M> {
        self.0.on_reply(received, now)
    }

    /// Takes the request back: it was not sent, and cannot be sent before `hold.not_before`.
    pub(crate) fn postpone(self, hold: Hold, now: DateTime<Utc>) -> Step<M> {
        self.0.on_hold(hold, now)
    }

    /// Takes the request back, as if the machine had not been stepped.
    pub(crate) fn into_unsent(self) -> M {
        self.0
    }
}

/// The reply to a request: a response with its whole body, decoded (see [`BodyReader`]), or the reason why
/// there is none.
pub type Reply = Result<http::Response<Bytes>, TransportError>;
