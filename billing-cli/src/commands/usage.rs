//! The command `usage`: the billable usage report.

use billing_core::Period;
use billing_core::calls::{BillableUsageCall, PackedBillableUsageCall};

use super::{body_text, render_document, write_output};
use crate::args::{Options, OutputFormat, UsageArgs};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format;
use crate::output::Destination;
use crate::views;

pub(crate) fn run(command: &UsageArgs, options: &Options, destination: &Destination) -> Result<(), Failure> {
    let call = BillableUsageCall::new(Period::from_user(&command.start, &command.end)?);
    let mut backend = Backend::new(options)?;
    let terminal = destination.is_terminal();
    match options.format {
        // JSON and CSV are written from the packed report: this needs only the memory of the body and keeps
        // dates as the server wrote them.
        OutputFormat::Json | OutputFormat::Ndjson | OutputFormat::Csv => {
            let report = backend.poll(PackedBillableUsageCall(call), options.verbosity())?;
            let body = body_text(report.body())?;
            destination.write_with(|to| match options.format {
                OutputFormat::Csv => format::csv::usage(&report, terminal, to),
                OutputFormat::Ndjson => format::json::usage_lines(&report, terminal, to),
                _ => format::json::write(body, terminal, to),
            })
        }
        _ => {
            let report = backend.poll(call, options.verbosity())?;
            write_output(destination, options, || {
                render_document(&views::usage(&report), options, destination)
            })
        }
    }
}
