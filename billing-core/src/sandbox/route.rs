//! Routes: maps a path to an operation, and ignores the prefix of a gateway.

use http::Uri;
use percent_encoding::percent_decode_str;

use super::documents;

/// The target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Login,
    Report,
    /// An overview, with the id of the organisation. All ids are percent-decoded.
    Overview(String),
    Trustors,
    OwnOrganization,
    Contracts,
    Contract(String),
    /// A billing period, with the id of the contract and its own id.
    ContractPeriod(String, String),
    Invoices,
    /// The lines of an invoice, with the id of the invoice.
    InvoiceLines(String),
    /// The URL of an invoice's document, with the id of the invoice.
    InvoiceDocument(String),
    /// An operation of the API that the sandbox does not have.
    UnknownOperation,
    /// A document in the file store, with the id of the invoice.
    Document(String),
    /// A path outside the API, the login service and the file store.
    NotFound,
}

impl Route {
    pub(super) fn from_path(path: &str) -> Self {
        if path.ends_with("/oauth/token") {
            return Self::Login;
        }
        if let Some((_, name)) = path.split_once(documents::PATH) {
            return match name.strip_suffix(".pdf") {
                Some(id) if !id.contains('/') => Self::Document(decoded(id)),
                _ => Self::NotFound,
            };
        }
        let Some((_, path)) = path.split_once("/api/v2/") else {
            return Self::NotFound;
        };
        let segments: Vec<&str> = path.split('/').collect();
        match segments[..] {
            _ if segments.contains(&"") => Self::UnknownOperation,
            ["billing", "reports", "billableusage"] => Self::Report,
            ["billing", "trusteebillingoverview", id] => Self::Overview(decoded(id)),
            ["orgauthorization", "trustors"] => Self::Trustors,
            ["organizations", "me"] => Self::OwnOrganization,
            ["billing", "contracts"] => Self::Contracts,
            ["billing", "contracts", "invoices"] => Self::Invoices,
            ["billing", "contracts", "invoices", id, "lines"] => Self::InvoiceLines(decoded(id)),
            ["billing", "contracts", "invoices", id, "document"] => Self::InvoiceDocument(decoded(id)),
            ["billing", "contracts", id] => Self::Contract(decoded(id)),
            ["billing", "contracts", id, "billingperiods", period] => {
                Self::ContractPeriod(decoded(id), decoded(period))
            }
            _ => Self::UnknownOperation,
        }
    }

    pub(super) fn is_api(&self) -> bool {
        !matches!(self, Self::Login | Self::Document(_) | Self::NotFound)
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Returns the value of a query parameter, decoded as form data: `+` is a space.
pub(super) fn query_parameter(uri: &Uri, name: &str) -> Option<String> {
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
            ("/api/v2/billing/trusteebillingoverview/a/b", Route::UnknownOperation),
            ("/api/v2/billing/trusteebillingoverview/", Route::UnknownOperation),
            ("/gw/api/v2/orgauthorization/trustors", Route::Trustors),
            ("/api/v2/organizations/me", Route::OwnOrganization),
            ("/api/v2/billing/contracts", Route::Contracts),
            ("/api/v2/billing/contracts/c%2F1", Route::Contract("c/1".to_owned())),
            ("/api/v2/billing/contracts/c/billingperiods/p", Route::ContractPeriod("c".into(), "p".into())),
            ("/gw/api/v2/billing/contracts/invoices", Route::Invoices),
            ("/api/v2/billing/contracts/invoices/i/lines", Route::InvoiceLines("i".to_owned())),
            ("/api/v2/billing/contracts/invoices/i/document", Route::InvoiceDocument("i".to_owned())),
            ("/api/v2/billing/contracts/invoices/i/other", Route::UnknownOperation),
            ("/api/v2/billing/contracts/", Route::UnknownOperation),
            ("/files/documents/invoices/i.pdf", Route::Document("i".to_owned())),
            ("/documents/invoices/i", Route::NotFound),
            ("/documents/invoices/i/j.pdf", Route::NotFound),
            ("/api/v2/users/me", Route::UnknownOperation),
            ("/", Route::NotFound),
        ] {
            assert_eq!(Route::from_path(path), route, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let uri: Uri = "/x?a=2024-01-01+00%3A00&b=&c".parse().unwrap();
        assert_eq!(query_parameter(&uri, "a").as_deref(), Some("2024-01-01 00:00"));
        assert_eq!(query_parameter(&uri, "b").as_deref(), Some(""));
        assert_eq!(query_parameter(&uri, "c"), None);
    }
}
