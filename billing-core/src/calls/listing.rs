//! What the lists that go on by a cursor are asked for.

use serde::{Deserialize, Serialize};

use super::get::Get;
use crate::values::id::is_blank;
use crate::values::{Cursor, PageSize};
use crate::{DateRange, InvalidInput};

/// Where in a list to begin, and how much of it at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) size: PageSize,
    pub(super) begin: Begin,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Begin {
    #[default]
    First,
    After(Cursor),
    Before(Cursor),
}

/// The builder methods of a call with a field `paging`.
macro_rules! paging {
    () => {
        /// With so many on a page.
        #[must_use = "the call is not changed in place"]
        pub fn page_size(mut self, size: $crate::values::PageSize) -> Self {
            self.paging.size = size;
            self
        }

        /// Beginning after `cursor` in place of at the start.
        #[must_use = "the call is not changed in place"]
        pub fn after(mut self, cursor: $crate::values::Cursor) -> Self {
            self.paging.begin = $crate::calls::listing::Begin::After(cursor);
            self
        }

        /// With the page that ends before `cursor`, in place of that at the start.
        #[must_use = "the call is not changed in place"]
        pub fn before(mut self, cursor: $crate::values::Cursor) -> Self {
            self.paging.begin = $crate::calls::listing::Begin::Before(cursor);
            self
        }
    };
}

pub(super) use paging;

impl Get {
    /// Appends the days that a list is filtered by.
    pub(super) fn dates(self, range: Option<DateRange>) -> Self {
        self.parameter("dateStart", range.and_then(|range| range.start()))
            .parameter("dateEnd", range.and_then(|range| range.end()))
    }

    /// Appends where the page begins and how many entries it holds.
    pub(super) fn paging(self, paging: &Paging) -> Self {
        let (after, before) = match &paging.begin {
            Begin::First => (None, None),
            Begin::After(cursor) => (Some(cursor), None),
            Begin::Before(cursor) => (None, Some(cursor)),
        };
        self.parameter("after", after).parameter("before", before).parameter("pageSize", Some(paging.size))
    }
}

/// A text to filter by.
pub(super) fn filter(name: &'static str, text: String) -> Result<String, InvalidInput> {
    match is_blank(&text) {
        true => Err(InvalidInput::Filter { name, value: text, instead: "a text without control characters" }),
        false => Ok(text),
    }
}
