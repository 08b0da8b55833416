//! The journal of a run: its results, one on each line, so that a run that was killed can be resumed.
//!
//! The first line holds the whole [`FleetPlan`], so that the run can be resumed without its list of
//! organisations. Each further line is one [`PeriodResult`] with the body of its response, so that a resumed
//! run can print all of it. Failures that a retry may mend (of the server, of the network, of the deadline)
//! have no line: they are requested again. The lines hold customers' figures and no secret. A program that
//! writes them to a file makes the file readable for its owner only.
//!
//! Each line ends with a checksum over itself and all lines before it. A last line without a line end was cut
//! off when the run was killed; it is dropped and its result requested again. A killed run loses nothing if
//! each line is written by one write. A machine that loses power loses nothing if each line is on the disk
//! ([`File::sync_data`]) before the next one is written; otherwise a line may be missing before one that is
//! there, and the journal is refused. Two runs that write one journal spoil it: lock it while it is open
//! ([`File::try_lock`]). Any other difference (a line that is changed, missing, doubled or moved) is refused.
//! The checksum guards against accidents, not against an attacker who can write the file.
//!
//! [`File::sync_data`]: std::fs::File::sync_data
//! [`File::try_lock`]: std::fs::File::try_lock
//!
//! Bodies are compressed with gzip (large ones to a tenth) and encoded in Base64: `jq -r '.outcome.period' |
//! base64 -d | gunzip` prints one.
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
//! // A new run writes this first, then `journal.line_for(&result)` for each result, each line to the disk before the next.
//! let (journal, first_line) = Journal::create(&plan);
//!
//! // A resumed run reads line by line, each with its line end.
//! let mut reader = JournalReader::default();
//! let Some(JournalEntry::Plan(read)) = reader.read_line(first_line.as_bytes())? else { panic!("the first line") };
//! assert_eq!(read, plan);
//! // The next line would be a `JournalEntry::Result`. This one was being written when the run was killed:
//! assert!(reader.read_line(b"{\"organization\":\"or")?.is_none());
//! let (_journal, good) = reader.finish().expect("it has a first line");
//! assert_eq!(good, first_line.len() as u64, "cut the file to this length before you resume");
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
use crate::machine::checkpoint::crc32;
use crate::model::decode_json;
use crate::{OrgId, PeriodIndex};

/// The writing end of a journal; see the [module's text](self).
#[derive(Clone, Debug)]
pub struct Journal {
    /// The checksum of all lines so far.
    checksum: u32,
}

impl Journal {
    /// Builds the journal of a new run, and its first line.
    pub fn create(plan: &FleetPlan) -> (Self, String) {
        let mut journal = Self { checksum: 0 };
        let line = journal.seal_line(&JournalHeader { format: FORMAT.into(), version: VERSION, plan });
        (journal, line)
    }

    /// Returns the line for a result, which must be written whole before the next one; `None` for a result
    /// that is not recorded because it is to be requested again. If a line cannot be written, stop the run: a
    /// line after a broken or missing one would be refused.
    pub fn line_for(&mut self, result: &PeriodResult) -> Option<String> {
        let PeriodResult { organization, index, outcome, stop_reason } = result;
        let outcome = match outcome {
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
            outcome,
            stop_reason: *stop_reason,
        }))
    }

    /// Returns one line with its checksum and its line end.
    fn seal_line(&mut self, value: &impl Serialize) -> String {
        // Serialization cannot fail here: no map has a key that is not a string.
        let mut line = serde_json::to_string(value).unwrap_or_default();
        line.pop();
        self.checksum = crc32(self.checksum, line.as_bytes());
        line.push_str(&format!("{CHECKSUM_FIELD}{:08x}\"}}\n", self.checksum));
        line
    }
}

/// A reader of a journal, line by line; see the [module's text](self).
#[derive(Clone, Debug, Default)]
pub struct JournalReader {
    journal: Option<Journal>,
    /// The number of valid lines and bytes so far.
    valid_lines: u64,
    valid_bytes: u64,
    incomplete: bool,
}

/// The content of a line.
#[derive(Clone, Debug)]
pub enum JournalEntry {
    /// The plan of the run. It is on the first line only.
    Plan(FleetPlan),
    /// A result.
    Result(PeriodResult),
}

