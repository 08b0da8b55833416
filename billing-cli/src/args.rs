//! The command line.

#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help that is printed, where backticks only disturb"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use billing_core::sandbox::ORG_ID;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::failure::WRONG_USAGE;
use crate::log::{self, Verbosity};
use crate::text::printable;

/// Usage reports and billing overviews of Genesys Cloud.
#[derive(Debug, Parser)]
#[command(name = "genesys-billing", version, propagate_version = true, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that every command takes, anywhere on the line.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Options {
    /// The region, by its AWS name or its domain [env: GENESYSCLOUD_REGION] [default: us-east-1]
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) region: Option<String>,

    /// The address of the API, for a gateway in front of it [env: GENESYSCLOUD_API_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) api_url: Option<String>,

    /// The address of the login service, for a gateway in front of it [env: GENESYSCLOUD_LOGIN_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) login_url: Option<String>,

    /// A profile of ~/.gc/config.toml, the file of Genesys Cloud's own CLI [default: DEFAULT]
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) profile: Option<String>,

    /// Use the built-in simulated organisation: no account, no network, the same results every time
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Table, global = true)]
    pub(crate) format: OutputFormat,

    /// Write to this file, in one step: a failed run leaves the old file. `-` is standard output
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) output: Option<PathBuf>,

    /// Time limit of the whole command: 90s, 15m, 1h30m [default: 15m; `fleet`: 12h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, global = true)]
    pub(crate) timeout: Option<Duration>,

    /// Size limit of a response after decompression, and of all pages of a list or periods of a history together: 64MiB, 500MB, 2GiB. `usage` holds the whole report in memory
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size, global = true)]
    pub(crate) max_body: usize,

    /// Do not read or write the poll cache. It records how long earlier reports took and is used to time the polls
    #[arg(long, global = true)]
    pub(crate) no_poll_cache: bool,

    /// Log more to standard error; can be given up to three times
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Print only errors to standard error
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub(crate) quiet: bool,

    /// When to use colour; NO_COLOR is respected
    #[arg(long, value_enum, default_value_t = ColorWhen::Auto, value_name = "WHEN", global = true)]
    pub(crate) color: ColorWhen,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The billable usage report of your own organisation, polled until it is complete
    Usage(UsageArgs),
    /// The billing overview of a trustor organisation: commitments, usage and charges of a billing period
    #[command(after_help = overview_help())]
    Overview(OverviewArgs),
    /// The billing periods of a trustor organisation, newest first, with totals and trend
    History(HistoryArgs),
    /// Billing periods of an organisation side by side, with the differences
    Compare(CompareArgs),
    /// The billing overviews of all trustor organisations, or of those listed in a file
    Fleet(FleetArgs),
    /// The trustor organisations: those that trust your organisation
    Trustors,
    /// The contracts. All contract and invoice commands use preview operations of the API, which may change
    Contracts(ContractsArgs),
    /// One contract: its billing periods and plans
    Contract {
        /// The contract id, as listed by `contracts`
        id: String,
    },
    /// One billing period of a contract: charges and wallets
    Period(ContractPeriodArgs),
    /// The invoices
    Invoices(InvoicesArgs),
    /// The lines of an invoice
    InvoiceLines {
        /// The invoice id, as listed by `invoices`
        id: String,
    },
    /// Download the document of an invoice to the file named by --output
    InvoiceDocument {
        /// The invoice id, as listed by `invoices`
        id: String,
    },
    /// The regions and their hosts
    Regions,
    /// Print a shell completion script
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
    /// Print the manual page; read it with `man -l -`
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// The first day: 2026-10-01 (midnight UTC) or 2026-10-01T00:00:00+02:00
    #[arg(long, value_name = "DATE")]
    pub(crate) start: String,

    /// The day after the last day, in the same formats
    #[arg(long, value_name = "DATE")]
    pub(crate) end: String,
}

#[derive(Debug, Args)]
pub(crate) struct OverviewArgs {
    /// The id of the trustor organisation
    pub(crate) org: String,

    /// The billing period: 0 is the latest, 1 the one before
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    pub(crate) period: String,

    #[command(flatten)]
    pub(crate) on_overage: OverageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The id of the trustor organisation
    pub(crate) org: String,

    #[command(flatten)]
    pub(crate) periods: PeriodArgs,

    #[command(flatten)]
    pub(crate) on_overage: OverageArgs,
}

