//! Downloads: the document of an invoice, from its number to its last byte.
//!
//! ```text
//!   locate (an exchange with the API, with the token)
//!      │ the address                      ▲
//!      ▼                                  │ refused, for the first time: the address may be too old
//!   fetch (an exchange with another host, ┤
//!      │   with no token of ours)         │
//!      ▼                                  └ refused again: an error
//!   Done(Document)
//! ```
//!
//! # What this means for rule 9
//!
//! The address comes from the API, and leads to a host that nobody has configured. So the request for it carries nothing
//! of ours: no token, no cookie, and no header that is not the same for everybody. No session sees it or its answer, so
//! that its 401 renews no token and its 429 parks nobody. It is of https, or of http on this machine where the API itself
//! is spoken to in plain http; redirects are not followed. What remains is that whoever answers for the API chooses an
//! https host that this machine asks one question of, by GET, and whose answer is given to the caller as the document.
//!
//! The address is itself a credential, as it holds a signature. It is shown as scheme and host, in no error and no log in
//! full, and is taken out of what the other host says in an error.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{Request, Response};

use crate::calls::{AGENT, Call};
use crate::error::Evidence;
use crate::exchange::{Attempts, Taken, into_step};
use crate::machine::{Hold, Received, sealed};
use crate::passage::length;
use crate::progress::Progress;
use crate::{BaseUrl, DecodeError, DocumentUrl, Error, ErrorKind, Fault, Machine, Operation, Policy, Step};

/// Asks where a document is, and fetches it; see the [module's text](self).
///
/// # Bound
/// At most four [`Exchange`](crate::Exchange)s, with their bounds: one for an address and one for the document, and both once
/// more where the address is refused. All of it has one deadline.
///
/// It cannot be saved, because the address that it holds is a secret.
#[derive(Clone, Debug)]
pub struct Download<C> {
    locate: C,
    stage: Stage<C>,
    renewed: bool,
}

#[derive(Clone, Debug)]
enum Stage<C> {
    Locating(Attempts<C>),
    Fetching(Attempts<Fetch>),
}

/// A document that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// How many bytes it has.
    pub length: u64,
    /// The bytes, unless they were given to a sink.
    pub content: Bytes,
}

impl<C: Call<Output = DocumentUrl> + Clone> Download<C> {
    /// The document whose address `locate` asks for, under the address `api`.
    pub fn new(locate: C, api: BaseUrl, policy: Policy) -> Self {
        let exchange = Attempts::new(locate.clone(), api, policy);
        Self { locate, stage: Stage::Locating(exchange), renewed: false }
    }

    /// Goes on from the address that was found.
    fn fetch(self, url: DocumentUrl, evidence: Evidence, now: DateTime<Utc>) -> Step<Self> {
        let Stage::Locating(located) = &self.stage else { return self.step(now) };
        if url.is_plain() && !located.api.is_plain() {
            let reason = "the document is said to be on this machine, where the API is not";
            return Step::Done(Err(located.error(ErrorKind::Astray(reason), evidence)));
        }
        let mut fetching = located.followed_by(Fetch { url });
        into_step(fetching.proceed(now), Self { stage: Stage::Fetching(fetching), ..self })
    }

    /// Goes on from a failure to fetch it: with a fresh address if this one was refused.
    fn refetch(self, error: Error, now: DateTime<Utc>) -> Step<Self> {
        let refused = error.fault() == Fault::Caller && error.status().is_some();
        match &self.stage {
            Stage::Fetching(fetching) if refused && !self.renewed => {
                let mut locating = fetching.followed_by(self.locate.clone());
                let next = locating.proceed(now);
                into_step(next, Self { stage: Stage::Locating(locating), renewed: true, ..self })
            }
            // Of an address that was fresh it is no fault of the caller's.
            _ if refused => Step::Done(Err(error.into_kind(ErrorKind::Protocol))),
            _ => Step::Done(Err(error)),
        }
    }
}

