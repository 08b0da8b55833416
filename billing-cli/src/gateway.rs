//! Proxies and gateways as the vendor's tools are told of them: by the profile's keys `proxy_…` and `gateway_…`, or by
//! Terraform's variables `GENESYSCLOUD_PROXY_…` and `GENESYSCLOUD_GATEWAY_…`.

use std::fmt::Write;

use crate::failure::Failure;
use crate::profile::Profile;

/// Where one setting, such as `host` of the proxy, is looked up, and what it is called there.
pub(crate) struct Keys<'a> {
    pub(crate) text: &'a dyn Fn(&str) -> Result<Option<String>, Failure>,
    pub(crate) name: &'a dyn Fn(&str) -> String,
}

/// The address of a proxy, with its password in it: not to be shown.
pub(crate) fn proxy(keys: &Keys<'_>) -> Result<Option<String>, Failure> {
    let Some(authority) = authority(keys, "http")? else {
        return Ok(None);
    };
    let Authority { protocol, host, user, password } = authority;
    let mut url = format!("{protocol}://");
    if let Some(user) = user {
        url += &encoded(&user);
        if let Some(password) = password {
            url.push(':');
            url += &encoded(&password);
        }
        url.push('@');
    }
    Ok(Some(url + &host))
}

/// The base addresses of the API and of the login service behind a gateway.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) api: String,
    pub(crate) login: String,
    /// What is configured and not honoured.
    pub(crate) warnings: Vec<String>,
}

/// `paths`: the path prefixes by the names that the vendor gives them, `api` and `login`.
pub(crate) fn gateway(
    keys: &Keys<'_>,
    paths: Option<Vec<(String, String)>>,
) -> Result<Option<Gateway>, Failure> {
    let Some(Authority { protocol, host, user, .. }) = authority(keys, "https")? else {
        return Ok(None);
    };
    let mut warnings = Vec::new();
    if user.is_some() {
        warnings.push(format!(
            "{} is not supported and is ignored: this program sends a gateway no credentials of its own",
            (keys.name)("username")
        ));
    }
    if paths.is_none() {
        warnings.push(format!(
            "{} is of a form that is not understood and is ignored: use --api-url and --login-url",
            (keys.name)("pathparams")
        ));
    }
    let (mut api, mut login) = (String::new(), String::new());
    for (name, value) in paths.unwrap_or_default() {
        let prefix = format!("/{}", value.trim_matches('/'));
        match name.trim().to_lowercase().as_str() {
            "api" => api = prefix,
            "login" | "auth" => login = prefix,
            _ => warnings.push(format!(
                "the path {name:?} of the gateway is not supported and is ignored: `api` and `login` are"
            )),
        }
    }
    let base = |prefix: &str| format!("{protocol}://{host}{}", prefix.trim_end_matches('/'));
    Ok(Some(Gateway { api: base(&api), login: base(&login), warnings }))
}

/// The gateway of a profile has its paths in a list.
pub(crate) fn paths_of(profile: &Profile) -> Option<Vec<(String, String)>> {
    profile.pairs("gateway_pathparams", "pathname", "pathvalue")
}

struct Authority {
    protocol: String,
    /// With the port.
    host: String,
    user: Option<String>,
    password: Option<String>,
}

fn authority(keys: &Keys<'_>, default_protocol: &str) -> Result<Option<Authority>, Failure> {
    let get = |key: &str| (keys.text)(key);
    let (protocol, host, port) = (get("protocol")?, get("host")?, get("port")?);
    let Some(host) = host else {
        return match protocol.is_some() || port.is_some() {
            true => Err(Failure::Usage(format!(
                "{} is missing, though others of its settings are there: set it, or remove them",
                (keys.name)("host")
            ))),
            false => Ok(None),
        };
    };
    let host = match port {
        Some(port) => match port.parse::<u16>() {
            Ok(port) => format!("{host}:{port}"),
            Err(_) => {
                return Err(Failure::Usage(format!(
                    "{} is {port:?}, which is no port: write a number up to 65535",
                    (keys.name)("port")
                )));
            }
        },
        None => host,
    };
    Ok(Some(Authority {
        protocol: protocol.map_or_else(|| default_protocol.to_owned(), |p| p.to_lowercase()),
        host,
        user: get("username")?,
        password: get("password")?,
    }))
}

/// Everything but RFC 3986's unreserved characters percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(settings: &[(&str, &str)], f: impl Fn(&Keys<'_>) -> T) -> T {
        let text = |key: &str| -> Result<Option<String>, Failure> {
            Ok(settings.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()))
        };
        f(&Keys { text: &text, name: &|key| format!("proxy_{key}") })
    }

    #[test]
    fn a_proxy_is_put_together() {
        let full = [
            ("protocol", "HTTP"),
            ("host", "proxy.example.com"),
            ("port", "3128"),
            ("username", "me"),
            ("password", "p@ss:/word"),
        ];
        assert_eq!(with(&full, proxy).unwrap().unwrap(), "http://me:p%40ss%3A%2Fword@proxy.example.com:3128");
        assert_eq!(with(&[("host", "h")], proxy).unwrap().unwrap(), "http://h");
        assert_eq!(with(&[], proxy).unwrap(), None);
        for wrong in [&[("port", "1")][..], &[("host", "h"), ("port", "x")]] {
            let error = with(wrong, proxy).unwrap_err();
            assert!(error.exit_status() == 2 && error.to_string().contains("proxy_"), "{error}");
        }
    }

    #[test]
    fn a_gateway_has_a_prefix_for_each_service() {
        let settings = [("host", "gw.example.com"), ("port", "8443"), ("username", "me")];
        let paths = [("api", "/genesys/api/"), ("login", "genesys/login"), ("x", "y")];
        let paths = || Some(paths.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec());
        let found = with(&settings, |keys| gateway(keys, paths())).unwrap().unwrap();
        assert_eq!(found.api, "https://gw.example.com:8443/genesys/api");
        assert_eq!(found.login, "https://gw.example.com:8443/genesys/login");
        assert_eq!(found.warnings.len(), 2);
        let odd = with(&settings[..1], |keys| gateway(keys, None)).unwrap().unwrap();
        assert_eq!((odd.api.as_str(), odd.warnings.len()), ("https://gw.example.com", 1));
    }
}
