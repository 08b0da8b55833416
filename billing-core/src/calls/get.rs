//! Builds the path and the query of GET requests, for all operations.

use std::fmt::{Display, Write};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{Method, Request, Uri};

use super::{GZIP, JSON, USER_AGENT_VALUE};
use crate::BaseUrl;
use crate::values::id::encoded;

/// A GET request of the API under construction: a fixed path, then ids as path segments, then query parameters.
///
/// Ids and parameter values are percent-encoded, so that no value can change the path or add a parameter (rule D13).
pub(super) struct Get {
    target: String,
    has_query: bool,
}

impl Get {
    /// Starts with a fixed path of the API.
    pub(super) fn new(path: &'static str) -> Self {
        Self { target: path.to_owned(), has_query: false }
    }

    /// Appends `/` and the id.
    pub(super) fn segment(mut self, id: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.target, "/{}", encoded(id));
        self
    }

    /// Appends another fixed part of the path.
    pub(super) fn path(mut self, path: &'static str) -> Self {
        self.target.push_str(path);
        self
    }

    /// Appends a query parameter, unless the value is `None`.
    pub(super) fn parameter(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            let separator = if self.has_query { '&' } else { '?' };
            let _ = write!(self.target, "{separator}{name}={}", encoded(&value.to_string()));
            self.has_query = true;
        }
        self
    }

    /// Builds the request under the base address of the API.
    pub(super) fn request(self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Request::builder()
            .method(Method::GET)
            .uri(api.join(&self.target)?)
            .header(ACCEPT, JSON)
            .header(ACCEPT_ENCODING, GZIP)
            .header(USER_AGENT, USER_AGENT_VALUE)
            .body(Bytes::new())
    }
}

/// Returns the path and query of `uri` with the parameter `name` set to `value`, as its last parameter.
pub(crate) fn with_parameter(uri: &Uri, name: &str, value: impl Display) -> String {
    let query = uri.query().unwrap_or_default();
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
    let others = query.split('&').filter(is_other).map(str::to_owned);
    let query: Vec<String> = others.chain([format!("{name}={}", encoded(&value.to_string()))]).collect();
    format!("{}?{}", uri.path(), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d13_no_value_can_change_the_path_or_add_a_parameter() {
        let api = "https://gateway.example/prefix".parse().unwrap();
        let request = Get::new("/a")
            .segment("x/../y?z#")
            .path("/b")
            .parameter("none", None::<&str>)
            .parameter("one", Some("1&two=2"))
            .parameter("three", Some(3))
            .request(&api)
            .unwrap();
        assert_eq!(
            request.uri(),
            "https://gateway.example/prefix/a/x%2F..%2Fy%3Fz%23/b?one=1%26two%3D2&three=3"
        );
    }

    #[test]
    fn a_parameter_is_replaced_and_the_others_stay_as_they_are() {
        for (uri, expected) in [
            ("/l", "/l?pageNumber=2"),
            ("/l?pageNumber=1", "/l?pageNumber=2"),
            ("/l?pageNumber=1&&pageSize=100&x", "/l?pageSize=100&x&pageNumber=2"),
            ("/l?pageNumbers=7", "/l?pageNumbers=7&pageNumber=2"),
        ] {
            assert_eq!(with_parameter(&uri.parse().unwrap(), "pageNumber", 2), expected);
        }
    }
}
