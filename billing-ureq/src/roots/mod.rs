//! The system's trust store, read when there is a certificate to judge, and only as far as that takes.
//!
//! Most systems have it twice: as one file that holds all certificates, and as a directory with a file for each. To read
//! the one takes half a millisecond, to read the other four times as long, and only where an administrator has added to
//! the directory alone is there more in it. What the file does not vouch for is therefore judged again by all there is.
//!
//! The file must hold nothing that is not among all there is, or more would be trusted than the system says.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
mod bundle;

/// Judges certificates by the system's trust store.
#[derive(Debug)]
pub(crate) struct SystemRoots {
    provider: Arc<CryptoProvider>,
    file: OnceLock<Arc<WebPkiServerVerifier>>,
    all: OnceLock<Verifier>,
}

impl SystemRoots {
    pub(crate) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, file: OnceLock::new(), all: OnceLock::new() }
    }

    /// By the one file, if the system has one.
    fn file(&self) -> Option<&WebPkiServerVerifier> {
        get_or_try(&self.file, || bundle::verifier(&self.provider).ok_or(())).ok().map(|file| &**file)
    }

    /// By all there is, in whatever way the system keeps it.
    fn all(&self) -> Result<&Verifier, Error> {
        get_or_try(&self.all, || Verifier::new(self.provider.clone()))
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

/// What is there already, else what is made now. Should it fail, as where there are too many open files, the next one who
/// comes tries again.
pub(crate) fn get_or_try<T, E>(kept: &OnceLock<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    match kept.get() {
        Some(value) => Ok(value),
        None => {
            let made = make()?;
            Ok(kept.get_or_init(|| made))
        }
    }
}

/// Elsewhere the system judges for itself.
#[cfg(not(all(unix, not(any(target_vendor = "apple", target_os = "android")))))]
mod bundle {
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::crypto::CryptoProvider;

    pub(super) fn verifier(_: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_read_again_and_what_could_is_kept() {
        let kept = OnceLock::new();
        assert_eq!(get_or_try(&kept, || Err("too many open files")), Err("too many open files"));
        assert_eq!(get_or_try(&kept, || Ok::<u8, &str>(1)), Ok(&1));
        assert_eq!(get_or_try(&kept, || Err("not asked")), Ok(&1));
    }
}
