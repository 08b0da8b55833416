//! Requests that a machine asks a driver to perform, with deadline and limits.

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

/// A request that a machine asks a driver to perform.
///
/// `Debug` shows no secret: headers with credentials are marked sensitive, and the URL of a document is left out.
#[derive(Clone)]
pub struct Request {
    /// Shared between the request in flight and the copy kept for a retry.
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

    /// Sets the document that the request fetches.
    pub(crate) fn with_document(self, document: Option<&DocumentUrl>) -> Self {
        Self { document: document.cloned(), ..self }
    }

    /// Returns the method, absolute URI, headers and body. Headers with credentials are marked sensitive, so
    /// that `Debug` hides them. The URI of a document is a secret that `Debug` does not hide here; use
    /// [`Request::redacted_target`] to show the target.
    pub fn http(&self) -> &http::Request<Bytes> {
        &self.http
    }

    /// Returns the HTTP request, owned.
    pub fn into_http(self) -> http::Request<Bytes> {
        Arc::unwrap_or_clone(self.http)
    }

    /// Returns the target for display: path and query, or for a document, whose address is a secret, scheme
    /// and host.
    pub fn redacted_target(&self) -> Cow<'_, str> {
        match &self.document {
            Some(document) => document.to_string().into(),
            None => self.http.uri().path_and_query().map_or("/", |target| target.as_str()).into(),
        }
    }

    /// Returns the document that the request fetches, if any: from a host that nobody configured, and without
    /// credentials.
    pub fn document(&self) -> Option<&DocumentUrl> {
        self.document.as_ref()
    }

    /// Returns true if the request goes to this machine by plain http. This is allowed because nobody else
    /// can read it, so no proxy may be used.
    pub fn is_plain_loopback(&self) -> bool {
        let uri = self.http.uri();
        uri.scheme() == Some(&Scheme::HTTP) && uri.host().is_some_and(is_loopback)
    }

    /// Returns the operation of the request.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Returns the longest duration from `now` to the last byte of the response: the limit of one attempt, or
    /// the time to the operation's deadline if that is less.
    pub fn timeout(&self, now: DateTime<Utc>) -> Duration {
        self.attempt_timeout.min(between(now, self.deadline))
    }

    /// Returns the largest body after decompression, in bytes.
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
        for part in
            ["trusteebillingoverview/org", "GET", "deadline: 2026-", "attempt: 60s", "max_body: 67108864"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!((sent.progress().requests, sent.progress().started), (0, Some(start_time())));
    }
}
