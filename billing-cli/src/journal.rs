//! The file behind `--resume`: what a run over many organisations has found, so that another goes on where it was stopped.
//!
//! Each line is written whole by one write, so that a run that is killed leaves at most its last line without an end, which
//! is asked for again. The file is its owner's alone: it holds the figures of customers.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use billing_core::Assignment;
use billing_core::fleet::journal::{Entry, Journal, JournalReader};
use billing_core::history::Finding;

use crate::failure::Failure;

/// A journal that is being written.
pub(crate) struct JournalFile {
    path: PathBuf,
    file: File,
    journal: Journal,
}

/// A journal as it was found.
pub(crate) enum Opened {
    /// Nothing was begun yet.
    New(NewJournal),
    /// A run to go on with: what it was to find out, and what it has found.
    Old { assignment: Assignment, findings: Vec<Finding>, file: JournalFile },
}

/// A file that has nothing in it.
pub(crate) struct NewJournal {
    path: PathBuf,
    file: File,
}

/// Opens the file, or makes it.
pub(crate) fn open(path: &Path) -> Result<Opened, Failure> {
    let refuse = |why: &str| Failure::Usage(format!("--resume {}: {why}", path.display()));
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(refuse("it is no file"));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| refuse(&format!("it cannot be opened, {error}")))?;

    let mut reader = JournalReader::default();
    let (mut assignment, mut findings) = (None, Vec::new());
    let mut lines = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line);
        if length.map_err(|error| refuse(&format!("it cannot be read, {error}")))? == 0 {
            break;
        }
        match reader.read(&line).map_err(|error| refuse(&error.to_string()))? {
            Some(Entry::Assignment(read)) => assignment = Some(read),
            Some(Entry::Finding(finding)) => findings.push(finding),
            None => {}
        }
    }
    let path = path.to_owned();
    match assignment.zip(reader.finish()) {
        Some((assignment, (journal, good))) => {
            cut(&mut file, good).map_err(|error| refuse(&format!("it cannot be written, {error}")))?;
            Ok(Opened::Old { assignment, findings, file: JournalFile { path, file, journal } })
        }
        None => {
            cut(&mut file, 0).map_err(|error| refuse(&format!("it cannot be written, {error}")))?;
            Ok(Opened::New(NewJournal { path, file }))
        }
    }
}

/// Without the line that was being written when the run was killed; what comes next goes after the rest.
fn cut(file: &mut File, good: u64) -> io::Result<()> {
    if file.metadata()?.len() != good {
        file.set_len(good)?;
    }
    file.seek(SeekFrom::Start(good)).map(drop)
}

impl NewJournal {
    /// Begins it.
    pub(crate) fn begin(self, assignment: &Assignment) -> Result<JournalFile, Failure> {
        let Self { path, file } = self;
        let (journal, first) = Journal::begin(assignment);
        let mut begun = JournalFile { path, file, journal };
        begun.write(&first)?;
        Ok(begun)
    }
}

impl JournalFile {
    /// Adds what was found, unless it is to be asked for again.
    pub(crate) fn record(&mut self, finding: &Finding) -> Result<(), Failure> {
        match self.journal.record(finding) {
            Some(line) => self.write(&line),
            None => Ok(()),
        }
    }

    /// Why it is not gone on with.
    pub(crate) fn refused(&self, why: &str) -> Failure {
        Failure::Usage(format!("--resume {}: {why}", self.path.display()))
    }

    pub(crate) fn how_to_go_on(&self) -> String {
        format!("What was found is in {}: the same command goes on from there", self.path.display())
    }

    /// At the end: onto the disk.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failed(error))
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        self.file.write_all(line.as_bytes()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Failure {
        Failure::Journal { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use billing_core::{Environment, PeriodIndex, Reach};
    use chrono::DateTime;

    use super::*;

    fn assignment() -> Assignment {
        let organizations = ["a", "b"].map(|id| id.parse().unwrap());
        let api = Environment::default().api().clone();
        Assignment::new(organizations, Reach::Index(PeriodIndex::new(0)), api, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_journal_is_its_owners_and_can_be_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let Opened::New(new) = open(&path).unwrap() else { panic!("there is nothing yet") };
        new.begin(&assignment()).unwrap().finish().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let whole = std::fs::read(&path).unwrap();
        // Killed while it wrote the next line.
        std::fs::write(&path, [&whole[..], b"{\"organization\":\"a"].concat()).unwrap();
        let Opened::Old { assignment: read, findings, .. } = open(&path).unwrap() else { panic!() };
        assert_eq!((read, findings.len()), (assignment(), 0));
        assert_eq!(std::fs::read(&path).unwrap(), whole, "the torn line is gone");
        // Killed while it wrote the first one.
        std::fs::write(&path, &whole[..10]).unwrap();
        assert!(matches!(open(&path).unwrap(), Opened::New(_)));
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn what_is_no_journal_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "my notes\n").unwrap();
        let Err(refused) = open(&path) else { panic!("it is no journal") };
        assert!(refused.exit_status() == 2 && refused.to_string().contains("no journal"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"my notes\n");
        for wrong in [folder.path().to_owned(), folder.path().join("none/journal")] {
            let Err(refused) = open(&wrong) else { panic!("{wrong:?}") };
            assert!(refused.to_string().contains(&wrong.display().to_string()), "{refused}");
        }
    }
}
