//! What the tests of the workspace share: the sandbox as a real server on the loopback, virtual time, and one way to run a
//! machine through each of the three transports.
//!
//! ```text
//!   machine ─┬─ in memory ──────────────────────────────────┐
//!            ├─ billing-ureq ──┐                             ├─► the sandbox, at the clock's time
//!            └─ billing-hyper ─┴─► wire (faults) ─► wiremock ┘
//! ```
//!
//! For what no polite server does there is the [`raw_server`], which knows nothing but bytes. Where no server is
//! needed at all, the [`simulation`] runs machines by the million.

#![forbid(unsafe_code)]

pub mod bodies;
mod browser;
pub mod certificates;
mod fake_server;
pub mod fleet_simulation;
pub mod program;
pub mod raw_server;
pub mod simulation;
mod transport;
mod virtual_time;
mod wire;

pub use browser::Browser;
pub use fake_server::FakeServer;
pub use transport::{Driven, Memory, Stage, Transport};
pub use virtual_time::VirtualTime;

/// The README's examples, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
