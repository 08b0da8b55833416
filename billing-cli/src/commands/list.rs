//! Lists: reads all pages and prints them as one list.

use billing_core::calls::{Call, WithBody, WithRaw};
use billing_core::machine::Page;
use billing_core::{Date, DateRange, InvalidInput};

use super::{CommandData, body_text, cannot_show, render_data};
use crate::args::{DateArgs, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::Document;
use crate::format::json;
use crate::log;
use crate::output::Destination;

/// Reads all pages, beginning with `call`, and prints the document that `shown` builds of them.
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
    let mut listed = ListData { bodies: Vec::new(), entities: Vec::new(), to_document: shown };
    for WithRaw { value, body } in pages {
        listed.entities.extend(value.into_entities());
        listed.bodies.push(body_text(&body)?.to_owned());
    }
    if listed.entities.is_empty() {
        log::note("the list is empty", options.verbosity());
    }
    render_data(&listed, options, destination)
}

/// Returns the date range of a list.
pub(super) fn date_range(dates: &DateArgs) -> Result<Option<DateRange>, InvalidInput> {
    let day = |text: &Option<String>| text.as_deref().map(str::parse::<Date>).transpose();
    Ok(match (day(&dates.from)?, day(&dates.to)?) {
        (None, None) => None,
        (Some(from), None) => Some(DateRange::starting(from)),
        (None, Some(to)) => Some(DateRange::up_to(to)),
        (Some(from), Some(to)) => Some(DateRange::between(from, to)?),
    })
}

struct ListData<T, F> {
    /// The bodies of the pages as received.
    bodies: Vec<String>,
    entities: Vec<T>,
    to_document: F,
}

impl<T, F> ListData<T, F> {
    fn raw_entities(&self) -> Result<Vec<&str>, Failure> {
        json::entities(self.bodies.iter().map(String::as_str)).map_err(|error| cannot_show(&error))
    }
}

impl<T, F: Fn(&[T]) -> Document> CommandData for ListData<T, F> {
    fn document(&self) -> Document {
        (self.to_document)(&self.entities)
    }

    fn json(&self) -> Result<String, Failure> {
        Ok(json::join_array(&self.raw_entities()?))
    }

    fn ndjson(&self) -> Result<String, Failure> {
        Ok(json::join_lines(&self.raw_entities()?))
    }
}

/// The maximum page size of the API: all pages are read, so larger pages save requests.
pub(super) const MAX_PAGE_SIZE: u16 = 200;
