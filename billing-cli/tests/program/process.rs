//! The program `genesys-billing` as a process.

use std::process::{Command, Output, Stdio};

use billing_core::sandbox::{CLIENT_ID, CLIENT_SECRET};

use billing_tests::FakeServer;

/// Returns the program, without environment variables of the caller that could affect it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesys-billing"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        let own = ["GENESYSCLOUD_", "SSL_CERT_"].iter().any(|start| text.starts_with(start));
        if own || text.ends_with("_PROXY") || text == "NO_COLOR" || text == "XDG_CACHE_HOME" {
            command.env_remove(&name);
        }
    }
    // Use an empty home directory: no profile and no poll cache.
    command.env("HOME", concat!(env!("CARGO_MANIFEST_DIR"), "/no-home")).stdin(Stdio::null());
    command
}

/// Returns the program with the credentials and the addresses of a fake server.
pub(crate) fn program_at(server: &FakeServer) -> Command {
    let mut command = program();
    command
        .env("GENESYSCLOUD_OAUTHCLIENT_ID", CLIENT_ID)
        .env("GENESYSCLOUD_OAUTHCLIENT_SECRET", CLIENT_SECRET)
        .env("GENESYSCLOUD_API_URL", server.url())
        .env("GENESYSCLOUD_LOGIN_URL", server.url());
    command
}

/// Returns the standard output of a process as text.
///
/// # Panics
/// Panics if the output is not UTF-8.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap_or_else(|_| panic!("standard output is UTF-8"))
}

/// Returns the standard error of a process as text.
///
/// # Panics
/// Panics if the output is not UTF-8.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap_or_else(|_| panic!("standard error is UTF-8"))
}
