//! `usage`: the billable-usage report.

use billing_core::Period;
use billing_core::calls::{Answer, BillableUsage, WithBody};
use billing_core::model::UsageReport;

use super::{Found, body_text, print, unreadable};
use crate::args::{Format, Options, Usage};
use crate::backend::Backend;
use crate::documents;
use crate::failure::Failure;
use crate::format;
use crate::format::document::Document;
use crate::output::Destination;

pub(crate) fn run(command: &Usage, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let period = Period::from_user(&command.start, &command.end)?;
    let mut backend = Backend::new(options)?;
    let answer = backend.poll(WithBody(BillableUsage::new(period)), options.verbosity())?;
    match options.format {
        // From the body itself, whose dates the model would write in its own form.
        Format::Csv => format::csv::usage(body_text(&answer.body)?).map_err(|error| unreadable(&error)),
        _ => print(&Reported(answer), options, destination),
    }
}

struct Reported(Answer<UsageReport>);

impl Found for Reported {
    fn document(&self) -> Document {
        documents::usage(&self.0.value)
    }

    fn json(&self) -> Result<String, Failure> {
        Ok(body_text(&self.0.body)?.to_owned())
    }

    fn ndjson(&self) -> Result<String, Failure> {
        format::json::usage_lines(body_text(&self.0.body)?).map_err(|error| unreadable(&error))
    }
}