/// The periods to fetch: the latest 12 if no option is given.
#[derive(Debug, Args)]
pub(crate) struct PeriodArgs {
    /// The latest N periods [default: 12]
    #[arg(long, value_name = "N", conflicts_with_all = ["year", "from"], allow_negative_numbers = true)]
    pub(crate) periods: Option<String>,

    /// The periods that overlap this calendar year
    #[arg(long, value_name = "Y", conflicts_with = "from", allow_negative_numbers = true)]
    pub(crate) year: Option<String>,

    /// The periods that overlap the days from this one
    #[arg(long, value_name = "DATE", requires = "to")]
    pub(crate) from: Option<String>,

    /// to this one, inclusive
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The id of the trustor organisation
    pub(crate) org: String,

    /// Two to four billing periods, 0 being the latest: 0,1 or 0,12
    #[arg(
        long,
        value_name = "A,B[,C,D]",
        value_delimiter = ',',
        required = true,
        allow_negative_numbers = true
    )]
    pub(crate) periods: Vec<String>,

    #[command(flatten)]
    pub(crate) on_overage: OverageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Read the organisations from this file instead of listing all trustors: CSV with an id and an optional name per line, separated by commas, semicolons or tabs. A header line is allowed; the output of `trustors --format csv` is accepted. `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) orgs: Option<PathBuf>,

    /// The billing period: 0 is the latest, 1 the one before
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    pub(crate) period: String,

    /// Record results in this journal file, and resume the run that an existing journal holds
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) on_overage: OverageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ContractsArgs {
    #[command(flatten)]
    pub(crate) dates: DateArgs,

    /// Only contracts with this status: Active or Inactive
    #[arg(long)]
    pub(crate) status: Option<String>,

    /// Only the contract with this number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ContractPeriodArgs {
    /// The id of the contract, as `contracts` lists it
    pub(crate) contract: String,

    /// The id of the billing period, as `contract` lists it
    pub(crate) period: String,

    #[command(flatten)]
    pub(crate) on_overage: OverageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InvoicesArgs {
    #[command(flatten)]
    pub(crate) dates: DateArgs,

    /// Only invoices with this payment status: Paid or Unpaid
    #[arg(long)]
    pub(crate) status: Option<String>,
}

/// The date range of a list; a missing bound leaves it open.
#[derive(Debug, Args)]
pub(crate) struct DateArgs {
    /// The first day: 2026-10-01
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,

    /// The last day
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
}

/// The option that turns overage into an exit status.
#[derive(Debug, Args)]
pub(crate) struct OverageArgs {
    /// After printing the result, exit with status 10 if it contains overage
    #[arg(long)]
    pub(crate) fail_on_overage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A table for reading
    Table,
    /// The API's response body. Overviews have a field `statement` added, and a field `asked` if the response does not name its organisation
    Json,
    /// One JSON object per line
    Ndjson,
    /// One row per item, for spreadsheets
    Csv,
    /// An Excel workbook with charts; requires --output
    Xlsx,
    /// A self-contained HTML page with charts; requires --output
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// If the output is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Options {
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Requests,
            (false, 2) => Verbosity::Settings,
            (false, _) => Verbosity::Headers,
        }
    }
}

/// Parses the arguments. Prints help and usage errors itself and returns the exit status for them.
pub(crate) fn parse() -> Result<CommandLine, ExitCode> {
    let read = CommandLine::try_parse().map(|mut line| {
        if let Command::Fleet(_) = line.command {
            line.options.timeout.get_or_insert(FLEET_TIMEOUT);
        }
        line
    });
    read.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Printing fails if standard output is closed; there is nobody left to report that to.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE))
        }
        _ => {
            log::write_line(&one_line_error(&error, std::env::args_os()));
            ExitCode::from(WRONG_USAGE)
        }
    })
}

/// Returns the definition of the command line, for completions and the manual page.
pub(crate) fn command() -> clap::Command {
    CommandLine::command()
}

/// Condenses clap's error of several lines into one: without the usage, with the tips and a pointer to the
/// help.
fn one_line_error(
    error: &clap::Error,
    line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> String {
    let said: Vec<String> = error
        .render()
        .to_string()
        .split("\n\n")
        .filter(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"))
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .collect();
    // The error does not name its subcommand, so parse the arguments again and ignore errors.
    let matches = command().ignore_errors(true).try_get_matches_from(line);
    let command = matches.iter().find_map(|matches| matches.subcommand_name());
    let command = command.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{}; see 'genesys-billing{command} --help'", printable(&said.join("; ")))
}

fn parse_size(text: &str) -> Result<usize, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let unit = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
    let number = number.parse::<usize>().ok().filter(|number| *number > 0);
    let size = unit.zip(number).and_then(|((_, unit), number)| number.checked_mul(*unit));
    size.ok_or_else(|| "not a size: write for example 64MiB, 500MB or 2GiB".to_owned())
}

const UNITS: [(&str, usize); 6] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "not a duration: write for example 90s, 15m or 1h30m".to_owned())?;
    if duration.is_zero() {
        return Err("must be more than zero: write for example 90s, 15m or 1h30m".into());
    }
    if duration > MAX_TIMEOUT {
        return Err("must be at most 366 days: write for example 90s, 15m or 1h30m".into());
    }
    Ok(duration)
}

fn overview_help() -> String {
    format!(
        "With --sandbox, try the organisation {ORG_ID}. An unknown id prints the ids that the sandbox has."
    )
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Thousands of organisations take longer than the default at the usual quota.
const FLEET_TIMEOUT: Duration = Duration::from_secs(12 * 3600);
const MAX_TIMEOUT: Duration = Duration::from_secs(366 * 24 * 3600);

const AFTER_HELP: &str = "\
Month-end close: list the trustors, fetch all overviews, look at one organisation's history, compare two periods, and list the invoices. All five also run with --sandbox.
  genesys-billing trustors
  genesys-billing fleet --period 1 --resume journal --format xlsx -o close.xlsx
  genesys-billing history ORG --format html -o history.html
  genesys-billing compare ORG --periods 2,1
  genesys-billing invoices --from 2026-10-01 --to 2026-10-31

Credentials come from GENESYSCLOUD_ACCESS_TOKEN, or GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET, or a profile of ~/.gc/config.toml; never from an argument. Options override the environment, and the environment overrides the profile.

Exit status: 0 success, 1 other failure, 2 usage error, 3 not logged in or login refused, 4 not permitted, 5 not found, 6 retry later (the server asked for a longer wait), 7 timeout, 8 network or server failure, 9 partial failure (the rest is printed), 10 overage found (with --fail-on-overage), 130 interrupted.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_may_stand_anywhere() {
        for line in [
            "x --format csv --sandbox usage --start a --end b",
            "x usage --format csv --start a --sandbox --end b",
            "x --sandbox usage --start a --end b --format=csv",
        ] {
            let line = parse(line).unwrap();
            assert!(line.options.sandbox && line.options.format == OutputFormat::Csv);
        }
    }

    #[test]
    fn durations_are_those_of_people_and_bounded() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2h 5s", 7205)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "90", "0s", "-5s", "soon", "2years", "99999999999999999999h"] {
            assert!(parse_duration(text).unwrap_err().contains("1h30m"), "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1kib", 1024), ("500MB", 500_000_000), ("2GiB", 2 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for text in ["", "64", "MiB", "0MiB", "-1MiB", "1.5GiB", "64 MiB", "1TiB", "99999999999999GiB"] {
            assert!(parse_size(text).unwrap_err().contains("64MiB"), "{text}");
        }
        assert_eq!(parse("x regions").unwrap().options.max_body, billing_core::Policy::default().max_body);
    }

    #[test]
    fn a_wrong_line_is_answered_in_one() {
        for (line, command) in [
            ("x usage", " usage"),
            ("x usage --start 1 --ende 2", " usage"),
            ("x nonsense", ""),
            ("x --nonsense overview a", ""),
            ("x overview", " overview"),
            ("x overview a --period", " overview"),
            ("x regions --format pdf", " regions"),
            ("x --format pdf regions", " regions"),
            ("x regions --timeout 90", " regions"),
            ("x regions -v -q", " regions"),
            ("x completions cmd", " completions"),
            ("x help nonsense", ""),
        ] {
            let said = one_line_error(&parse(line).unwrap_err(), line.split(' '));
            assert!(said.starts_with("error: ") && !said.contains('\n'), "{said}");
            let help = format!("; see 'genesys-billing{command} --help'");
            assert!(said.ends_with(&help), "{line}: {said}");
        }
    }
}
