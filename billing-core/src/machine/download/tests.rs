use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::calls::{InvoiceDocumentCall, request_to_text};
use crate::session::Pacing;
use crate::testing::{Run, reply, run_in_virtual_time, run_script, start_time, transport_failure};
use crate::values::clock::saturating_add;
use crate::{Authorized, Credentials, Environment, Reply, Session, TransportErrorKind};

const URL: &str = "https://files.example.com/i/1.pdf?X-Expires=600&X-Signature=s1gn%2Fature";

fn download(api: &str) -> Download<InvoiceDocumentCall> {
    let locate = InvoiceDocumentCall::new("i-1".parse().unwrap());
    Download::new(locate, api.parse().unwrap(), Policy::default())
}

fn located() -> Reply {
    reply(200, "", &format!(r#"{{"url":"{URL}"}}"#))
}

/// Runs a download with these replies in turn, then with the last one again.
fn fetched(replies: &[Reply]) -> Run<Document> {
    run_script(download("https://api.x"), replies)
}

fn hosts(run: &Run<Document>) -> Vec<String> {
    run.sent_requests.iter().map(|(_, request)| request.http().uri().host().unwrap().to_owned()).collect()
}

const API: &str = "api.x";
const FILES: &str = "files.example.com";

#[test]
fn the_request_for_the_document() {
    let run = fetched(&[located(), reply(200, "", "%PDF-1.4")]);
    assert_eq!(hosts(&run), [API, FILES]);
    assert_eq!(
        request_to_text(run.sent_requests[1].1.http()),
        format!("GET {URL}\naccept: */*\naccept-encoding: identity\nuser-agent: billing-core/0.1.0\n\n")
    );
    assert_eq!(run.sent_requests[1].1.redacted_target(), "https://files.example.com/…");
    assert!(!format!("{:?}", run.sent_requests[1].1).contains("s1gn"));
    let document = run.result.unwrap();
    assert_eq!((document.length, &document.content[..]), (8, &b"%PDF-1.4"[..]));
}

#[test]
fn d04_both_requests_have_one_deadline() {
    let Step::Send(request, sent) = download("https://api.x").step(start_time()) else { panic!("a request") };
    let later = saturating_add(start_time(), std::time::Duration::from_secs(20));
    let Step::Send(next, sent) = sent.receive(located(), later) else { panic!("the next request") };
    assert_eq!(next.deadline(), request.deadline());
    assert_eq!(sent.progress().started, Some(start_time()));
    assert_eq!(sent.progress().requests, 1);
}

#[test]
fn d09_the_documents_host_gets_no_token_and_has_no_say_in_the_session() {
    let environment = Environment::new("https://api.x".parse().unwrap(), "https://login.x".parse().unwrap());
    let credentials = Credentials::client("id", "s3cret").unwrap();
    let session = Session::with_pacing(environment, credentials, Pacing { min_interval: None }, 1);
    let session = Rc::new(RefCell::new(session));
    let mut refusals = [401, 429].into_iter();
    let done =
        run_in_virtual_time(Authorized::new(download("https://api.x"), session.clone()), |request, _| {
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
    // A 401 of the document's host leads to a new address with the same token, and a 429 delays this
    // operation only.
    assert_eq!(hosts(&done), ["login.x", API, FILES, API, FILES, FILES]);
    assert_eq!((done.result.unwrap().length, done.end_millis / 1000), (4, 7));
    let next =
        run_in_virtual_time(Authorized::new(download("https://api.x"), session), |request, _| match request
            .http()
            .uri()
            .host()
            .unwrap()
        {
            API => located(),
            _ => reply(200, "", "%PDF"),
        });
    assert_eq!(hosts(&next), [API, FILES]);
    assert_eq!(next.end_millis, 2);
}

#[test]
fn a_refused_address_is_asked_for_anew_once() {
    for status in [400, 401, 403, 404, 410] {
        let refused = || reply(status, "", "<Error><Code>AccessDenied</Code></Error>");
        let run = fetched(&[located(), refused(), located(), reply(200, "", "%PDF")]);
        assert_eq!(hosts(&run), [API, FILES, API, FILES], "{status}");
        assert_eq!(run.result.unwrap().length, 4, "{status}");
        let run = fetched(&[located(), refused(), located(), refused()]);
        assert_eq!(
            (run.error().kind(), run.error().attempts()),
            (&ErrorKind::UnexpectedStatus, 4),
            "{status}"
        );
        assert!(run.error().to_string().starts_with("download of the document: "), "{}", run.error());
        assert_eq!(run.error().origin(), ErrorOrigin::Server);
    }
}

#[test]
fn what_usually_passes_is_repeated_with_the_same_address() {
    let run = fetched(&[
        located(),
        reply(503, "", ""),
        transport_failure(TransportErrorKind::Truncated),
        transport_failure(TransportErrorKind::Reset),
        reply(200, "", "%PDF"),
    ]);
    assert_eq!(hosts(&run), [API, FILES, FILES, FILES, FILES]);
    assert!(run.result.is_ok());
    let run = fetched(&[located(), reply(500, "", "")]);
    assert_eq!((run.error().kind(), run.sent_requests.len()), (&ErrorKind::Server, 7));
    let run = fetched(&[located(), transport_failure(TransportErrorKind::Truncated)]);
    assert!(matches!(run.error().kind(), ErrorKind::Decode(_)) && run.sent_requests.len() == 4);
}

#[test]
fn permanent_failures_end_the_download() {
    for (kind, answer) in [
        (ErrorKind::UnexpectedStatus, reply(302, "location: https://evil.test/", "")),
        (ErrorKind::UnexpectedStatus, reply(206, "", "%P")),
        (ErrorKind::Server, reply(501, "", "")),
        (ErrorKind::Transport(TransportErrorKind::Tls), transport_failure(TransportErrorKind::Tls)),
        (ErrorKind::Transport(TransportErrorKind::Sink), transport_failure(TransportErrorKind::Sink)),
    ] {
        let run = fetched(&[located(), answer]);
        assert_eq!((run.error().kind(), run.sent_requests.len()), (&kind, 2));
    }
    let run = fetched(&[reply(404, "", r#"{"code":"not.found"}"#)]);
    assert_eq!(hosts(&run), [API]);
    assert_eq!(run.error().kind(), &ErrorKind::NotFound);
}

#[test]
fn empty_document_is_an_error() {
    let run = fetched(&[located(), reply(200, "", "")]);
    assert!(run.error().to_string().contains("empty") && run.sent_requests.len() == 4, "{}", run.error());
}

#[test]
fn d09_a_document_on_this_machine_is_fetched_only_where_the_api_is_too() {
    let local = || reply(200, "inin-correlation-id: c-7", r#"{"url":"http://127.0.0.1:80/1.pdf?s1gnature"}"#);
    let run = run_script(download("https://api.x"), &[local()]);
    assert!(matches!(run.error().kind(), ErrorKind::BadLink(_)), "{}", run.error());
    assert_eq!((run.error().correlation_id(), run.error().attempts()), (Some("c-7"), 1));
    assert_eq!(hosts(&run), [API]);
    let run = run_script(download("http://127.0.0.1:7"), &[local(), reply(200, "", "%PDF")]);
    assert_eq!((run.sent_requests.len(), run.result.unwrap().length), (2, 4));
}

#[test]
fn d09_the_signature_is_in_no_error() {
    // Object stores repeat the request in an error, to help to debug it.
    let echo = "<Error><Message>bad s1gn%2Fature</Message><Provided>s1gn/ature</Provided></Error>";
    let run = fetched(&[located(), reply(403, "", echo), located(), reply(403, "", echo)]);
    let shown = format!("{} {:?}", run.error(), run.error());
    assert!(!shown.contains("ature") && shown.contains("[secret]"), "{shown}");
    let telling = crate::TransportError::new(TransportErrorKind::Tls, format!("no TLS for {URL}"));
    let nested =
        crate::TransportError::from_source(TransportErrorKind::Tls, std::io::Error::other(URL.to_owned()));
    for telling in [telling, nested] {
        let run = fetched(&[located(), Err(telling)]);
        let source = std::error::Error::source(run.error()).map(|source| format!("{source:?}"));
        let shown = format!("{} {:?} {source:?}", run.error(), run.error());
        assert!(!shown.contains("s1gn"), "{shown}");
    }
}

#[test]
fn progress_covers_locating_and_fetching() {
    let Step::Send(_, locating) = download("https://api.x").step(start_time()) else { panic!("a request") };
    let later = saturating_add(start_time(), Duration::from_secs(3));
    let Step::Send(_, fetching) = locating.receive(located(), later) else { panic!("the document's") };
    let Step::Wait(_, waiting) = fetching.receive(reply(503, "", ""), later) else { panic!("a wait") };
    let progress = waiting.progress();
    assert_eq!((progress.started, progress.requests), (Some(start_time()), 2));
}

#[test]
fn the_download_has_one_deadline() {
    let run = fetched(&[located(), reply(429, "retry-after: 100", "")]);
    assert!(
        matches!(run.error().kind(), ErrorKind::Deferred(_) | ErrorKind::DeadlineExceeded(_)),
        "{}",
        run.error()
    );
    assert!(run.end_millis < 900_000, "{}", run.end_millis);
}
