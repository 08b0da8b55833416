//! The one file that most systems have all certificates in.

use std::env::var_os;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use openssl_probe::{ENV_CERT_DIR, ENV_CERT_FILE, probe};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Judges by that file, if there is one.
pub(super) fn verifier(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    let file = choose(var_os(ENV_CERT_FILE), var_os(ENV_CERT_DIR), || probe().cert_file)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(file).ok()?.flatten());
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().ok()
}

/// By what the process environment names: as soon as it names a file or directories, these are the whole trust store and
/// the system's own file is no part of it, not even where there is nothing in the place that is named.
fn choose(
    file: Option<OsString>,
    directories: Option<OsString>,
    of_the_system: impl FnOnce() -> Option<PathBuf>,
) -> Option<PathBuf> {
    match (file, directories) {
        (Some(file), _) => Some(file.into()),
        (None, Some(_)) => None,
        (None, None) => of_the_system(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_file_is_trusted_only_where_no_other_place_is_named() {
        let system = PathBuf::from("/etc/ssl/certs/ca-certificates.crt");
        let chosen = |file: Option<&str>, directories: Option<&str>| {
            choose(file.map(Into::into), directories.map(Into::into), || Some(system.clone()))
        };
        assert_eq!(chosen(None, None), Some(system.clone()));
        for nothing in ["/corp/all.pem", "/no/such/file", ""] {
            assert_eq!(chosen(Some(nothing), None), Some(nothing.into()));
            assert_eq!(chosen(Some(nothing), Some("/corp")), Some(nothing.into()));
            assert_eq!(chosen(None, Some(nothing)), None);
        }
    }
}
