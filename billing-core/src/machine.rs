//! The machine: what every operation is to whoever drives it.
//!
//! A machine is stepped with the time. It answers with a request to perform, a time to wait for, or its end:
//!
//! ```text
//!              ┌──────────────────────────── receive(reply, now) ───────────────────────────┐
//!              ▼                                                                            │
//!   step(now) ─┬─► Step::Send(request, sent) ── a driver performs the request ──► sent ─────┘
//!              ├─► Step::Wait(until, machine) ── a driver waits, then step(now) again
//!              └─► Step::Done(result)
//! ```
//!
//! Every step consumes what it was given: a reply can be handed over once, and only to the machine that asked; after
//! the end there is nothing left to step. The loop that a driver needs is the same for every machine:
//!
//! ```
//! use billing_core::{Machine, Reply, Request, Step};
//! use chrono::{DateTime, Utc};
//!
//! fn drive<M: Machine>(
//!     machine: M,
//!     mut perform: impl FnMut(Request) -> Reply,
//!     mut sleep_until: impl FnMut(DateTime<Utc>),
//!     now: impl Fn() -> DateTime<Utc>,
//! ) -> Result<M::Output, billing_core::Error> {
//!     let mut step = machine.step(now());
//!     loop {
//!         step = match step {
//!             Step::Send(request, sent) => {
//!                 let reply = perform(*request);
//!                 sent.receive(reply, now())
//!             }
//!             Step::Wait(until, machine) => {
//!                 sleep_until(until);
//!                 machine.step(now())
//!             }
//!             Step::Done(result) => return result,
//!         }
//!     }
//! }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::uri::Scheme;

use crate::environment::is_loopback;
use crate::error::{Error, repeats};
use crate::progress::Progress;
use crate::timestamp::between;
use crate::{DocumentUrl, Operation, Secret};

/// An operation in progress; see the [module's text](self) for how to drive it.
///
/// Implemented by the machines of this crate only, because they pass more between them than this trait shows.
pub trait Machine: sealed::Machine {
    /// What a successful end yields.
    type Output;

    /// Goes on, at the time `now`, and is used up by it:
    ///
    /// ```compile_fail,E0382
    /// # fn misuse<M: billing_core::Machine>(machine: M, now: chrono::DateTime<chrono::Utc>) {
    /// let once = machine.step(now);
    /// let twice = machine.step(now);
    /// # }
    /// ```
    ///
    /// Stepping a machine before the time that it waits for is harmless: it asks to wait
    /// again.
    ///
    /// `now` should come from a clock that does not jump, such as wall time at the start plus monotonic time since. Time that
    /// a clock jumps over looks like time that passes: waits and the deadline may be over. Where a clock is set back, a wait is
    /// no longer than the longest that the machine would ask for, and its [session](crate::Session) moves its times as well;
    /// but the deadline is later by what the clock is set back while a request is out.
    fn step(self, now: DateTime<Utc>) -> Step<Self>;

    /// How far it has come, for progress displays and logs.
    fn progress(&self) -> Progress;
}

/// What a machine wants.
#[derive(Debug)]
#[must_use = "a step that is dropped ends the operation without its outcome"]
pub enum Step<M: Machine> {
    /// Perform this exchange, then hand the reply to [`Sent::receive`].
    Send(Box<Request>, Sent<M>),
    /// Nothing to do before this time; then call [`Machine::step`].
    Wait(DateTime<Utc>, M),
    /// The end. Nothing comes after it.
    Done(Result<M::Output, Error>),
}

/// A machine whose request is out. It is not `Clone`: one request, one reply. What would break that does not compile:
///
/// ```compile_fail,E0382
/// # fn misuse<M: billing_core::Machine>(sent: billing_core::Sent<M>, now: chrono::DateTime<chrono::Utc>) {
/// let reply = || Ok(http::Response::new(bytes::Bytes::new()));
/// let once = sent.receive(reply(), now);
/// let twice = sent.receive(reply(), now);
/// # }
/// ```
///
/// ```compile_fail,E0599
/// # fn misuse<M: billing_core::Machine + Clone>(sent: billing_core::Sent<M>) {
/// let another = sent.clone();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "without the reply the operation never ends"]
pub struct Sent<M>(M);

