//! Each driver by itself: its attempts, its loop, its clock and the features of its HTTP library.
//!
//! Both drivers run the same tests of one attempt, in [`attempts`](self). The file is compiled once for each driver, which
//! its parent module names.

mod hyper;
mod hyper_attempts;
mod hyper_http2;
mod ureq;
mod ureq_attempts;
