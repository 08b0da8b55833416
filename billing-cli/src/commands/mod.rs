//! The commands, a file for each.

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

/// Does what the line asks for.
pub(crate) fn run(line: CommandLine) -> Result<(), Failure> {
    interrupt::install();
    let options = &line.options;
    let destination = Destination::open(options.output.as_deref())?;
    require_output_file(options, &destination)?;
    let outcome = match &line.command {
        // Its result can be large, and is written while it is made.
        Command::Usage(command) => return usage::run(command, options, &destination),
        Command::Overview(command) => overview::run(command, options, &destination)?,
        Command::History(command) => history::run(command, options, &destination)?,
        Command::Compare(command) => compare::run(command, options, &destination)?,
        // Its lines are written as they come.
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

/// What a command leaves.
struct CommandOutput {
    bytes: Vec<u8>,
    /// With what the program ends although, and after, everything there is was printed.
    failure: Option<Failure>,
}

impl From<Vec<u8>> for CommandOutput {
    fn from(printed: Vec<u8>) -> Self {
        Self { bytes: printed, failure: None }
    }
}

/// Writes what `make` makes, with a word on the terminal while that takes its time.
fn write_output(
    destination: &Destination,
    options: &Options,
    make: impl FnOnce() -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    let mut writing = Some(WritingBar::new(options.verbosity()));
    let made = make()?;
    if *destination == Destination::Stdout || destination.is_terminal() {
        // It may be the same terminal.
        writing.take();
    }
    destination.write(&made)
}

/// A workbook on a terminal is of no use to anybody.
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

/// What a command found, in the shapes from which every format is made.
trait CommandData {
    /// For people and spreadsheets.
    fn document(&self) -> Document;

    /// The server's own body, or an array of them.
    fn json(&self) -> Result<String, Failure>;

    /// One JSON object per line.
    fn ndjson(&self) -> Result<String, Failure> {
        Ok(format::json::compact(&self.json()?).into_owned())
    }
}

/// What was found, as the options want it.
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

/// A document, as the options want it; as a table, where they want what is no document.
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

/// An overview in JSON, with what its statement says in a field of its own, and where it does not say whose it is, in another
/// whom we have asked about.
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

/// The JSON of an overview with a field that is ours. Should the server come to send one of that name, both are kept.
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

/// How a table looks at its destination.
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

/// JSON as it is delivered.
fn json_bytes(text: &str, destination: &Destination) -> Vec<u8> {
    let mut delivered = Vec::with_capacity(text.len() + 1);
    let written = format::json::write(text, destination.is_terminal(), &mut delivered);
    debug_assert!(written.is_ok(), "into memory");
    delivered
}

/// The body of an answer as text. The core has read it as JSON, so that it is UTF-8.
fn body_text(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|_| Failure::CannotRender("the response is not UTF-8".to_owned()))
}

/// JSON that the core has read and that is read once more, for what the models do not keep.
fn cannot_show(error: &serde_json::Error) -> Failure {
    Failure::CannotRender(format!("cannot show the response in this format: {error}. Try --format json"))
}

/// Of a terminal that does not say.
const DEFAULT_WIDTH: u16 = 80;
