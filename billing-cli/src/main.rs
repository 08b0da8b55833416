//! The program `genesys-billing`. All of it is in the library beside this file.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    billing_cli::run()
}