impl<M: Machine> Sent<M> {
    /// Goes on with what came back, at the time `now`.
    pub fn receive(self, reply: Reply, now: DateTime<Utc>) -> Step<M> {
        self.0.received(Received { reply, not_before: None, others: 0, token: None }, now)
    }

    /// How far the machine has come.
    pub fn progress(&self) -> Progress {
        self.0.progress()
    }

    /// Not for everybody: a copy of a machine whose request is out would send it again.
    pub(crate) fn machine(&self) -> &M {
        &self.0
    }

    pub(crate) fn new(machine: M) -> Self {
        Self(machine)
    }

    pub(crate) fn receive_as(self, received: Received, now: DateTime<Utc>) -> Step<M> {
        self.0.received(received, now)
    }

    /// Takes the request back: it was not sent, and cannot be before `hold.until`.
    pub(crate) fn hold(self, hold: Hold, now: DateTime<Utc>) -> Step<M> {
        self.0.held(hold, now)
    }

    /// Takes the request back as if the machine had not been stepped.
    pub(crate) fn unsent(self) -> M {
        self.0
    }
}

/// What came back for a request: a response with its whole body, decoded (see [`BodyReader`](crate::BodyReader)), or
/// why there is none.
pub type Reply = Result<http::Response<Bytes>, TransportError>;

/// One exchange that a machine wants performed.
///
/// `Debug` shows no secret: headers with credentials are marked sensitive, and the address of a document is left out.
#[derive(Clone)]
pub struct Request {
    /// Shared by the one that goes out and the one that is kept to be sent again.
    http: Arc<http::Request<Bytes>>,
    operation: Operation,
    attempt: Duration,
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
        Self { http: Arc::new(http), operation, attempt, deadline, max_body, document: None }
    }

    /// The same for a document, if it is for one.
    pub(crate) fn for_document(self, document: Option<&DocumentUrl>) -> Self {
        Self { document: document.cloned(), ..self }
    }

    /// Method, absolute URI, headers and body. Headers with credentials are marked sensitive, so that `Debug` hides them.
    /// The URI of a document is a secret, which `Debug` does not hide here; to show where a request goes there is
    /// [`Request::shown`].
    pub fn http(&self) -> &http::Request<Bytes> {
        &self.http
    }

    /// The same, to keep.
    pub fn into_http(self) -> http::Request<Bytes> {
        Arc::unwrap_or_clone(self.http)
    }

    /// Where it goes, for people: path and query; of a document, whose address is a secret, scheme and host.
    pub fn shown(&self) -> Cow<'_, str> {
        match &self.document {
            Some(document) => document.to_string().into(),
            None => self.http.uri().path_and_query().map_or("/", |target| target.as_str()).into(),
        }
    }

    /// The document that it asks for, if it asks for one: of a host that nobody has configured, and without credentials.
    pub fn document(&self) -> Option<&DocumentUrl> {
        self.document.as_ref()
    }

    /// Whether it goes to this machine in plain http, which is allowed because nobody else sees it: no proxy may come
    /// between.
    pub fn stays_on_this_machine(&self) -> bool {
        let uri = self.http.uri();
        uri.scheme() == Some(&Scheme::HTTP) && uri.host().is_some_and(is_loopback)
    }

    /// Which operation it belongs to.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// How long this exchange may take from `now` to the last byte of its body: the bound of one attempt, or what is
    /// left until the operation's deadline if that is less.
    pub fn timeout(&self, now: DateTime<Utc>) -> Duration {
        self.attempt.min(between(now, self.deadline))
    }

    /// How many bytes of body may be read, after decompression.
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
            .field("attempt", &self.attempt)
            .field("deadline", &self.deadline)
            .field("max_body", &self.max_body)
            .finish()
    }
}

