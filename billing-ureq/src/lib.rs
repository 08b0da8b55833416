//! A blocking client of the Genesys Cloud Billing API.
//!
//! All knowledge of the API is in [`billing_core`], which does no I/O. This crate is the I/O: it performs the requests
//! that the core's machines ask for with [`ureq`], waits where they want to wait, and keeps the session (the login and
//! the quota) that all calls of a client share. It decides nothing: when to retry, to poll, to log in or to give up is
//! the core's business, and the same in every driver.
//!
//! ```text
//!   Client::usage_report ─► Poll ─┐                               ┌─► Transport (ureq): one request, one reply
//!   Client::run ─► any Machine ───┴─► Authorized ─► the loop ─────┼─► Clock: sleeps
//!                                        └── Session (shared) ◄───┴─► Condvar: somebody else's login has ended
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
//! * A [`Client`] is `Send`, `Sync` and cheap to clone. All clones share one login, one quota and one pool of connections.
//! * A call runs on the thread that makes it, and blocks it. The client has no threads of its own, but a [`Fleet`] has a few
//!   while it runs, and none when it has returned; a host's name
//!   is looked up on a short-lived thread, so that the look-up ends in time; for a new connection, not for each call.
//! * However many threads call, one of them logs in and the others wait for it. If it fails to, another one tries.
//! * No lock is held while a request is out or while anybody sleeps.
//! * A thread that panics, in a callback for example, loses its own call and no other.
//! * An attempt ends within [`Request::timeout`](billing_core::Request::timeout), even where the server sends its body
//!   byte by byte.
//! * A call ends, in all, by the deadline that its [`Policy`](billing_core::Policy) sets.
//!
//! # Logs
//!
//! This crate logs nothing, but `ureq` does. **At TRACE its targets `ureq` and `ureq_proto` are the wire itself**: the token,
//! the client's secret and the signed address of a document are in that log, and nothing in `ureq` switches it off. Keep the
//! two at DEBUG, where they tell no secret; for `env_logger` that is `RUST_LOG=trace,ureq=debug,ureq_proto=debug`.

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

/// The examples of this crate's README, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
