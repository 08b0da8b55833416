//! The transport over `ureq`: one request, one reply.

mod document;

use std::io::{self, Read};
use std::time::Duration;

use billing_core::machine::{BodyReader, MAX_HEAD_BYTES};
use billing_core::proxy::ProxyRules;
use billing_core::{Reply, Request, TransportError, TransportErrorKind as Kind};
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::response;
use rustls::pki_types::InvalidDnsNameError;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector, TcpConnector};
use ureq::{Agent, AsSendBody, Body, Timeout};

use crate::connect::StrictConnector;
use crate::lookup::{DeferredResolver, ResolveError, ResolvingConnector};
use crate::proxy::to_ureq_proxy;
use crate::tls::{Roots, TlsConnector};

/// Performs each request once. `ureq` retries nothing, not even on a pooled connection that turns out to be
/// closed.
pub(crate) struct Transport {
    agent: Agent,
    proxies: ProxyRules,
    connect_timeout: Duration,
}

impl Transport {
    pub(crate) fn new(connect_timeout: Duration, roots: Roots, proxies: ProxyRules) -> Self {
        let config = Agent::config_builder()
            // Return every status and redirect as a response, for the core to judge.
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEAD_BYTES)
            .timeout_connect(Some(connect_timeout))
            .max_idle_age(MAX_IDLE_AGE)
            .max_idle_connections(MAX_IDLE_CONNECTIONS)
            .max_idle_connections_per_host(MAX_IDLE_CONNECTIONS)
            // Each request says for itself; without this, `ureq` reads the process environment.
            .proxy(None)
            .build();
        // The chain of connectors: the connection to the host or through a proxy, then TLS, then the rule
        // for how a connection may end.
        let connector =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector::new(roots))
                .chain(StrictConnector);
        Self {
            agent: Agent::with_parts(config, ResolvingConnector::new(connector), DeferredResolver),
            proxies,
            connect_timeout,
        }
    }

    /// Performs `request`, starting at `now`, within its limits of time and size.
    pub(crate) fn perform(&self, request: &Request, now: DateTime<Utc>) -> Reply {
        let limit = request.timeout(now);
        let (head, body) = self.begin(request, limit)?;
        let reader = BodyReader::new(&head.headers, request.max_body())?;
        self.collect(head, body, reader, limit)
    }

    /// Sends `request` and reads the head of the response.
    fn begin(&self, request: &Request, limit: Duration) -> Result<(response::Parts, Body), TransportError> {
        let (head, body) = request.http().clone().into_parts();
        let sent = match body.is_empty() {
            true => self.send(head, (), limit),
            false => self.send(head, &body[..], limit),
        };
        Ok(sent.map_err(|e| self.classify(e, limit))?.into_parts())
    }

    /// Reads the body.
    fn collect(
        &self,
        head: response::Parts,
        body: Body,
        mut collected: BodyReader,
        limit: Duration,
    ) -> Reply {
        let mut body = body.into_reader();
        loop {
            match body.read(collected.spare_mut()) {
                Ok(0) => break,
                Ok(n) => collected.advance(n)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.classify_in_body(e.into(), limit)),
            }
        }
        Ok(http::Response::from_parts(head, collected.finish()?))
    }

    fn send(
        &self,
        head: Parts,
        body: impl AsSendBody,
        limit: Duration,
    ) -> Result<http::Response<Body>, ureq::Error> {
        let proxy = self.proxies.proxy_for(&head.uri).map(to_ureq_proxy).transpose()?;
        let request = self.agent.configure_request(http::Request::from_parts(head, body));
        self.agent.run(request.proxy(proxy).timeout_global(Some(limit)).build())
    }

    /// Classifies an error that occurred before the head of the response arrived.
    fn classify(&self, error: ureq::Error, limit: Duration) -> TransportError {
        use ureq::Error as E;
        let kind = match error {
            E::Timeout(Timeout::Connect) => {
                let text = format!("no connection within {:?}", self.connect_timeout.min(limit));
                return TransportError::new(Kind::Timeout, text);
            }
            E::Timeout(_) => return timeout_error(limit),
            E::Io(e) => return TransportError::from_source(classify_io(&e), e),
            E::Other(e) if e.is::<ResolveError>() => return TransportError::from_source(Kind::Dns, e),
            E::Other(e) if e.is::<rustls::Error>() || e.is::<InvalidDnsNameError>() => {
                return TransportError::from_source(Kind::Tls, e);
            }
            E::HostNotFound => Kind::Dns,
            E::ConnectionFailed | E::ConnectProxyFailed(_) => Kind::Connect,
            E::TlsRequired => Kind::Tls,
            E::Http(_) | E::BadUri(_) | E::InvalidProxyUrl | E::BodyExceedsLimit(_) => Kind::InvalidRequest,
            // The remaining errors concern the received bytes: not HTTP, or an endless head.
            _ => Kind::Malformed,
        };
        TransportError::from_source(kind, error)
    }

    /// Classifies an error that occurred after the head: a timeout, else an incomplete body.
    fn classify_in_body(&self, error: ureq::Error, limit: Duration) -> TransportError {
        match error {
            ureq::Error::Timeout(_) => timeout_error(limit),
            ureq::Error::Io(e) => TransportError::from_source(Kind::Truncated, e),
            e => TransportError::from_source(Kind::Truncated, e),
        }
    }
}

fn timeout_error(limit: Duration) -> TransportError {
    TransportError::new(Kind::Timeout, format!("no whole answer within {limit:?}"))
}

/// Classifies an I/O error that occurred before the head of the response arrived.
fn classify_io(error: &io::Error) -> Kind {
    // Look at the inner error, which holds the error of `rustls`: `io::Error::source` would skip it.
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Kind::Tls;
    }
    Kind::from_io_error_kind(error.kind()).unwrap_or(Kind::Connect)
}

/// The time to keep an idle connection: longer than the pauses between polls, and shorter than the 60 s
/// after which gateways commonly close it.
const MAX_IDLE_AGE: Duration = Duration::from_secs(50);
/// The number of idle connections to keep: enough for this many threads that call at once.
const MAX_IDLE_CONNECTIONS: usize = 64;
