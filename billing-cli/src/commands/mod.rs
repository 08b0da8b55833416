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

use crate::args::{Command, CommandLine, Format, Options};
use crate::failure::Failure;
use crate::format;
use crate::format::document::Document;
use crate::format::grid::{Look, terminal_width};
use crate::format::paint::Paint;
use crate::interrupt;
use crate::organizations::Named;
use crate::output::Destination;
use crate::progress::Writing;

/// Does what the line asks for.
pub(crate) fn run(line: CommandLine) -> Result<(), Failure> {
    interrupt::install();
    let options = &line.options;
    let destination = Destination::open(options.output.as_deref())?;
    wants_a_file(options, &destination)?;
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
        Command::Contract { id } => contracts::one(id, options, &destination)?.into(),
        Command::Period(command) => contracts::period(command, options, &destination)?,
        Command::Invoices(command) => invoices::list(command, options, &destination)?.into(),
        Command::InvoiceLines { id } => invoices::lines(id, options, &destination)?.into(),
        Command::InvoiceDocument { id } => return invoices::document(id, options, &destination),
        Command::Regions => regions::run(options, &destination)?.into(),
        Command::Completions { shell } => shell::completions(*shell).into(),
        Command::Man => shell::man().into(),
    };
    deliver(&destination, options, || Ok(outcome.printed))?;
    outcome.failure.map_or(Ok(()), Err)
}

/// What a command leaves.
struct CommandOutput {
    printed: Vec<u8>,
    /// With what the program ends although, and after, everything there is was printed.
    failure: Option<Failure>,
}

impl From<Vec<u8>> for CommandOutput {
    fn from(printed: Vec<u8>) -> Self {
        Self { printed, failure: None }
    }
}

/// Writes what `make` makes, with a word on the terminal while that takes its time.
fn deliver(
    destination: &Destination,
    options: &Options,
    make: impl FnOnce() -> Result<Vec<u8>, Failure>,
) -> Result<(), Failure> {
    let mut writing = Some(Writing::new(options.verbosity()));
    let made = make()?;
    if *destination == Destination::Stdout || destination.is_terminal() {
        // It may be the same terminal.
        writing.take();
    }
    destination.write(&made)
}

/// A workbook on a terminal is of no use to anybody.
fn wants_a_file(options: &Options, destination: &Destination) -> Result<(), Failure> {
    let name = match options.format {
        Format::Xlsx => "xlsx",
        Format::Html => "html",
        _ => return Ok(()),
    };
    match &options.output {
        None => Err(Failure::Usage(format!(
            "--format {name} makes a file and wants its name: add --output FILE.{name}, or --output - for a pipe"
        ))),
        Some(_) if destination.is_terminal() => Err(Failure::Usage(format!(
            "--format {name} is nothing for a terminal: add --output FILE.{name}"
        ))),
        Some(_) => Ok(()),
    }
}

/// What a command found, in the shapes from which every format is made.
trait Found {
    /// For people and spreadsheets.
    fn document(&self) -> Document;

    /// The server's own body, or an array of them.
    fn json(&self) -> Result<String, Failure>;

    /// A line of JSON for each thing.
    fn ndjson(&self) -> Result<String, Failure> {
        Ok(format::json::compact(&self.json()?).into_owned())
    }
}

/// What was found, as the options want it.
fn print(found: &impl Found, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    match options.format {
        Format::Json => Ok(json(&found.json()?, destination)),
        Format::Ndjson => Ok(json(&found.ndjson()?, destination)),
        _ => render(&found.document(), options, destination),
    }
}

/// A document, as the options want it; as a table, where they want what is no document.
fn render(document: &Document, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    Ok(match options.format {
        Format::Table | Format::Json | Format::Ndjson => {
            format::table::render(document, look(options, destination)).into_bytes()
        }
        Format::Csv => format::csv::render(document, destination.is_terminal()),
        Format::Html => format::html::render(document).into_bytes(),
        Format::Xlsx => format::xlsx::render(document)
            .map_err(|error| Failure::Unshowable(format!("the workbook cannot be made: {error}")))?,
    })
}

/// An overview in JSON, with what its statement says in a field of its own, and where it does not say whose it is, in another
/// whom we have asked about.
fn with_statement(
    asked: &Named,
    overview: &TrusteeOverview,
    body: &[u8],
    statement: &Statement,
) -> Result<String, Failure> {
    let stated = with_field(overview, body_text(body)?, "statement", statement)?;
    match asked.adds_to(overview) {
        true => with_field(overview, &stated, "asked", asked),
        false => Ok(stated),
    }
}

/// The JSON of an overview with a field that is ours. Should the server come to send one of that name, both are kept.
fn with_field(
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
    format::json::with_field(json, &ours, value).map_err(|error| unreadable(&error))
}

/// How a table looks at its destination.
fn look(options: &Options, destination: &Destination) -> Look {
    let terminal = destination.is_terminal();
    let variable = |name| std::env::var(name).ok();
    Look {
        width: terminal.then(|| {
            let told = || variable("COLUMNS")?.parse().ok();
            terminal_width().or_else(told).unwrap_or(USUAL_WIDTH)
        }),
        paint: Paint::new(
            options.color,
            terminal,
            variable("NO_COLOR").as_deref(),
            variable("TERM").as_deref(),
        ),
    }
}

/// JSON as it is delivered.
fn json(text: &str, destination: &Destination) -> Vec<u8> {
    let mut delivered = Vec::with_capacity(text.len() + 1);
    let written = format::json::deliver(text, destination.is_terminal(), &mut delivered);
    debug_assert!(written.is_ok(), "into memory");
    delivered
}

/// The body of an answer as text. The core has read it as JSON, so that it is UTF-8.
fn body_text(body: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(body).map_err(|_| Failure::Unshowable("the answer is not UTF-8".to_owned()))
}

/// JSON that the core has read and that is read once more, for what the models do not keep.
fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::Unshowable(format!("the answer cannot be shown in this format, {error}: try --format json"))
}

/// Of a terminal that does not say.
const USUAL_WIDTH: u16 = 80;
