//! Paging and filters of lists that continue at a cursor.

use serde::{Deserialize, Serialize};

use super::get::Get;
use crate::values::id::is_empty_or_has_control;
use crate::values::{Cursor, PageSize};
use crate::{DateRange, InvalidInput};

/// The start and the size of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) page_size: PageSize,
    pub(super) start_at: StartAt,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StartAt {
    #[default]
    First,
    After(Cursor),
    Before(Cursor),
}

/// The builder methods of a call with a field `paging`.
macro_rules! paging_methods {
    () => {
        /// Sets the number of entries per page.
        #[must_use = "the call is not changed in place"]
        pub fn page_size(mut self, size: $crate::values::PageSize) -> Self {
            self.paging.page_size = size;
            self
        }

        /// Starts after `cursor` instead of at the beginning.
        #[must_use = "the call is not changed in place"]
        pub fn after(mut self, cursor: $crate::values::Cursor) -> Self {
            self.paging.start_at = $crate::calls::listing::StartAt::After(cursor);
            self
        }

        /// Requests the page that ends before `cursor` instead of the first one.
        #[must_use = "the call is not changed in place"]
        pub fn before(mut self, cursor: $crate::values::Cursor) -> Self {
            self.paging.start_at = $crate::calls::listing::StartAt::Before(cursor);
            self
        }
    };
}

pub(super) use paging_methods;

impl Get {
    /// Appends the days that a list is filtered by.
    pub(super) fn with_dates(self, range: Option<DateRange>) -> Self {
        self.parameter("dateStart", range.and_then(|range| range.start()))
            .parameter("dateEnd", range.and_then(|range| range.end()))
    }

    /// Appends the start and the size of the page.
    pub(super) fn with_paging(self, paging: &Paging) -> Self {
        let (after, before) = match &paging.start_at {
            StartAt::First => (None, None),
            StartAt::After(cursor) => (Some(cursor), None),
            StartAt::Before(cursor) => (None, Some(cursor)),
        };
        self.parameter("after", after)
            .parameter("before", before)
            .parameter("pageSize", Some(paging.page_size))
    }
}

/// Returns the text of a filter, or an error if it is empty or contains a control character.
pub(super) fn checked_filter(name: &'static str, text: String) -> Result<String, InvalidInput> {
    match is_empty_or_has_control(&text) {
        true => {
            Err(InvalidInput::Filter { name, value: text, expected: "a text without control characters" })
        }
        false => Ok(text),
    }
}
