//! An async client of the Genesys Cloud Billing API, for [`tokio`].
//!
//! The API's rules are in [`billing_core`], which does no I/O. This crate adds the I/O: it performs the
//! core's requests with [`hyper`], sleeps when the core asks for a wait, and stores the session (the login
//! and the quota) that all calls of a client share. The core alone decides when to retry, poll, log in or
//! give up, so every driver behaves the same.
//!
//! ```text
//!   Client::usage_report ─► Poll ─┐                               ┌─► Transport (hyper): one request, one reply
//!   Client::run ─► any Machine ───┴─► Authorized ─► Run (a loop) ─┼─► Clock: sleeps
//!                                        └── Session (shared) ◄───┴─► watch: another call's login ended
//! ```
//!
//! ```no_run
//! use billing_core::{Credentials, Period, Region};
//! use billing_hyper::{Client, Update};
//! use futures_util::StreamExt;
//!
//! # async fn october() -> Result<(), Box<dyn std::error::Error>> {
//! let region: Region = "eu-central-1".parse()?;
//! let client = Client::new(region.into(), Credentials::client("client id", "client secret")?)?;
//! let october = Period::from_user("2026-10-01", "2026-11-01")?;
//! let mut updates = std::pin::pin!(client.usage_report_stream(october));
//! while let Some(update) = updates.next().await {
//!     match update {
//!         Update::Progress(progress) => eprintln!("{}", progress.wait_reason),
//!         Update::Done(report) => println!("{} usages", report?.usages().len()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Tasks
//!
//! * A [`Client`] is `Send`, `Sync` and cheap to clone. All clones share one login, one quota and one
//!   connection pool. Use a client within one tokio runtime that has its time and I/O drivers enabled.
//! * The futures and streams are `Send`. They do nothing until they are polled.
//! * **Dropping a future or stream cancels its own call and nothing else.** A request in flight is
//!   abandoned with its connection (under HTTP/2, with its stream). If the dropped call was logging in, one
//!   of the calls that wait for the login takes it over.
//! * If several tasks need a login, one of them logs in and the others wait for it.
//! * No lock is held across an await.
//! * `hyper` runs each connection in a task of its own, which ends with the connection.
//! * An attempt ends within [`Request::timeout`](billing_core::Request::timeout), even if the server sends
//!   its body byte by byte. A call ends, with all its attempts, by the deadline that its
//!   [`Policy`](billing_core::Policy) sets.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod client;
mod clock;
mod connect;
mod fleet;
mod history;
mod listing;
mod operations;
mod run;
mod session;
mod transport;
mod turns;

pub use billing_core;
pub use builder::{BuildError, Builder, TlsRoots};
pub use client::{Client, Update};
pub use clock::{Clock, Sleep};
pub use fleet::Fleet;
pub use history::Periods;
pub use listing::{Entities, Listing};

/// The examples of this crate's README, compiled as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