impl JournalReader {
    /// Parses the next line, line end included. Returns `None` for a line without a line end, which is the
    /// last one and does not count. A first line without a line end is accepted only if it is the beginning
    /// of a journal's first line.
    ///
    /// # Errors
    /// Returns an error if the line is not exactly as it was written.
    pub fn read_line(&mut self, line: &[u8]) -> Result<Option<JournalEntry>, JournalError> {
        let refuse = |reason| JournalError::InvalidLine { line: self.valid_lines + 1, reason };
        if self.incomplete {
            return Err(refuse("it follows a line that has no end"));
        }
        if line.last() != Some(&b'\n') {
            // A file that does not begin as a journal does is another file, and must not be cut.
            if self.journal.is_none() && !(line.starts_with(HEADER_PREFIX) || HEADER_PREFIX.starts_with(line))
            {
                return Err(JournalError::NotAJournal);
            }
            self.incomplete = true;
            return Ok(None);
        }
        let text = std::str::from_utf8(line).map_err(|_| refuse("it is not UTF-8"))?;
        if self.journal.is_none() {
            // Another version may have any layout and any checksum, so the version is checked first.
            let header = serde_json::from_str::<HeaderVersion>(text).ok();
            let header = header.filter(|header| header.format == FORMAT).ok_or(JournalError::NotAJournal)?;
            if header.version != VERSION {
                return Err(JournalError::UnsupportedVersion(header.version));
            }
        }
        let Some((body, checksum_field)) =
            text.split_at_checked(text.len().saturating_sub(CHECKSUM_SUFFIX_LEN))
        else {
            return Err(self.first_line_error(refuse("it is too short")));
        };
        let before = self.journal.as_ref().map_or(0, |journal| journal.checksum);
        let check = crc32(before, body.as_bytes());
        if checksum_field != format!("{CHECKSUM_FIELD}{check:08x}\"}}\n") {
            return Err(
                self.first_line_error(refuse("its checksum is wrong: it, or a line before it, was changed"))
            );
        }
        let malformed = |_| refuse("it is not in the format of this program");
        let entry = match &mut self.journal {
            None => {
                let plan = serde_json::from_str::<HeaderPlan>(text).map_err(malformed)?.plan;
                self.journal = Some(Journal { checksum: check });
                JournalEntry::Plan(plan)
            }
            Some(journal) => {
                let record: ResultLine = serde_json::from_str(text).map_err(malformed)?;
                let result =
                    record.into_result().ok_or_else(|| refuse("the response in it cannot be parsed"))?;
                journal.checksum = check;
                JournalEntry::Result(result)
            }
        };
        self.valid_lines += 1;
        self.valid_bytes += u64::try_from(line.len()).unwrap_or_default();
        Ok(Some(entry))
    }

    /// Returns the journal, to continue writing it, and the number of valid bytes; call it after the last
    /// line. Cut the file to that length first. Returns `None` if there is no first line, because the run was
    /// killed before it wrote one.
    pub fn finish(self) -> Option<(Journal, u64)> {
        Some((self.journal?, self.valid_bytes))
    }

    /// Returns the error of a broken line; a broken first line means that the file is not a journal.
    fn first_line_error(&self, error: JournalError) -> JournalError {
        if self.journal.is_none() { JournalError::NotAJournal } else { error }
    }
}

/// The reason that a journal is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalError {
    /// The file is not a journal, or its first line was changed.
    NotAJournal,
    /// The journal was written in another version of the format.
    UnsupportedVersion(u32),
    /// A line is not as it was written.
    InvalidLine {
        /// The number of the line, counted from 1.
        line: u64,
        /// The defect.
        reason: &'static str,
    },
    /// The journal belongs to another run; see [`FleetPlan::check_resumable_as`].
    PlanMismatch(PlanMismatch),
}

impl From<PlanMismatch> for JournalError {
    fn from(mismatch: PlanMismatch) -> Self {
        Self::PlanMismatch(mismatch)
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
            Self::PlanMismatch(mismatch) => write!(f, "the journal cannot be resumed: {mismatch}"),
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

/// The fields of the first line that every version of the format has.
#[derive(Deserialize)]
struct HeaderVersion {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
struct HeaderPlan {
    plan: FleetPlan,
}

/// The line of a result.
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
    /// A period, with its compressed body.
    Period(String),
    Undated(String),
    Outside(PeriodDates),
    Repeated(PeriodDates),
    Failed(SavedError),
    NoOlderPeriod,
}

impl ResultLine {
    fn into_result(self) -> Option<PeriodResult> {
        let Self { organization, index, outcome, stop_reason } = self;
        let period = |packed: String| {
            let body = decompress(&packed)?;
            Some(Box::new(BillingPeriod { index, overview: decode_json(&body).ok()?, body }))
        };
        let outcome = match outcome {
            SavedOutcome::Period(body) => PeriodOutcome::Period(period(body)?),
            SavedOutcome::Undated(body) => PeriodOutcome::Undated(period(body)?),
            SavedOutcome::Outside(dates) => PeriodOutcome::OutsideRange(dates),
            SavedOutcome::Repeated(dates) => PeriodOutcome::Repeated(dates),
            SavedOutcome::Failed(saved) => PeriodOutcome::Failed(saved.into_error()),
            SavedOutcome::NoOlderPeriod => PeriodOutcome::NoOlderPeriod,
        };
        Some(PeriodResult { organization, index, outcome, stop_reason })
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
const VERSION: u32 = 2;
/// The beginning of the first line, in every version.
const HEADER_PREFIX: &[u8] = br#"{"format":"billing-core fleet journal","#;
/// The text between the content of a line and its checksum.
const CHECKSUM_FIELD: &str = ",\"check\":\"";
/// The length of that text with the checksum, the quote, the brace and the line end.
const CHECKSUM_SUFFIX_LEN: usize = CHECKSUM_FIELD.len() + 8 + 3;
/// The largest body that is unpacked, far above the limit of a response: a damaged line must not exhaust the
/// memory.
const MAX_BODY_BYTES: u64 = 1 << 30;
