//! Proxy and gateway settings in the form of the vendor's tools: the profile keys `proxy_…` and `gateway_…`,
//! or Terraform's variables `GENESYSCLOUD_PROXY_…` and `GENESYSCLOUD_GATEWAY_…`.

use std::fmt::Write;

use billing_core::Secret;

use crate::failure::Failure;
use crate::profile::Profile;

/// A source of settings such as `host` of the proxy: the value and the full name of each.
pub(crate) struct SettingSource<'a> {
    pub(crate) get: &'a dyn Fn(&str) -> Result<Option<Secret>, Failure>,
    pub(crate) full_name: &'a dyn Fn(&str) -> String,
}

/// Returns the URL of a proxy, including its password.
pub(crate) fn proxy_url(keys: &SettingSource<'_>) -> Result<Option<Secret>, Failure> {
    let Some(ProxyAuthority { protocol, host, user, password }) = authority(keys, "http")? else {
        return Ok(None);
    };
    let (user, password) = (user.as_ref().map(percent_encoded), password.as_ref().map(percent_encoded));
    // Build the string in one allocation: a growing string would leave copies of the password in memory.
    let url = match (&user, &password) {
        (Some(user), Some(password)) => {
            [&*protocol, "://", user.expose(), ":", password.expose(), "@", &host].concat()
        }
        (Some(user), None) => [&*protocol, "://", user.expose(), "@", &host].concat(),
        (None, _) => [&*protocol, "://", &host].concat(),
    };
    Ok(Some(url.into()))
}

/// The base URLs of the API and of the login service behind a gateway.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    pub(crate) api: String,
    pub(crate) login: String,
    /// Warnings about settings that have no effect.
    pub(crate) warnings: Vec<String>,
}

/// Builds the URLs. `paths` has the path prefixes by the vendor's names, `api` and `login`.
pub(crate) fn gateway(
    keys: &SettingSource<'_>,
    paths: Option<Vec<(String, String)>>,
) -> Result<Option<Gateway>, Failure> {
    let Some(ProxyAuthority { protocol, host, user, .. }) = authority(keys, "https")? else {
        return Ok(None);
    };
    let mut warnings = Vec::new();
    if user.is_some() {
        warnings.push(format!(
            "{} is ignored: this program sends no credentials to a gateway",
            (keys.full_name)("username")
        ));
    }
    if paths.is_none() {
        warnings.push(format!(
            "{} is ignored, because its format is not supported: use --api-url and --login-url",
            (keys.full_name)("pathparams")
        ));
    }
    let (mut api, mut login) = (String::new(), String::new());
    for (name, value) in paths.unwrap_or_default() {
        let prefix = format!("/{}", value.trim_matches('/'));
        match name.trim().to_lowercase().as_str() {
            "api" => api = prefix,
            "login" | "auth" => login = prefix,
            _ => warnings
                .push(format!("the gateway path {name:?} is ignored: only `api` and `login` are supported")),
        }
    }
    let base = |prefix: &str| format!("{protocol}://{host}{}", prefix.trim_end_matches('/'));
    Ok(Some(Gateway { api: base(&api), login: base(&login), warnings }))
}

/// Returns the gateway paths, which a profile keeps in a list.
pub(crate) fn gateway_paths(profile: &Profile) -> Option<Vec<(String, String)>> {
    profile.name_value_pairs("gateway_pathparams", "pathname", "pathvalue")
}

struct ProxyAuthority {
    protocol: String,
    /// The host with its port.
    host: String,
    user: Option<Secret>,
    password: Option<Secret>,
}

fn authority(keys: &SettingSource<'_>, default_protocol: &str) -> Result<Option<ProxyAuthority>, Failure> {
    let get = |key: &str| -> Result<_, Failure> { Ok((keys.get)(key)?.map(|text| text.expose().to_owned())) };
    let (protocol, host, port) = (get("protocol")?, get("host")?, get("port")?);
    let Some(host) = host else {
        return match protocol.is_some() || port.is_some() {
            true => Err(Failure::Usage(format!(
                "{} is missing, but related settings are set: set it or remove them",
                (keys.full_name)("host")
            ))),
            false => Ok(None),
        };
    };
    let host = match port {
        Some(port) => match port.parse::<u16>() {
            Ok(port) => format!("{host}:{port}"),
            Err(_) => {
                return Err(Failure::Usage(format!(
                    "{} is {port:?}, which is not a port: write a number from 0 to 65535",
                    (keys.full_name)("port")
                )));
            }
        },
        None => host,
    };
    Ok(Some(ProxyAuthority {
        protocol: protocol.map_or_else(|| default_protocol.to_owned(), |p| p.to_lowercase()),
        host,
        user: (keys.get)("username")?,
        password: (keys.get)("password")?,
    }))
}

/// Percent-encodes everything except the unreserved characters of RFC 3986.
fn percent_encoded(text: &Secret) -> Secret {
    let text = text.expose();
    let room = String::with_capacity(3 * text.len());
    let encoded = text.bytes().fold(room, |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    });
    encoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(settings: &[(&str, &str)], f: impl Fn(&SettingSource<'_>) -> T) -> T {
        let text = |key: &str| -> Result<Option<Secret>, Failure> {
            Ok(settings.iter().find(|(k, _)| *k == key).map(|(_, v)| Secret::from(*v)))
        };
        f(&SettingSource { get: &text, full_name: &|key| format!("proxy_{key}") })
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
        let url = |settings: &[_]| with(settings, proxy_url).unwrap().map(|url| url.expose().to_owned());
        assert_eq!(url(&full).as_deref(), Some("http://me:p%40ss%3A%2Fword@proxy.example.com:3128"));
        assert_eq!(url(&full[1..4]).as_deref(), Some("http://me@proxy.example.com:3128"));
        assert_eq!(url(&[("host", "h"), ("password", "p")]).as_deref(), Some("http://h"));
        assert_eq!(url(&[]), None);
        for wrong in [&[("port", "1")][..], &[("host", "h"), ("port", "x")]] {
            let error = with(wrong, proxy_url).unwrap_err();
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
