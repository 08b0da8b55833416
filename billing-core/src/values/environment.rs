//! The regions of Genesys Cloud, and the base addresses of the API and of the login service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::{Deserialize, Serialize};

use crate::InvalidInput;

/// A region of Genesys Cloud: its AWS region and the domain of its hosts.
///
/// ```
/// use billing_core::Region;
/// let region: Region = "mypurecloud.de".parse()?;
/// assert_eq!(region, "eu-central-1".parse()?);
/// assert_eq!(Region::all().count(), 18);
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    name: &'static str,
    domain: &'static str,
}

impl Region {
    /// Returns all known regions, ordered by their AWS names.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        REGIONS.iter().map(|&(name, domain)| Self { name, domain })
    }

    /// Returns the AWS name, such as `eu-central-1`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the domain, such as `mypurecloud.de`.
    pub fn domain(&self) -> &'static str {
        self.domain
    }
}

impl FromStr for Region {
    type Err = InvalidInput;

    /// Parses an AWS name or a domain, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let wanted = text.trim();
        Self::all()
            .find(|r| r.name.eq_ignore_ascii_case(wanted) || r.domain.eq_ignore_ascii_case(wanted))
            .ok_or_else(|| InvalidInput::Region(text.to_owned()))
    }
}

/// The base address of a service: scheme, host, port and, behind a gateway, a path prefix.
///
/// Only https is accepted, or http on a loopback address, because credentials are sent to it; see
/// [`BaseUrl::dangerously_without_tls`] for the exception.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// The path prefix without its last `/`; empty if there is none.
    prefix: Box<str>,
}

impl BaseUrl {
    /// Parses an address that may be plain http to any host. Anybody who can read or change the traffic then
    /// gets the client secret, the token and the figures. Use it only in a network that ends TLS for you on
    /// the same machine or mesh.
    ///
    /// # Errors
    /// Returns the same errors as parsing, except for a plain http host.
    pub fn dangerously_without_tls(url: &str) -> Result<Self, InvalidInput> {
        Self::parse(url, true)
    }

    /// Returns the address of `path_and_query` (which starts with `/`) under this base.
    pub(crate) fn join(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        match &*self.prefix {
            "" => self.join_host(path_and_query),
            prefix => self.join_host(&format!("{prefix}{path_and_query}")),
        }
    }

