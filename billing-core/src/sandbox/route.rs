//! Routes: which operation a path means, behind whatever prefix a gateway puts in front.

use http::Uri;
use percent_encoding::percent_decode_str;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Login,
    Report,
    /// With the organisation's id, percent-decoded.
    Overview(String),
    Trustors,
    OwnOrganization,
    /// Under the API, but nothing that the sandbox has.
    Unknown,
    /// Neither the API nor the login service.
    Elsewhere,
}

impl Route {
    pub(super) fn of(path: &str) -> Self {
        if path.ends_with("/oauth/token") {
            return Self::Login;
        }
        let Some((_, path)) = path.split_once("/api/v2/") else {
            return Self::Elsewhere;
        };
        match path {
            "billing/reports/billableusage" => return Self::Report,
            "orgauthorization/trustors" => return Self::Trustors,
            "organizations/me" => return Self::OwnOrganization,
            _ => {}
        }
        match path.strip_prefix("billing/trusteebillingoverview/") {
            Some(id) if !id.is_empty() && !id.contains('/') => {
                Self::Overview(percent_decode_str(id).decode_utf8_lossy().into_owned())
            }
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_api(&self) -> bool {
        !matches!(self, Self::Login | Self::Elsewhere)
    }
}

/// The value of a query parameter, decoded as forms are: `+` is a space.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let (_, value) =
        uri.query()?.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_operations_behind_any_prefix() {
        let overview = |id: &str| Route::Overview(id.to_owned());
        for (path, route) in [
            ("/oauth/token", Route::Login),
            ("/gateway/login/oauth/token", Route::Login),
            ("/api/v2/billing/reports/billableusage", Route::Report),
            ("/gateway/api/v2/billing/reports/billableusage", Route::Report),
            ("/api/v2/billing/trusteebillingoverview/a%2F..%2Fb", overview("a/../b")),
            ("/api/v2/billing/trusteebillingoverview/a/b", Route::Unknown),
            ("/api/v2/billing/trusteebillingoverview/", Route::Unknown),
            ("/gw/api/v2/orgauthorization/trustors", Route::Trustors),
            ("/api/v2/organizations/me", Route::OwnOrganization),
            ("/api/v2/users/me", Route::Unknown),
            ("/", Route::Elsewhere),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let uri: Uri = "/x?a=2024-01-01+00%3A00&b=&c".parse().unwrap();
        assert_eq!(parameter(&uri, "a").as_deref(), Some("2024-01-01 00:00"));
        assert_eq!(parameter(&uri, "b").as_deref(), Some(""));
        assert_eq!(parameter(&uri, "c"), None);
    }
}
