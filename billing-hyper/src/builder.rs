//! The builder of a client.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use billing_core::proxy::{InvalidProxy, Proxy, ProxyRules};
use billing_core::session::Pacing;
use billing_core::{Credentials, Environment, Policy, Session};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::client::{Client, ClientInner};
use crate::clock::{Clock, SteadyClock};
use crate::session::LockedSession;
use crate::transport::Transport;

/// Configures and builds a [`Client`]; created by [`Client::builder`].
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    environment: Environment,
    credentials: Credentials,
    policy: Policy,
    pacing: Pacing,
    connect_timeout: Duration,
    roots: TlsRoots,
    proxy: ProxyChoice,
    clock: Box<dyn Clock>,
    seed: Option<u64>,
}

/// The certificate authorities that the client trusts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum TlsRoots {
    /// Mozilla's root certificates, as compiled into this program.
    #[default]
    Bundled,
    /// The operating system's trust store, which usually holds a company's own root certificates.
    ///
    /// On Unix systems other than Apple's and Android, the environment variables `SSL_CERT_FILE` (one file)
    /// and `SSL_CERT_DIR` (directories, separated by colons) name other locations. If either is set, only
    /// the certificates at those locations are trusted.
    Platform,
    /// These certificates only, in PEM format.
    Pem(Vec<u8>),
}

enum ProxyChoice {
    Environment,
    None,
    Url(String),
}

impl ProxyChoice {
    fn rules(self) -> Result<ProxyRules, InvalidProxy> {
        match self {
            // Text that is not Unicode is passed on, to be refused with the name of its variable.
            Self::Environment => ProxyRules::from_variables(|name| {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
            }),
            Self::None => Ok(ProxyRules::default()),
            Self::Url(url) => url.parse::<Proxy>().map(ProxyRules::from),
        }
    }
}

impl Builder {
    pub(crate) fn new(environment: Environment, credentials: Credentials) -> Self {
        Self {
            environment,
            credentials,
            policy: Policy::default(),
            pacing: Pacing::default(),
            connect_timeout: Duration::from_secs(10),
            roots: TlsRoots::default(),
            proxy: ProxyChoice::Environment,
            clock: Box::new(SteadyClock::new()),
            seed: None,
        }
    }

    /// Sets the policy of timeouts and retries for the client's own operations. Each operation replaces the
    /// policy's seed with a new one.
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Sets the spacing of requests for the time when the server announces no quota.
    pub fn pacing(self, pacing: Pacing) -> Self {
        Self { pacing, ..self }
    }

    /// Sets the time limit for connecting: DNS lookup, proxy negotiation and TLS handshake together. The
    /// default is 10 s. The time limit of the whole attempt applies as well.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// The certificate authorities that the client trusts.
    pub fn roots(self, roots: TlsRoots) -> Self {
        Self { roots, ..self }
    }

    /// Sends all requests through the proxy at `url`, such as `http://user:password@proxy.example.com:3128`: http, https or
    /// SOCKS (`socks4`, `socks4a`, `socks5`, `socks5h`). Without this, `https_proxy`, `http_proxy`, `all_proxy` and
    /// `no_proxy` in the process environment are read as curl reads them: see [`billing_core::proxy`].
    ///
    /// Plain http to a loopback address never uses a proxy: it is permitted only because it stays on this
    /// machine.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        Self { proxy: ProxyChoice::Url(url.into()), ..self }
    }

    /// Uses no proxy and ignores the proxy variables of the process environment.
    pub fn no_proxy(self) -> Self {
        Self { proxy: ProxyChoice::None, ..self }
    }

    /// Replaces the clock that the client reads the time from and sleeps by.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// Draws all jitter from `seed`, so that a run can be reproduced. Without this call the seed is random.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Builds the client. This sends no request.
    ///
    /// # Errors
    /// Returns an error if the root certificates cannot be read, or if the proxy address, also one from the process environment,
    /// is invalid.
    pub fn build(self) -> Result<Client, BuildError> {
        let tls = client_config(&self.roots)?;
        let proxies = self.proxy.rules()?;
        let seed = self.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let session = Session::with_pacing(self.environment.clone(), self.credentials, self.pacing, seed);
        Ok(Client::from_parts(ClientInner {
            environment: self.environment,
            policy: self.policy,
            session: LockedSession::new(session),
            transport: Transport::new(self.connect_timeout, tls, proxies),
            clock: self.clock,
            next_seed: AtomicU64::new(seed.wrapping_add(1)),
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("environment", &self.environment)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// An error of [`Builder::build`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The root certificates cannot be used; holds the reason.
    Roots(String),
    /// The proxy address is invalid; holds the reason, without the address, which may contain a password.
    Proxy(InvalidProxy),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots(why) => write!(f, "the root certificates cannot be read: {why}"),
            Self::Proxy(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<InvalidProxy> for BuildError {
    fn from(why: InvalidProxy) -> Self {
        Self::Proxy(why)
    }
}

/// Builds the TLS configuration, with the process's default crypto provider if one is installed, else ring.
fn client_config(roots: &TlsRoots) -> Result<ClientConfig, BuildError> {
    let provider =
        CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| roots_error(&e))?;
    let config = match roots {
        TlsRoots::Bundled => {
            config.with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        }
        TlsRoots::Platform => config.with_platform_verifier().map_err(|e| roots_error(&e))?,
        TlsRoots::Pem(pem) => config.with_root_certificates(read_pem(pem)?),
    };
    Ok(config.with_no_client_auth())
}

fn read_pem(pem: &[u8]) -> Result<RootCertStore, BuildError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| roots_error(&e))?;
        roots.add(certificate).map_err(|e| roots_error(&e))?;
    }
    if roots.is_empty() {
        return Err(roots_error(&"the PEM text contains no certificate"));
    }
    Ok(roots)
}

fn roots_error(why: &dyn fmt::Display) -> BuildError {
    BuildError::Roots(why.to_string())
}
