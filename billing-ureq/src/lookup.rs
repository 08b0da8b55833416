//! Host lookup, done only when a new connection is made.
//!
//! `ureq` calls its resolver before every request, even if it then reuses a connection, and each lookup
//! with a timeout costs a thread. So the resolver here only returns a placeholder, and the connector does
//! the lookup.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;
use std::{error, fmt, io, mem};

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{self, Duration};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};
use ureq::{Error, ProxyProtocol};

use crate::tls::server_name;

/// A resolver that returns a placeholder address for every host.
#[derive(Debug)]
pub(crate) struct DeferredResolver;

impl Resolver for DeferredResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(UNRESOLVED_ADDRESS);
        Ok(addresses)
    }
}

/// A connector that looks the host up, then lets another connector use the remaining time to connect.
#[derive(Debug)]
pub(crate) struct ResolvingConnector<C> {
    inner: C,
    resolver: SystemResolver,
}

impl<C> ResolvingConnector<C> {
    pub(crate) fn new(inner: C) -> Self {
        Self { inner, resolver: SystemResolver(DefaultResolver::default()) }
    }
}

impl<C: Connector> Connector for ResolvingConnector<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<C::Out>, Error> {
        // Reject a name that no certificate can match before the lookup: the error is then permanent, not
        // a failed lookup that could be retried.
        if details.needs_tls() {
            server_name(details.uri)?;
        }
        let (mut addrs, mut now, mut timeout) = (details.addrs.clone(), details.now, details.timeout);
        // Only the placeholder needs a lookup. A target behind a proxy that resolves names has no address,
        // and the proxy's own address was already resolved.
        if addrs[..] == [UNRESOLVED_ADDRESS] {
            let begun = Instant::now();
            addrs = self.resolver.resolve(details.uri, details.config, timeout)?;
            // SOCKS 4 has no room for other addresses, and `ureq` names the first.
            if details.config.proxy().is_some_and(|proxy| proxy.protocol() == ProxyProtocol::Socks4) {
                let found = mem::replace(&mut addrs, self.resolver.empty());
                found.iter().filter(|address| address.is_ipv4()).for_each(|address| addrs.push(*address));
            }
            now = time::Instant::now();
            if !timeout.after.is_not_happening() {
                timeout.after = timeout.after.saturating_sub(begun.elapsed()).into();
            }
        }
        let details = ConnectionDetails {
            uri: details.uri,
            addrs,
            resolver: &self.resolver,
            config: details.config,
            request_level: details.request_level,
            now,
            timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.inner.connect(&details, chained)
    }
}

/// The system's resolver. It marks its failures with [`ResolveError`], because their I/O error kinds are
/// not specific.
#[derive(Debug)]
struct SystemResolver(DefaultResolver);

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        // Parsing an IP address cannot block, so it needs no timeout and no thread.
        let timeout = match is_address(uri) {
            true => NextTimeout { after: Duration::NotHappening, ..timeout },
            false => timeout,
        };
        self.0.resolve(uri, config, timeout).map_err(|error| match error {
            Error::Io(e) => Error::Other(Box::new(ResolveError(e))),
            e => e,
        })
    }
}

/// An error of the system's resolver: it has no address for the host.
#[derive(Debug)]
pub(crate) struct ResolveError(io::Error);

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for ResolveError {}

fn is_address(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// The placeholder for an address that was not looked up yet.
const UNRESOLVED_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