    /// Returns the address of `path_and_query` on this host, without the prefix.
    pub(crate) fn join_host(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path_and_query)
            .build()
    }

    /// Returns the path prefix, without its last `/`.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns true for plain http.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Returns true if `uri` has the scheme, host and port of this address.
    pub(crate) fn is_origin_of(&self, uri: &Uri) -> bool {
        let Some((scheme, authority)) = uri.scheme().zip(uri.authority()) else {
            return false;
        };
        let same = || {
            authority.host().eq_ignore_ascii_case(self.authority.host())
                && effective_port(scheme, authority) == effective_port(&self.scheme, &self.authority)
                && is_host_and_port(authority)
        };
        // This authority is a host and a port only, so an equal text is equal to it; other spellings are
        // compared part by part.
        *scheme == self.scheme && (authority.as_str() == self.authority.as_str() || same())
    }

    fn parse(text: &str, plain_http_anywhere: bool) -> Result<Self, InvalidInput> {
        let text = text.trim();
        let refuse = |reason| Err(InvalidInput::BaseUrl { url: redact_userinfo(text), reason });
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return refuse("an address is written in visible ASCII characters; encode others as %XX");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return refuse("it is no address");
        };
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return refuse("write it whole, such as https://api.mypurecloud.com");
        };
        if authority.as_str().contains('@') {
            return refuse(
                "it holds a user name or password; give credentials by the environment or the profile",
            );
        }
        if text.contains('#') || parts.path_and_query.as_ref().is_some_and(|p| p.query().is_some()) {
            return refuse("a base address has no query and no fragment");
        }
        if !is_host_and_port(&authority) {
            return refuse("its host and port cannot be told apart");
        }
        let known = scheme == Scheme::HTTPS || scheme == Scheme::HTTP;
        if authority.host().is_empty() || !known {
            return refuse("its scheme must be https");
        }
        if scheme == Scheme::HTTP && !plain_http_anywhere && !is_loopback(authority.host()) {
            return refuse(
                "plain http would show the credentials to the network; use https (http is for loopback)",
            );
        }
        let prefix = parts.path_and_query.as_ref().map_or("", |p| p.path()).trim_end_matches('/').into();
        Ok(Self { scheme, authority, prefix })
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Self::parse(text, false)
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = InvalidInput;

    fn try_from(text: String) -> Result<Self, InvalidInput> {
        text.parse()
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The serialized form of the address in a checkpoint or a plan. It is not a setting: an address that was
/// accepted without TLS is restored, and the session, which has its own address, decides if anything is sent
/// there.
pub(crate) mod saved {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::BaseUrl;

    pub(crate) fn serialize<S: Serializer>(url: &BaseUrl, serializer: S) -> Result<S::Ok, S::Error> {
        url.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BaseUrl, D::Error> {
        BaseUrl::parse(&String::deserialize(deserializer)?, true).map_err(D::Error::custom)
    }
}

/// The two addresses that a client talks to. Its credentials are sent to no other.
///
/// ```
/// use billing_core::{Environment, Region};
/// let environment = Environment::from("eu-west-1".parse::<Region>()?);
/// assert_eq!(environment.api().to_string(), "https://api.mypurecloud.ie");
/// assert_eq!(environment.login().to_string(), "https://login.mypurecloud.ie");
///
/// let gateway = environment.with_api("https://gateway.example.com/genesys/api".parse()?);
/// assert_eq!(gateway.api().to_string(), "https://gateway.example.com/genesys/api");
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Environment {
    api: BaseUrl,
    login: BaseUrl,
}

impl Environment {
    /// Builds an environment of two other addresses: a gateway, or a server in a test.
    pub fn new(api: BaseUrl, login: BaseUrl) -> Self {
        Self { api, login }
    }

    /// Returns the environment with another address of the API.
    #[must_use = "the environment is not changed in place"]
    pub fn with_api(self, api: BaseUrl) -> Self {
        Self { api, ..self }
    }

    /// Returns the environment with another address of the login service.
    #[must_use = "the environment is not changed in place"]
    pub fn with_login(self, login: BaseUrl) -> Self {
        Self { login, ..self }
    }

    /// Returns the address of the API.
    pub fn api(&self) -> &BaseUrl {
        &self.api
    }

    /// Returns the address of the login service.
    pub fn login(&self) -> &BaseUrl {
        &self.login
    }
}

impl From<Region> for Environment {
    fn from(region: Region) -> Self {
        let host = |service: &str| BaseUrl {
            scheme: Scheme::HTTPS,
            authority: format!("{service}.{}", region.domain)
                .parse()
                .unwrap_or_else(|_| unreachable!("the table of regions holds host names, as its test shows")),
            prefix: "".into(),
        };
        Self { api: host("api"), login: host("login") }
    }
}

impl Default for Environment {
    /// Returns `us-east-1`, the default of the vendor's own tools.
    fn default() -> Self {
        Region { name: REGIONS[DEFAULT_REGION].0, domain: REGIONS[DEFAULT_REGION].1 }.into()
    }
}

fn effective_port(scheme: &Scheme, authority: &Authority) -> u16 {
    authority.port_u16().unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 })
}

