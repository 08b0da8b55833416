//! The journal of a run: what was found, a line each, so that a run that was killed goes on where it stopped.
//!
//! The first line says which run it is of: an [`FleetPlan`], whole, so that the run can be gone on with even where nobody
//! remembers the list. Each further line is one [`PeriodResult`] with the answer's body, so that a run that goes on can print all
//! of it. Findings that another try may mend (the server failed, the network did, time was up) have no line: they are asked
//! for again. The lines hold figures of customers and no secret; whoever writes them to a file makes it readable for its owner
//! only.
//!
//! Each line ends with a checksum over itself and all before it. A last line without its end was being written when the run
//! was killed; it is dropped, and asked for again. So a run that is killed loses nothing where each line is written by one
//! write, and one whose machine loses its power loses nothing where each line is on the disk ([`File::sync_data`]) before the
//! next is written; otherwise a line may be missing before one that is there, which is refused. Two runs in one journal spoil
//! it: lock it while it is open ([`File::try_lock`]). Anything else that is not as it was written (a line that is changed,
//! missing, doubled, or moved) is refused. The checksum guards against accidents, not against an enemy who can write your
//! files.
//!
//! [`File::sync_data`]: std::fs::File::sync_data
//! [`File::try_lock`]: std::fs::File::try_lock
//!
//! Bodies are compressed, large ones to a tenth, and encoded in Base64: `jq -r '.found.period' | base64 -d | gunzip` shows one.
//!
//! ```
//! use billing_core::fleet::journal::{Entry, Journal, JournalReader};
//! use billing_core::fleet::FleetPlan;
//! use billing_core::{Environment, PeriodSelection};
//!
//! let organizations = ["org-1".parse()?, "org-2".parse()?];
//! let now = "2026-11-02T09:00:00Z".parse()?;
//! let assignment = FleetPlan::new(organizations, PeriodSelection::year(2026)?, Environment::default().api().clone(), now);
//!
//! // A new run writes this first, then `journal.record(&finding)` for each finding, each line to the disk before the next.
//! let (journal, first_line) = Journal::begin(&assignment);
//!
//! // One that goes on reads line by line, each with its end.
//! let mut reader = JournalReader::default();
//! let Some(Entry::Assignment(read)) = reader.read(first_line.as_bytes())? else { panic!("the first line") };
//! assert_eq!(read, assignment);
//! // The next would be an `Entry::PeriodResult`. This one was being written when the run was killed:
//! assert!(reader.read(b"{\"organization\":\"or")?.is_none());
//! let (_journal, good) = reader.finish().expect("it has a first line");
//! assert_eq!(good, first_line.len() as u64, "the file is cut to this length before it is gone on with");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::plan::{FleetPlan, PlanMismatch};
use crate::error::SavedError;
use crate::history::{BillingPeriod, Dates, PeriodOutcome, PeriodResult, StopReason};
use crate::machine::checkpoint::{FNV_OFFSET_BASIS, fnv1a};
use crate::model::decode;
use crate::{OrgId, PeriodIndex};

/// Writes the journal of a run; see the [module's text](self).
#[derive(Clone, Debug)]
pub struct Journal {
    /// The checksum of all lines so far.
    check: u64,
}

impl Journal {
    /// The journal of a new run, and its first line.
    pub fn begin(assignment: &FleetPlan) -> (Self, String) {
        let mut journal = Self { check: FNV_OFFSET_BASIS };
        let line = journal.line(&First { format: FORMAT.into(), version: VERSION, assignment });
        (journal, line)
    }

