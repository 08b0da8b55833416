//! Errors: whose fault it was, and all that support asks for.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::calls::TRUSTEE_OVERVIEW;
use crate::model::ErrorBody;
use crate::secret::Secret;
use crate::{Operation, TransportError, TransportErrorKind};

/// The failure of an operation, with everything that Genesys Cloud's support asks for.
///
/// `Display` is one line: the operation, what happened, what the server said, its code and correlation id, and the
/// number of requests. Nothing in it is a secret, and text from the server is shown without control characters.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    attempts: u32,
    evidence: Evidence,
}

/// What happened, split by whose fault it is; see [`ErrorKind::fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 401: the access token was refused, and logging in again did not help or was not possible.
    Unauthorized,
    /// The login service refused the client's credentials. Every call of the session ends so.
    LoginRefused,
    /// 403: the credentials are good, but lack a permission; see [`Operation::permissions`].
    Forbidden,
    /// 404: there is nothing of the kind that the operation was asked for, such as an organisation or a billing period of
    /// it, a contract or an invoice; or the credentials may not know of it.
    NotFound,
    /// Another 4xx: the request itself was refused.
    Rejected,
    /// The request was not sent, because it could not be or must not be.
    Unsendable(&'static str),
    /// A 5xx, for good or for longer than the retries lasted.
    Server,
    /// A status that the operation has no meaning for: an unexpected 2xx; a redirect, which is never followed; of the host of
    /// a document, the refusal of an address that was fresh.
    Protocol,
    /// The answer is not what it should be, and says where.
    Decode(DecodeError),
    /// A list leads to where it must not: back to a page that was there before, or to another host.
    Astray(&'static str),
    /// The report stayed in a state that is neither `InProgress` nor `Complete`.
    UnknownStatus(String),
    /// No answer came, for good or for longer than the retries lasted.
    Transport(TransportErrorKind),
    /// The operation could not be finished before its deadline.
    Deadline(DateTime<Utc>),
    /// The server wants no request before this time. Come back then: a saved poll can be resumed.
    Deferred(DateTime<Utc>),
}

/// Whose fault an error is, and so who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The caller's: the input, the credentials or their permissions.
    Caller,
    /// The server's, or that of a gateway in front of it.
    Server,
    /// The network's.
    Network,
    /// Nobody's: there was not enough time.
    Time,
}

