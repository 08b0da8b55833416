//! The error of a value that was refused before anything was sent.

use std::fmt;

use crate::{Date, Timestamp};

/// An error of a value that was refused before anything was sent. Its text names the value and a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// A text that is not a date in an accepted form.
    Date(String),
    /// A period whose start is not before its end.
    Period {
        /// The start that was given.
        start: Timestamp,
        /// The end that was given.
        end: Timestamp,
    },
    /// An id that is empty or would change the path.
    Id(String),
    /// A billing period index that is negative or not a number.
    Index(String),
    /// A page size of zero, or more than the API allows.
    PageSize(u16),
    /// A text that is not a calendar day.
    Day(String),
    /// A filter whose first day is after its last.
    DateRange {
        /// The first day that was given.
        start: Date,
        /// The last day that was given.
        end: Date,
    },
    /// A value that is not accepted as a filter of a list.
    Filter {
        /// The API's name of the filter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The accepted values.
        expected: &'static str,
    },
    /// A region that is neither one of the AWS names nor one of the domains.
    Region(String),
    /// A base address that is not an https address (or http on loopback), or has a query, a fragment or
    /// credentials.
    BaseUrl {
        /// The address that was given, without the part before an `@`.
        url: String,
        /// The defect.
        reason: &'static str,
    },
    /// Credentials that cannot be used.
    Credentials(&'static str),
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(text) => {
                write!(
                    f,
                    "{text:?} is not a date: write 2026-10-01 (midnight UTC) or 2026-10-01T00:00:00+02:00"
                )
            }
            Self::Period { start, end } => {
                write!(
                    f,
                    "the period starts at {start}, which is not before its end {end}: swap or change them"
                )
            }
            Self::Id(text) => {
                write!(
                    f,
                    "{text:?} is not an id: an id is not empty, is not '.' or '..', and has no control character"
                )
            }
            Self::Index(text) => {
                write!(
                    f,
                    "{text:?} is not a billing period index: 0 is the latest period, 1 the one before it"
                )
            }
            Self::PageSize(size) => write!(f, "a page cannot hold {size} entries: ask for 1 to 200"),
            Self::Day(text) => write!(f, "{text:?} is not a day: write it as 2026-10-01"),
            Self::DateRange { start, end } => {
                write!(f, "the first day, {start}, is after the last, {end}: swap or change them")
            }
            Self::Filter { name, value, expected: instead } => {
                write!(f, "{value:?} is not accepted as {name}: give {instead}")
            }
            Self::Region(text) => {
                write!(
                    f,
                    "{text:?} is not a region of Genesys Cloud: use an AWS name such as eu-central-1 or a domain such \
                     as mypurecloud.de (`genesys-billing regions` lists them), or give the addresses themselves"
                )
            }
            Self::BaseUrl { url, reason } => {
                write!(f, "{url:?} cannot be used as a base address: {reason}")
            }
            Self::Credentials(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for InvalidInput {}
