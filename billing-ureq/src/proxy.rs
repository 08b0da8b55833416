//! Proxies as `ureq` takes them: for each request one, which the core's rules have chosen.

use billing_core::proxy::{Proxy, ProxyProtocol};
use ureq::Error;

/// Returns `proxy` in the form of `ureq`.
pub(crate) fn to_ureq_proxy(proxy: &Proxy) -> Result<ureq::Proxy, Error> {
    let protocol = match proxy.protocol() {
        ProxyProtocol::Http => ureq::ProxyProtocol::Http,
        ProxyProtocol::Https => ureq::ProxyProtocol::Https,
        ProxyProtocol::Socks4 => ureq::ProxyProtocol::Socks4,
        ProxyProtocol::Socks4a => ureq::ProxyProtocol::Socks4A,
        ProxyProtocol::Socks5 => ureq::ProxyProtocol::Socks5,
        ProxyProtocol::Socks5h => ureq::ProxyProtocol::Socks5h,
    };
    let mut builder = ureq::Proxy::builder(protocol);
    if let Some((host, port)) = proxy.address().host().zip(proxy.address().port_u16()) {
        builder = builder.host(host).port(port);
    }
    if let Some((user, password)) = proxy.login() {
        builder = builder.username(user).password(password.expose());
    }
    builder.build()
}
