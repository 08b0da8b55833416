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
//! use billing_core::fleet::journal::{JournalEntry, Journal, JournalReader};
//! use billing_core::fleet::FleetPlan;
//! use billing_core::{Environment, PeriodSelection};
//!
//! let organizations = ["org-1".parse()?, "org-2".parse()?];
//! let now = "2026-11-02T09:00:00Z".parse()?;
//! let plan = FleetPlan::new(organizations, PeriodSelection::year(2026)?, Environment::default().api().clone(), now);
//!
//! // A new run writes this first, then `journal.record(&finding)` for each finding, each line to the disk before the next.
//! let (journal, first_line) = Journal::create(&plan);
//!
//! // One that goes on reads line by line, each with its end.
//! let mut reader = JournalReader::default();
//! let Some(JournalEntry::Plan(read)) = reader.read_line(first_line.as_bytes())? else { panic!("the first line") };
//! assert_eq!(read, plan);
//! // The next would be an `JournalEntry::Result`. This one was being written when the run was killed:
//! assert!(reader.read_line(b"{\"organization\":\"or")?.is_none());
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
use crate::history::{BillingPeriod, PeriodDates, PeriodOutcome, PeriodResult, StopReason};
use crate::machine::checkpoint::{FNV_OFFSET_BASIS, fnv1a};
use crate::model::decode_json;
use crate::{OrgId, PeriodIndex};

/// Writes the journal of a run; see the [module's text](self).
#[derive(Clone, Debug)]
pub struct Journal {
    /// The checksum of all lines so far.
    checksum: u64,
}

impl Journal {
    /// The journal of a new run, and its first line.
    pub fn create(plan: &FleetPlan) -> (Self, String) {
        let mut journal = Self { checksum: FNV_OFFSET_BASIS };
        let line = journal.seal_line(&JournalHeader { format: FORMAT.into(), version: VERSION, plan });
        (journal, line)
    }

    /// The line for a finding, which is to be written whole before anything else; `None` for one that is not recorded,
    /// because it is to be asked for again. Where it cannot be written the run is to be stopped: a line after one that is
    /// broken or missing would be refused.
    pub fn line_for(&mut self, finding: &PeriodResult) -> Option<String> {
        let PeriodResult { organization, index, outcome: found, stop_reason: ended } = finding;
        let found = match found {
            PeriodOutcome::Period(period) => SavedOutcome::Period(compress(&period.body)),
            PeriodOutcome::Undated(period) => SavedOutcome::Undated(compress(&period.body)),
            PeriodOutcome::OutsideRange(dates) => SavedOutcome::Outside(*dates),
            PeriodOutcome::Repeated(dates) => SavedOutcome::Repeated(*dates),
            PeriodOutcome::NoOlderPeriod => SavedOutcome::NoOlderPeriod,
            PeriodOutcome::Failed(error) => SavedOutcome::Failed(error.to_saved()?),
        };
        Some(self.seal_line(&ResultLine {
            organization: organization.clone(),
            index: *index,
            outcome: found,
            stop_reason: *ended,
        }))
    }

    /// One line, with its checksum and its end.
    fn seal_line(&mut self, value: &impl Serialize) -> String {
        // Nothing in these can fail to be written: no map has a key that is no text.
        let mut line = serde_json::to_string(value).unwrap_or_default();
        line.pop();
        self.checksum = fnv1a(self.checksum, line.as_bytes());
        line.push_str(&format!("{CHECKSUM_FIELD}{:016x}\"}}\n", self.checksum));
        line
    }
}

/// Reads a journal, line by line; see the [module's text](self).
#[derive(Clone, Debug, Default)]
pub struct JournalReader {
    journal: Option<Journal>,
    /// How many lines and bytes are good.
    valid_lines: u64,
    valid_bytes: u64,
    incomplete: bool,
}

/// What a line of a journal says.
#[derive(Clone, Debug)]
pub enum JournalEntry {
    /// Which run it is of. The first line, and no other.
    Plan(FleetPlan),
    /// What was found.
    Result(PeriodResult),
}

impl JournalReader {
    /// Reads the next line, with its end. `None` for one that has none, which is the last and does not count; as a first line
    /// only where it is the beginning of one.
    ///
    /// # Errors
    /// When it is not a line of a journal as it was written.
    pub fn read_line(&mut self, line: &[u8]) -> Result<Option<JournalEntry>, JournalError> {
        let refuse = |reason| JournalError::InvalidLine { line: self.valid_lines + 1, reason };
        if self.incomplete {
            return Err(refuse("it follows one that has no end"));
        }
        if line.last() != Some(&b'\n') {
            // A first line that is torn is the beginning of ours, or the file is somebody else's and not to be cut.
            if self.journal.is_none() && !(line.starts_with(HEADER_PREFIX) || HEADER_PREFIX.starts_with(line))
            {
                return Err(JournalError::NotAJournal);
            }
            self.incomplete = true;
            return Ok(None);
        }
        let text = std::str::from_utf8(line).map_err(|_| refuse("it is not UTF-8"))?;
        let Some((body, said)) = text.split_at_checked(text.len().saturating_sub(CHECKSUM_SUFFIX_LEN)) else {
            return Err(self.first_line_error(refuse("it is too short")));
        };
        let before = self.journal.as_ref().map_or(FNV_OFFSET_BASIS, |journal| journal.checksum);
        let check = fnv1a(before, body.as_bytes());
        if said != format!("{CHECKSUM_FIELD}{check:016x}\"}}\n") {
            return Err(
                self.first_line_error(refuse("its checksum is wrong: it, or a line before it, was changed"))
            );
        }
        let malformed = |_| refuse("it is not what this program writes");
        let entry = match &mut self.journal {
            None => {
                let first: HeaderVersion =
                    serde_json::from_str(text).map_err(|_| JournalError::NotAJournal)?;
                if first.format != FORMAT {
                    return Err(JournalError::NotAJournal);
                }
                if first.version != VERSION {
                    return Err(JournalError::UnsupportedVersion(first.version));
                }
                let plan = serde_json::from_str::<HeaderPlan>(text).map_err(malformed)?.plan;
                self.journal = Some(Journal { checksum: check });
                JournalEntry::Plan(plan)
            }
            Some(journal) => {
                let record: ResultLine = serde_json::from_str(text).map_err(malformed)?;
                let finding = record.into_finding().ok_or_else(|| refuse("its answer cannot be read"))?;
                journal.checksum = check;
                JournalEntry::Result(finding)
            }
        };
        self.valid_lines += 1;
        self.valid_bytes += u64::try_from(line.len()).unwrap_or_default();
        Ok(Some(entry))
    }