impl ErrorKind {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unauthorized
            | Self::LoginRefused
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected
            | Self::Unsendable(_)
            | Self::Transport(TransportErrorKind::BadRequest | TransportErrorKind::Sink) => Fault::Caller,
            Self::Server | Self::Protocol | Self::Decode(_) | Self::Astray(_) | Self::UnknownStatus(_) => {
                Fault::Server
            }
            Self::Transport(_) => Fault::Network,
            Self::Deadline(_) | Self::Deferred(_) => Fault::Time,
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: Operation, evidence: Evidence) -> Self {
        Self(Arc::new(Inner { kind, operation, attempts: 0, evidence }))
    }

    /// The same after so many requests.
    pub(crate) fn after(self, attempts: u32) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.attempts = attempts;
        Self(Arc::new(inner))
    }

    /// The same, called otherwise.
    pub(crate) fn into_kind(self, kind: ErrorKind) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.kind = kind;
        Self(Arc::new(inner))
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.kind.fault()
    }

    /// The operation that failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The HTTP status of the last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.evidence.status
    }

    /// The server's code, such as `not.found` or `too.many.requests`; of the login service, its `error`.
    pub fn code(&self) -> Option<&str> {
        self.0.evidence.code.as_deref()
    }

    /// The server's own message.
    pub fn server_message(&self) -> Option<&str> {
        self.0.evidence.message.as_deref()
    }

    /// The id under which support finds the exchange: `ININ-Correlation-Id`, or `contextId` of the body.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.evidence.correlation_id.as_deref()
    }

    /// How many requests were sent for the operation, logins and repeats included.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The start of the body of the last answer, as text.
    pub fn body_start(&self) -> Option<&str> {
        self.0.evidence.body_start.as_deref()
    }

    /// When trying again makes sense, where the server said so.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        match self.0.kind {
            ErrorKind::Deferred(until) => Some(until),
            _ => None,
        }
    }

    /// The error as it is kept in a journal, if it is the server's last word on the overview of an organisation: another try
    /// would be answered so too.
    pub(crate) fn keep(&self) -> Option<Kept> {
        let Evidence { status, code, message, correlation_id, body_start, transport: _ } = &self.0.evidence;
        let kind = match self.0.kind {
            ErrorKind::Forbidden => KeptKind::Forbidden,
            ErrorKind::NotFound => KeptKind::NotFound,
            ErrorKind::Rejected => KeptKind::Rejected,
            _ => return None,
        };
        if self.0.operation != TRUSTEE_OVERVIEW {
            return None;
        }
        Some(Kept {
            kind,
            status: status.map(|status| status.as_u16()),
            code: code.clone(),
            message: message.clone(),
            correlation_id: correlation_id.clone(),
            body_start: body_start.clone(),
            requests: self.0.attempts,
        })
    }

    /// What the transport said, where the last attempt had no answer.
    pub fn transport(&self) -> Option<&TransportError> {
        self.0.evidence.transport.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, operation, attempts, evidence } = &*self.0;
        write!(f, "{operation}: ")?;
        let seconds = |t: &DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Secs, true);
        match kind {
            ErrorKind::Unauthorized => f.write_str("the access token was refused")?,
            ErrorKind::LoginRefused => f.write_str("the login was refused")?,
            ErrorKind::Forbidden => f.write_str("not permitted")?,
            ErrorKind::NotFound => f.write_str("not found")?,
            ErrorKind::Rejected => f.write_str("the request was refused")?,
            ErrorKind::Unsendable(reason) => f.write_str(reason)?,
            ErrorKind::Server => f.write_str("the server failed")?,
            ErrorKind::Protocol => f.write_str("an answer that this operation has no meaning for")?,
            ErrorKind::Decode(error) => write!(f, "the answer cannot be read, {error}")?,
            ErrorKind::Astray(reason) => f.write_str(reason)?,
            ErrorKind::UnknownStatus(raw) => {
                write!(f, "the report stays in the state {raw:?}, which is neither InProgress nor Complete")?;
            }
            ErrorKind::Transport(kind) => match &evidence.transport {
                Some(transport) => write!(f, "{}", printable(&transport.to_string()))?,
                None => write!(f, "{kind}")?,
            },
            ErrorKind::Deadline(deadline) => {
                write!(f, "not finished by its deadline, {}", seconds(deadline))?
            }
            ErrorKind::Deferred(until) => write!(f, "the server asks to come back at {}", seconds(until))?,
        }
        if matches!(kind, ErrorKind::Decode(_)) && operation.is_preview() {
            f.write_str("; this is a preview operation, whose answers the vendor may change")?;
        }
        write!(f, "{evidence}")?;
        match attempts {
            0 => f.write_str("; nothing was sent"),
            1 => f.write_str("; 1 request"),
            n => write!(f, "; {n} requests"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation.id())
            .field("attempts", &self.0.attempts)
            .field("evidence", &self.0.evidence)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Decode(error) => Some(error),
            _ => self.transport().map(|e| e as &(dyn std::error::Error + 'static)),
        }
    }
}

/// An error of a trustee overview in a journal; see [`Error::keep`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept {
    kind: KeptKind,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    correlation_id: Option<String>,
    body_start: Option<String>,
    requests: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptKind {
    Forbidden,
    NotFound,
    Rejected,
}

impl Kept {
    pub(crate) fn into_error(self) -> Error {
        let Self { kind, status, code, message, correlation_id, body_start, requests } = self;
        let kind = match kind {
            KeptKind::Forbidden => ErrorKind::Forbidden,
            KeptKind::NotFound => ErrorKind::NotFound,
            KeptKind::Rejected => ErrorKind::Rejected,
        };
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let evidence = Evidence { status, code, message, correlation_id, body_start, transport: None };
        Error::new(kind, TRUSTEE_OVERVIEW, evidence).after(requests)
    }
}

/// Where and why a body is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    place: String,
    reason: String,
}

impl DecodeError {
    /// An error at a place in the body: a path such as `usages[3].resources[0].date`, or a line and column.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: printable(&place.into()), reason: printable(&reason.into()) }
    }

    /// Where in the body.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same without `secrets`, which place and reason may quote of a body that sends them back, and not without end, as
    /// a body's texts can be.
    pub(crate) fn without(self, secrets: &[&Secret]) -> Self {
        Self { place: quoted(self.place, secrets), reason: quoted(self.reason, secrets) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.place, self.reason)
    }
}

impl std::error::Error for DecodeError {}

/// What is known of the last exchange: what the server said, or what the transport said in its stead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    status: Option<StatusCode>,
    code: Option<String>,
    message: Option<String>,
    correlation_id: Option<String>,
    body_start: Option<String>,
    transport: Option<TransportError>,
}

impl Evidence {
    /// What a response says. `secrets` that a careless server sends back are taken out of it.
    pub(crate) fn of_response(response: &Response<impl AsRef<[u8]>>, secrets: &[&Secret]) -> Self {
        let body = response.body().as_ref();
        let error = ErrorBody::read(body);
        let clean = |text: String| quoted(text, secrets);
        let start = String::from_utf8_lossy(&body[..body.len().min(READ)]);
        let start: String = redacted(start.into_owned(), secrets).chars().take(SHOWN).collect();
        let header = response.headers().get("inin-correlation-id").and_then(|v| v.to_str().ok());
        Self {
            status: Some(response.status()),
            code: error.code.map(clean),
            message: error.message.map(clean),
            correlation_id: header.map(str::to_owned).or(error.context_id).map(clean),
            body_start: (!start.is_empty()).then(|| printable(&start)),
            transport: None,
        }
    }

