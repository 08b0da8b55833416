//! Lists: page after page to their end, printed as one.

use billing_core::calls::{Call, WithBody, WithRaw};
use billing_core::machine::Page;
use billing_core::{Date, DateRange, InvalidInput};

use super::{Found, body_text, print, unreadable};
use crate::args::{Dates, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::Document;
use crate::format::json;
use crate::log;
use crate::output::Destination;

/// Prints the list that `call` begins, as the document that `shown` makes of it.
pub(super) fn run<C>(
    call: C,
    shown: impl Fn(&[<C::Output as Page>::Entity]) -> Document,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure>
where
    C: Call<Output: Page> + Clone,
{
    let pages = Backend::new(options)?.list(WithBody(call), options.verbosity())?;
    let mut listed = Listed { bodies: Vec::new(), entities: Vec::new(), shown };
    for WithRaw { value, body } in pages {
        listed.entities.extend(value.into_entities());
        listed.bodies.push(body_text(&body)?.to_owned());
    }
    if listed.entities.is_empty() {
        log::note("the list is empty", options.verbosity());
    }
    print(&listed, options, destination)
}

/// The days of a list.
pub(super) fn dates(dates: &Dates) -> Result<Option<DateRange>, InvalidInput> {
    let day = |text: &Option<String>| text.as_deref().map(str::parse::<Date>).transpose();
    Ok(match (day(&dates.from)?, day(&dates.to)?) {
        (None, None) => None,
        (Some(from), None) => Some(DateRange::starting(from)),
        (None, Some(to)) => Some(DateRange::up_to(to)),
        (Some(from), Some(to)) => Some(DateRange::between(from, to)?),
    })
}

struct Listed<T, F> {
    /// Of the pages, as they came.
    bodies: Vec<String>,
    entities: Vec<T>,
    shown: F,
}

impl<T, F> Listed<T, F> {
    fn raw(&self) -> Result<Vec<&str>, Failure> {
        json::entities(self.bodies.iter().map(String::as_str)).map_err(|error| unreadable(&error))
    }
}

impl<T, F: Fn(&[T]) -> Document> Found for Listed<T, F> {
    fn document(&self) -> Document {
        (self.shown)(&self.entities)
    }

    fn json(&self) -> Result<String, Failure> {
        Ok(json::array(&self.raw()?))
    }

    fn ndjson(&self) -> Result<String, Failure> {
        Ok(json::lines(&self.raw()?))
    }
}

/// As many on a page as the API gives, because every page is read.
pub(super) const LARGEST: u16 = 200;
