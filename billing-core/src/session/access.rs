//! The access of machines to the session that they share.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::Session;

/// Access to the session that the machines of a driver share.
///
/// It is implemented for the two types that need only the standard library. A driver with waiting threads or
/// tasks implements it itself, and wakes them when [`Session::revision`] has changed.
pub trait SharedSession: Clone {
    /// Runs `f` on the session. `f` is short and never waits.
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R;
}

impl SharedSession for Rc<RefCell<Session>> {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        f(&mut self.borrow_mut())
    }
}

impl SharedSession for Arc<Mutex<Session>> {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        // A poisoned lock is safe to use: no method of the session leaves it half changed.
        f(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
