//! Tests of the program as a process: on its sandbox, against servers on loopback, and its pages in a
//! browser.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod close;
mod cloud;
mod commands;
mod common;
mod fleet;
mod network;
mod page;
mod poll_cache;
mod process;
mod proxies;
mod sandbox;
mod system_roots;
