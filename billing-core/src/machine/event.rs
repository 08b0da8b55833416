//! Events of a machine that a driver runs, for progress displays and logs.

use std::fmt;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::calls::secrets_in_authorization;
use crate::error::redaction::redacted_line;
use crate::machine::download_counter::body_length;
use crate::values::DocumentUrl;
use crate::{Progress, Reply, Request, Secret, TransportError};

/// An event of a running machine. A driver reports events in the order in which they happen.
///
/// `Debug` shows no secret: headers of a request that hold credentials are marked sensitive and not printed,
/// and neither body nor headers of a response are printed, because the body of a login is a token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request that is about to be sent.
    Sending(&'a Request),
    /// The reply to a request.
    Received {
        /// The request.
        request: &'a Request,
        /// The reply's data without the body.
        response: ResponseInfo<'a>,
        /// The time from sending to the end of the body.
        elapsed: Duration,
    },
    /// A wait before the next request.
    Waiting(&'a Progress),
}

impl<'a> Event<'a> {
    /// Builds the event for the `reply` to `request`.
    pub fn from_reply(request: &'a Request, reply: &'a Reply, elapsed: Duration) -> Self {
        Self::Received { request, response: ResponseInfo { request, reply }, elapsed }
    }
}

/// A reply without its body.
///
/// The texts can be logged: credentials of the request and the signed address of a document are replaced by
/// `[secret]` if the server repeats them. Only [`ResponseInfo::headers`] returns unchanged text.
#[derive(Clone, Copy)]
pub struct ResponseInfo<'a> {
    request: &'a Request,
    reply: &'a Reply,
}

impl<'a> ResponseInfo<'a> {
    /// Returns the status, if there is a response.
    pub fn status(self) -> Option<StatusCode> {
        self.reply.as_ref().ok().map(http::Response::status)
    }

    /// Returns the unchanged headers, if there is a response. They may repeat the token: use
    /// [`ResponseInfo::redacted_header`] to show one.
    pub fn headers(self) -> Option<&'a HeaderMap> {
        self.reply.as_ref().ok().map(http::Response::headers)
    }

    /// Returns a header as one line without the request's secrets; several headers of that name are joined by
    /// commas. Show only headers that you chose by name: a new one could hold a secret of its own.
    pub fn redacted_header(self, name: &str) -> Option<String> {
        let values = self.headers()?.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let values: Vec<&str> = values.collect();
        (!values.is_empty())
            .then(|| redacted_line(values.join(", "), &self.secrets().iter().collect::<Vec<_>>()))
    }

    /// Returns the length of the body in bytes after decompression; for a document, including bytes written
    /// to a sink.
    pub fn body_len(self) -> usize {
        self.reply.as_ref().map_or(0, |response| usize::try_from(body_length(response)).unwrap_or(usize::MAX))
    }

    /// Returns the correlation id, under which support finds the exchange.
    pub fn correlation_id(self) -> Option<String> {
        self.redacted_header("inin-correlation-id")
    }

    /// Returns the transport error, if there is no response.
    pub fn error(self) -> Option<TransportError> {
        let error = self.reply.as_ref().err()?;
        Some(error.clone().redacted(&self.secrets().iter().collect::<Vec<_>>()))
    }

    /// Returns the secrets of the request, which no text may repeat.
    fn secrets(self) -> Vec<Secret> {
        let authorization = self.request.http().headers().get(AUTHORIZATION);
        let mut secrets = authorization.map(secrets_in_authorization).unwrap_or_default();
        secrets.extend(self.request.document().map(DocumentUrl::secrets).unwrap_or_default());
        secrets
    }
}

