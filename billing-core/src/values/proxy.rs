//! Proxies: the address of one, and the choice of one for each request, by the environment variables that curl reads.
//!
//! The core reads no environment. A driver hands over the variables with [`ProxyRules::from_variables`] and asks
//! [`ProxyRules::proxy_for`] before it connects, so that every driver gives the same answer.
//!
//! | variable | meaning |
//! |---|---|
//! | `http_proxy` | the proxy for plain http. `HTTP_PROXY` is not read: a web server that runs CGI programs sets it to a header of the request, which is anybody's. |
//! | `https_proxy`, else `HTTPS_PROXY` | the proxy for https |
//! | `all_proxy`, else `ALL_PROXY` | the proxy for a scheme that has none of its own |
//! | `no_proxy`, else `NO_PROXY` | hosts that are reached without a proxy, separated by commas; `*` for all hosts |
//!
//! A variable that is empty counts as not set. An entry of `no_proxy` is a domain, with or without a leading dot, which
//! stands for itself and all names below it; an IP address; or a range of addresses such as `10.0.0.0/8`.
//!
//! There is one difference from curl: a proxy without a port is at port 80 for http, where curl takes 1080. (It is at
//! 443 for https and at 1080 for SOCKS, as with curl.)
//!
//! ```
//! use billing_core::proxy::ProxyRules;
//!
//! let variables = [("HTTPS_PROXY", "http://proxy.example.com:3128"), ("no_proxy", ".internal.example.com")];
//! let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
//! let rules = ProxyRules::from_variables(variable)?;
//!
//! let proxy = rules.proxy_for(&"https://api.mypurecloud.com/".parse()?).expect("a proxy");
//! assert_eq!(proxy.address().authority().expect("a host"), "proxy.example.com:3128");
//! assert!(rules.proxy_for(&"https://gateway.internal.example.com/".parse()?).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::environment::is_loopback;
use super::secret::Secret;

/// The choice of a proxy for each request. By default none uses one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRules {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Exceptions,
}

impl ProxyRules {
    /// Reads the rules from environment variables, which `variable` looks up by name; see the [module's text](self).
    ///
    /// # Errors
    /// When a variable that a request could use holds no address of a proxy.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidProxy> {
        let first = |names: &[&'static str]| {
            let set = |name| variable(name).filter(|value| !value.is_empty());
            names.iter().find_map(|name| Some((*name, set(name)?)))
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"]);
        let exceptions = exceptions.map(|(_, list)| Exceptions::read(&list)).unwrap_or_default();
        if exceptions.everything {
            return Ok(Self::default());
        }
        let proxy = |names: &[&'static str]| {
            let Some((name, value)) = first(names) else { return Ok(None) };
            value.parse().map(Some).map_err(|e| InvalidProxy { variable: Some(name), ..e })
        };
        Ok(Self {
            http: proxy(&["http_proxy", "all_proxy", "ALL_PROXY"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            exceptions,
        })
    }

    /// Returns the proxy for a request to `target`; `None` if it is sent directly.
    ///
    /// Plain http to a loopback address is always sent directly: it may carry a token in clear text because it does not
    /// leave this machine.
    pub fn proxy_for(&self, target: &Uri) -> Option<&Proxy> {
        let host = target.host()?;
        let is_plain = target.scheme() == Some(&Scheme::HTTP);
        if is_plain && is_loopback(host) || self.exceptions.contain(host) {
            return None;
        }
        match is_plain {
            true => self.http.as_ref(),
            false => self.https.as_ref(),
        }
    }
}

impl From<Proxy> for ProxyRules {
    /// Sends every request through `proxy`, except what [`ProxyRules::proxy_for`] never sends through one.
    fn from(proxy: Proxy) -> Self {
        Self { http: Some(proxy.clone()), https: Some(proxy), exceptions: Exceptions::default() }
    }
}

/// A proxy: its protocol, its address, and the login it asks for. `Debug` does not show the login.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    protocol: ProxyProtocol,
    address: Uri,
    login: Option<(String, Secret)>,
}

impl Proxy {
    /// Returns the protocol that the proxy speaks.
    pub fn protocol(&self) -> ProxyProtocol {
        self.protocol
    }

    /// Returns the address, such as `http://proxy.example.com:3128/`: always with a port, never with the login.
    pub fn address(&self) -> &Uri {
        &self.address
    }

    /// Returns the user name and the password, which is empty if the address names only a user.
    pub fn login(&self) -> Option<(&str, &Secret)> {
        self.login.as_ref().map(|(user, password)| (&**user, password))
    }

