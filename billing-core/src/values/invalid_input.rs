//! The error of a value that was refused before anything was sent.

use std::fmt;

use crate::{Date, Timestamp};

/// A value that was refused before anything was sent. The text names the value and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// No date in a form that is understood.
    Date(String),
    /// The start is not before the end.
    Period {
        /// The start that was given.
        start: Timestamp,
        /// The end that was given.
        end: Timestamp,
    },
    /// An id that is empty or would change the path.
    Id(String),
    /// A billing period index that is negative or no number.
    Index(String),
    /// A page size that is none, or more than the API gives.
    PageSize(u16),
    /// No calendar day.
    Day(String),
    /// The first day of a filter is after its last.
    DateRange {
        /// The first day that was given.
        start: Date,
        /// The last day that was given.
        end: Date,
    },
    /// A value that a list cannot be filtered by.
    Filter {
        /// What the API calls the filter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What can be given instead.
        expected: &'static str,
    },
    /// A region that is neither one of the AWS names nor one of the domains.
    Region(String),
    /// A base address that is no https address (or http on loopback), or carries a query, a fragment or credentials.
    BaseUrl {
        /// The address that was given, without what stands before an `@`.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Credentials that cannot be used.
    Credentials(&'static str),
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(text) => {
                write!(f, "{text:?} is no date: write 2026-10-01 (midnight UTC) or 2026-10-01T00:00:00+02:00")
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
                    "{text:?} is no id: an id is not empty, not '.' or '..', and holds no control character"
                )
            }
            Self::Index(text) => {
                write!(f, "{text:?} is no billing period index: 0 is the latest period, 1 the one before it")
            }
            Self::PageSize(size) => write!(f, "a page cannot hold {size} entries: ask for 1 to 200"),
            Self::Day(text) => write!(f, "{text:?} is no day: write it as 2026-10-01"),
            Self::DateRange { start, end } => {
                write!(f, "the first day, {start}, is after the last, {end}: swap or change them")
            }
            Self::Filter { name, value, expected: instead } => {
                write!(f, "{value:?} is nothing that {name} can be: give {instead}")
            }
            Self::Region(text) => {
                write!(
                    f,
                    "{text:?} is no region of Genesys Cloud: use an AWS name such as eu-central-1 or a domain such \
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