impl fmt::Debug for ResponseInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status() else {
            return f.debug_tuple("ResponseInfo").field(&self.error()).finish();
        };
        f.debug_struct("ResponseInfo")
            .field("status", &status)
            .field("body_len", &self.body_len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::calls::{Call, LOGIN, Login};
    use crate::testing::{exchange, reply, start_time};
    use crate::{Machine, Policy, Step, TransportErrorKind};

    #[test]
    fn d09_an_event_does_not_print_what_came() {
        let Step::Send(request, _) = exchange(Policy::default()).step(start_time()) else {
            panic!("a request")
        };
        let reply = reply(200, "set-cookie: s3cret\ninin-correlation-id: c-1", r#"{"access_token":"t0ken"}"#);
        let event = Event::from_reply(&request, &reply, Duration::ZERO);
        let shown = format!("{event:?} {event:#?}");
        assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
        let Event::Received { response: answered, .. } = event else { panic!("what was made") };
        assert_eq!((answered.correlation_id().as_deref(), answered.body_len()), (Some("c-1"), 24));
    }

    /// Returns the redacted header `x` of a response with this value, to a request with this `Authorization`.
    fn shown(authorization: &'static str, x: &str) -> Option<String> {
        let http = http::Request::get("https://a.test/").header(AUTHORIZATION, authorization);
        answer_to(http.body("".into()).unwrap(), None, x)
    }

    fn answer_to(
        http: http::Request<bytes::Bytes>,
        document: Option<&DocumentUrl>,
        x: &str,
    ) -> Option<String> {
        let request = Request::new(http, LOGIN, Duration::ZERO, DateTime::UNIX_EPOCH, 0);
        let (request, reply) = (request.with_document(document), reply(200, &format!("x: {x}"), ""));
        ResponseInfo { request: &request, reply: &reply }.redacted_header("X")
    }

    #[test]
    fn d09_a_header_is_shown_without_what_it_repeats_of_the_request() {
        assert_eq!(shown("Bearer t0ken==", "a t0ken==, t0ken;").as_deref(), Some("a [secret], [secret];"));
        assert_eq!(
            shown("Bearer t0ken", "Bearer t0ken\nx: t0kent0ken").as_deref(),
            Some("Bearer [secret], [secret][secret]")
        );
        let secret = Secret::new("open sesame");
        let login = Login { client_id: "a-client", client_secret: &secret };
        let request = || login.request(&"https://login.test".parse().unwrap()).unwrap();
        let pair = login.basic_credentials();
        assert!(pair.expose().ends_with('='));
        for repeated in [pair.expose(), pair.expose().trim_end_matches('='), "open sesame"] {
            let said = answer_to(request(), None, &format!("client {repeated}!"));
            assert_eq!(said.as_deref(), Some("client [secret]!"), "{repeated}");
        }
        let document = DocumentUrl::parse("https://x.test/a?signature=s1gn%2Bature".to_owned()).unwrap();
        let http = || http::Request::get(document.expose()).body("".into()).unwrap();
        for repeated in [document.expose(), "s1gn%2Bature", "s1gn+ature"] {
            assert_eq!(answer_to(http(), Some(&document), repeated).as_deref(), Some("[secret]"));
        }
    }

    #[test]
    fn a_header_that_is_shown_is_one_line_of_text() {
        assert_eq!(shown("Bearer t", "a\tb").as_deref(), Some("a b"));
        assert_eq!(shown("Bearer t", "ä"), None);
        let http = http::Request::new("".into());
        let request = Request::new(http, LOGIN, Duration::ZERO, DateTime::UNIX_EPOCH, 0);
        assert_eq!(
            ResponseInfo { request: &request, reply: &reply(200, "y: a", "") }.redacted_header("x"),
            None
        );
    }

    #[test]
    fn d09_why_there_is_no_response_does_not_repeat_the_token() {
        let http = http::Request::get("https://a.test/").header(AUTHORIZATION, "Bearer t0ken");
        let request =
            Request::new(http.body("".into()).unwrap(), LOGIN, Duration::ZERO, DateTime::UNIX_EPOCH, 0);
        let lost = |why: &str| Err(TransportError::new(TransportErrorKind::Malformed, why));
        let (telling, plain) = (lost("no header: Bearer t0ken"), lost("no header"));
        let answered = ResponseInfo { request: &request, reply: &telling };
        let shown = format!("{answered:?} {}", answered.error().unwrap());
        assert!(!shown.contains("t0ken") && shown.contains("not valid HTTP"), "{shown}");
        let answered = ResponseInfo { request: &request, reply: &plain };
        assert!(answered.error().unwrap().to_string().ends_with(": no header"));
    }
}