impl<C: Call<Output = DocumentUrl> + Clone> Machine for Download<C> {
    type Output = Document;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        let next = match &mut self.stage {
            Stage::Locating(exchange) => exchange.wake(now),
            Stage::Fetching(exchange) => exchange.wake(now),
        };
        into_step(next, self)
    }

    fn progress(&self) -> Progress {
        match &self.stage {
            Stage::Locating(exchange) => exchange.progress(),
            Stage::Fetching(exchange) => exchange.progress(),
        }
    }
}

impl<C: Call<Output = DocumentUrl> + Clone> sealed::Machine for Download<C> {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        match &mut self.stage {
            Stage::Locating(exchange) => match exchange.take(received, Duration::ZERO, now) {
                Ok(Taken::Value(url, _, evidence)) => self.fetch(url, evidence, now),
                Ok(Taken::Again) => into_step(exchange.proceed(now), self),
                Err(error) => Step::Done(Err(error)),
            },
            Stage::Fetching(exchange) => match exchange.take(received, Duration::ZERO, now) {
                Ok(Taken::Value(document, ..)) => Step::Done(Ok(document)),
                Ok(Taken::Again) => into_step(exchange.proceed(now), self),
                Err(error) => self.refetch(error, now),
            },
        }
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = match &mut self.stage {
            Stage::Locating(exchange) => exchange.held(hold, now),
            Stage::Fetching(exchange) => exchange.held(hold, now),
        };
        into_step(next, self)
    }
}

/// Asks the host of a document for it.
#[derive(Clone, Debug)]
struct Fetch {
    url: DocumentUrl,
}

impl Call for Fetch {
    type Output = Document;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, _: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Request::get(self.url.expose())
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .header(USER_AGENT, AGENT)
            .body(Bytes::new())
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<Document, DecodeError> {
        match length(response) {
            0 => Err(DecodeError::new("its beginning", "the document is empty")),
            length => Ok(Document { length, content: response.body().clone() }),
        }
    }

    fn attempt(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn document(&self) -> Option<&DocumentUrl> {
        Some(&self.url)
    }
}

/// Not one of the vendor's operations: the host need not even be the vendor's.
const OPERATION: Operation = Operation::new("download_document", "download of the document", &[]);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::calls::{InvoiceDocumentCall, wire};
    use crate::testing::{Run, lost, reply, run, script, start};
    use crate::timestamp::after;
    use crate::{Authorized, Credentials, Environment, Pacing, Reply, Session, TransportErrorKind};

    const URL: &str = "https://files.example.com/i/1.pdf?X-Expires=600&X-Signature=s1gn%2Fature";

    fn download(api: &str) -> Download<InvoiceDocumentCall> {
        let locate = InvoiceDocumentCall::new("i-1".parse().unwrap());
        Download::new(locate, api.parse().unwrap(), Policy::default())
    }