/// Returns true if an authority is a host, or a host and a port, and nothing else. The URI parser accepts
/// `[::1]evil.test` and `host:`, and takes a part of them for the host.
pub(crate) fn is_host_and_port(authority: &Authority) -> bool {
    match authority.port_u16() {
        Some(port) => authority.as_str() == format!("{}:{port}", authority.host()),
        None => authority.as_str() == authority.host(),
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the part of an address that may be displayed: it could contain a password before an `@`.
fn redact_userinfo(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…@{}", &text[..scheme], &text[at + 1..]),
        (None, Some(at)) => format!("…@{}", &text[at + 1..]),
        _ => text.to_owned(),
    }
}

/// The AWS names and domains, as the vendor publishes them.
const REGIONS: [(&str, &str); 18] = [
    ("ap-northeast-1", "mypurecloud.jp"),
    ("ap-northeast-2", "apne2.pure.cloud"),
    ("ap-northeast-3", "apne3.pure.cloud"),
    ("ap-south-1", "aps1.pure.cloud"),
    ("ap-southeast-1", "apse1.pure.cloud"),
    ("ap-southeast-2", "mypurecloud.com.au"),
    ("ca-central-1", "cac1.pure.cloud"),
    ("eu-central-1", "mypurecloud.de"),
    ("eu-central-2", "euc2.pure.cloud"),
    ("eu-west-1", "mypurecloud.ie"),
    ("eu-west-2", "euw2.pure.cloud"),
    ("eusc-de-east-1", "edee1.eusc-pure.cloud"),
    ("me-central-1", "mec1.pure.cloud"),
    ("mx-central-1", "mxc1.pure.cloud"),
    ("sa-east-1", "sae1.pure.cloud"),
    ("us-east-1", "mypurecloud.com"),
    ("us-east-2", "use2.us-gov-pure.cloud"),
    ("us-west-2", "usw2.pure.cloud"),
];

const DEFAULT_REGION: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().unwrap()
    }

    #[test]
    fn each_region_is_found_by_name_and_domain_and_has_hosts() {
        for region in Region::all() {
            assert_eq!(region.name().parse::<Region>().unwrap(), region);
            assert_eq!(region.domain().to_uppercase().parse::<Region>().unwrap(), region);
            let environment = Environment::from(region);
            assert_eq!(environment.api().to_string(), format!("https://api.{}", region.domain()));
            assert_eq!(environment.login().to_string(), format!("https://login.{}", region.domain()));
        }
        assert_eq!(Environment::default().api(), &base("https://api.mypurecloud.com"));
        assert!("atlantis-1".parse::<Region>().unwrap_err().to_string().contains("atlantis-1"));
    }

    #[test]
    fn prefixes_are_kept() {
        let uri = |base_url: &str| base(base_url).join("/api/v2/x?y=1").unwrap().to_string();
        assert_eq!(uri("https://gw.example.com:8443/a/b/"), "https://gw.example.com:8443/a/b/api/v2/x?y=1");
        assert_eq!(uri("https://gw.example.com"), "https://gw.example.com/api/v2/x?y=1");
        assert_eq!(uri("http://[::1]:80/p"), "http://[::1]:80/p/api/v2/x?y=1");
    }

    #[test]
    fn d09_plain_http_is_for_loopback() {
        for fine in
            ["http://127.0.0.1:1", "http://127.9.9.9", "http://localhost:80", "http://[::1]", "https://x.y"]
        {
            assert!(fine.parse::<BaseUrl>().is_ok(), "{fine}");
        }
        for bad in [
            "http://api.mypurecloud.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "api.mypurecloud.com",
            "/api",
            "",
            "https://x.y/?q",
            "https://x.y/#f",
            "https://u:p@x.y",
            "http://[::1]evil.test",
            "http://[0::1]p://[0::1]//gw:/",
            "https://x.y:",
            "https://x.y:https",
            "https://x.y/a\u{a0}/",
            "https://x.y/a b",
            "https://zo\u{eb}.test",
        ] {
            assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
            // A configuration file does not accept it either.
            assert!(BaseUrl::try_from(bad.to_owned()).is_err(), "{bad}");
            assert!(serde_json::from_str::<BaseUrl>(&format!("{bad:?}")).is_err(), "{bad}");
        }
        assert!(BaseUrl::dangerously_without_tls("http://10.0.0.1").is_ok());
        assert!(BaseUrl::dangerously_without_tls("ftp://10.0.0.1").is_err());
        // A checkpoint of such an address is restored, and sends to no other address.
        let plain = BaseUrl::dangerously_without_tls("http://10.0.0.1").unwrap();
        let call = crate::calls::TrusteeOverviewCall::new("o".parse().unwrap());
        let exchange = crate::Exchange::new(call, plain, crate::Policy::default());
        let saved = serde_json::to_string(&exchange).unwrap();
        assert!(serde_json::from_str::<crate::Exchange<crate::calls::TrusteeOverviewCall>>(&saved).is_ok());
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = "https://user:hunter2@x.y".parse::<BaseUrl>().unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("x.y"), "{error}");
        let error = "user:hunter2@x.y/^".parse::<BaseUrl>().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let api = base("https://api.example.com/prefix");
        let same = |uri: &str| api.is_origin_of(&uri.parse().unwrap());
        assert!(same("https://api.example.com/other") && same("https://API.example.com:443/"));
        for other in [
            "http://api.example.com/",
            "https://api.example.com:444/",
            "https://api.example.com.evil.test/",
            "https://evil@api.example.com/",
            "https://api.example.com:/",
            "/relative",
        ] {
            assert!(!same(other), "{other}");
        }
    }
}