    /// What the head of a response says, without `secrets`, where its body is in order.
    pub(crate) fn of_head<B>(response: &Response<B>, secrets: &[&Secret]) -> Self {
        let header = response.headers().get("inin-correlation-id").and_then(|v| v.to_str().ok());
        let correlation_id = header.map(|id| quoted(id.to_owned(), secrets));
        Self { status: Some(response.status()), correlation_id, ..Self::default() }
    }

    /// The server's code, if it sent one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What the transport says, without `secrets`.
    pub(crate) fn of_transport(error: TransportError, secrets: &[&Secret]) -> Self {
        Self { transport: Some(error.without(secrets)), ..Self::default() }
    }
}

impl fmt::Display for Evidence {
    /// ` (404 not.found: …; correlation id …)`, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else { return Ok(()) };
        write!(f, " ({}", status.as_u16())?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        match (&self.message, &self.body_start) {
            (Some(message), _) => write!(f, ": {message}")?,
            (None, Some(start)) => {
                let line: String = start.chars().take(80).collect();
                write!(f, ", body {line:?}")?;
            }
            (None, None) => {}
        }
        if let Some(id) = &self.correlation_id {
            write!(f, "; correlation id {id}")?;
        }
        f.write_str(")")
    }
}

/// Text of others in one line that cannot steer a terminal.
fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.split(steers).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text of an answer as it may be shown and kept: without `secrets`, in one line, and as long as a line may be.
pub(crate) fn quoted(text: String, secrets: &[&Secret]) -> String {
    let text = printable(&redacted(text, secrets));
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether the text holds the secret, as it is or as it is written in JSON or in an address.
pub(crate) fn repeats(text: &str, secret: &Secret) -> bool {
    !secret.expose().is_empty() && around(text, secret.expose()).is_some()
}

fn redacted(text: String, secrets: &[&Secret]) -> String {
    let said = secrets.iter().map(|secret| secret.expose()).filter(|secret| !secret.is_empty());
    said.fold(text, |text, secret| {
        let mut shown = String::new();
        let mut rest = &*text;
        while let Some((before, after)) = around(rest, secret) {
            shown.extend([before, "[secret]"]);
            rest = after;
        }
        match shown.is_empty() {
            true => text,
            false => shown + rest,
        }
    })
}

/// What is before and after the first `secret` in the text, as it is or as it is written in JSON or in an address.
fn around<'a>(text: &'a str, secret: &str) -> Option<(&'a str, &'a str)> {
    text.char_indices().find_map(|(at, _)| {
        let (before, from) = text.split_at(at);
        let spelled = || secret.chars().try_fold(from, after_char);
        from.strip_prefix(secret).or_else(spelled).map(|after| (before, after))
    })
}

/// The rest of a text that begins with the character, as it is or escaped: `/` may be `\/`, `\u002f` or `%2F`.
fn after_char(text: &str, c: char) -> Option<&str> {
    let by_unit = || {
        c.encode_utf16(&mut [0; 2])
            .iter()
            .try_fold(text, |rest, unit| after_hex(after_escape(rest)?.strip_prefix('u')?, 4, (*unit).into()))
    };
    let by_byte = || {
        c.encode_utf8(&mut [0; 4])
            .bytes()
            .try_fold(text, |rest, byte| after_hex(rest.strip_prefix('%')?, 2, byte.into()))
    };
    let by_itself = || match c {
        '\\' => text.strip_prefix(r"\\"),
        _ => after_escape(text)?.strip_prefix(c),
    };
    by_unit().or_else(by_byte).or_else(by_itself).or_else(|| text.strip_prefix(c))
}

/// What follows a backslash. JSON in a text of JSON has several of them before one character; but a text of nothing else is not
/// gone through from each of them.
fn after_escape(text: &str) -> Option<&str> {
    let escapes = text.bytes().take(MOST_ESCAPES).take_while(|byte| *byte == b'\\').count();
    text.get(escapes..).filter(|_| escapes > 0)
}

/// What follows the number in so many hexadecimal digits.
fn after_hex(text: &str, digits: usize, number: u32) -> Option<&str> {
    let (hex, rest) = text.split_at_checked(digits)?;
    (u32::from_str_radix(hex, 16) == Ok(number)).then_some(rest)
}

