//! The commands, one file each.

mod compare;
mod contracts;
mod fleet;
mod history;
mod invoices;
mod list;
mod overview;
mod regions;
mod shell;
mod trustors;
mod usage;

use billing_core::Statement;
use billing_core::model::TrusteeOverview;
use serde::Serialize;

use crate::args::{Command, CommandLine, Options, OutputFormat};
use crate::failure::Failure;
use crate::format;
use crate::format::document::Document;
use crate::format::grid::{TableStyle, terminal_width};
use crate::format::paint::UseColor;
use crate::interrupt;
use crate::organizations::QueriedOrg;
use crate::output::Destination;
use crate::progress::WritingBar;

/// Runs the command.
pub(crate) fn run(line: CommandLine) -> Result<(), Failure> {
    interrupt::install();
    let options = &line.options;
    let destination = Destination::open(options.output.as_deref())?;
    require_output_file(options, &destination)?;
    let outcome = match &line.command {
        // The report can be large, so it is written while it is rendered.
        Command::Usage(command) => return usage::run(command, options, &destination),
        Command::Overview(command) => overview::run(command, options, &destination)?,
        Command::History(command) => history::run(command, options, &destination)?,
        Command::Compare(command) => compare::run(command, options, &destination)?,
        // The results are written as they arrive.
        Command::Fleet(command) => return fleet::run(command, options, &destination),
        Command::Trustors => trustors::run(options, &destination)?.into(),
        Command::Contracts(command) => contracts::list(command, options, &destination)?.into(),
        Command::Contract { id } => contracts::show(id, options, &destination)?.into(),
        Command::Period(command) => contracts::period(command, options, &destination)?,
        Command::Invoices(command) => invoices::list(command, options, &destination)?.into(),
        Command::InvoiceLines { id } => invoices::lines(id, options, &destination)?.into(),
        Command::InvoiceDocument { id } => return invoices::document(id, options, &destination),
        Command::Regions => regions::run(options, &destination)?.into(),
        Command::Completions { shell } => shell::completions(*shell).into(),
        Command::Man => shell::man().into(),
    };
    write_output(&destination, options, || Ok(outcome.bytes))?;
    outcome.failure.map_or(Ok(()), Err)
}

/// The output of a command.
struct CommandOutput {
    bytes: Vec<u8>,
    /// The failure to exit with after the output was printed.
    failure: Option<Failure>,
}

impl From<Vec<u8>> for CommandOutput {
    fn from(printed: Vec<u8>) -> Self {
        Self { bytes: printed, failure: None }
    }
}

/// Writes the output of `make`, with a message on the terminal while this takes time.
fn write_output(
    destination: &Destination,
    options: &Options,
    make: impl FnOnce() -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    let mut writing = Some(WritingBar::new(options.verbosity()));
    let made = make()?;
    if *destination == Destination::Stdout || destination.is_terminal() {
        // Clear the message first: standard output may be the same terminal.
        writing.take();
    }
    destination.write(&made)
}

/// Rejects formats that need a file if the output is a terminal or no file is named.
fn require_output_file(options: &Options, destination: &Destination) -> Result<(), Failure> {
    let name = match options.format {
        OutputFormat::Xlsx => "xlsx",
        OutputFormat::Html => "html",
        _ => return Ok(()),
    };
    match &options.output {
        None => Err(Failure::Usage(format!(
            "--format {name} needs an output file: add --output FILE.{name}, or --output - for a pipe"
        ))),
        Some(_) if destination.is_terminal() => Err(Failure::Usage(format!(
            "--format {name} cannot be shown on a terminal: add --output FILE.{name}"
        ))),
        Some(_) => Ok(()),
    }
}

/// The result of a command, from which each output format is made.
trait CommandData {
    /// Returns the document for tables, pages and spreadsheets.
    fn document(&self) -> Document;

    /// Returns the server's response body, or an array of them.
    fn json(&self) -> Result<String, Failure>;

    /// Returns one JSON object per line.
    fn ndjson(&self) -> Result<String, Failure> {
        Ok(format::json::compact(&self.json()?).into_owned())
    }
}

/// Renders a result in the format of the options.
fn render_data(
    found: &impl CommandData,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
    match options.format {
        OutputFormat::Json => Ok(json_bytes(&found.json()?, destination)),
        OutputFormat::Ndjson => Ok(json_bytes(&found.ndjson()?, destination)),
        _ => render_document(&found.document(), options, destination),
    }
}

/// Renders a document in the format of the options; as a table if the format is not a document format.
fn render_document(
    document: &Document,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
    Ok(match options.format {
        OutputFormat::Table | OutputFormat::Json | OutputFormat::Ndjson => {
            format::table::render(document, table_style(options, destination)).into_bytes()
        }
        OutputFormat::Csv => format::csv::render(document, destination.is_terminal()),
        OutputFormat::Html => format::html::render(document).into_bytes(),
        OutputFormat::Xlsx => format::xlsx::render(document)
            .map_err(|error| Failure::CannotRender(format!("cannot create the workbook: {error}")))?,
    })
}

/// Adds the statement to the JSON of an overview, and the field `asked` if the response does not name its
/// organisation.
fn with_statement(
    asked: &QueriedOrg,
    overview: &TrusteeOverview,
    body: &[u8],
    statement: &Statement,
) -> Result<String, Failure> {
    let stated = with_extra_field(overview, body_text(body)?, "statement", statement)?;
    match asked.is_missing_in(overview) {
        true => with_extra_field(overview, &stated, "asked", asked),
        false => Ok(stated),
    }
}

/// Adds a computed field to the JSON of an overview. If the server sends a field of the same name, both are
/// kept.
fn with_extra_field(
    overview: &TrusteeOverview,
    json: &str,
    name: &str,
    value: &impl Serialize,
) -> Result<String, Failure> {
    let ours = match overview.unknown.get(name) {
        None => name.to_owned(),
        Some(_) => format!(
            "genesysBilling{}{}",
            name.get(..1).unwrap_or_default().to_uppercase(),
            name.get(1..).unwrap_or_default()
        ),
    };
    format::json::with_field(json, &ours, value).map_err(|error| cannot_show(&error))
}

/// Returns the width and colour of tables at the destination.
fn table_style(options: &Options, destination: &Destination) -> TableStyle {
    let terminal = destination.is_terminal();
    let variable = |name| std::env::var(name).ok();
    TableStyle {
        width: terminal.then(|| {
            let told = || variable("COLUMNS")?.parse().ok();
            terminal_width().or_else(told).unwrap_or(DEFAULT_WIDTH)
        }),
        color: UseColor::new(
            options.color,
            terminal,
            variable("NO_COLOR").as_deref(),
            variable("TERM").as_deref(),
        ),
    }
}

/// Returns JSON bytes with a final newline, escaped for a terminal.
fn json_bytes(text: &str, destination: &Destination) -> Vec<u8> {
    let mut delivered = Vec::with_capacity(text.len() + 1);
    let written = format::json::write(text, destination.is_terminal(), &mut delivered);
    debug_assert!(written.is_ok(), "into memory");
    delivered
}

/// Returns a response body as text. The core has parsed it as JSON, so it is UTF-8.
fn body_text(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|_| Failure::CannotRender("the response is not UTF-8".to_owned()))
}

/// Returns the failure for a response that the core could parse and this format cannot show.
fn cannot_show(error: &serde_json::Error) -> Failure {
    Failure::CannotRender(format!("cannot show the response in this format: {error}. Try --format json"))
}

/// The width in columns if the terminal does not report one.
const DEFAULT_WIDTH: u16 = 80;