    /// After the last line: the journal, to go on writing it, and how many bytes of the file are good. What is beyond them is
    /// to be cut off first. `None` where there is not even a first line, so that the run was killed before it began.
    pub fn finish(self) -> Option<(Journal, u64)> {
        Some((self.journal?, self.valid_bytes))
    }

    /// What is wrong with the first line is that it is none.
    fn first_line_error(&self, error: JournalError) -> JournalError {
        if self.journal.is_none() { JournalError::NotAJournal } else { error }
    }
}

/// Why a journal is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalError {
    /// The file is no journal of a run, or its first line was changed.
    NotAJournal,
    /// Another version of the program has written it.
    UnsupportedVersion(u32),
    /// A line is not as it was written.
    InvalidLine {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// It is of another run; see [`FleetPlan::check_resumable_as`].
    PlanMismatch(PlanMismatch),
}

impl From<PlanMismatch> for JournalError {
    fn from(another: PlanMismatch) -> Self {
        Self::PlanMismatch(another)
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAJournal => f.write_str("this is no journal of a run, or its first line was changed"),
            Self::UnsupportedVersion(version) => {
                write!(
                    f,
                    "the journal was written in version {version} of the format, this program reads version {VERSION}"
                )
            }
            Self::InvalidLine { line, reason } => {
                write!(f, "line {line} of the journal cannot be used: {reason}")
            }
            Self::PlanMismatch(another) => write!(f, "the journal cannot be gone on with: {another}"),
        }
    }
}

impl std::error::Error for JournalError {}

#[derive(Serialize)]
struct JournalHeader<'a> {
    format: std::borrow::Cow<'a, str>,
    version: u32,
    plan: &'a FleetPlan,
}

/// What every version has in its first line.
#[derive(Deserialize)]
struct HeaderVersion {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct HeaderPlan {
    plan: FleetPlan,
}

/// One finding.
#[derive(Serialize, Deserialize)]
struct ResultLine {
    organization: OrgId,
    index: PeriodIndex,
    outcome: SavedOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<StopReason>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedOutcome {
    /// With the body, packed.
    Period(String),
    Undated(String),
    Outside(PeriodDates),
    Repeated(PeriodDates),
    Failed(SavedError),
    NoOlderPeriod,
}

impl ResultLine {
    fn into_finding(self) -> Option<PeriodResult> {
        let Self { organization, index, outcome: found, stop_reason: ended } = self;
        let period = |packed: String| {
            let body = decompress(&packed)?;
            Some(Box::new(BillingPeriod { index, overview: decode_json(&body).ok()?, body }))
        };
        let found = match found {
            SavedOutcome::Period(body) => PeriodOutcome::Period(period(body)?),
            SavedOutcome::Undated(body) => PeriodOutcome::Undated(period(body)?),
            SavedOutcome::Outside(dates) => PeriodOutcome::OutsideRange(dates),
            SavedOutcome::Repeated(dates) => PeriodOutcome::Repeated(dates),
            SavedOutcome::Failed(kept) => PeriodOutcome::Failed(kept.into_error()),
            SavedOutcome::NoOlderPeriod => PeriodOutcome::NoOlderPeriod,
        };
        Some(PeriodResult { organization, index, outcome: found, stop_reason: ended })
    }
}

fn compress(body: &[u8]) -> String {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::default());
    // Writing to memory does not fail.
    let packed = encoder.write_all(body).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

fn decompress(text: &str) -> Option<Bytes> {
    let packed = STANDARD.decode(text).ok()?;
    let mut body = Vec::new();
    GzDecoder::new(&packed[..]).take(MAX_BODY_BYTES).read_to_end(&mut body).ok()?;
    Some(body.into())
}

const FORMAT: &str = "billing-core fleet journal";
const VERSION: u32 = 1;
/// What the first line begins with, in every version.
const HEADER_PREFIX: &[u8] = br#"{"format":"billing-core fleet journal","#;
/// What stands between a line and its checksum.
const CHECKSUM_FIELD: &str = ",\"check\":\"";
/// The same with the checksum, the quote, the brace and the end of the line.
const CHECKSUM_SUFFIX_LEN: usize = CHECKSUM_FIELD.len() + 16 + 3;
/// No body was larger when it came, unless somebody had raised the bound beyond all measure.
const MAX_BODY_BYTES: u64 = 1 << 30;