/// So many backslashes stand before a character of JSON in JSON in JSON, and one more.
const MOST_ESCAPES: usize = 8;
/// How much of a body is looked at for an error, in bytes, and how much is shown, in characters. The first is larger, so
/// that a secret that begins in what is shown is seen whole.
const READ: usize = 8192;
const SHOWN: usize = 512;
/// How many characters of one text of an answer are shown: more than any message that means well has.
const QUOTED: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: Operation = Operation::new("get_thing", "the thing", &[]);

    fn error(kind: ErrorKind, status: u16, body: &str) -> Error {
        let response =
            Response::builder().status(status).header("ININ-Correlation-Id", "abc-123").body(body).unwrap();
        Error::new(kind, OPERATION, Evidence::of_response(&response, &[&Secret::new("t0ken")])).after(2)
    }

    #[test]
    fn rule_11_an_error_says_all_that_support_asks_for() {
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
    fn rule_9_an_echoed_token_is_not_repeated() {
        let pad = "x".repeat(SHOWN - 2);
        for body in [r#"{"message":"bad t0ken","code":"t0ken"}"#.to_owned(), format!("{pad}t0ken")] {
            let error = error(ErrorKind::Server, 500, &body);
            assert!(!format!("{error} {error:?} {:?}", error.body_start()).contains("t0ken"));
        }
        let cut = error(ErrorKind::Server, 500, &format!("{pad}t0ken"));
        assert!(!cut.body_start().unwrap().ends_with("t0"));
    }

    #[test]
    fn rule_9_an_echoed_secret_is_not_repeated_however_it_is_spelled() {
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
            let error = Evidence::of_response(&Response::new(&body), &[&secret]);
            assert_eq!(error.body_start.as_deref(), Some("<p>[secret]</p>[secret]."), "{spelled}");
            assert_eq!(quoted(body, &[&secret]), "<p>[secret]</p>[secret].", "{spelled}");
        }
        for other in ["a/b", "a%2Fb", r"a\u002", r"a\/b+c=", "%", "\\", "é%c3"] {
            assert_eq!(quoted(other.to_owned(), &[&secret]), other);
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
        let long = "ä".repeat(QUOTED);
        let error = error(ErrorKind::Server, 500, &format!(r#"{{"message":"{long}!","code":"{long}"}}"#));
        assert_eq!(error.server_message(), Some(&*format!("{long}…")));
        assert_eq!(error.code(), Some(&*long), "what fits is whole");
        let decode = DecodeError::new(format!("{}t0ken", &long[2..]), format!("{long}t0ken"));
        let decode = decode.without(&[&Secret::new("t0ken")]);
        assert!(!decode.to_string().contains("t0"), "{decode}");
        assert!(decode.to_string().chars().count() < 2 * QUOTED + 20);
    }

    #[test]
    fn each_kind_is_somebodys_fault_and_has_words_of_its_own() {
        let at = DateTime::UNIX_EPOCH;
        let all = [
            (ErrorKind::Unauthorized, Fault::Caller),
            (ErrorKind::LoginRefused, Fault::Caller),
            (ErrorKind::Forbidden, Fault::Caller),
            (ErrorKind::NotFound, Fault::Caller),
            (ErrorKind::Rejected, Fault::Caller),
            (ErrorKind::Unsendable("cannot be sent"), Fault::Caller),
            (ErrorKind::Transport(TransportErrorKind::BadRequest), Fault::Caller),
            (ErrorKind::Transport(TransportErrorKind::Sink), Fault::Caller),
            (ErrorKind::Server, Fault::Server),
            (ErrorKind::Protocol, Fault::Server),
            (ErrorKind::Decode(DecodeError::new("status", "no text")), Fault::Server),
            (ErrorKind::Astray("leads elsewhere"), Fault::Server),
            (ErrorKind::UnknownStatus("Paused".into()), Fault::Server),
            (ErrorKind::Transport(TransportErrorKind::Tls), Fault::Network),
            (ErrorKind::Deadline(at), Fault::Time),
            (ErrorKind::Deferred(at), Fault::Time),
        ];
        let mut words = Vec::new();
        for (kind, fault) in &all {
            let error = Error::new(kind.clone(), OPERATION, Evidence::default());
            assert_eq!((error.fault(), error.kind()), (*fault, kind));
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
            let error = Error::new(kind.clone(), operation, Evidence::default());
            error.to_string().contains("preview operation")
        };
        assert_eq!((said(OPERATION), said(OPERATION.in_preview())), (false, true));
        let other = Error::new(ErrorKind::NotFound, OPERATION.in_preview(), Evidence::default());
        assert!(!other.to_string().contains("preview"), "{other}");
    }

    #[test]
    fn html_of_a_gateway_is_quoted() {
        let error = error(ErrorKind::Server, 503, "<html>\n<h1>503</h1>");
        assert!(error.to_string().contains("\"<html> <h1>503</h1>\""), "{error}");
    }
}
