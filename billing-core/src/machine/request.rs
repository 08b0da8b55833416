//! A request that a machine wants sent, with its deadline and bounds.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::uri::Scheme;

use crate::Operation;
use crate::values::DocumentUrl;
use crate::values::clock::between;
use crate::values::environment::is_loopback;

/// A request to send, with its deadline and the bound on its body.
///
/// `Debug` shows no secret: headers with credentials are marked sensitive, and the URL of a document is left out.
#[derive(Clone)]
pub struct Request {
    /// Shared by the copy that is sent and the copy that is kept for a retry.
    http: Arc<http::Request<Bytes>>,
    operation: Operation,
    attempt_timeout: Duration,
    deadline: DateTime<Utc>,
    max_body: usize,
    document: Option<DocumentUrl>,
}

impl Request {
    pub(crate) fn new(
        http: http::Request<Bytes>,
        operation: Operation,
        attempt: Duration,
        deadline: DateTime<Utc>,
        max_body: usize,
    ) -> Self {
        Self { http: Arc::new(http), operation, attempt_timeout: attempt, deadline, max_body, document: None }
    }

    /// Marks the request as the download of `document`, if there is one.
    pub(crate) fn with_document(self, document: Option<&DocumentUrl>) -> Self {
        Self { document: document.cloned(), ..self }
    }

    /// Returns method, absolute URI, headers and body. Headers with credentials are marked sensitive, so that `Debug` hides them.
    /// The URI of a document is a secret that `Debug` does not hide here; use [`Request::redacted_target`] to display the target.
    pub fn http(&self) -> &http::Request<Bytes> {
        &self.http
    }

    /// Converts into the HTTP request.
    pub fn into_http(self) -> http::Request<Bytes> {
        Arc::unwrap_or_clone(self.http)
    }

    /// Returns the target for display: path and query; for a document, whose URL is a secret, only scheme and host.
    pub fn redacted_target(&self) -> Cow<'_, str> {
        match &self.document {
            Some(document) => document.to_string().into(),
            None => self.http.uri().path_and_query().map_or("/", |target| target.as_str()).into(),
        }
    }

    /// Returns the URL of the document if the request downloads one. Its host is not a configured one, and the request carries no
    /// credentials.
    pub fn document(&self) -> Option<&DocumentUrl> {
        self.document.as_ref()
    }

    /// Returns true if the request goes to a loopback address in plain http. Such a request must not go through a proxy, which
    /// would see its credentials.
    pub fn is_plain_loopback(&self) -> bool {
        let uri = self.http.uri();
        uri.scheme() == Some(&Scheme::HTTP) && uri.host().is_some_and(is_loopback)
    }

    /// Returns the operation that the request belongs to.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the time limit for this attempt, from `now` to the last byte of the body: the limit of one attempt, or the time left
    /// until the deadline of the operation if that is shorter.
    pub fn timeout(&self, now: DateTime<Utc>) -> Duration {
        self.attempt_timeout.min(between(now, self.deadline))
    }

    /// Returns the bound on the body in bytes, after decompression.
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    pub(crate) fn deadline(&self) -> DateTime<Utc> {
        self.deadline
    }

    pub(crate) fn http_mut(&mut self) -> &mut http::Request<Bytes> {
        Arc::make_mut(&mut self.http)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Request");
        match &self.document {
            Some(document) => shown.field("document", document),
            None => shown.field("http", &self.http),
        };
        shown
            .field("operation", &self.operation)
            .field("attempt", &self.attempt_timeout)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Machine, Step};

    #[test]
    fn d09_only_plain_http_to_a_loopback_address_stays_on_this_machine() {
        for (base, stays) in [
            ("http://127.0.0.1:1", true),
            ("http://localhost", true),
            ("http://[::1]:1/base", true),
            ("https://127.0.0.1:1", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("https://api.mypurecloud.com", false),
        ] {
            let uri = format!("{base}/api").parse::<http::Uri>().unwrap();
            let http = http::Request::get(uri).body(Bytes::new()).unwrap();
            let operation = Operation::new("id", "title", &[]);
            let request = Request::new(http, operation, Duration::ZERO, crate::testing::start_time(), 0);
            assert_eq!(request.is_plain_loopback(), stays, "{base}");
        }
    }

    #[test]
    fn request_exposes_operation_limits_and_debug() {
        use crate::testing::{exchange, start_time};
        let Step::Send(request, sent) = exchange(crate::Policy::default()).step(start_time()) else {
            panic!("a request")
        };
        assert_eq!((request.operation().title(), request.max_body()), ("trustee billing overview", 64 << 20));
        assert_eq!(request.http().method(), "GET");
        assert_eq!(request.clone().into_http().uri(), request.http().uri());
        let shown = format!("{request:?}");
        for told in
            ["trusteebillingoverview/org", "GET", "deadline: 2026-", "attempt: 60s", "max_body: 67108864"]
        {
            assert!(shown.contains(told), "{told} in {shown}");
        }
        assert_eq!((sent.progress().requests, sent.progress().started), (0, Some(start_time())));
    }
}
