//! Tests of the trusted certificates: the program and both drivers use the system's trust store, as one file
//! and as directories. Two OpenSSL variables select these on the systems that support them.
//!
//! The variables are read from the environment of the process, so the drivers run in child processes of this
//! test binary.
#![cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::process::{program, stderr, stdout};
use billing_core::machine::RetrySchedule;
use billing_core::{BaseUrl, Credentials, Environment, Policy};
use billing_tests::certificates::{Authority, names};
use billing_tests::raw_server::{RawServer, TRUSTOR};
use rustls::ServerConfig;

#[derive(Clone, Copy, Debug)]
enum Who {
    Program,
    Ureq,
    Hyper,
}

impl Who {
    const ALL: [Self; 3] = [Self::Program, Self::Ureq, Self::Hyper];

    /// Requests an overview from a server with that certificate, and returns the outcome.
    fn ask(
        self,
        config: Arc<ServerConfig>,
        file: Option<&OsStr>,
        directories: Option<&OsStr>,
    ) -> Result<(), String> {
        let server = RawServer::start(move |_, wire| {
            if wire.start_tls(&config) {
                wire.serve_well();
            }
        });
        let address = format!("https://{}", server.address());
        let mut asking = match self {
            Self::Program => {
                let mut program = program();
                program
                    .env("GENESYSCLOUD_ACCESS_TOKEN", "tok-0")
                    .env("GENESYSCLOUD_API_URL", &address)
                    .env("GENESYSCLOUD_LOGIN_URL", &address)
                    .args(["overview", TRUSTOR]);
                program
            }
            Self::Ureq | Self::Hyper => {
                let mut child = Command::new(env::current_exe().unwrap());
                child
                    .args(["--exact", "system_roots::the_child", "--nocapture"])
                    .env_clear()
                    .env(TASK, format!("{self:?} {address}"));
                child
            }
        };
        for (name, place) in [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directories)] {
            if let Some(place) = place {
                asking.env(name, place);
            }
        }
        let output = asking.output().unwrap();
        if output.status.success() { Ok(()) } else { Err(stdout(&output) + &stderr(&output)) }
    }
}

/// The driver of the child and the server address.
const TASK: &str = "BILLING_TESTS_ROOTS";

/// Runs a driver in a child process. Without a task it does nothing.
#[test]
fn the_child() {
    let Ok(task) = env::var(TASK) else { return };
    let (driver, base) = task.split_once(' ').unwrap();
    let base: BaseUrl = base.parse().unwrap();
    let environment = Environment::new(base.clone(), base);
    let credentials = Credentials::access_token("tok-0").unwrap();
    let retries = RetrySchedule { max_retries: 0, ..RetrySchedule::default() };
    let policy = Policy { retry: retries, ..Policy::default() };
    let trustor = TRUSTOR.parse().unwrap();
    let ended = if driver == "Ureq" {
        let builder = billing_ureq::Client::builder(environment, credentials).policy(policy);
        let client = builder.roots(billing_ureq::TlsRoots::Platform).build().unwrap();
        client.trustee_overview(trustor, None)
    } else {
        let builder = billing_hyper::Client::builder(environment, credentials).policy(policy);
        match builder.roots(billing_hyper::TlsRoots::Platform).build() {
            Ok(client) => {
                tokio::runtime::Runtime::new().unwrap().block_on(client.trustee_overview(trustor, None))
            }
            // A missing trust store fails before any request is sent.
            Err(error) => panic!("no trusted TLS connection is possible: {error}"),
        }
    };
    if let Err(error) = ended {
        panic!("{error}");
    }
}

#[test]
fn the_file_and_the_directories_are_trusted_and_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let (in_file, in_one, in_other, nowhere) =
        (Authority::new(), Authority::new(), Authority::new(), Authority::new());
    let file = place.path().join("all.pem");
    std::fs::write(&file, in_file.pem()).unwrap();
    let folders =
        [("one", &in_one), ("other", &in_other)].map(|(name, authority)| folder(&place, name, authority));
    let both = env::join_paths(&folders).unwrap();
    let [one, _] = &folders;

    // Certificates in the named places are trusted, even if another named place is empty.
    let missing = place.path().join("missing");
    let (file, one, both) = (Some(file.as_os_str()), Some(one.as_os_str()), Some(both.as_os_str()));
    let missing = Some(missing.as_os_str());
    for (authority, file, directories) in [
        (&in_file, file, None),
        (&in_file, file, missing),
        (&in_one, None, both),
        (&in_other, file, both),
        (&in_one, missing, one),
    ] {
        for who in Who::ALL {
            assert_eq!(who.ask(authority.server(), file, directories), Ok(()), "{who:?}");
        }
    }
    // Other certificates are not trusted, and a missing place has no fallback.
    for (authority, file, directories) in [
        (&nowhere, None, None),
        (&nowhere, file, both),
        (&in_one, file, None),
        (&in_file, None, one),
        (&in_other, file, one),
        (&in_file, missing, None),
    ] {
        for who in Who::ALL {
            let error = who.ask(authority.server(), file, directories).unwrap_err();
            assert!(error.contains("no trusted TLS connection"), "{who:?}: {error}");
        }
    }
}

/// The certificate must also match the host name and the current time.
#[test]
fn a_trusted_authority_vouches_for_its_names_and_times_only() {
    let place = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let folder = folder(&place, "roots", &authority);
    let file = folder.join("root.pem");
    let mut expired = names(&["127.0.0.1"]);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = names(&["127.0.0.1"]);
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    for who in Who::ALL {
        for (file, folder) in [(Some(&file), None), (None, Some(&folder)), (Some(&file), Some(&folder))] {
            let (file, folder) = (file.map(|file| file.as_os_str()), folder.map(|folder| folder.as_os_str()));
            assert_eq!(who.ask(authority.server(), file, folder), Ok(()), "{who:?}");
            for (name, certificate) in [
                ("another name", names(&["example.com"])),
                ("another address", names(&["127.0.0.2"])),
                ("nobody", names(&[])),
                ("expired", expired.clone()),
                ("not valid yet", early.clone()),
            ] {
                let error = who.ask(authority.server_with(certificate), file, folder).unwrap_err();
                let case = format!("{who:?}, {name}, {file:?}, {folder:?}");
                assert!(error.contains("no trusted TLS connection"), "{case}: {error}");
            }
        }
    }
}

/// Returns a folder with the certificate of an authority.
fn folder(place: &tempfile::TempDir, name: &str, authority: &Authority) -> PathBuf {
    let folder = place.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("root.pem"), authority.pem()).unwrap();
    folder
}
