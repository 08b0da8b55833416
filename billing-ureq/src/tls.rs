//! TLS, with one configuration for all connections, built at the first https connection.
//!
//! `ureq`'s own TLS connector builds a new configuration per connection if the request has its own
//! settings, such as a timeout. It would then read the system's trust store for each connection and could
//! never resume a TLS session.

use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::Uri;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
    time,
};

/// The certificate authorities to trust, with PEM text already parsed.
#[derive(Debug)]
pub(crate) enum Roots {
    Bundled,
    Platform,
    These(RootCertStore),
}

/// A connector that adds TLS to the connection of the connectors before it if the address is https.
#[derive(Debug)]
pub(crate) struct TlsConnector {
    roots: Roots,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConnector {
    pub(crate) fn new(roots: Roots) -> Self {
        Self { roots, config: OnceLock::new() }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        get_or_try_init(&self.config, || client_config(&self.roots).map(Arc::new)).cloned()
    }
}

impl<T: Transport> Connector<T> for TlsConnector {
    type Out = Either<T, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<T>,
    ) -> Result<Option<Self::Out>, Error> {
        let way = match chained {
            Some(way) if details.needs_tls() && !way.is_tls() => way,
            other => return Ok(other.map(Either::A)),
        };
        let name = server_name(details.uri)?;
        let failed = |e: rustls::Error| Error::Other(e.into());
        let mut tls = ClientConnection::new(self.config().map_err(failed)?, name).map_err(failed)?;
        let way: Box<dyn Transport> = Box::new(way);
        let mut way = TransportAdapter::new(way, details.current_time.clone());
        way.set_timeout(remaining_connect_time(details));
        tls.complete_io(&mut way)?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned::new(tls, way) })))
    }
}

/// A TLS connection.
pub(crate) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output();
        self.stream.write_all(&output[..amount.min(output.len())])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let n = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(n);
        Ok(n > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

/// Returns the server name that the certificate must match.
pub(crate) fn server_name(uri: &Uri) -> Result<ServerName<'static>, Error> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).map_err(|e| Error::Other(e.into()))
}

/// Builds the TLS configuration, with the process's default crypto provider if one is installed, else ring.
fn client_config(roots: &Roots) -> Result<ClientConfig, rustls::Error> {
    let provider =
        CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match roots {
        Roots::Bundled => {
            config.with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        }
        Roots::These(roots) => config.with_root_certificates(roots.clone()),
        Roots::Platform => config.with_platform_verifier()?,
    };
    Ok(config.with_no_client_auth())
}

/// Returns the stored value, or stores and returns the value of `make`. An error (too many open files, for
/// example) is not stored, so that the next caller tries again.
fn get_or_try_init<T, E>(kept: &OnceLock<T>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
    match kept.get() {
        Some(value) => Ok(value),
        None => {
            let made = make()?;
            Ok(kept.get_or_init(|| made))
        }
    }
}

/// Returns the remaining time for connecting.
fn remaining_connect_time(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    if let time::Instant::Exact(begun) = details.now
        && !timeout.after.is_not_happening()
    {
        timeout.after = timeout.after.saturating_sub(Instant::now().duration_since(begun)).into();
    }
    timeout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_read_again_and_what_could_is_kept() {
        let kept = OnceLock::new();
        assert_eq!(get_or_try_init(&kept, || Err("too many open files")), Err("too many open files"));
        assert_eq!(get_or_try_init(&kept, || Ok::<u8, &str>(1)), Ok(&1));
        assert_eq!(get_or_try_init(&kept, || Err("not asked")), Ok(&1));
    }
}
