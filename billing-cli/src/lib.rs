//! `genesys-billing`: usage reports and billing overviews of Genesys Cloud, for the people who reconcile, forecast and
//! invoice.
//!
//! From the command line to the exit status: `args` parses the command line, `config` finds the addresses and the
//! credentials, `backend` sends the calls, `commands` has a file for each command, `views` builds tables from the answers,
//! [`format`](mod@format) renders them, `output` writes the result whole or not at all, and `failure` explains errors.
//!
//! The crate is the program. Its public modules exist for the tests and the fuzz targets and may change at any time.

#![forbid(unsafe_code)]

mod args;
mod backend;
mod commands;
mod config;
mod failure;
pub mod format;
mod gateway;
mod interrupt;
mod journal;
mod log;
pub mod organizations;
mod output;
mod overage_check;
mod poll_cache;
pub mod profile;
mod progress;
mod text;
mod views;

use std::process::ExitCode;

/// Runs the program with the arguments of the process, and returns its exit status.
pub fn run() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    let verbosity = args.options.verbosity();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::failure(&failure, verbosity);
            ExitCode::from(failure.exit_status())
        }
    }
}
