//! `usage`: the billable-usage report.

use billing_core::Period;
use billing_core::calls::{BillableUsageCall, PackedBillableUsageCall};

use super::{body_text, deliver, render};
use crate::args::{Format, Options, Usage};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format;
use crate::output::Destination;
use crate::views;

pub(crate) fn run(command: &Usage, options: &Options, destination: &Destination) -> Result<(), Failure> {
    let call = BillableUsageCall::new(Period::from_user(&command.start, &command.end)?);
    let mut backend = Backend::new(options)?;
    let terminal = destination.is_terminal();
    match options.format {
        // What passes the report on takes the memory of its body and no more, and writes the dates as the server did.
        Format::Json | Format::Ndjson | Format::Csv => {
            let report = backend.poll(PackedBillableUsageCall(call), options.verbosity())?;
            let body = body_text(report.body())?;
            destination.stream(|to| match options.format {
                Format::Csv => format::csv::usage(&report, terminal, to),
                Format::Ndjson => format::json::usage_lines(&report, terminal, to),
                _ => format::json::deliver(body, terminal, to),
            })
        }
        _ => {
            let report = backend.poll(call, options.verbosity())?;
            deliver(destination, options, || render(&views::usage(&report), options, destination))
        }
    }
}
