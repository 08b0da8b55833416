//! What the lists that go on by a cursor are asked for.

use serde::{Deserialize, Serialize};

use super::get::Get;
use crate::values::id::is_empty_or_has_control;
use crate::values::{Cursor, PageSize};
use crate::{DateRange, InvalidInput};

/// Where in a list to begin, and how much of it at once.
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
        /// With so many on a page.
        #[must_use = "the call is not changed in place"]
        pub fn page_size(mut self, size: $crate::values::PageSize) -> Self {
            self.paging.page_size = size;
            self
        }

        /// Beginning after `cursor` in place of at the start.
        #[must_use = "the call is not changed in place"]
        pub fn after(mut self, cursor: $crate::values::Cursor) -> Self {
            self.paging.start_at = $crate::calls::listing::StartAt::After(cursor);
            self
        }

        /// With the page that ends before `cursor`, in place of that at the start.
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

    /// Appends where the page begins and how many entries it holds.
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

/// A text to filter by.
pub(super) fn checked_filter(name: &'static str, text: String) -> Result<String, InvalidInput> {
    match is_empty_or_has_control(&text) {
        true => {
            Err(InvalidInput::Filter { name, value: text, expected: "a text without control characters" })
        }
        false => Ok(text),
    }
}
