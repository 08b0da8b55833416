//! Paging: list after list, by the server's own `nextUri`, or by number where it gives none.
//!
//! ```text
//!   Pages ─► exchange (with its retries) ─► Done(PageStep { page, rest }) ─┬─ rest: Some(Pages) ─► the next page, or none
//!                                                                      └─ rest: None: the end
//! ```
//!
//! Each turn is a machine of its own that yields one page and the machine for the rest. Whoever has enough drops the rest;
//! whoever wants to go on later saves it with serde.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Call, forward_call, with_parameter};
use crate::error::ErrorContext;
use crate::error::redaction::contains_secret;
use crate::machine::checkpoint::Format;
use crate::machine::exchange::{Handled, RetryLoop, into_step};
use crate::machine::progress::Progress;
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Policy, Secret, Step};

/// A list that may go on.
pub trait Page {
    /// What the list is of.
    type Entity;

    /// Where it goes on.
    fn next_page(&self) -> NextPage<'_>;

    /// What is on the page.
    fn into_entities(self) -> Vec<Self::Entity>;
}

/// Where a list goes on after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPage<'a> {
    /// At this address, as the server wrote it in `nextUri`. An empty page can have one too.
    Uri(&'a str),
    /// At the next number, if there is one: there are so many pages, counted from 1.
    Number {
        /// The number that the server gives this page, if it gives one.
        current: Option<u64>,
        /// How many pages there are.
        count: u64,
    },
    /// Nowhere: this is the last page.
    Last,
}

impl<'a> NextPage<'a> {
    /// By the server's `nextUri`. One that is empty is none.
    pub fn from_uri(next_uri: Option<&'a str>) -> Self {
        next_uri.filter(|next| !next.is_empty()).map_or(Self::Last, Self::Uri)
    }

    /// The same; without a `nextUri`, by `pageNumber` and `pageCount`.
    pub fn from_uri_or_number(
        next_uri: Option<&'a str>,
        page_number: Option<u64>,
        page_count: Option<u64>,
    ) -> Self {
        match (Self::from_uri(next_uri), page_count) {
            (Self::Last, Some(of)) => Self::Number { current: page_number, count: of },
            (onward, _) => onward,
        }
    }
}

/// Reads a list page by page; see the [module's text](self).
///
/// A page that leads to one that was there before is an error, and so is one that leads to another origin: before anything
/// is sent there. An empty page with a `nextUri` is not the end. Where a list counts its pages and gives no `nextUri`, the
/// next number is asked for, by the query parameter `pageNumber`; a server that then answers with another number is an error.
///
/// # Bound
/// Each turn is one [`Exchange`](crate::Exchange), with its bound; there are at most [`Pages::MAX_PAGES`] turns.
#[derive(Clone, Debug)]
pub struct Pages<C>(PagesState<C>);

/// One page, and the machine for the rest of the list.
#[derive(Clone, Debug)]
pub struct PageStep<C: Call> {
    /// The page.
    pub page: C::Output,
    /// The machine for the rest; `None` at the end of the list.
    pub rest: Option<Pages<C>>,
}

impl<C: Call<Output: Page> + Clone> Pages<C> {
    /// So many pages and no more: a server that never ends is not followed for ever.
    pub const MAX_PAGES: usize = 100_000;

    /// The list that `call` begins, under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let exchange = RetryLoop::new(PageCall { call, target: None }, api, policy);
        Self(PagesState { exchange, visited: Vec::new() })
    }

    /// The pages read so far.
    pub fn pages_read(&self) -> usize {
        self.0.visited.len()
    }

    /// What comes after a page that was asked for with that token.
    fn after_page(
        self,
        page: C::Output,
        token: Option<Secret>,
        evidence: ErrorContext,
    ) -> Result<PageStep<C>, Error> {
        let PagesState { exchange, mut visited } = self.0;
        let next_page = page.next_page();
        if next_page == NextPage::Last {
            return Ok(PageStep { page, rest: None });
        }
        let bad_link = |reason| exchange.error(ErrorKind::BadLink(reason), evidence);
        let here = match exchange.call.request(&exchange.api) {
            Ok(request) => request.uri().clone(),
            Err(_) => return Err(bad_link("the address of the list is too long")),
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
        // Addresses are logged, here and on the way, and saved.
        if token.is_some_and(|token| contains_secret(&next, &token)) {
            return Err(bad_link("the server leads to an address that holds the token"));
        }
        visited.push(path_and_query(&here));
        if visited.contains(&next) {
            return Err(bad_link("the server leads back to a page that was there before"));
        }
        if visited.len() >= Self::MAX_PAGES {
            return Err(bad_link("the list has no end"));
        }
        let call = PageCall { call: exchange.call.call.clone(), target: Some(next) };
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
            Ok(Handled::Accepted(page, _, evidence)) => Step::Done(self.after_page(page, token, evidence)),
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

/// Everything that a list under way is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagesState<C> {
    exchange: RetryLoop<PageCall<C>>,
    /// The addresses of the pages so far.
    visited: Vec<String>,
}

/// One page: the call's own request at first, then the address that the page before gave.
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

/// Path and query of the page that `next` means on the page `here`: absolute, or relative to the host, the API's base
/// address or the page.
fn resolve_next_uri(next: &str, here: &Uri, api: &BaseUrl) -> Result<String, &'static str> {
    let next = match next.strip_prefix('?') {
        Some(query) => format!("{}?{query}", here.path()),
        None => next.to_owned(),
    };
    // `//host/path` would be another host, and `a/b` is no form that any server of this API was seen to use.
    if next.starts_with("//") {
        return Err("the server leads to another host");
    }
    let uri: Uri = next.parse().map_err(|_| "the server leads to what is no address")?;
    if uri.scheme().is_some() || uri.authority().is_some() {
        if !api.is_origin_of(&uri) {
            return Err("the server leads to another host");
        }
        return Ok(path_and_query(&uri));
    }
    if !next.starts_with('/') {
        return Err("the server leads to what is no address");
    }
    // Behind a gateway the server, which knows nothing of it, gives its own paths.
    let behind = uri.path().strip_prefix(api.prefix()).is_some_and(|rest| rest.starts_with("/api/"));
    Ok(if behind { path_and_query(&uri) } else { format!("{}{}", api.prefix(), path_and_query(&uri)) })
}

/// Path and query of the page after the page `here`, which the server calls number `this` of `of`, if there is one.
fn next_numbered_target(here: &Uri, this: Option<u64>, of: u64) -> Result<Option<String>, &'static str> {
    let pairs = || here.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let asked = pairs().find_map(|pair| pair.strip_prefix("pageNumber=")).map(str::parse::<u64>).transpose();
    let asked = asked.map_err(|_| "the number of the page cannot be read from its address")?;
    if asked.is_some() && this.is_some_and(|this| Some(this) != asked) {
        return Err("the server answers with another page than the one that was asked for");
    }
    // An address without a number is that of the first page, or of one that the server has led to by other means.
    let here_is = asked.or(this).unwrap_or(1);
    if here_is >= of {
        return Ok(None);
    }
    Ok(Some(with_parameter(here, "pageNumber", here_is + 1)))
}

fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), |target| target.as_str().to_owned())
}

const FORMAT: Format = Format { name: "billing-core list", version: 1 };

#[cfg(test)]
mod tests;
