//! Each driver by itself: its attempts, its loop, its clock, and what its HTTP library adds.
//!
//! Both drivers run the same tests of one attempt, in [`attempts`](self): the file is compiled once for each, with the
//! driver that its parent names.

mod hyper;
mod hyper_attempts;
mod hyper_http2;
mod ureq;
mod ureq_attempts;
