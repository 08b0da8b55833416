//! `genesys-billing`: usage reports and billing overviews of Genesys Cloud, for the people who reconcile, forecast and
//! invoice.
//!
//! From the line to the exit status: [`args`] reads the line, [`config`] finds out where and as whom to ask, [`backend`]
//! asks, [`commands`] has a file for each command, [`documents`] makes tables of what came, [`format`](mod@format) renders
//! them, [`output`] delivers the result whole or not at all, and [`failure`] says what went wrong.

#![forbid(unsafe_code)]

mod alarm;
mod args;
mod backend;
mod commands;
mod config;
mod documents;
mod failure;
mod format;
mod gateway;
mod interrupt;
mod journal;
mod log;
mod memory;
mod organizations;
mod output;
mod profile;
mod progress;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::read() {
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