    /// Returns the value of the header `Proxy-Authorization` for the login.
    pub fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.login()?;
        let login = STANDARD.encode(format!("{user}:{}", password.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {login}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    /// Parses an address such as `http://user:password@proxy.example.com:3128`. Without a scheme it is one of http. In the
    /// login, characters that have a meaning in an address are written as `%XX`.
    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let invalid = |reason| InvalidProxy { variable: None, reason };
        let (protocol, rest) = match text.trim().split_once("://") {
            Some((scheme, rest)) => (ProxyProtocol::of_scheme(scheme), rest),
            None => (Some(ProxyProtocol::Http), text.trim()),
        };
        let protocol =
            protocol.ok_or(invalid("its scheme is not http, https, socks4, socks4a, socks5 or socks5h"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('@') {
            return Err(invalid("a / in its user name or password has to be written as %2F"));
        }
        let (login, authority) = match authority.rsplit_once('@') {
            Some((login, authority)) => (Some(login), authority),
            None => (None, authority),
        };
        let read = |text| percent_decode_str(text).decode_utf8().map(String::from);
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            Ok((read(user)?, read(password)?.into()))
        });
        let login = login.transpose().map_err(|_: std::str::Utf8Error| invalid("its login is not UTF-8"))?;
        if authority.is_empty() || authority.starts_with(':') {
            return Err(invalid("it has no host"));
        }
        let authority: Authority = authority.parse().map_err(|_| invalid("its host is not one"))?;
        let host = authority.host();
        let port = match authority.as_str()[host.len()..].trim_start_matches(':') {
            "" => protocol.default_port(),
            port => port.parse().map_err(|_| invalid("its port is not a number up to 65535"))?,
        };
        let address = Uri::builder().scheme(protocol.scheme()).authority(format!("{host}:{port}"));
        let address = address.path_and_query("/").build().map_err(|_| invalid("its host is not one"))?;
        Ok(Self { protocol, address, login })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&format_args!("{}", self.address)).finish()
    }
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 4: the client looks up the target's IPv4 address.
    Socks4,
    /// SOCKS 4a: the proxy looks up the target's address.
    Socks4a,
    /// SOCKS 5: the client looks up the target's address.
    Socks5,
    /// SOCKS 5h: the proxy looks up the target's address.
    Socks5h,
}

impl ProxyProtocol {
    const ALL: [Self; 6] =
        [Self::Http, Self::Https, Self::Socks4, Self::Socks4a, Self::Socks5, Self::Socks5h];

    fn of_scheme(scheme: &str) -> Option<Self> {
        let same = |protocol: &Self| protocol.scheme().eq_ignore_ascii_case(scheme);
        let socks4 = scheme.eq_ignore_ascii_case("socks").then_some(Self::Socks4);
        Self::ALL.into_iter().find(same).or(socks4)
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks4 | Self::Socks4a | Self::Socks5 | Self::Socks5h => 1080,
        }
    }
}

/// An address of a proxy that cannot be used. The address is not repeated, because it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProxy {
    variable: Option<&'static str>,
    reason: &'static str,
}

impl InvalidProxy {
    /// Returns the environment variable that holds the address, if one does.
    pub fn variable(&self) -> Option<&'static str> {
        self.variable
    }
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address of the proxy")?;
        if let Some(variable) = self.variable {
            write!(f, " in the environment variable {variable}")?;
        }
        write!(f, " is not valid: {}; write it as http://proxy.example.com:3128", self.reason)
    }
}

impl std::error::Error for InvalidProxy {}

/// The hosts that are reached without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Exceptions {
    everything: bool,
    domains: Vec<String>,
    networks: Vec<Network>,
}

impl Exceptions {
    fn read(list: &str) -> Self {
        let mut exceptions = Self { everything: list == "*", ..Self::default() };
        for entry in list.split([',', ' ', '\t']) {
            // One dot at either end has no meaning.
            let domain = entry.strip_suffix('.').unwrap_or(entry);
            let domain = domain.strip_prefix('.').unwrap_or(domain);
            match Network::read(entry) {
                Some(network) => exceptions.networks.push(network),
                None if domain.is_empty() => {}
                None => exceptions.domains.push(domain.to_ascii_lowercase()),
            }
        }
        exceptions
    }

    fn contain(&self, host: &str) -> bool {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return self.everything || self.networks.iter().any(|network| network.contains(address));
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_below = |above: &str| above.is_empty() || above.ends_with('.');
        self.everything
            || self.domains.iter().any(|domain| host.strip_suffix(&**domain).is_some_and(is_below))
    }
}

