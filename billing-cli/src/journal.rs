//! The journal file of `--resume`: the results of a run over many organisations, so that a later run can
//! resume.
//!
//! Each line is written with one write and synced to disk before the next. After a crash or a power failure
//! at most the last line is incomplete, and its organisation is requested again. The file is locked while it
//! is open, because lines of two runs must not mix. It is made private to its owner, because it contains
//! business figures of customers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use billing_core::fleet::FleetPlan;
use billing_core::fleet::journal::{Journal, JournalEntry, JournalReader};
use billing_core::history::PeriodResult;

use crate::failure::Failure;

/// A journal open for writing.
pub(crate) struct JournalFile {
    place: LockedFile,
    journal: Journal,
}

/// A journal as found on disk. The file is not changed before a run starts or resumes it.
pub(crate) enum OpenedJournal {
    /// A journal without a run.
    New(NewJournal),
    /// A journal with a run to resume.
    Existing(ExistingJournal),
}

/// An empty journal file.
pub(crate) struct NewJournal(LockedFile);

/// A journal of an interrupted run.
pub(crate) struct ExistingJournal {
    /// The plan of the run.
    pub(crate) assignment: FleetPlan,
    /// The number of recorded results.
    pub(crate) results: usize,
    place: LockedFile,
}

/// Opens or creates the file and reads it completely.
pub(crate) fn open(path: &Path) -> Result<OpenedJournal, Failure> {
    let place = LockedFile::open(path)?;
    let (mut assignment, mut known) = (None, 0);
    place.read(|entry| {
        match entry {
            JournalEntry::Plan(read) => assignment = Some(read),
            JournalEntry::Result(_) => known += 1,
        }
        Ok(())
    })?;
    Ok(match assignment {
        Some(assignment) => OpenedJournal::Existing(ExistingJournal { assignment, results: known, place }),
        None => OpenedJournal::New(NewJournal(place)),
    })
}

impl NewJournal {
    /// Writes the plan and starts the journal.
    pub(crate) fn start(self, assignment: &FleetPlan) -> Result<JournalFile, Failure> {
        let (journal, first) = Journal::create(assignment);
        let mut begun = JournalFile { place: self.0.truncated_to(0)?, journal };
        begun.write(&first)?;
        Ok(begun)
    }
}

impl ExistingJournal {
    /// Resumes the journal. Passes the recorded results to `on` one by one, because all of them may not fit
    /// in memory.
    pub(crate) fn resume(
        self,
        mut on: impl FnMut(&PeriodResult) -> Result<(), Failure>,
    ) -> Result<JournalFile, Failure> {
        let end = self.place.read(|entry| match entry {
            JournalEntry::Plan(_) => Ok(()),
            JournalEntry::Result(finding) => on(&finding),
        })?;
        let Some((journal, good)) = end else {
            return Err(self.refused("it was changed while it was being read"));
        };
        Ok(JournalFile { place: self.place.truncated_to(good)?, journal })
    }

    /// Returns the failure for a journal that cannot be resumed.
    pub(crate) fn refused(&self, why: &str) -> Failure {
        self.place.refused(why)
    }
}

impl JournalFile {
    /// Records a result, unless the organisation has to be requested again.
    pub(crate) fn record(&mut self, finding: &PeriodResult) -> Result<(), Failure> {
        match self.journal.line_for(finding) {
            Some(line) => self.write(&line),
            None => Ok(()),
        }
    }

    pub(crate) fn resume_hint(&self) -> String {
        format!(
            "The results so far are in {}: run the same command again to resume",
            self.place.path.display()
        )
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        let LockedFile { path, file } = &mut self.place;
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| Failure::Journal { path: path.clone(), error })
    }
}

/// The path with the locked file.
struct LockedFile {
    path: PathBuf,
    file: File,
}