/// Why a request has no response.
#[derive(Clone, Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    text: Box<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// An error of that kind, said in `text`.
    pub fn new(kind: TransportErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into().into(), source: None }
    }

    /// An error of that kind that wraps what the HTTP library said.
    pub fn from_source(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source: Arc<dyn std::error::Error + Send + Sync> = Arc::from(source.into());
        let mut text = source.to_string();
        let mut inner = source.source();
        while let Some(cause) = inner {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            inner = cause.source();
        }
        Self { kind, text: text.into(), source: Some(source) }
    }

    /// That the caller's sink did not take a document.
    pub fn of_sink(error: std::io::Error) -> Self {
        Self::from_source(TransportErrorKind::Sink, error)
    }

    /// What sort of failure it was.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// The same, unless it repeats a secret: then no more than its kind.
    pub(crate) fn without(self, secrets: &[&Secret]) -> Self {
        let tells = |text: &str| secrets.iter().any(|secret| repeats(text, secret));
        let mut chain = std::iter::successors(
            self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static)),
            |error| error.source(),
        );
        match tells(&self.text) || chain.any(|error| tells(&format!("{error} {error:?}"))) {
            true => Self::new(self.kind, "the reason holds what is not to be shown"),
            false => self,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| &**e as &(dyn std::error::Error + 'static))
    }
}

/// The sorts of failure that a transport reports. Whether to try again is the core's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The host's name was not found.
    Dns,
    /// No connection came about.
    Connect,
    /// The time for connecting or for the attempt ran out.
    Timeout,
    /// The connection ended before the head of a response was there.
    Reset,
    /// A response began and its body ended early, or its compression is broken.
    Truncated,
    /// What came back is not HTTP.
    Malformed,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The request's address or a header cannot be sent.
    BadRequest,
    /// The body is over its bound.
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// The caller's sink did not take the document.
    Sink,
}

impl TransportErrorKind {
    /// What an I/O error means that came before the head of a response; `None` where its kind alone does not say.
    pub fn of_io(error: std::io::ErrorKind) -> Option<Self> {
        use std::io::ErrorKind as Io;
        match error {
            Io::UnexpectedEof | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe => {
                Some(Self::Reset)
            }
            Io::TimedOut => Some(Self::Timeout),
            Io::ConnectionRefused
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NetworkDown
            | Io::AddrNotAvailable => Some(Self::Connect),
            _ => None,
        }
    }
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the host was not found",
            Self::Connect => "no connection",
            Self::Timeout => "timed out",
            Self::Reset => "the connection was lost",
            Self::Truncated => "the answer was cut short",
            Self::Malformed => "the answer is not HTTP as it should be",
            Self::Tls => "no trusted TLS connection",
            Self::BadRequest => "the request cannot be sent",
            Self::TooLarge { .. } => "the answer is too large",
            Self::Sink => "the document cannot be written",
        })
    }
}

pub(crate) use sealed::{Hold, NotBefore, Received};

/// What machines pass between them and nobody else sees.
pub(crate) mod sealed {
    #![expect(unnameable_types, reason = "sealed: machines are written in this crate only")]

    use chrono::{DateTime, Utc};

    use super::{Reply, Step};
    use crate::Secret;
    use crate::error::Evidence;
    use crate::progress::Waiting;

    /// A reply on its way through nested machines, with what the outer ones know of it.
    #[derive(Debug)]
    pub struct Received {
        pub(crate) reply: Reply,
        /// Where a session watches the quota: when it lets the next request out after a 429.
        pub(crate) not_before: Option<NotBefore>,
        /// Requests that were sent for this one beside it: logins, and the same again after a 401.
        pub(crate) others: u32,
        /// The token that it was sent with, so that an error does not repeat it.
        pub(crate) token: Option<Secret>,
    }

