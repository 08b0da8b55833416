use http::Response;

use super::context::MAX_BODY_START_CHARS;
use super::redaction::{MAX_QUOTED_CHARS, redacted_line};
use super::*;
use crate::Secret;

const OPERATION: Operation = Operation::new("get_thing", "the thing", &[]);

fn error(kind: ErrorKind, status: u16, body: &str) -> Error {
    let response =
        Response::builder().status(status).header("ININ-Correlation-Id", "abc-123").body(body).unwrap();
    Error::new(kind, OPERATION, ErrorContext::from_response(&response, &[&Secret::new("t0ken")]))
        .with_attempts(2)
}

#[test]
fn d11_an_error_says_all_that_support_asks_for() {
    let body = r#"{"message":"No such org","code":"not.found","status":404,"contextId":"ctx"}"#;
    let error = error(ErrorKind::NotFound, 404, body);
    assert_eq!(
        error.to_string(),
        "the thing: not found (404 not.found: No such org; correlation id abc-123); 2 requests"
    );
    assert_eq!(error.body_start(), Some(body));
    assert_eq!((error.code(), error.status()), (Some("not.found"), Some(StatusCode::NOT_FOUND)));
}

#[test]
fn d09_an_echoed_token_is_not_repeated() {
    let pad = "x".repeat(MAX_BODY_START_CHARS - 2);
    for body in [r#"{"message":"bad t0ken","code":"t0ken"}"#.to_owned(), format!("{pad}t0ken")] {
        let error = error(ErrorKind::Server, 500, &body);
        assert!(!format!("{error} {error:?} {:?}", error.body_start()).contains("t0ken"));
    }
    let cut = error(ErrorKind::Server, 500, &format!("{pad}t0ken"));
    assert!(!cut.body_start().unwrap().ends_with("t0"));
}

#[test]
fn d09_an_echoed_secret_is_not_repeated_however_it_is_spelled() {
    let secret = Secret::new("a/b+c=é\\\u{1f511}%.");
    for spelled in [
        "a/b+c=é\\\u{1f511}%.",
        r"a\/b+c=é\\🔑%.",
        r"\u0061\u002f\u0062\u002Bc\u003d\u00e9\u005c\ud83d\udd11\u0025.",
        r"a\\\/b+c=\\u00e9\\🔑%.",
        "a%2Fb%2bc%3D%c3%a9%5C%F0%9F%94%91%25.",
        "%61%2F%62%2B%63%3D%C3%A9%5C%F0%9F%94%91%25%2e",
    ] {
        let body = format!("<p>{spelled}</p>{spelled}.");
        let error = ErrorContext::from_response(&Response::new(&body), &[&secret]);
        assert_eq!(error.body_start.as_deref(), Some("<p>[secret]</p>[secret]."), "{spelled}");
        assert_eq!(redacted_line(body, &[&secret]), "<p>[secret]</p>[secret].", "{spelled}");
    }
    for other in ["a/b", "a%2Fb", r"a\u002", r"a\/b+c=", "%", "\\", "é%c3"] {
        assert_eq!(redacted_line(other.to_owned(), &[&secret]), other);
    }
}

#[test]
fn text_of_the_server_cannot_steer_a_terminal() {
    let error = error(ErrorKind::Server, 500, "{\"message\":\"a\\u001b[2Jb\\r\\nc\\u202ed\"}");
    assert_eq!(error.server_message(), Some("a [2Jb c d"));
    assert!(!error.to_string().contains(char::is_control));
}

#[test]
fn text_of_the_server_is_not_quoted_without_end_and_not_cut_through_a_secret() {
    let long = "ä".repeat(MAX_QUOTED_CHARS);
    let error = error(ErrorKind::Server, 500, &format!(r#"{{"message":"{long}!","code":"{long}"}}"#));
    assert_eq!(error.server_message(), Some(&*format!("{long}…")));
    assert_eq!(error.code(), Some(&*long), "what fits is whole");
    let decode = DecodeError::new(format!("{}t0ken", &long[2..]), format!("{long}t0ken"));
    let decode = decode.redacted(&[&Secret::new("t0ken")]);
    assert!(!decode.to_string().contains("t0"), "{decode}");
    assert!(decode.to_string().chars().count() < 2 * MAX_QUOTED_CHARS + 20);
}

#[test]
fn each_kind_is_somebodys_fault_and_has_words_of_its_own() {
    let at = DateTime::UNIX_EPOCH;
    let all = [
        (ErrorKind::Unauthorized, ErrorOrigin::Caller),
        (ErrorKind::LoginRefused, ErrorOrigin::Caller),
        (ErrorKind::Forbidden, ErrorOrigin::Caller),
        (ErrorKind::NotFound, ErrorOrigin::Caller),
        (ErrorKind::Rejected, ErrorOrigin::Caller),
        (ErrorKind::InvalidRequest("cannot be sent"), ErrorOrigin::Caller),
        (ErrorKind::Transport(TransportErrorKind::InvalidRequest), ErrorOrigin::Caller),
        (ErrorKind::Transport(TransportErrorKind::Sink), ErrorOrigin::Caller),
        (ErrorKind::Server, ErrorOrigin::Server),
        (ErrorKind::UnexpectedStatus, ErrorOrigin::Server),
        (ErrorKind::Decode(DecodeError::new("status", "no text")), ErrorOrigin::Server),
        (ErrorKind::BadLink("leads elsewhere"), ErrorOrigin::Server),
        (ErrorKind::UnknownStatus("Paused".into()), ErrorOrigin::Server),
        (ErrorKind::Transport(TransportErrorKind::Tls), ErrorOrigin::Network),
        (ErrorKind::DeadlineExceeded(at), ErrorOrigin::Deadline),
        (ErrorKind::Deferred(at), ErrorOrigin::Deadline),
    ];
    let mut words = Vec::new();
    for (kind, fault) in &all {
        let error = Error::new(kind.clone(), OPERATION, ErrorContext::default());
        assert_eq!((error.origin(), error.kind()), (*fault, kind));
        assert_eq!(error.retry_at().is_some(), matches!(kind, ErrorKind::Deferred(_)));
        assert_eq!(std::error::Error::source(&error).is_some(), matches!(kind, ErrorKind::Decode(_)));
        words.push(error.to_string());
    }
    assert!(words.iter().all(|words| words.ends_with("; nothing was sent")), "{words:?}");
    words.sort();
    words.dedup();
    assert_eq!(words.len(), all.len());
}

#[test]
fn an_answer_of_a_preview_operation_that_cannot_be_read_says_so() {
    let kind = ErrorKind::Decode(DecodeError::new("entities", "the list is missing"));
    let said = |operation| {
        let error = Error::new(kind.clone(), operation, ErrorContext::default());
        error.to_string().contains("preview operation")
    };
    assert_eq!((said(OPERATION), said(OPERATION.in_preview())), (false, true));
    let other = Error::new(ErrorKind::NotFound, OPERATION.in_preview(), ErrorContext::default());
    assert!(!other.to_string().contains("preview"), "{other}");
}

#[test]
fn html_of_a_gateway_is_quoted() {
    let error = error(ErrorKind::Server, 503, "<html>\n<h1>503</h1>");
    assert!(error.to_string().contains("\"<html> <h1>503</h1>\""), "{error}");
}
