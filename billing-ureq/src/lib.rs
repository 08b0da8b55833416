//! A blocking client of the Genesys Cloud Billing API.
//!
//! The API's rules are in [`billing_core`], which does no I/O. This crate adds the I/O: it performs the
//! core's requests with [`ureq`], sleeps when the core asks for a wait, and stores the session (the login
//! and the quota) that all calls of a client share. The core alone decides when to retry, poll, log in or
//! give up, so every driver behaves the same.
//!
//! ```text
//!   Client::usage_report ─► Poll ─┐                               ┌─► Transport (ureq): one request, one reply
//!   Client::run ─► any Machine ───┴─► Authorized ─► the loop ─────┼─► Clock: sleeps
//!                                        └── Session (shared) ◄───┴─► Condvar: another call's login ended
//! ```
//!
//! ```no_run
//! use billing_core::{Credentials, Period, Region};
//! use billing_ureq::Client;
//!
//! let region: Region = "eu-central-1".parse()?;
//! let client = Client::new(region.into(), Credentials::client("client id", "client secret")?)?;
//! let october = Period::from_user("2026-10-01", "2026-11-01")?;
//! let report = client.usage_report_with_progress(october, |progress| eprintln!("{}", progress.wait_reason))?;
//! for usage in report.usages() {
//!     println!("{:?}", usage.name);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! * A [`Client`] is `Send`, `Sync` and cheap to clone. All clones share one login, one quota and one
//!   connection pool.
//! * A call blocks the thread that makes it. The client has no threads of its own, with two exceptions: a
//!   [`Fleet`] has worker threads while it runs, and a host name is resolved on a short-lived thread, so
//!   that the time limit holds for the lookup. The lookup happens once per new connection, not once per
//!   call.
//! * If several threads need a login, one of them logs in and the others wait. If that login fails, another
//!   thread tries.
//! * No lock is held while a request is in flight or a thread sleeps.
//! * A panic, in a callback for example, ends only the call of the thread that panicked.
//! * An attempt ends within [`Request::timeout`](billing_core::Request::timeout), even if the server sends
//!   its body byte by byte.
//! * A call ends, with all its attempts, by the deadline that its [`Policy`](billing_core::Policy) sets.
//!
//! # Logs
//!
//! This crate logs nothing, but `ureq` does. **At level TRACE, the targets `ureq` and `ureq_proto` log the
//! bytes on the wire**: the token, the client secret and the signed address of a document. `ureq` has no
//! option to switch this off. Keep both targets at DEBUG, where they log no secrets; with `env_logger` that
//! is `RUST_LOG=trace,ureq=debug,ureq_proto=debug`.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod client;
mod clock;
mod connect;
mod fleet;
mod history;
mod listing;
mod lookup;
mod operations;
mod proxy;
mod session;
mod tls;
mod transport;

pub use billing_core;
pub use builder::{BuildError, Builder, TlsRoots};
pub use client::Client;
pub use clock::Clock;
pub use fleet::Fleet;
pub use history::Periods;
pub use listing::{Entities, Listing};

/// The examples of this crate's README, compiled as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