    /// When the next request may go.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct NotBefore {
        pub(crate) until: DateTime<Utc>,
        /// The time that the server named, if it named one; `until` may be a little later.
        pub(crate) asked: Option<DateTime<Utc>>,
    }

    impl NotBefore {
        pub(crate) fn times(&mut self) -> impl Iterator<Item = &mut DateTime<Utc>> {
            std::iter::once(&mut self.until).chain(&mut self.asked)
        }
    }

    /// Why a request has to wait before it is sent.
    #[derive(Clone, Debug)]
    pub struct Hold {
        pub(crate) not_before: NotBefore,
        pub(crate) waiting: Waiting,
        /// What the server said, if it said something.
        pub(crate) evidence: Option<Evidence>,
    }

    /// The side of a machine that is turned to other machines.
    pub trait Machine: Sized {
        #[doc(hidden)]
        fn received(self, received: Received, now: DateTime<Utc>) -> Step<Self>
        where
            Self: super::Machine;

        #[doc(hidden)]
        fn held(self, hold: Hold, now: DateTime<Utc>) -> Step<Self>
        where
            Self: super::Machine;
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io::{Error as IoError, ErrorKind as Io};

    use super::*;

    #[test]
    fn an_io_error_is_told_by_its_kind() {
        for (io, kind) in [
            (Io::UnexpectedEof, Some(TransportErrorKind::Reset)),
            (Io::ConnectionReset, Some(TransportErrorKind::Reset)),
            (Io::ConnectionAborted, Some(TransportErrorKind::Reset)),
            (Io::BrokenPipe, Some(TransportErrorKind::Reset)),
            (Io::TimedOut, Some(TransportErrorKind::Timeout)),
            (Io::ConnectionRefused, Some(TransportErrorKind::Connect)),
            (Io::HostUnreachable, Some(TransportErrorKind::Connect)),
            (Io::NetworkUnreachable, Some(TransportErrorKind::Connect)),
            (Io::NetworkDown, Some(TransportErrorKind::Connect)),
            (Io::AddrNotAvailable, Some(TransportErrorKind::Connect)),
            (Io::Other, None),
        ] {
            assert_eq!(TransportErrorKind::of_io(io), kind, "{io:?}");
        }
    }

    #[test]
    fn each_kind_has_words_of_its_own() {
        use TransportErrorKind as Kind;
        let all = [
            Kind::Dns,
            Kind::Connect,
            Kind::Timeout,
            Kind::Reset,
            Kind::Truncated,
            Kind::Malformed,
            Kind::Tls,
            Kind::BadRequest,
            Kind::TooLarge { limit: 1 },
            Kind::Sink,
        ];
        let mut words: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert!(words.iter().all(|words| words.len() > 5));
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all.len());
    }

    /// An error around another, as HTTP libraries nest them.
    #[derive(Debug)]
    struct Outer(&'static str, IoError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_transport_error_tells_the_whole_chain_once() {
        let wrap = |outer| {
            TransportError::from_source(TransportErrorKind::Connect, Outer(outer, IoError::other("refused")))
        };
        assert_eq!(wrap("sending failed").to_string(), "no connection: sending failed: refused");
        assert_eq!(wrap("sending failed: refused").to_string(), "no connection: sending failed: refused");
        assert_eq!(wrap("x").source().unwrap().to_string(), "x");
        let bare = TransportError::new(TransportErrorKind::Dns, "no such host");
        assert_eq!(
            (bare.to_string().as_str(), bare.source().is_none()),
            ("the host was not found: no such host", true)
        );
    }

    #[test]
    fn rule_9_only_plain_http_to_a_loopback_address_stays_on_this_machine() {
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
            let request = Request::new(http, operation, Duration::ZERO, crate::testing::start(), 0);
            assert_eq!(request.stays_on_this_machine(), stays, "{base}");
        }
    }

    #[test]
    fn rule_9_a_reason_that_repeats_a_secret_is_not_shown_however_it_is_spelled() {
        let secret = Secret::new("t0k/n");
        for (reason, told) in [("t0k/n", false), ("no t0k%2Fn", false), (r"{t0k\/n}", false), ("t0k-n", true)]
        {
            let shown =
                TransportError::new(TransportErrorKind::Reset, reason).without(&[&secret]).to_string();
            assert_eq!(shown.contains(reason), told, "{shown}");
        }
        let hidden = std::io::Error::other("t0k%2fn");
        let shown = TransportError::from_source(TransportErrorKind::Reset, hidden).without(&[&secret]);
        assert!(!format!("{shown} {shown:?}").contains("t0k"), "{shown:?}");
    }

    #[test]
    fn a_driver_is_told_what_a_request_is() {
        use crate::testing::{exchange, start};
        let Step::Send(request, sent) = exchange(crate::Policy::default()).step(start()) else {
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
        assert_eq!((sent.progress().requests, sent.progress().started), (0, Some(start())));
    }
}
