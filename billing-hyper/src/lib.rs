//! An async client of the Genesys Cloud Billing API, for [`tokio`].
//!
//! All knowledge of the API is in [`billing_core`], which does no I/O. This crate is the I/O: it performs the requests
//! that the core's machines ask for with [`hyper`], waits where they want to wait, and keeps the session (the login and
//! the quota) that all calls of a client share. It decides nothing: when to retry, to poll, to log in or to give up is
//! the core's business, and the same in every driver.
//!
//! ```text
//!   Client::usage_report ─► Poll ─┐                               ┌─► Transport (hyper): one request, one reply
//!   Client::run ─► any Machine ───┴─► Authorized ─► Run (a loop) ─┼─► Clock: sleeps
//!                                        └── Session (shared) ◄───┴─► watch: somebody else's login has ended
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
//! * A [`Client`] is `Send`, `Sync` and cheap to clone. All clones share one login, one quota and one pool of connections.
//!   It is to be used within one tokio runtime, which needs its time and I/O drivers.
//! * The futures and streams are `Send`. They do nothing until they are polled.
//! * **Dropping one, at any point, loses that call and nothing else.** Its request, if one is out, is abandoned with its
//!   connection (or its stream, under HTTP/2). If it was logging in, one of those who wait for the login takes it over.
//! * However many tasks call, one of them logs in and the others wait for it.
//! * No lock is held across an await.
//! * `hyper` runs each connection in a task of its own, which ends with the connection.
//! * An attempt ends within [`Request::timeout`](billing_core::Request::timeout), even where the server sends its body
//!   byte by byte. A call ends, in all, by the deadline that its [`Policy`](billing_core::Policy) sets.

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

/// The examples of this crate's README, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
