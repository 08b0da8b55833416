//! Connections, direct or through a proxy, with or without TLS.
//!
//! ```text
//!   Connector (a bound on the time, errors by kind) ─► TLS to the target ─► Router ─┬─► TCP to the target
//!                                                                                   ├─► proxy, CONNECT
//!                                                                                   ├─► proxy, SOCKS
//!                                                                                   └─► proxy, which forwards plain http
//! ```

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use billing_core::proxy::{Proxy, ProxyProtocol, ProxyRules};
use billing_core::{TransportError, TransportErrorKind as Kind};
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;
type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A connector with a time limit, which classifies its errors by kind.
#[derive(Clone)]
pub(crate) struct Connector {
    tls: HttpsConnector<Router>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(timeout: Duration, tls: ClientConfig, proxies: Proxies) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(SystemResolver(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let to_proxy = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp.clone());
        let router = Router { tcp, to_proxy, proxies };
        let tls = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(router);
        Self { tls, timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<ProxyStream>;
    type Error = TransportError;
    type Future = BoxFuture<Self::Response, TransportError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let (connecting, limit) = (self.tls.call(target), self.timeout);
        Box::pin(async move {
            match timeout(limit, connecting).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(TransportError::from_source(classify(&*error, Kind::Connect), error)),
                Err(_) => {
                    let text = format!("no connection within {limit:?}");
                    Err(TransportError::new(Kind::Timeout, text))
                }
            }
        })
    }
}

/// The rules that select a proxy, if any, for an address.
#[derive(Clone)]
pub(crate) struct Proxies(Arc<ProxyRules>);

impl Proxies {
    pub(crate) fn new(rules: ProxyRules) -> Self {
        Self(Arc::new(rules))
    }

    /// Returns the login that a request for `target` itself has to bring for a proxy that forwards it. (A tunnel's proxy
    /// gets it when the tunnel is made.)
    pub(crate) fn authorization_to_forward(&self, target: &Uri) -> Option<HeaderValue> {
        self.0.proxy_for(target).filter(|proxy| is_forwarding_proxy(proxy, target))?.authorization()
    }
}

/// A connector that reaches a target directly or through a proxy, up to the point where TLS begins.
#[derive(Clone)]
struct Router {
    tcp: HttpConnector<SystemResolver>,
    to_proxy: HttpsConnector<HttpConnector<SystemResolver>>,
    proxies: Proxies,
}

impl Service<Uri> for Router {
    type Response = ProxyStream;
    type Error = BoxError;
    type Future = BoxFuture<ProxyStream, BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Self { mut tcp, mut to_proxy, proxies } = self.clone();
        Box::pin(async move {
            let Some(proxy) = proxies.0.proxy_for(&target) else {
                let io = MaybeHttpsStream::Http(tcp.call(target).await?);
                return Ok(ProxyStream { io, is_forwarded: false });
            };
            let (forwards, address) = (is_forwarding_proxy(proxy, &target), proxy.address().clone());
            let io = match proxy.protocol() {
                ProxyProtocol::Http | ProxyProtocol::Https if forwards => to_proxy.call(address).await?,
                ProxyProtocol::Http | ProxyProtocol::Https => {
                    let mut tunnel = Tunnel::new(address, to_proxy);
                    if let Some(authorization) = proxy.authorization() {
                        tunnel = tunnel.with_auth(authorization);
                    }
                    tunnel.call(target).await?
                }
                ProxyProtocol::Socks4 | ProxyProtocol::Socks4a => {
                    let target = socks_target(&target, proxy.protocol()).await?;
                    MaybeHttpsStream::Http(SocksV4::new(address, tcp).call(target).await?)
                }
                ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => {
                    let target = socks_target(&target, proxy.protocol()).await?;
                    let mut socks = SocksV5::new(address, tcp);
                    if let Some((user, password)) = proxy.login() {
                        socks = socks.with_auth(user.to_owned(), password.expose().to_owned());
                    }
                    MaybeHttpsStream::Http(socks.call(target).await?)
                }
            };
            Ok(ProxyStream { io, is_forwarded: forwards })
        })
    }
}

/// A connection to a target, direct or through a proxy.
pub(crate) struct ProxyStream {
    io: MaybeHttpsStream<TokioIo<TcpStream>>,
    /// Set if a proxy forwards the requests, which must then name the target in full.
    is_forwarded: bool,
}

impl Connection for ProxyStream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for ProxyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for ProxyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}

/// The system's resolver. It marks its failures with [`ResolveError`], because their I/O error kinds are
/// not specific.
#[derive(Clone)]
struct SystemResolver(GaiResolver);

impl Service<Name> for SystemResolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = ResolveError;
    type Future = BoxFuture<Self::Response, ResolveError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(ready!(self.0.poll_ready(cx)).map_err(ResolveError))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { resolving.await.map_err(ResolveError) })
    }
}

/// An error of the system's resolver: it has no address for the host.
#[derive(Debug)]
struct ResolveError(io::Error);

impl std::fmt::Display for ResolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ResolveError {}

/// Classifies an error that occurred before the head of the response, by the errors inside it. Returns
/// `otherwise` if none of them is known.
pub(crate) fn classify(error: &(dyn Error + 'static), otherwise: Kind) -> Kind {
    let mut kind = otherwise;
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<ResolveError>() {
            return Kind::Dns;
        }
        if error.is::<rustls::Error>() || error.is::<rustls::pki_types::InvalidDnsNameError>() {
            return Kind::Tls;
        }
        next = error.source();
        if let Some(error) = error.downcast_ref::<io::Error>() {
            kind = Kind::from_io_error_kind(error.kind()).unwrap_or(kind);
            // `io::Error::source` would skip the inner error.
            next = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
        }
    }
    kind
}

/// Returns true if `proxy` forwards requests for `target` instead of tunnelling bytes.
fn is_forwarding_proxy(proxy: &Proxy, target: &Uri) -> bool {
    target.scheme() == Some(&Scheme::HTTP)
        && matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
}

/// Returns the target as a SOCKS proxy is told of it: with its port, and with the host's address in place of its name where
/// the protocol leaves the look-up to the client.
async fn socks_target(target: &Uri, protocol: ProxyProtocol) -> Result<Uri, BoxError> {
    let host = target.host().unwrap_or_default();
    let default = if target.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let port = target.port_u16().unwrap_or(default);
    let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let looked_up = matches!(protocol, ProxyProtocol::Socks4 | ProxyProtocol::Socks5) && !is_address;
    let authority = match looked_up {
        true => {
            let found = SystemResolver(GaiResolver::new()).call(host.parse::<Name>()?).await?;
            let usable = |address: &SocketAddr| protocol == ProxyProtocol::Socks5 || address.is_ipv4();
            let address = found.into_iter().find(usable).ok_or_else(|| {
                ResolveError(io::Error::other("the host has no address that the proxy's protocol can name"))
            })?;
            SocketAddr::new(address.ip(), port).to_string()
        }
        false => format!("{host}:{port}"),
    };
    Ok(Uri::builder().scheme(Scheme::HTTPS).authority(authority).path_and_query("/").build()?)
}
