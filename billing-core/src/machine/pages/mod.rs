//! Paging: reads a list page by page, by the server's `nextUri`, or by page number where it gives none.
//!
//! ```text
//!   Pages ─► exchange (with its retries) ─► Done(PageStep { page, rest })
//!                                                      ├─ rest: Some(Pages) ─► the next page
//!                                                      └─ rest: None: the end of the list
//! ```
//!
//! Each step of the list is a machine of its own that returns one page and the machine for the rest. Drop the
//! rest to stop early; save it with serde to continue later.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Call, forward_call};
use crate::error::ErrorContext;
use crate::error::redaction::contains_secret;
use crate::machine::checkpoint::Format;
use crate::machine::next_page::{NextPage, Page, next_numbered_target, path_and_query, resolve_next_uri};
use crate::machine::progress::Progress;
use crate::machine::retry_loop::{Handled, RetryLoop, into_step};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Policy, Secret, Step};

/// Reads a list page by page; see the [module's text](self).
///
/// A link to an earlier page is an error, and so is a link to another origin; nothing is sent to either. An
/// empty page with a `nextUri` is not the end. If the server counts its pages and gives no `nextUri`, the
/// next number is requested with the query parameter `pageNumber`; a response with another number is an
/// error.
///
/// # Bound
/// Each page is one [`Exchange`](crate::Exchange), with its bound; there are at most [`Pages::MAX_PAGES`]
/// pages.
#[derive(Clone, Debug)]
pub struct Pages<C>(PagesState<C>);

/// One page, and the machine for the rest of the list.
#[derive(Clone, Debug)]
pub struct PageStep<C: Call> {
    /// The page.
    pub page: C::Output,
    /// The machine for the rest; `None` after the last page.
    pub rest: Option<Pages<C>>,
}

impl<C: Call<Output: Page> + Clone> Pages<C> {
    /// The largest number of pages of one list, so that a server cannot extend a list forever.
    pub const MAX_PAGES: usize = 100_000;

    /// Creates the machine for the list whose first page `call` requests from the API at `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let exchange = RetryLoop::new(PageCall { call, target: None }, api, policy);
        Self(PagesState { exchange, visited: Vec::new() })
    }

    /// Returns the number of pages read before this one.
    pub fn pages_read(&self) -> usize {
        self.0.visited.len()
    }

    /// Builds the step for a page that was requested with `token`.
    fn after_page(
        self,
        page: C::Output,
        token: Option<Secret>,
        context: ErrorContext,
    ) -> Result<PageStep<C>, Error> {
        let PagesState { exchange, mut visited } = self.0;
        let next_page = page.next_page();
        if next_page == NextPage::Last {
            return Ok(PageStep { page, rest: None });
        }
        let bad_link = |reason| exchange.error(ErrorKind::BadLink(reason), context);
        let here = match exchange.call.request(&exchange.api) {
            Ok(request) => request.uri().clone(),
            Err(_) => return Err(bad_link("the URI of the list is too long")),
        };
        let next = match next_page {
            NextPage::Uri(next) => resolve_next_uri(next, &here, &exchange.api).map(Some),
            NextPage::Number { current, count } => next_numbered_target(&here, current, count),
            NextPage::Last => Ok(None),
        };
        let next = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(PageStep { page, rest: None }),
            Err(reason) => return Err(bad_link(reason)),
        };
        // The next address is logged and saved, so it must not contain the token.
        if token.is_some_and(|token| contains_secret(&next, &token)) {
            return Err(bad_link("the next page link contains the access token"));
        }
        visited.push(path_and_query(&here));
        if visited.contains(&next) {
            return Err(bad_link("the next page link leads back to an earlier page"));
        }
        if visited.len() >= Self::MAX_PAGES {
            return Err(bad_link("the list has more than 100000 pages"));
        }
        let call = PageCall { call: exchange.call.call.clone(), target: Some(next) };
        // A new loop: each page has its own deadline and counters.
        let exchange = RetryLoop::new(call, exchange.api.clone(), exchange.policy.clone());
        Ok(PageStep { page, rest: Some(Self(PagesState { exchange, visited })) })
    }
}

impl<C: Call<Output: Page> + Clone> Machine for Pages<C> {
    type Output = PageStep<C>;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.0.exchange.resume(now), self)
    }

    fn progress(&self) -> Progress {
        self.0.exchange.progress()
    }
}

impl<C: Call<Output: Page> + Clone> sealed::MachineInternals for Pages<C> {
    fn on_reply(mut self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        let token = received.sent_token.clone();
        match self.0.exchange.handle_reply(received, Duration::ZERO, now) {
            Ok(Handled::Accepted(page, _, context)) => Step::Done(self.after_page(page, token, context)),
            Ok(Handled::Retry) => into_step(self.0.exchange.advance(now), self),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn on_hold(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.exchange.handle_hold(hold, now);
        into_step(next, self)
    }
}

impl<C: Call + Serialize> Serialize for Pages<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.save(Some(self.0.exchange.operation()), &self.0, serializer)
    }
}

impl<'de, C: Call + Serialize + DeserializeOwned> Deserialize<'de> for Pages<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.restore(|state: &PagesState<C>| Some(state.exchange.operation()), deserializer).map(Self)
    }
}

/// The whole state of a list, as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagesState<C> {
    exchange: RetryLoop<PageCall<C>>,
    /// The paths and queries of the earlier pages.
    visited: Vec<String>,
}

/// A call for one page: the original request for the first page, then the address from the page before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageCall<C> {
    call: C,
    /// Path and query, without the prefix of a gateway.
    target: Option<String>,
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call> Call for PageCall<C> {
    type Output = C::Output;

    forward_call!(call, own request);

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        let mut request = self.call.request(api)?;
        if let Some(at) = &self.target {
            *request.uri_mut() = api.join_host(at)?;
        }
        Ok(request)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<C::Output, DecodeError> {
        self.call.parse(response)
    }
}

const FORMAT: Format = Format { name: "billing-core list", version: 2 };

#[cfg(test)]
mod tests;
