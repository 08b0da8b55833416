//! The session and its lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use billing_core::Session;
use billing_core::session::SharedSession;
use tokio::sync::watch;
use tokio::time::timeout;

/// The session that all clones of a client share, with a notification for calls that wait for its login.
#[derive(Clone)]
pub(crate) struct LockedSession(Arc<Inner>);

struct Inner {
    session: Mutex<Session>,
    /// The session's revision, for calls that wait for it to change. It is changed while the lock is held.
    revision: watch::Sender<u64>,
}

impl LockedSession {
    pub(crate) fn new(session: Session) -> Self {
        let revision = watch::Sender::new(session.revision());
        let session = Mutex::new(session);
        Self(Arc::new(Inner { session, revision }))
    }

    pub(crate) fn revision(&self) -> u64 {
        *self.0.revision.borrow()
    }

    /// Waits until the revision differs from `seen`, for at most `at_most`. Returns at once if it already
    /// differs.
    pub(crate) async fn wait_past(&self, seen: u64, at_most: Duration) {
        let mut revision = self.0.revision.subscribe();
        let changed = revision.wait_for(|revision| *revision != seen);
        drop(timeout(at_most, changed).await);
    }

    /// Locks the session and ignores poisoning: each change is atomic for a panic, so a panic leaves the
    /// session consistent; see [`SharedSession`].
    fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedSession for LockedSession {
    fn with<R>(&self, f: impl FnOnce(&mut Session) -> R) -> R {
        let mut session = self.lock();
        let before = session.revision();
        let result = f(&mut session);
        if session.revision() != before {
            self.0.revision.send_replace(session.revision());
        }
        result
    }
}
