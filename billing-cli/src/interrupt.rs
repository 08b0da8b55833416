//! Ctrl-C, and being told to end: at once, leaving nothing behind.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The temporary file that is to go when the program is interrupted. Whoever makes, moves or removes one holds the lock
/// while it does, so that the handler sees it either registered or not there.
static TEMPORARY_FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Whether a progress line stands on the terminal.
static PROGRESS_SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on an interruption ends the program with status 130.
///
/// It ends from the handler's own thread: whatever the main thread waits for, a server or a full pipe, it need not come.
pub(crate) fn install() {
    let end = || {
        let temporary = lock_temporary_file();
        if let Some(path) = &*temporary {
            // Nothing better can be done about a failure than what is being done.
            let _ = std::fs::remove_file(path);
        }
        // From another thread, because standard error may be a pipe that nobody empties.
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            let wipe = if PROGRESS_SHOWN.load(Ordering::Relaxed) { "\r\x1b[K" } else { "" };
            let _ = writeln!(std::io::stderr(), "{wipe}error: interrupted");
            let _ = said.send(());
        });
        let _ = heard.recv_timeout(Duration::from_millis(200));
        // The lock is kept, so that no other temporary file comes into being.
        std::process::exit(EXIT_INTERRUPTED);
    };
    // Fails only where a handler is installed already, or the system has no signals: then it ends as it would by default.
    let _ = ctrlc::set_handler(end);
}

/// The place of the temporary file, locked.
pub(crate) fn lock_temporary_file() -> MutexGuard<'static, Option<PathBuf>> {
    TEMPORARY_FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says whether a progress line is to be wiped when the program is interrupted.
pub(crate) fn set_progress_shown(shown: bool) {
    PROGRESS_SHOWN.store(shown, Ordering::Relaxed);
}

const EXIT_INTERRUPTED: i32 = 130;
