//! `usage`: the billable-usage report.

use billing_core::Period;
use billing_core::calls::{BillableUsage, WithBody};

use super::{body_text, json, look, unreadable};
use crate::args::{Format, Options, Usage};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format;
use crate::output::Destination;

pub(crate) fn run(command: &Usage, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let period = Period::from_user(&command.start, &command.end)?;
    let mut backend = Backend::new(options)?;
    let answer = backend.poll(WithBody(BillableUsage::new(period)), options.verbosity())?;
    let body = body_text(&answer.body)?;
    Ok(match options.format {
        Format::Table => format::table::usage(&answer.value, look(options, destination)).into_bytes(),
        Format::Json => json(body, destination),
        Format::Ndjson => {
            let lines = format::json::usage_lines(body).map_err(|error| unreadable(&error))?;
            json(&lines, destination)
        }
        Format::Csv => format::csv::usage(body).map_err(|error| unreadable(&error))?,
    })
}