    /// The line for a finding, which is to be written whole before anything else; `None` for one that is not recorded,
    /// because it is to be asked for again. Where it cannot be written the run is to be stopped: a line after one that is
    /// broken or missing would be refused.
    pub fn record(&mut self, finding: &PeriodResult) -> Option<String> {
        let PeriodResult { organization, index, outcome: found, stop_reason: ended } = finding;
        let found = match found {
            PeriodOutcome::Period(period) => Recorded::Period(packed(&period.body)),
            PeriodOutcome::Undated(period) => Recorded::Undated(packed(&period.body)),
            PeriodOutcome::Outside(dates) => Recorded::Outside(*dates),
            PeriodOutcome::Repeated(dates) => Recorded::Repeated(*dates),
            PeriodOutcome::Nothing => Recorded::Nothing,
            PeriodOutcome::Failed(error) => Recorded::Failed(error.to_saved()?),
        };
        Some(self.line(&Record { organization: organization.clone(), index: *index, found, ended: *ended }))
    }

    /// One line, with its checksum and its end.
    fn line(&mut self, value: &impl Serialize) -> String {
        // Nothing in these can fail to be written: no map has a key that is no text.
        let mut line = serde_json::to_string(value).unwrap_or_default();
        line.pop();
        self.check = fnv1a(self.check, line.as_bytes());
        line.push_str(&format!("{CHECK}{:016x}\"}}\n", self.check));
        line
    }
}

/// Reads a journal, line by line; see the [module's text](self).
#[derive(Clone, Debug, Default)]
pub struct JournalReader {
    journal: Option<Journal>,
    /// How many lines and bytes are good.
    lines: u64,
    length: u64,
    torn: bool,
}

/// What a line of a journal says.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Which run it is of. The first line, and no other.
    Assignment(FleetPlan),
    /// What was found.
    Finding(PeriodResult),
}

impl JournalReader {
    /// Reads the next line, with its end. `None` for one that has none, which is the last and does not count; as a first line
    /// only where it is the beginning of one.
    ///
    /// # Errors
    /// When it is not a line of a journal as it was written.
    pub fn read(&mut self, line: &[u8]) -> Result<Option<Entry>, JournalError> {
        let refuse = |reason| JournalError::Line { line: self.lines + 1, reason };
        if self.torn {
            return Err(refuse("it follows one that has no end"));
        }
        if line.last() != Some(&b'\n') {
            // A first line that is torn is the beginning of ours, or the file is somebody else's and not to be cut.
            if self.journal.is_none() && !(line.starts_with(BEGINNING) || BEGINNING.starts_with(line)) {
                return Err(JournalError::NoJournal);
            }
            self.torn = true;
            return Ok(None);
        }
        let text = std::str::from_utf8(line).map_err(|_| refuse("it is not UTF-8"))?;
        let Some((body, said)) = text.split_at_checked(text.len().saturating_sub(CHECK_LENGTH)) else {
            return Err(self.no_journal_or(refuse("it is too short")));
        };
        let before = self.journal.as_ref().map_or(FNV_OFFSET_BASIS, |journal| journal.check);
        let check = fnv1a(before, body.as_bytes());
        if said != format!("{CHECK}{check:016x}\"}}\n") {
            return Err(
                self.no_journal_or(refuse("its checksum is wrong: it, or a line before it, was changed"))
            );
        }
        let malformed = |_| refuse("it is not what this program writes");
        let entry = match &mut self.journal {
            None => {
                let first: FirstRead = serde_json::from_str(text).map_err(|_| JournalError::NoJournal)?;
                if first.format != FORMAT {
                    return Err(JournalError::NoJournal);
                }
                if first.version != VERSION {
                    return Err(JournalError::Version(first.version));
                }
                let assignment = serde_json::from_str::<Assigned>(text).map_err(malformed)?.assignment;
                self.journal = Some(Journal { check });
                Entry::Assignment(assignment)
            }
            Some(journal) => {
                let record: Record = serde_json::from_str(text).map_err(malformed)?;
                let finding = record.into_finding().ok_or_else(|| refuse("its answer cannot be read"))?;
                journal.check = check;
                Entry::Finding(finding)
            }
        };
        self.lines += 1;
        self.length += u64::try_from(line.len()).unwrap_or_default();
        Ok(Some(entry))
    }