    fn located() -> Reply {
        reply(200, "", &format!(r#"{{"url":"{URL}"}}"#))
    }

    /// Answers in turn, after that the last again.
    fn fetched(replies: &[Reply]) -> Run<Document> {
        script(download("https://api.x"), replies)
    }

    fn hosts(run: &Run<Document>) -> Vec<String> {
        run.sent.iter().map(|(_, request)| request.http().uri().host().unwrap().to_owned()).collect()
    }

    const API: &str = "api.x";
    const FILES: &str = "files.example.com";

    #[test]
    fn the_request_for_the_document() {
        let run = fetched(&[located(), reply(200, "", "%PDF-1.4")]);
        assert_eq!(hosts(&run), [API, FILES]);
        assert_eq!(
            wire(run.sent[1].1.http()),
            format!("GET {URL}\naccept: */*\naccept-encoding: identity\nuser-agent: billing-core/0.1.0\n\n")
        );
        assert_eq!(run.sent[1].1.shown(), "https://files.example.com/…");
        assert!(!format!("{:?}", run.sent[1].1).contains("s1gn"));
        let document = run.result.unwrap();
        assert_eq!((document.length, &document.content[..]), (8, &b"%PDF-1.4"[..]));
    }

    #[test]
    fn rule_4_both_requests_have_one_deadline() {
        let Step::Send(request, sent) = download("https://api.x").step(start()) else { panic!("a request") };
        let later = after(start(), std::time::Duration::from_secs(20));
        let Step::Send(next, sent) = sent.receive(located(), later) else { panic!("the next request") };
        assert_eq!(next.deadline(), request.deadline());
        assert_eq!(sent.progress().started, Some(start()));
        assert_eq!(sent.progress().requests, 1);
    }

    #[test]
    fn rule_9_the_documents_host_gets_no_token_and_has_no_say_in_the_session() {
        let environment =
            Environment::new("https://api.x".parse().unwrap(), "https://login.x".parse().unwrap());
        let credentials = Credentials::client("id", "s3cret").unwrap();
        let session = Session::with(environment, credentials, Pacing { unannounced: None }, 1);
        let session = Rc::new(RefCell::new(session));
        let mut refusals = [401, 429].into_iter();
        let done = run(Authorized::new(download("https://api.x"), session.clone()), |request, _| {
            let headers = request.http().headers();
            match request.http().uri().host().unwrap() {
                "login.x" => reply(200, "", r#"{"access_token":"t0ken","expires_in":3600}"#),
                API => {
                    assert_eq!(headers["authorization"], "Bearer t0ken");
                    located()
                }
                FILES => {
                    assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"));
                    match refusals.next() {
                        Some(status) => reply(status, "retry-after: 7\ninin-ratelimit-allowed: 1", ""),
                        None => reply(200, "", "%PDF"),
                    }
                }
                other => panic!("{other}"),
            }
        });
        // Its 401 leads to a new address with the same token, its 429 to a wait of this operation alone.
        assert_eq!(hosts(&done), ["login.x", API, FILES, API, FILES, FILES]);
        assert_eq!((done.result.unwrap().length, done.ended / 1000), (4, 7));
        let next = run(Authorized::new(download("https://api.x"), session), |request, _| {
            match request.http().uri().host().unwrap() {
                API => located(),
                _ => reply(200, "", "%PDF"),
            }
        });
        assert_eq!(hosts(&next), [API, FILES]);
        assert_eq!(next.ended, 2);
    }

    #[test]
    fn a_refused_address_is_asked_for_anew_once() {
        for status in [400, 401, 403, 404, 410] {
            let refused = || reply(status, "", "<Error><Code>AccessDenied</Code></Error>");
            let run = fetched(&[located(), refused(), located(), reply(200, "", "%PDF")]);
            assert_eq!(hosts(&run), [API, FILES, API, FILES], "{status}");
            assert_eq!(run.result.unwrap().length, 4, "{status}");
            let run = fetched(&[located(), refused(), located(), refused()]);
            assert_eq!((run.error().kind(), run.error().attempts()), (&ErrorKind::Protocol, 4), "{status}");
            assert!(run.error().to_string().starts_with("download of the document: "), "{}", run.error());
            assert_eq!(run.error().fault(), Fault::Server);
        }
    }

    #[test]
    fn what_usually_passes_is_repeated_with_the_same_address() {
        let run = fetched(&[
            located(),
            reply(503, "", ""),
            lost(TransportErrorKind::Truncated),
            lost(TransportErrorKind::Reset),
            reply(200, "", "%PDF"),
        ]);
        assert_eq!(hosts(&run), [API, FILES, FILES, FILES, FILES]);
        assert!(run.result.is_ok());
        let run = fetched(&[located(), reply(500, "", "")]);
        assert_eq!((run.error().kind(), run.sent.len()), (&ErrorKind::Server, 7));
        let run = fetched(&[located(), lost(TransportErrorKind::Truncated)]);
        assert!(matches!(run.error().kind(), ErrorKind::Decode(_)) && run.sent.len() == 4);
    }

    #[test]
    fn what_does_not_pass_is_the_end() {
        for (kind, answer) in [
            (ErrorKind::Protocol, reply(302, "location: https://evil.test/", "")),
            (ErrorKind::Protocol, reply(206, "", "%P")),
            (ErrorKind::Server, reply(501, "", "")),
            (ErrorKind::Transport(TransportErrorKind::Tls), lost(TransportErrorKind::Tls)),
            (ErrorKind::Transport(TransportErrorKind::Sink), lost(TransportErrorKind::Sink)),
        ] {
            let run = fetched(&[located(), answer]);
            assert_eq!((run.error().kind(), run.sent.len()), (&kind, 2));
        }
        let run = fetched(&[reply(404, "", r#"{"code":"not.found"}"#)]);
        assert_eq!(hosts(&run), [API]);
        assert_eq!(run.error().kind(), &ErrorKind::NotFound);
    }

    #[test]
    fn an_empty_document_is_none() {
        let run = fetched(&[located(), reply(200, "", "")]);
        assert!(run.error().to_string().contains("empty") && run.sent.len() == 4, "{}", run.error());
    }

    #[test]
    fn rule_9_a_document_on_this_machine_is_fetched_only_where_the_api_is_too() {
        let local =
            || reply(200, "inin-correlation-id: c-7", r#"{"url":"http://127.0.0.1:80/1.pdf?s1gnature"}"#);
        let run = script(download("https://api.x"), &[local()]);
        assert!(matches!(run.error().kind(), ErrorKind::Astray(_)), "{}", run.error());
        assert_eq!((run.error().correlation_id(), run.error().attempts()), (Some("c-7"), 1));
        assert_eq!(hosts(&run), [API]);
        let run = script(download("http://127.0.0.1:7"), &[local(), reply(200, "", "%PDF")]);
        assert_eq!((run.sent.len(), run.result.unwrap().length), (2, 4));
    }

    #[test]
    fn rule_9_the_signature_is_in_no_error() {
        // Stores tell what they were sent, for those who look for a mistake in it.
        let echo = "<Error><Message>bad s1gn%2Fature</Message><Provided>s1gn/ature</Provided></Error>";
        let run = fetched(&[located(), reply(403, "", echo), located(), reply(403, "", echo)]);
        let shown = format!("{} {:?}", run.error(), run.error());
        assert!(!shown.contains("ature") && shown.contains("[secret]"), "{shown}");
        let telling = crate::TransportError::new(TransportErrorKind::Tls, format!("no TLS for {URL}"));
        let nested = crate::TransportError::from_source(
            TransportErrorKind::Tls,
            std::io::Error::other(URL.to_owned()),
        );
        for telling in [telling, nested] {
            let run = fetched(&[located(), Err(telling)]);
            let source = std::error::Error::source(run.error()).map(|source| format!("{source:?}"));
            let shown = format!("{} {:?} {source:?}", run.error(), run.error());
            assert!(!shown.contains("s1gn"), "{shown}");
        }
    }

    #[test]
    fn its_progress_is_of_the_whole() {
        let Step::Send(_, locating) = download("https://api.x").step(start()) else { panic!("a request") };
        let later = after(start(), Duration::from_secs(3));
        let Step::Send(_, fetching) = locating.receive(located(), later) else { panic!("the document's") };
        let Step::Wait(_, waiting) = fetching.receive(reply(503, "", ""), later) else { panic!("a wait") };
        let progress = waiting.progress();
        assert_eq!((progress.started, progress.requests), (Some(start()), 2));
    }

    #[test]
    fn all_of_it_has_one_deadline() {
        let run = fetched(&[located(), reply(429, "retry-after: 100", "")]);
        assert!(
            matches!(run.error().kind(), ErrorKind::Deferred(_) | ErrorKind::Deadline(_)),
            "{}",
            run.error()
        );
        assert!(run.ended < 900_000, "{}", run.ended);
    }
}
