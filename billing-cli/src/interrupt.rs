//! Handling of Ctrl-C and termination signals: exits at once and removes the temporary file.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// The temporary file to remove on an interrupt. Code that creates, moves or removes the file holds the lock
/// meanwhile, so that the handler always sees a consistent state.
static TEMPORARY_FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// True if a progress line is on the terminal.
static PROGRESS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Installs the handler that exits with status 130 on an interrupt.
///
/// The handler exits from its own thread, because the main thread may be blocked on a server or a full pipe.
pub(crate) fn install() {
    let end = || {
        let temporary = lock_temporary_file();
        if let Some(path) = &*temporary {
            // Ignore a failure to remove the file: the process exits anyway.
            let _ = std::fs::remove_file(path);
        }
        // Write from another thread, because standard error may be a full pipe that nobody reads.
        let (said, heard) = mpsc::channel();
        thread::spawn(move || {
            let wipe = if PROGRESS_SHOWN.load(Ordering::Relaxed) { "\r\x1b[K" } else { "" };
            let _ = writeln!(std::io::stderr(), "{wipe}error: interrupted");
            let _ = said.send(());
        });
        let _ = heard.recv_timeout(Duration::from_millis(200));
        // Keep the lock, so that no other temporary file is created.
        std::process::exit(EXIT_INTERRUPTED);
    };
    // Installation fails only if a handler exists already or the system has no signals. Then the default
    // action applies.
    let _ = ctrlc::set_handler(end);
}

/// Locks the path of the temporary file.
pub(crate) fn lock_temporary_file() -> MutexGuard<'static, Option<PathBuf>> {
    TEMPORARY_FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records if a progress line must be wiped on an interrupt.
pub(crate) fn set_progress_shown(shown: bool) {
    PROGRESS_SHOWN.store(shown, Ordering::Relaxed);
}

const EXIT_INTERRUPTED: i32 = 130;