impl LockedFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return Err(refusal(path, "it is not a regular file"));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| refusal(path, &format!("cannot open it: {error}")))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file }),
            Err(TryLockError::WouldBlock) => Err(refusal(path, "another run is using it")),
            Err(TryLockError::Error(error)) => Err(refusal(path, &format!("cannot lock it: {error}"))),
        }
    }

    /// Reads the file from the start and passes each entry to `on`. Returns the final state of the reader.
    fn read(
        &self,
        mut on: impl FnMut(JournalEntry) -> Result<(), Failure>,
    ) -> Result<Option<(Journal, u64)>, Failure> {
        let unreadable = |error| self.refused(&format!("cannot read it: {error}"));
        let (mut reader, mut lines, mut line) =
            (JournalReader::default(), BufReader::new(&self.file), Vec::new());
        lines.rewind().map_err(unreadable)?;
        while lines.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
            if let Some(entry) = reader.read_line(&line).map_err(|error| self.refused(&error.to_string()))? {
                on(entry)?;
            }
            line.clear();
        }
        Ok(reader.finish())
    }

    /// Makes the file private and removes an incomplete last line. The next write appends.
    fn truncated_to(mut self, good: u64) -> Result<Self, Failure> {
        let prepared = make_private(&self.file)
            .and_then(|()| self.file.set_len(good))
            .and_then(|()| self.file.seek(SeekFrom::Start(good)));
        prepared.map_err(|error| self.refused(&format!("cannot write it: {error}")))?;
        Ok(self)
    }

    fn refused(&self, why: &str) -> Failure {
        refusal(&self.path, why)
    }
}

fn refusal(path: &Path, why: &str) -> Failure {
    Failure::Usage(format!("--resume {}: {why}", path.display()))
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    permissions.set_mode(0o600);
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use billing_core::{Environment, PeriodIndex, PeriodSelection};
    use chrono::DateTime;

    use super::*;

    fn assignment() -> FleetPlan {
        let organizations = ["a", "b"].map(|id| id.parse().unwrap());
        let api = Environment::default().api().clone();
        FleetPlan::new(organizations, PeriodSelection::Nth(PeriodIndex::new(0)), api, DateTime::UNIX_EPOCH)
    }

    #[cfg(unix)]
    #[test]
    fn a_journal_is_its_owners_and_can_be_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "").unwrap();
        open_to_others(&path);
        let OpenedJournal::New(new) = open(&path).unwrap() else { panic!("there is nothing yet") };
        assert!(is_open_to_others(&path), "it is not ours before it is begun");
        drop(new.start(&assignment()).unwrap());
        assert!(!is_open_to_others(&path));
        let whole = std::fs::read(&path).unwrap();
        // The process was killed while writing the next line.
        let torn = [&whole[..], b"{\"organization\":\"a"].concat();
        std::fs::write(&path, &torn).unwrap();
        open_to_others(&path);
        let OpenedJournal::Existing(old) = open(&path).unwrap() else { panic!("it was begun") };
        assert_eq!((&old.assignment, old.results), (&assignment(), 0));
        assert_eq!(std::fs::read(&path).unwrap(), torn, "it is not gone on with yet");
        drop(old.resume(|_| panic!("nothing was found")).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), whole, "the torn line is gone");
        assert!(!is_open_to_others(&path));
        // The process was killed while writing the first line.
        std::fs::write(&path, &whole[..10]).unwrap();
        let OpenedJournal::New(new) = open(&path).unwrap() else { panic!("nothing was begun") };
        drop(new.start(&assignment()).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_journal_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for notes in [&b"my notes\n"[..], b"my notes", b"{\"currency\":\"USD\"}", b"\x7fELF\x02\x01\0"] {
            std::fs::write(&path, notes).unwrap();
            open_to_others(&path);
            let Err(refused) = open(&path) else { panic!("it is no journal") };
            assert!(refused.exit_status() == 2 && refused.to_string().contains("no journal"), "{refused}");
            assert_eq!(std::fs::read(&path).unwrap(), notes);
            assert!(is_open_to_others(&path));
        }
        for wrong in [folder.path().to_owned(), folder.path().join("none/journal")] {
            let Err(refused) = open(&wrong) else { panic!("{wrong:?}") };
            assert!(refused.to_string().contains(&wrong.display().to_string()), "{refused}");
        }
    }

    #[test]
    fn one_run_writes_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let Ok(OpenedJournal::New(new)) = open(&path) else { panic!("there is nothing yet") };
        let refuses =
            || open(&path).is_err_and(|refused| refused.to_string().ends_with("another run is using it"));
        assert!(refuses(), "it is open");
        let written = new.start(&assignment()).unwrap();
        assert!(refuses(), "it is written");
        drop(written);
        assert!(matches!(open(&path), Ok(OpenedJournal::Existing(_))));
    }

    #[cfg(unix)]
    fn open_to_others(path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    #[cfg(unix)]
    fn is_open_to_others(path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().unwrap().permissions().mode() & 0o077 != 0
    }
}
