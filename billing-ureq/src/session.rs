//! The session and its lock.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use billing_core::Session;
use billing_core::session::SharedSession;

/// The session that all clones of a client share, with a notification for calls that wait for its login.
#[derive(Clone)]
pub(crate) struct LockedSession(Arc<(Mutex<Session>, Condvar)>);

impl LockedSession {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new((Mutex::new(session), Condvar::new())))
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision()
    }

    /// Waits until the revision differs from `seen`, for at most `at_most`. The condition variable checks
    /// and begins to wait under one lock, so that no change in between is missed.
    pub(crate) fn wait_past(&self, seen: u64, at_most: Duration) {
        let changed = &self.0.1;
        drop(changed.wait_timeout_while(self.lock(), at_most, |session| session.revision() == seen));
    }

    /// Locks the session and ignores poisoning: each change is atomic for a panic, so a panic leaves the
    /// session consistent; see [`SharedSession`].
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedSession for LockedSession {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        let mut session = self.lock();
        let before = session.revision();
        let result = f(&mut session);
        if session.revision() != before {
            self.0.1.notify_all();
        }
        result
    }
}