    /// After the last line: the journal, to go on writing it, and how many bytes of the file are good. What is beyond them is
    /// to be cut off first. `None` where there is not even a first line, so that the run was killed before it began.
    pub fn finish(self) -> Option<(Journal, u64)> {
        Some((self.journal?, self.length))
    }

    /// What is wrong with the first line is that it is none.
    fn no_journal_or(&self, error: JournalError) -> JournalError {
        if self.journal.is_none() { JournalError::NoJournal } else { error }
    }
}

/// Why a journal is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalError {
    /// The file is no journal of a run, or its first line was changed.
    NoJournal,
    /// Another version of the program has written it.
    Version(u32),
    /// A line is not as it was written.
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// It is of another run; see [`FleetPlan::is_that_of`].
    AnotherRun(PlanMismatch),
}

impl From<PlanMismatch> for JournalError {
    fn from(another: PlanMismatch) -> Self {
        Self::AnotherRun(another)
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJournal => f.write_str("this is no journal of a run, or its first line was changed"),
            Self::Version(version) => {
                write!(
                    f,
                    "the journal was written in version {version} of the format, this program reads version {VERSION}"
                )
            }
            Self::Line { line, reason } => write!(f, "line {line} of the journal cannot be used: {reason}"),
            Self::AnotherRun(another) => write!(f, "the journal cannot be gone on with: {another}"),
        }
    }
}

impl std::error::Error for JournalError {}

#[derive(Serialize)]
struct First<'a> {
    format: std::borrow::Cow<'a, str>,
    version: u32,
    assignment: &'a FleetPlan,
}

/// What every version has in its first line.
#[derive(Deserialize)]
struct FirstRead {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct Assigned {
    assignment: FleetPlan,
}

/// One finding.
#[derive(Serialize, Deserialize)]
struct Record {
    organization: OrgId,
    index: PeriodIndex,
    found: Recorded,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<StopReason>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Recorded {
    /// With the body, packed.
    Period(String),
    Undated(String),
    Outside(Dates),
    Repeated(Dates),
    Failed(SavedError),
    Nothing,
}

impl Record {
    fn into_finding(self) -> Option<PeriodResult> {
        let Self { organization, index, found, ended } = self;
        let period = |packed: String| {
            let body = unpacked(&packed)?;
            Some(Box::new(BillingPeriod { index, overview: decode(&body).ok()?, body }))
        };
        let found = match found {
            Recorded::Period(body) => PeriodOutcome::Period(period(body)?),
            Recorded::Undated(body) => PeriodOutcome::Undated(period(body)?),
            Recorded::Outside(dates) => PeriodOutcome::Outside(dates),
            Recorded::Repeated(dates) => PeriodOutcome::Repeated(dates),
            Recorded::Failed(kept) => PeriodOutcome::Failed(kept.into_error()),
            Recorded::Nothing => PeriodOutcome::Nothing,
        };
        Some(PeriodResult { organization, index, outcome: found, stop_reason: ended })
    }
}

fn packed(body: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::default());
    // Writing to memory does not fail.
    let packed = encoder.write_all(body).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

fn unpacked(text: &str) -> Option<Bytes> {
    let packed = STANDARD.decode(text).ok()?;
    let mut body = Vec::new();
    GzDecoder::new(&packed[..]).take(LARGEST).read_to_end(&mut body).ok()?;
    Some(body.into())
}

const FORMAT: &str = "billing-core fleet journal";
const VERSION: u32 = 1;
/// What the first line begins with, in every version.
const BEGINNING: &[u8] = br#"{"format":"billing-core fleet journal","#;
/// What stands between a line and its checksum.
const CHECK: &str = ",\"check\":\"";
/// The same with the checksum, the quote, the brace and the end of the line.
const CHECK_LENGTH: usize = CHECK.len() + 16 + 3;
/// No body was larger when it came, unless somebody had raised the bound beyond all measure.
const LARGEST: u64 = 1 << 30;