/// A range of addresses: those whose first bits are those of `address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads an address, or an address and the number of its first bits that count. As curl has it, 0 bits are all bits.
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse().ok().filter(|bits| *bits <= all)?;
        Some(Self { address, bits: if bits == 0 { all } else { bits } })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (ours.to_bits() ^ other.to_bits()) >> (32 - self.bits) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (ours.to_bits() ^ other.to_bits()) >> (128 - self.bits) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &str)]) -> Result<ProxyRules, InvalidProxy> {
        ProxyRules::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Returns the host of the proxy for `target`; `-` if it is reached directly.
    fn chosen(variables: &[(&str, &str)], target: &str) -> String {
        let rules = rules(variables).unwrap();
        let proxy = rules.proxy_for(&target.parse().unwrap());
        proxy.map_or("-", |proxy| proxy.address().host().unwrap()).to_owned()
    }

    /// Every row was tried with curl 7.88.1.
    #[test]
    fn the_variables_choose_as_they_do_in_curl() {
        let (http, https) = ("http://192.0.2.1/", "https://192.0.2.1/");
        for (variables, target, proxy) in [
            (&[][..], https, "-"),
            (&[("http_proxy", "p")], http, "p"),
            (&[("http_proxy", "p")], https, "-"),
            (&[("HTTP_PROXY", "p")], http, "-"),
            (&[("http_proxy", ""), ("HTTP_PROXY", "p")], http, "-"),
            (&[("https_proxy", "p")], https, "p"),
            (&[("https_proxy", "p")], http, "-"),
            (&[("HTTPS_PROXY", "p")], https, "p"),
            (&[("https_proxy", "p"), ("HTTPS_PROXY", "q")], https, "p"),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "q")], https, "q"),
            (&[("all_proxy", "p")], http, "p"),
            (&[("ALL_PROXY", "p")], https, "p"),
            (&[("all_proxy", "p"), ("ALL_PROXY", "q")], https, "p"),
            (&[("all_proxy", "p"), ("HTTPS_PROXY", "q")], https, "q"),
            (&[("all_proxy", "p"), ("HTTPS_PROXY", "q")], http, "p"),
            (&[("ALL_PROXY", "p"), ("HTTPS_PROXY", "")], https, "p"),
            (&[("all_proxy", "p"), ("no_proxy", "*")], https, "-"),
            (&[("all_proxy", "p"), ("NO_PROXY", "192.0.2.1")], https, "-"),
            (&[("all_proxy", "p"), ("no_proxy", "x"), ("NO_PROXY", "192.0.2.1")], https, "p"),
            (&[("all_proxy", "p"), ("no_proxy", ""), ("NO_PROXY", "192.0.2.1")], https, "-"),
        ] {
            assert_eq!(chosen(variables, target), proxy, "{variables:?}, {target}");
        }
    }

    /// Every row was tried with curl 7.88.1, except those of IPv6 ranges, which that version does not read.
    #[test]
    fn exceptions_are_read_as_they_are_in_curl() {
        let names = ["example.com", "api.example.com", "API.Example.COM", "example.com.", "notexample.com"];
        let addresses = ["192.0.2.1", "192.0.3.1", "[2001:db8::1]", "[2001:db9::1]"];
        for (list, direct) in [
            ("", &[][..]),
            ("example.com", &names[..4]),
            (".example.com", &names[..4]),
            ("example.com.", &names[..4]),
            ("EXAMPLE.com", &names[..4]),
            ("other,example.com", &names[..4]),
            ("other , example.com", &names[..4]),
            ("other example.com", &names[..4]),
            (",,example.com", &names[..4]),
            ("api.example.com", &names[1..3]),
            ("*.example.com", &[]),
            ("ample.com", &[]),
            ("com", &names),
            ("..example.com", &[]),
            ("example.com:443", &[]),
            ("*,other", &[]),
            (" * ", &[]),
            ("192.0.2.1", &addresses[..1]),
            ("192.0.2.1/32", &addresses[..1]),
            ("192.0.2.0/24", &addresses[..1]),
            ("192.0.2.0/23", &addresses[..2]),
            ("192.0.2.1/0", &addresses[..1]),
            ("0.0.0.0/0", &[]),
            ("192.0.2.0/33", &[]),
            ("192.0.2.0/x", &[]),
            ("192.0.2", &[]),
            (".0.2.1", &[]),
            ("2001:db8::1", &addresses[2..3]),
            ("2001:db8::/32", &addresses[2..3]),
            ("2001:db8::/31", &addresses[2..]),
            ("2001:db8::/129", &[]),
            ("[2001:db8::1]", &[]),
        ] {
            let variables = [("all_proxy", "p"), ("no_proxy", list)];
            for host in names.iter().chain(&addresses) {
                let expected = if direct.contains(host) { "-" } else { "p" };
                for scheme in ["http", "https"] {
                    let target = format!("{scheme}://{host}:8443/api");
                    assert_eq!(chosen(&variables, &target), expected, "{list:?}, {target}");
                }
            }
            let everything = [("all_proxy", "p"), ("no_proxy", "*")];
            assert!(
                names
                    .iter()
                    .chain(&addresses)
                    .all(|host| chosen(&everything, &format!("https://{host}/")) == "-")
            );
        }
    }

    #[test]
    fn d09_plain_http_to_a_loopback_address_goes_through_no_proxy() {
        let variables = [("http_proxy", "p"), ("https_proxy", "p")];
        for host in ["127.0.0.1", "127.1.2.3:80", "localhost", "LOCALHOST:8080", "[::1]:1"] {
            assert_eq!(chosen(&variables, &format!("http://{host}/")), "-");
            assert_eq!(chosen(&variables, &format!("https://{host}/")), "p");
            let named = ProxyRules::from("p".parse::<Proxy>().unwrap());
            assert!(named.proxy_for(&format!("http://{host}/").parse().unwrap()).is_none());
        }
        assert_eq!(chosen(&variables, "http://127.0.0.1.example.com/"), "p");
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        use ProxyProtocol::{Http, Https, Socks4, Socks4a, Socks5, Socks5h};
        for (text, protocol, address, login) in [
            ("proxy", Http, "http://proxy:80/", None),
            ("proxy:3128", Http, "http://proxy:3128/", None),
            (" HTTP://proxy:3128/path?query ", Http, "http://proxy:3128/", None),
            ("https://proxy", Https, "https://proxy:443/", None),
            ("socks://proxy", Socks4, "socks4://proxy:1080/", None),
            ("socks4://proxy", Socks4, "socks4://proxy:1080/", None),
            ("socks4a://proxy:1", Socks4a, "socks4a://proxy:1/", None),
            ("socks5://[::1]", Socks5, "socks5://[::1]:1080/", None),
            ("socks5h://[::1]:9", Socks5h, "socks5h://[::1]:9/", None),
            ("user:s3cret@proxy", Http, "http://proxy:80/", Some(("user", "s3cret"))),
            ("http://user@proxy:1", Http, "http://proxy:1/", Some(("user", ""))),
            ("http://a%40b:s%3A%2F%C3%BC@proxy", Http, "http://proxy:80/", Some(("a@b", "s:/ü"))),
            ("http://user:s3:cr@et@proxy", Http, "http://proxy:80/", Some(("user", "s3:cr@et"))),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(
                (proxy.protocol(), proxy.address().to_string()),
                (protocol, address.to_owned()),
                "{text}"
            );
            assert_eq!(proxy.login().map(|(user, password)| (user, password.expose())), login, "{text}");
        }
        let proxy: Proxy = "http://Aladdin:opensesame@proxy".parse().unwrap();
        let authorization = proxy.authorization().unwrap();
        assert_eq!(authorization, "Basic QWxhZGRpbjpvcGVuc2VzYW1l");
        assert!(authorization.is_sensitive());
    }

    #[test]
    fn d09_an_address_that_is_none_is_refused_without_being_repeated() {
        for (text, why) in [
            ("", "has no host"),
            (" ", "has no host"),
            ("http://", "has no host"),
            ("http://user:s3cret@", "has no host"),
            ("http://:3128", "has no host"),
            ("gopher://user:s3cret@proxy", "scheme"),
            ("http:/user:s3cret@proxy", "%2F"),
            ("http://user:s3/cret@proxy", "%2F"),
            ("http://user:s3cret@a b", "host"),
            ("http://user:s3cret@\u{fffd}", "host"),
            ("http://user:%ff@proxy", "UTF-8"),
            ("http://user:s3cret@proxy:99999", "port"),
            ("http://user:s3cret@proxy:x", "port"),
        ] {
            let error = text.parse::<Proxy>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(!format!("{error} {error:?}").contains("s3"), "{error:?}");
        }
        let shown = format!("{:?}", ProxyRules::from("http://user:s3cret@proxy".parse::<Proxy>().unwrap()));
        assert!(
            shown.contains("http://proxy:80/") && !shown.contains("user") && !shown.contains("s3cret"),
            "{shown}"
        );
    }

    #[test]
    fn a_variable_that_is_nonsense_is_named_where_a_request_could_use_it() {
        for (variables, named) in [
            (&[("HTTPS_PROXY", "http://a b")][..], Some("HTTPS_PROXY")),
            (&[("http_proxy", " ")], Some("http_proxy")),
            (&[("ALL_PROXY", "gopher://x"), ("https_proxy", "p")], Some("ALL_PROXY")),
            (&[("ALL_PROXY", "gopher://x"), ("https_proxy", "p"), ("http_proxy", "p")], None),
            (&[("HTTPS_PROXY", "gopher://x"), ("https_proxy", "p")], None),
            (&[("HTTP_PROXY", "gopher://x")], None),
            (&[("https_proxy", "gopher://x"), ("no_proxy", "*")], None),
        ] {
            let error = rules(variables).err();
            assert_eq!(error.as_ref().and_then(InvalidProxy::variable), named, "{variables:?}");
            if let (Some(error), Some(named)) = (error, named) {
                assert!(error.to_string().contains(named), "{error}");
            }
        }
    }
}
