//! The system's trust store, read when there is a certificate to judge, and only as far as that takes.
//!
//! Most systems have it twice: as one file that holds all certificates, and as a directory with a file for each. To read
//! the one takes half a millisecond, to read the other four times as long, and only where an administrator has added to
//! the directory alone is there more in it. What the file does not vouch for is therefore judged again by all there is.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Judges certificates by the system's trust store.
#[derive(Debug)]
pub(crate) struct SystemRoots {
    provider: Arc<CryptoProvider>,
    file: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
    all: OnceLock<Result<Verifier, Error>>,
}

impl SystemRoots {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, file: OnceLock::new(), all: OnceLock::new() }
    }

    /// By the one file, if the system has one.
    fn file(&self) -> Option<&WebPkiServerVerifier> {
        self.file.get_or_init(|| in_one_file(&self.provider)).as_deref()
    }

    /// By all there is, in whatever way the system keeps it.
    fn all(&self) -> Result<&Verifier, Error> {
        self.all.get_or_init(|| Verifier::new(self.provider.clone())).as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for SystemRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judge =
            |by: &dyn ServerCertVerifier| by.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match self.file().map(|file| judge(file)) {
            Some(Ok(verified)) => Ok(verified),
            _ => judge(self.all()?),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
fn in_one_file(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    use rustls::RootCertStore;
    use rustls::pki_types::pem::PemObject;

    let file = openssl_probe::probe().cert_file?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(file).ok()?.flatten());
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone()).build().ok()
}

/// Elsewhere the system judges for itself.
#[cfg(not(all(unix, not(any(target_vendor = "apple", target_os = "android")))))]
fn in_one_file(_: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    None
}
