//! Whom the program trusts: the system's trust store, as one file and as a directory. OpenSSL's two variables say where
//! those are.

use std::path::Path;

use billing_tests::certificates::Authority;
use billing_tests::program::{program, stderr};
use billing_tests::raw_server::{RawServer, TRUSTOR};

/// Asks a server of `by` for an overview, and says how that ended.
fn ask(by: &Authority, file: &Path, directory: &Path) -> Result<(), String> {
    let config = by.server();
    let server = RawServer::start(move |_, wire| {
        if wire.start_tls(&config) {
            wire.serve_well();
        }
    });
    let address = format!("https://{}", server.address());
    let output = program()
        .env("GENESYSCLOUD_ACCESS_TOKEN", "tok-0")
        .env("GENESYSCLOUD_API_URL", &address)
        .env("GENESYSCLOUD_LOGIN_URL", &address)
        .env("SSL_CERT_FILE", file)
        .env("SSL_CERT_DIR", directory)
        .args(["overview", TRUSTOR])
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
}

#[test]
fn the_file_and_the_directory_are_trusted_and_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    let (file, directory) = (place.path().join("all.pem"), place.path().join("each"));
    let (in_file, in_directory, nowhere) = (Authority::new(), Authority::new(), Authority::new());
    std::fs::write(&file, in_file.pem()).unwrap();
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("one.pem"), in_directory.pem()).unwrap();

    let by = |authority| ask(authority, &file, &directory);
    assert_eq!((by(&in_file), by(&in_directory)), (Ok(()), Ok(())));
    let refused = by(&nowhere).unwrap_err();
    assert!(refused.contains("no trusted TLS connection"), "{refused}");

    // One of the two is enough.
    let missing = place.path().join("missing");
    assert_eq!(ask(&in_file, &file, &missing), Ok(()));
    assert_eq!(ask(&in_directory, &missing, &directory), Ok(()));
    let refused = ask(&in_file, &missing, &missing).unwrap_err();
    assert!(refused.contains("no trusted TLS connection"), "{refused}");
}
