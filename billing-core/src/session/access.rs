//! How machines reach the session that they share.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::Session;

/// How the machines of a driver reach the session that they share.
///
/// Implemented here for the two ways that need nothing but the standard library. A driver with waiting threads or tasks
/// implements it itself, and wakes them when [`Session::revision`] has changed.
pub trait SharedSession: Clone {
    /// Runs `f`, which is short and never waits, on the session.
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R;
}

impl SharedSession for Rc<RefCell<Session>> {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        f(&mut self.borrow_mut())
    }
}

impl SharedSession for Arc<Mutex<Session>> {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        // A thread that panicked did so outside of `f`, or in a method that leaves nothing half done.
        f(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
