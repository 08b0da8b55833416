//! Certificates for servers on the loopback, good and bad, made when a test needs them.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// A certificate authority of one test.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one, that nobody trusts yet.
    ///
    /// # Panics
    /// Panics if no key can be generated.
    pub fn new() -> Self {
        let mut params = names(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(
            CertifiedIssuer::self_signed(params, key())
                .unwrap_or_else(|error| panic!("no authority: {error}")),
        )
    }

    /// Its own certificate, as PEM, for those who are to trust it.
    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A server that shows a certificate for 127.0.0.1 by this authority.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server_with(names(&["127.0.0.1"]))
    }

    /// A server that shows such a certificate.
    ///
    /// # Panics
    /// Panics if the certificate cannot be made.
    pub fn server_with(&self, params: CertificateParams) -> Arc<ServerConfig> {
        let key = key();
        let certificate =
            params.signed_by(&key, &self.0).unwrap_or_else(|error| panic!("no certificate: {error}"));
        let key =
            PrivateKeyDer::try_from(key.serialize_der()).unwrap_or_else(|error| panic!("no key: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|config| config.with_no_client_auth())
            .and_then(|config| config.with_single_cert(vec![certificate.der().clone()], key))
            .unwrap_or_else(|error| panic!("no server: {error}"));
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the parameters of a certificate for these names or addresses.
///
/// # Panics
/// Panics if one of them is not a valid name.
pub fn names(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap_or_else(|error| panic!("no name: {error}"))
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|error| panic!("no key: {error}"))
}
