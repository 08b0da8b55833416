//! Looking a host up: when a connection to it is made, and only then.
//!
//! `ureq` asks its resolver before every request, also where a connection is there already, and each look-up costs a
//! thread, so that it can be given up in time. So its resolver is one that says *later*, and the connector looks up.

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

/// In place of a resolver: every host has an address, which is not known yet.
#[derive(Debug)]
pub(crate) struct DeferredResolver;

impl Resolver for DeferredResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(UNRESOLVED_ADDRESS);
        Ok(addresses)
    }
}

/// Looks the host up, and has another connector connect to it in what is left of the time.
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
        // A name that no certificate can be for is none to look up, and not one that may be there later.
        if details.needs_tls() {
            server_name(details.uri)?;
        }
        let (mut addrs, mut now, mut timeout) = (details.addrs.clone(), details.now, details.timeout);
        // A target that its proxy looks up has no address, and a proxy has had its own looked up.
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

/// The system's resolver. Its failures come as I/O errors that look like any other, so they are marked.
#[derive(Debug)]
struct SystemResolver(DefaultResolver);

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        // An address is only read, which needs no thread that could be given up.
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

/// The system's resolver has no address for the host.
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

/// Nobody's address.
const UNRESOLVED_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
