//! Measures this client from outside: through the public API of the core and of the drivers, and by nothing else.
//!
//! ```text
//!   billing-bench parse FILE REPEAT                  bytes in memory to models, REPEAT times
//!   billing-bench fetch URL COUNT [--via DRIVER]     a login at the URL's origin, then COUNT calls, one after the other
//! ```
//!
//! `DRIVER` is `ureq` (the default) or `hyper`. Where the file's name or the URL's path holds `overview`, it is a trustee
//! billing overview, else a usage report. What comes out is a line for each of these:
//!
//! ```text
//!   resources N      resources of the report, or usages of the overview
//!   names N          bytes of all their names; of an overview's usages, of name and part number
//!   dates N          sum of the whole epoch seconds of the resources' dates; of an overview, of its seven dates
//!   pass_ns T …      (parse) nanoseconds of each pass, without reading the file, the sums and the end of the models
//!   drop_ns T …      (parse) nanoseconds that the end of the models took
//!   call_ns T …      (fetch) nanoseconds of each call, from its arguments to finished models; the first one logs in
//!   allocs N         (parse) allocations of one pass; these three with the feature `heap` only, which slows the rest
//!   alloc_bytes N    (parse) bytes of them
//!   heap_peak N      (parse) the most that was allocated at once
//! ```
//!
//! The first three are the same for every program that has read the same bytes to the end. `docs/performance.md` says what
//! to compare them with.

mod fetch;
mod parse;
mod sum;

use std::error::Error;
use std::process::ExitCode;
use std::{env, fmt};

use fetch::Driver;

fn main() -> ExitCode {
    match command(env::args().skip(1).collect()).and_then(Command::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("billing-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What to measure.
enum Command {
    Parse { file: String, repeat: usize },
    Fetch { url: String, count: usize, driver: Driver },
}

impl Command {
    fn run(self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Parse { file, repeat } => parse::run(&file, repeat),
            Self::Fetch { url, count, driver } => fetch::run(&url, count, driver),
        }
    }
}

fn command(mut args: Vec<String>) -> Result<Command, Box<dyn Error>> {
    let mut driver = Driver::Ureq;
    if let Some(at) = args.iter().position(|arg| arg == "--via") {
        driver = args.get(at + 1).ok_or(USAGE)?.parse()?;
        args.drain(at..at + 2);
    }
    let [what, from, times] = <[String; 3]>::try_from(args).map_err(|_| USAGE)?;
    let times = times.parse()?;
    match &*what {
        "parse" => Ok(Command::Parse { file: from, repeat: times }),
        "fetch" => Ok(Command::Fetch { url: from, count: times, driver }),
        _ => Err(USAGE.into()),
    }
}

/// Whether a file or an address is one of an overview.
fn is_overview(name: &str) -> bool {
    name.contains("overview")
}

/// A label and its values, as one line.
fn print(label: &str, values: &[impl fmt::Display]) {
    let values: String = values.iter().map(|value| format!(" {value}")).collect();
    println!("{label}{values}");
}

const USAGE: &str = "usage: billing-bench parse FILE REPEAT | fetch URL COUNT [--via ureq|hyper]";
