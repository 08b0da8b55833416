//! The program `genesys-billing` as a process.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use billing_core::sandbox::{CLIENT_ID, CLIENT_SECRET};

use crate::FakeServer;

/// The program, with nothing of the caller's environment that could steer it.
///
/// # Panics
/// When the program cannot be built.
pub fn program() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        let own = ["GENESYSCLOUD_", "SSL_CERT_"].iter().any(|start| text.starts_with(start));
        if own || text.ends_with("_PROXY") || text == "NO_COLOR" || text == "XDG_CACHE_HOME" {
            command.env_remove(&name);
        }
    }
    // No profile either, and nothing that other runs have kept.
    command.env("HOME", concat!(env!("CARGO_MANIFEST_DIR"), "/no-home")).stdin(Stdio::null());
    command
}

/// The program with the credentials and the addresses of a fake server.
///
/// # Panics
/// When the program cannot be built.
pub fn program_at(server: &FakeServer) -> Command {
    let mut command = program();
    command
        .env("GENESYSCLOUD_OAUTHCLIENT_ID", CLIENT_ID)
        .env("GENESYSCLOUD_OAUTHCLIENT_SECRET", CLIENT_SECRET)
        .env("GENESYSCLOUD_API_URL", server.url())
        .env("GENESYSCLOUD_LOGIN_URL", server.url());
    command
}

/// What a process printed on standard output, as text.
///
/// # Panics
/// When it is not UTF-8.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap_or_else(|_| panic!("standard output is UTF-8"))
}

/// What a process printed on standard error, as text.
///
/// # Panics
/// When it is not UTF-8.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap_or_else(|_| panic!("standard error is UTF-8"))
}

/// The built program. Cargo gives a test the path of its own package's programs only, so it is asked here; where the whole
/// workspace is tested there is nothing left to build.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "billing-cli", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("cargo does not start: {error}"));
        assert!(output.status.success(), "the program does not build");
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .unwrap_or_else(|| panic!("cargo named no program"))
    })
}
