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
//! # What this means for rule D9
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

use crate::calls::{Call, USER_AGENT_VALUE};
use crate::error::ErrorContext;
use crate::error::ErrorOrigin;
use crate::machine::download_counter::body_length;
use crate::machine::exchange::{Handled, RetryLoop, into_step};
use crate::machine::progress::Progress;
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::values::DocumentUrl;
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Operation, Policy, Step};

/// Asks where a document is, and fetches it; see the [module's text](self).
///
/// # Bound
/// At most four [`Exchange`](crate::Exchange)s, with their bounds: one for an address and one for the document, and both once
/// more where the address is refused. All of it has one deadline.
///
/// It cannot be saved, because the address that it holds is a secret.
#[derive(Clone, Debug)]
pub struct Download<C> {
    locate_call: C,
    stage: DownloadStage<C>,
    relocated: bool,
}

#[derive(Clone, Debug)]
enum DownloadStage<C> {
    Locating(RetryLoop<C>),
    Fetching(RetryLoop<FetchDocument>),
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
        let exchange = RetryLoop::new(locate.clone(), api, policy);
        Self { locate_call: locate, stage: DownloadStage::Locating(exchange), relocated: false }
    }

    /// Goes on from the address that was found.
    fn start_fetch(self, url: DocumentUrl, evidence: ErrorContext, now: DateTime<Utc>) -> Step<Self> {
        let DownloadStage::Locating(located) = &self.stage else { return self.step(now) };
        if url.is_plain_loopback() && !located.api.is_plain_http() {
            let reason = "the document is said to be on this machine, where the API is not";
            return Step::Done(Err(located.error(ErrorKind::BadLink(reason), evidence)));
        }
        let mut fetching = located.followed_by_call(FetchDocument { url });
        into_step(fetching.advance(now), Self { stage: DownloadStage::Fetching(fetching), ..self })
    }

    /// Goes on from a failure to fetch it: with a fresh address if this one was refused.
    fn handle_fetch_error(self, error: Error, now: DateTime<Utc>) -> Step<Self> {
        let refused = error.origin() == ErrorOrigin::Caller && error.status().is_some();
        match &self.stage {
            DownloadStage::Fetching(fetching) if refused && !self.relocated => {
                let mut locating = fetching.followed_by_call(self.locate_call.clone());
                let next = locating.advance(now);
                into_step(next, Self { stage: DownloadStage::Locating(locating), relocated: true, ..self })
            }
            // Of an address that was fresh it is no fault of the caller's.
            _ if refused => Step::Done(Err(error.with_kind(ErrorKind::UnexpectedStatus))),
            _ => Step::Done(Err(error)),
        }
    }
}

impl<C: Call<Output = DocumentUrl> + Clone> Machine for Download<C> {
    type Output = Document;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        let next = match &mut self.stage {
            DownloadStage::Locating(exchange) => exchange.resume(now),
            DownloadStage::Fetching(exchange) => exchange.resume(now),
        };
        into_step(next, self)
    }

    fn progress(&self) -> Progress {
        match &self.stage {
            DownloadStage::Locating(exchange) => exchange.progress(),
            DownloadStage::Fetching(exchange) => exchange.progress(),
        }
    }
}

impl<C: Call<Output = DocumentUrl> + Clone> sealed::MachineInternals for Download<C> {
    fn on_reply(mut self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        match &mut self.stage {
            DownloadStage::Locating(exchange) => match exchange.handle_reply(received, Duration::ZERO, now) {
                Ok(Handled::Accepted(url, _, evidence)) => self.start_fetch(url, evidence, now),
                Ok(Handled::Retry) => into_step(exchange.advance(now), self),
                Err(error) => Step::Done(Err(error)),
            },
            DownloadStage::Fetching(exchange) => match exchange.handle_reply(received, Duration::ZERO, now) {
                Ok(Handled::Accepted(document, ..)) => Step::Done(Ok(document)),
                Ok(Handled::Retry) => into_step(exchange.advance(now), self),
                Err(error) => self.handle_fetch_error(error, now),
            },
        }
    }

    fn on_hold(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = match &mut self.stage {
            DownloadStage::Locating(exchange) => exchange.handle_hold(hold, now),
            DownloadStage::Fetching(exchange) => exchange.handle_hold(hold, now),
        };
        into_step(next, self)
    }
}

/// Asks the host of a document for it.
#[derive(Clone, Debug)]
struct FetchDocument {
    url: DocumentUrl,
}

impl Call for FetchDocument {
    type Output = Document;

    fn operation(&self) -> Operation {
        DOWNLOAD_DOCUMENT
    }

    fn request(&self, _: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Request::get(self.url.expose())
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .header(USER_AGENT, USER_AGENT_VALUE)
            .body(Bytes::new())
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<Document, DecodeError> {
        match body_length(response) {
            0 => Err(DecodeError::new("its beginning", "the document is empty")),
            length => Ok(Document { length, content: response.body().clone() }),
        }
    }

    fn attempt_timeout(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn document(&self) -> Option<&DocumentUrl> {
        Some(&self.url)
    }
}

/// Not one of the vendor's operations: the host need not even be the vendor's.
const DOWNLOAD_DOCUMENT: Operation = Operation::new("download_document", "download of the document", &[]);

#[cfg(test)]
mod tests;
