//! Whom the program trusts: the system's trust store, as one file and as directories. OpenSSL's two variables say where
//! those are, on the systems that heed them.
#![cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]

use std::ffi::OsStr;

use billing_tests::certificates::Authority;
use billing_tests::program::{program, stderr};
use billing_tests::raw_server::{RawServer, TRUSTOR};

/// Asks a server of `by` for an overview, and says how that ended.
fn ask(by: &Authority, file: Option<&OsStr>, directories: Option<&OsStr>) -> Result<(), String> {
    let config = by.server();
    let server = RawServer::start(move |_, wire| {
        if wire.start_tls(&config) {
            wire.serve_well();
        }
    });
    let address = format!("https://{}", server.address());
    let mut program = program();
    for (name, place) in [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directories)] {
        if let Some(place) = place {
            program.env(name, place);
        }
    }
    let output = program
        .env("GENESYSCLOUD_ACCESS_TOKEN", "tok-0")
        .env("GENESYSCLOUD_API_URL", &address)
        .env("GENESYSCLOUD_LOGIN_URL", &address)
        .args(["overview", TRUSTOR])
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
}

#[test]
fn the_file_and_the_directories_are_trusted_and_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let (in_file, in_one, in_other, nowhere) =
        (Authority::new(), Authority::new(), Authority::new(), Authority::new());
    let file = place.path().join("all.pem");
    std::fs::write(&file, in_file.pem()).unwrap();
    let folders = [("one", &in_one), ("other", &in_other)].map(|(name, authority)| {
        let folder = place.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("root.pem"), authority.pem()).unwrap();
        folder
    });
    let both = std::env::join_paths(&folders).unwrap();
    let [one, _] = &folders;

    // What is named is trusted, one place or several, even if there is nothing in another.
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
        assert_eq!(ask(authority, file, directories), Ok(()));
    }
    // What is not named is not, and nothing makes up for a place that is missing.
    for (authority, file, directories) in [
        (&nowhere, None, None),
        (&nowhere, file, both),
        (&in_one, file, None),
        (&in_file, None, one),
        (&in_other, file, one),
        (&in_file, missing, None),
    ] {
        let error = ask(authority, file, directories).unwrap_err();
        assert!(error.contains("no trusted TLS connection"), "{error}");
    }
}
