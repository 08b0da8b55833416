//! Support for the tests of the workspace: the sandbox as a real server on loopback, virtual time, and a
//! way to run a machine through each of the three transports.
//!
//! ```text
//!   machine ─┬─ in memory ──────────────────────────────────┐
//!            ├─ billing-ureq ──┐                             ├─► the sandbox, at the clock's time
//!            └─ billing-hyper ─┴─► wire (faults) ─► wiremock ┘
//! ```
//!
//! The [`raw_server`] sends arbitrary bytes, for faults that the sandbox does not have. The [`simulation`]
//! runs millions of machines without a server.

#![forbid(unsafe_code)]

pub mod bodies;
#[cfg(feature = "servers")]
mod browser;
#[cfg(feature = "servers")]
pub mod certificates;
#[cfg(feature = "servers")]
mod fake_server;
pub mod fleet_simulation;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(feature = "servers")]
pub mod loopback;
#[cfg(feature = "servers")]
pub mod raw_server;
pub mod simulation;
#[cfg(feature = "servers")]
mod transport;
#[cfg(feature = "servers")]
mod virtual_time;
#[cfg(feature = "servers")]
mod wire;

#[cfg(feature = "servers")]
pub use browser::Browser;
#[cfg(feature = "servers")]
pub use fake_server::FakeServer;
#[cfg(feature = "servers")]
pub use transport::{Driven, Memory, Stage, Transport};
#[cfg(feature = "servers")]
pub use virtual_time::VirtualTime;

/// The README's examples, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
