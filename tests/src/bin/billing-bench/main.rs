//! Measures this client from outside: through the public API of the core and of the drivers, and by nothing else.
//!
//! ```text
//!   billing-bench parse FILE REPEAT          bytes in memory to models, REPEAT times
//!   billing-bench visit FILE REPEAT          the same of a report, resource by resource, keeping none
//!   billing-bench fetch URL COUNT            a login at the URL's origin, then COUNT calls, one after the other
//!   billing-bench concurrent URL COUNT       a login, then 20 times COUNT calls at once
//!
//!   --via ureq|hyper|bare-ureq|bare-hyper    by this driver, ureq unless another is named; or without one, by the HTTP
//!                                            library alone and the same parser
//!   --roots platform|FILE                    trusting the system's certificates, or those of a PEM file
//! ```
//!
//! Where the file's name or the URL's path holds `overview`, it is a trustee billing overview, else a usage report. What
//! comes out is a line for each of these:
//!
//! ```text
//!   resources N      resources of the report, or usages of the overview
//!   names N          bytes of all their names; of an overview's usages, of name and part number
//!   dates N          sum of the whole epoch seconds of the resources' dates; of an overview, of its seven dates
//!   pass_ns T …      (parse, visit) nanoseconds of each pass, without reading the file, the sums and the end of the models
//!   drop_ns T …      (parse) nanoseconds that the end of the models took
//!   call_ns T …      (fetch) nanoseconds of each call, from its arguments to finished models; the first one logs in
//!   round_ns T …     (concurrent) nanoseconds of each COUNT calls; the first ones connect
//!   allocs N         (parse) allocations of one pass; these three with the feature `heap` only, which slows the rest
//!   alloc_bytes N    (parse) bytes of them
//!   heap_peak N      (parse) the most that was allocated at once
//! ```
//!
//! The first three are the same for every program that has read the same bytes to the end. `docs/performance.md` says what
//! to compare them with.

mod bare;
mod concurrent;
mod fetch;
mod parse;
mod sum;
mod target;

use std::error::Error;
use std::process::ExitCode;
use std::{env, fmt, fs};

use target::{Roots, Target, Via};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("billing-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Vec<String>) -> Result<()> {
    let via = option(&mut args, "--via")?.map_or(Ok(Via::Ureq), |name| name.parse())?;
    let roots = match option(&mut args, "--roots")? {
        None => Roots::Bundled,
        Some(name) if name == "platform" => Roots::Platform,
        Some(file) => Roots::Pem(fs::read(file)?),
    };
    let [what, from, times] = <[String; 3]>::try_from(args).map_err(|_| USAGE)?;
    let times = times.parse()?;
    match &*what {
        "parse" => parse::run(&from, times),
        "visit" => parse::visit(&from, times),
        "fetch" => fetch::run(&Target::new(&from, roots)?, times, via),
        "concurrent" => concurrent::run(&Target::new(&from, roots)?, times, via),
        _ => Err(USAGE.into()),
    }
}

/// Takes an option and its value out of the arguments.
fn option(args: &mut Vec<String>, name: &str) -> Result<Option<String>> {
    let Some(at) = args.iter().position(|arg| arg == name) else { return Ok(None) };
    if at + 1 == args.len() {
        return Err(USAGE.into());
    }
    Ok(args.drain(at..at + 2).next_back())
}

/// Returns true if the name of a file or address is one of an overview.
fn is_overview(name: &str) -> bool {
    name.contains("overview")
}

/// A label and its values, as one line.
fn print(label: &str, values: &[impl fmt::Display]) {
    let values: String = values.iter().map(|value| format!(" {value}")).collect();
    println!("{label}{values}");
}

const USAGE: &str = "usage: billing-bench parse|visit FILE REPEAT | fetch URL COUNT | concurrent URL COUNT \
    [--via ureq|hyper|bare-ureq|bare-hyper] [--roots platform|FILE]";
