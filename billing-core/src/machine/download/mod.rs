//! Downloads: fetches the document of an invoice.
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
//! The address comes from the API and leads to a host that nobody configured. So its request carries no
//! token, no cookie, and only headers that are the same for every client. No session processes the request or
//! its response, so a 401 renews no token and a 429 delays no other request. The address must use https; http
//! is allowed only to this machine, and only if the API itself is reached by plain http. Redirects are not
//! followed. One risk remains: whoever controls the API's responses can make this machine send one GET
//! request to an https host of their choice, and the caller receives the response as the document.
//!
//! The address is a credential too, because it contains a signature. Errors and logs show only its scheme and
//! host, and it is removed from texts of the other host in an error.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{Request, Response};

use crate::calls::{Call, USER_AGENT_VALUE};
use crate::error::ErrorContext;
use crate::error::ErrorOrigin;
use crate::machine::download_counter::body_length;
use crate::machine::progress::Progress;
use crate::machine::retry_loop::{Handled, RetryLoop, into_step};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::values::DocumentUrl;
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Operation, Policy, Step};

/// Requests the address of a document and fetches it; see the [module's text](self).
///
/// # Bound
/// At most four [`Exchange`](crate::Exchange)s, with their bounds: one for the address and one for the
/// document, and one more of each if the address is refused. All share one deadline.
///
/// A download cannot be saved, because the address that it holds is a secret.
#[derive(Clone, Debug)]
pub struct Download<C> {
    locate_call: C,
    stage: DownloadStage<C>,
    /// True if a second address was requested; there is no third.
    relocated: bool,
}

#[derive(Clone, Debug)]
enum DownloadStage<C> {
    Locating(RetryLoop<C>),
    Fetching(RetryLoop<FetchDocument>),
}

/// A complete document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// The length in bytes.
    pub length: u64,
    /// The bytes; empty if they were written to a sink.
    pub content: Bytes,
}

impl<C: Call<Output = DocumentUrl> + Clone> Download<C> {
    /// Creates the download of the document whose address `locate` requests from the API at `api`.
    pub fn new(locate: C, api: BaseUrl, policy: Policy) -> Self {
        let exchange = RetryLoop::new(locate.clone(), api, policy);
        Self { locate_call: locate, stage: DownloadStage::Locating(exchange), relocated: false }
    }

    /// Starts to fetch the document from `url`.
    fn start_fetch(self, url: DocumentUrl, context: ErrorContext, now: DateTime<Utc>) -> Step<Self> {
        let DownloadStage::Locating(located) = &self.stage else { return self.step(now) };
        if url.is_plain_loopback() && !located.api.is_plain_http() {
            let reason = "the document address is plain http to this machine, but the API is not";
            return Step::Done(Err(located.error(ErrorKind::BadLink(reason), context)));
        }
        let mut fetching = located.followed_by_call(FetchDocument { url });
        into_step(fetching.advance(now), Self { stage: DownloadStage::Fetching(fetching), ..self })
    }

    /// Handles a failure to fetch the document: requests a new address if this one was refused for the first
    /// time.
    fn handle_fetch_error(self, error: Error, now: DateTime<Utc>) -> Step<Self> {
        let refused = error.origin() == ErrorOrigin::Caller && error.status().is_some();
        match &self.stage {
            DownloadStage::Fetching(fetching) if refused && !self.relocated => {
                let mut locating = fetching.followed_by_call(self.locate_call.clone());
                let next = locating.advance(now);
                into_step(next, Self { stage: DownloadStage::Locating(locating), relocated: true, ..self })
            }
            // A refused new address is not the caller's fault.
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
                Ok(Handled::Accepted(url, _, context)) => self.start_fetch(url, context, now),
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

/// The call that fetches a document from its host.
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

/// An operation of our own: the host need not be the vendor's.
const DOWNLOAD_DOCUMENT: Operation = Operation::new("download_document", "download of the document", &[]);

#[cfg(test)]
mod tests;
