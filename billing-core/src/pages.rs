//! Paging: list after list, by the server's own `nextUri`, or by number where it gives none.
//!
//! ```text
//!   Pages ─► exchange (with its retries) ─► Done(Turn { page, rest }) ─┬─ rest: Some(Pages) ─► the next page, or none
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

use crate::calls::{Call, as_inner_call};
use crate::checkpoint::Format;
use crate::error::{Evidence, repeats};
use crate::exchange::{Attempts, Taken, into_step};
use crate::machine::{Hold, Received, sealed};
use crate::progress::Progress;
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Policy, Secret, Step};

/// A list that may go on.
pub trait Page {
    /// What the list is of.
    type Entity;

    /// Where it goes on.
    fn onward(&self) -> Onward<'_>;

    /// What is on the page.
    fn into_entities(self) -> Vec<Self::Entity>;
}

/// Where a list goes on after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward<'a> {
    /// At this address, as the server wrote it in `nextUri`. An empty page can have one too.
    Address(&'a str),
    /// At the next number, if there is one: there are so many pages, counted from 1.
    Number {
        /// The number that the server gives this page, if it gives one.
        this: Option<u64>,
        /// How many pages there are.
        of: u64,
    },
    /// Nowhere: this is the last page.
    End,
}

impl<'a> Onward<'a> {
    /// By the server's `nextUri`. One that is empty is none.
    pub fn by_uri(next_uri: Option<&'a str>) -> Self {
        next_uri.filter(|next| !next.is_empty()).map_or(Self::End, Self::Address)
    }

    /// The same; without a `nextUri`, by `pageNumber` and `pageCount`.
    pub fn by_uri_or_number(
        next_uri: Option<&'a str>,
        page_number: Option<u64>,
        page_count: Option<u64>,
    ) -> Self {
        match (Self::by_uri(next_uri), page_count) {
            (Self::End, Some(of)) => Self::Number { this: page_number, of },
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
/// Each turn is one [`Exchange`](crate::Exchange), with its bound; there are at most [`Pages::MOST`] turns.
#[derive(Clone, Debug)]
pub struct Pages<C>(State<C>);

/// One page, and the machine for the rest of the list.
#[derive(Clone, Debug)]
pub struct Turn<C: Call> {
    /// The page.
    pub page: C::Output,
    /// The machine for the rest; `None` at the end of the list.
    pub rest: Option<Pages<C>>,
}

impl<C: Call<Output: Page> + Clone> Pages<C> {
    /// So many pages and no more: a server that never ends is not followed for ever.
    pub const MOST: usize = 100_000;

    /// The list that `call` begins, under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        let exchange = Attempts::new(Leaf { call, at: None }, api, policy);
        Self(State { exchange, seen: Vec::new() })
    }

    /// The pages read so far.
    pub fn turned(&self) -> usize {
        self.0.seen.len()
    }

    /// What comes after a page that was asked for with that token.
    fn turn(self, page: C::Output, token: Option<Secret>, evidence: Evidence) -> Result<Turn<C>, Error> {
        let State { exchange, mut seen } = self.0;
        let onward = page.onward();
        if onward == Onward::End {
            return Ok(Turn { page, rest: None });
        }
        let astray = |reason| exchange.error(ErrorKind::Astray(reason), evidence);
        let here = match exchange.call.request(&exchange.api) {
            Ok(request) => request.uri().clone(),
            Err(_) => return Err(astray("the address of the list is too long")),
        };
        let next = match onward {
            Onward::Address(next) => resolve(next, &here, &exchange.api).map(Some),
            Onward::Number { this, of } => numbered(&here, this, of),
            Onward::End => Ok(None),
        };
        let next = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(Turn { page, rest: None }),
            Err(reason) => return Err(astray(reason)),
        };
        // Addresses are logged, here and on the way, and saved.
        if token.is_some_and(|token| repeats(&next, &token)) {
            return Err(astray("the server leads to an address that holds the token"));
        }
        seen.push(target(&here));
        if seen.contains(&next) {
            return Err(astray("the server leads back to a page that was there before"));
        }
        if seen.len() >= Self::MOST {
            return Err(astray("the list has no end"));
        }
        let leaf = Leaf { call: exchange.call.call.clone(), at: Some(next) };
        let exchange = Attempts::new(leaf, exchange.api.clone(), exchange.policy.clone());
        Ok(Turn { page, rest: Some(Self(State { exchange, seen })) })
    }
}

impl<C: Call<Output: Page> + Clone> Machine for Pages<C> {
    type Output = Turn<C>;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.0.exchange.wake(now), self)
    }

    fn progress(&self) -> Progress {
        self.0.exchange.progress()
    }
}

impl<C: Call<Output: Page> + Clone> sealed::Machine for Pages<C> {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        let token = received.token.clone();
        match self.0.exchange.take(received, Duration::ZERO, now) {
            Ok(Taken::Value(page, _, evidence)) => Step::Done(self.turn(page, token, evidence)),
            Ok(Taken::Again) => into_step(self.0.exchange.proceed(now), self),
            Err(error) => Step::Done(Err(error)),
        }
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.exchange.held(hold, now);
        into_step(next, self)
    }
}

impl<C: Call + Serialize> Serialize for Pages<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.seal(Some(self.0.exchange.operation()), &self.0, serializer)
    }
}

impl<'de, C: Call + Serialize + DeserializeOwned> Deserialize<'de> for Pages<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.unseal(|state: &State<C>| Some(state.exchange.operation()), deserializer).map(Self)
    }
}

/// Everything that a list under way is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State<C> {
    exchange: Attempts<Leaf<C>>,
    /// The addresses of the pages so far.
    seen: Vec<String>,
}

/// One page: the call's own request at first, then the address that the page before gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf<C> {
    call: C,
    /// Path and query, without the prefix of a gateway.
    at: Option<String>,
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call> Call for Leaf<C> {
    type Output = C::Output;

    as_inner_call!(call, own request);

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        let mut request = self.call.request(api)?;
        if let Some(at) = &self.at {
            *request.uri_mut() = api.at(at)?;
        }
        Ok(request)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<C::Output, DecodeError> {
        self.call.parse(response)
    }
}

/// Path and query of the page that `next` means on the page `here`: absolute, or relative to the host, the API's base
/// address or the page.
fn resolve(next: &str, here: &Uri, api: &BaseUrl) -> Result<String, &'static str> {
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
        return Ok(target(&uri));
    }
    if !next.starts_with('/') {
        return Err("the server leads to what is no address");
    }
    // Behind a gateway the server, which knows nothing of it, gives its own paths.
    let behind = uri.path().strip_prefix(api.prefix()).is_some_and(|rest| rest.starts_with("/api/"));
    Ok(if behind { target(&uri) } else { format!("{}{}", api.prefix(), target(&uri)) })
}

/// Path and query of the page after the page `here`, which the server calls number `this` of `of`, if there is one.
fn numbered(here: &Uri, this: Option<u64>, of: u64) -> Result<Option<String>, &'static str> {
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
    let others = pairs().filter(|pair| !pair.starts_with("pageNumber="));
    let number = format!("pageNumber={}", here_is + 1);
    let query: Vec<&str> = others.chain([&*number]).collect();
    Ok(Some(format!("{}?{}", here.path(), query.join("&"))))
}

fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), |target| target.as_str().to_owned())
}

const FORMAT: Format = Format { name: "billing-core list", version: 1 };

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::testing::{reply, run};
    use crate::{Authorized, Credentials, Environment, Operation, Session};

    /// A list of numbers, that goes on in any way a list can.
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Numbers;

    #[derive(Clone, Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NumberPage {
        entities: Vec<u32>,
        next_uri: Option<String>,
        page_number: Option<u64>,
        page_count: Option<u64>,
    }

    impl Page for NumberPage {
        type Entity = u32;

        fn onward(&self) -> Onward<'_> {
            Onward::by_uri_or_number(self.next_uri.as_deref(), self.page_number, self.page_count)
        }

        fn into_entities(self) -> Vec<u32> {
            self.entities
        }
    }

    impl Call for Numbers {
        type Output = NumberPage;

        fn operation(&self) -> Operation {
            Operation::new("get_numbers", "numbers", &[])
        }

        fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
            Request::get(api.join("/api/v2/numbers")?).header("accept", "application/json").body(Bytes::new())
        }

        fn parse(&self, response: &Response<Bytes>) -> Result<NumberPage, DecodeError> {
            crate::model::decode(response.body())
        }
    }

    /// Reads all pages, whose `nextUri`s are `next`, and says where they were asked for.
    fn read(base: &str, next: &[&str]) -> (Vec<String>, Result<Vec<u32>, Error>) {
        let mut asked = Vec::new();
        let mut numbers = Vec::new();
        let mut rest = Some(Pages::new(Numbers, base.parse().unwrap(), Policy::default()));
        while let Some(pages) = rest {
            // Saved and restored before every page.
            let saved = serde_json::to_string(&pages).unwrap();
            let pages: Pages<Numbers> = serde_json::from_str(&saved).unwrap();
            let turned = pages.turned();
            let done = run(pages, |request, _| {
                asked.push(request.http().uri().to_string());
                let next = next.get(turned).map_or("null".to_owned(), |next| format!("{next:?}"));
                let entities = if turned == 1 { "[]".to_owned() } else { format!("[{turned}]") };
                reply(200, "", &format!(r#"{{"entities":{entities},"nextUri":{next}}}"#))
            });
            match done.result {
                Ok(turn) => {
                    numbers.extend(turn.page.entities);
                    rest = turn.rest;
                }
                Err(error) => return (asked, Err(error)),
            }
        }
        (asked, Ok(numbers))
    }

    #[test]
    fn rule_10_an_empty_page_with_a_next_uri_is_not_the_end() {
        let (asked, numbers) =
            read("https://api.x", &["/api/v2/numbers?after=a", "/api/v2/numbers?after=b", "?after=c", ""]);
        assert_eq!(numbers.unwrap(), [0, 2, 3]);
        let base = "https://api.x/api/v2/numbers";
        assert_eq!(
            asked,
            [base.into(), format!("{base}?after=a"), format!("{base}?after=b"), format!("{base}?after=c")]
        );
    }

    #[test]
    fn rule_10_a_seen_cursor_is_an_error() {
        for next in [
            &["/api/v2/numbers"][..],
            &["?after=a", "https://api.x/api/v2/numbers?after=a"],
            &["?after=a", "?after=b", "/api/v2/numbers?after=a"],
        ] {
            let (asked, numbers) = read("https://api.x", next);
            assert!(matches!(numbers.unwrap_err().kind(), ErrorKind::Astray(_)));
            assert_eq!(asked.len(), next.len());
        }
    }

    #[test]
    fn rule_9_a_next_uri_to_another_origin_is_an_error_before_anything_is_sent() {
        for next in [
            "https://evil.test/api/v2/numbers?after=a",
            "http://api.x/api/v2/numbers?after=a",
            "https://api.x:444/api/v2/numbers",
            "https://api.x@evil.test/api",
            "//evil.test/api/v2/numbers",
            "numbers?after=a",
            "javascript:alert(1)",
            "/a b",
        ] {
            let (asked, numbers) = read("https://api.x", &[next]);
            assert!(matches!(numbers.unwrap_err().kind(), ErrorKind::Astray(_)), "{next}");
            assert_eq!(asked.len(), 1, "{next}");
        }
    }

    #[test]
    fn rule_9_a_next_uri_that_holds_the_token_is_not_followed() {
        for (next, fine) in [
            ("/api/v2/numbers?after=a", true),
            ("/api/v2/numbers?access_token=t0ken==", false),
            ("/api/v2/numbers?access_token=t0ken%3d%3D", false),
            ("/api/v2/t0ken==/numbers", false),
        ] {
            let session = Session::new(Environment::default(), Credentials::access_token("t0ken==").unwrap());
            let pages = Pages::new(Numbers, Environment::default().api().clone(), Policy::default());
            let done = run(Authorized::new(pages, Rc::new(RefCell::new(session))), |_, _| {
                reply(200, "", &format!(r#"{{"entities":[1],"nextUri":"{next}"}}"#))
            });
            match done.result {
                Ok(turn) => assert!(fine && turn.rest.is_some(), "{next}"),
                Err(error) => {
                    assert!(!fine && matches!(error.kind(), ErrorKind::Astray(_)), "{error}");
                    assert!(!format!("{error} {error:?}").contains("t0ken"), "{error:?}");
                }
            }
        }
    }

    /// Reads all pages of a list without `nextUri`, which answers to each page number as `answer` says.
    fn read_by_number(base: &str, answer: impl Fn(u64) -> String) -> (Vec<String>, Result<Vec<u32>, Error>) {
        let (mut asked, mut numbers) = (Vec::new(), Vec::new());
        let mut rest = Some(Pages::new(Numbers, base.parse().unwrap(), Policy::default()));
        while let Some(pages) = rest {
            let done = run(pages, |request, _| {
                let uri = request.http().uri();
                asked.push(uri.to_string());
                let number = uri.query().and_then(|query| query.strip_prefix("pageNumber="));
                reply(200, "", &answer(number.map_or(1, |number| number.parse().unwrap())))
            });
            match done.result {
                Ok(turn) => {
                    numbers.extend(turn.page.into_entities());
                    rest = turn.rest;
                }
                Err(error) => return (asked, Err(error)),
            }
        }
        (asked, Ok(numbers))
    }

    #[test]
    fn without_a_next_uri_a_list_goes_on_by_number() {
        let base = "https://x.y/gw/api/v2/numbers";
        let all = [base.to_owned(), format!("{base}?pageNumber=2"), format!("{base}?pageNumber=3")];
        for named in [true, false] {
            let (asked, numbers) = read_by_number("https://x.y/gw", |n| {
                let name = if named { format!(r#""pageNumber":{n},"#) } else { String::new() };
                let entities = if n == 2 { String::new() } else { n.to_string() };
                format!(r#"{{"entities":[{entities}],{name}"pageCount":3}}"#)
            });
            assert_eq!((asked, numbers.unwrap()), (all.to_vec(), vec![1, 3]));
        }
        for end in [r#""pageNumber":1,"pageCount":1"#, r#""pageCount":0"#, r#""pageNumber":1"#] {
            let (asked, numbers) =
                read_by_number("https://x.y", |_| format!(r#"{{"entities":[7],"nextUri":"",{end}}}"#));
            assert_eq!((asked.len(), numbers.unwrap()), (1, vec![7]), "{end}");
        }
    }

    #[test]
    fn rule_10_a_number_that_was_not_asked_for_is_an_error() {
        let (asked, numbers) =
            read_by_number("https://x.y", |_| r#"{"entities":[7],"pageNumber":1,"pageCount":3}"#.to_owned());
        let error = numbers.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Astray(reason) if reason.contains("another page")),
            "{error}"
        );
        assert_eq!(asked.len(), 2);
    }

    #[test]
    fn a_page_whose_address_has_no_number_has_that_of_its_body() {
        let here: Uri = "/api/v2/numbers?cursor=abc".parse().unwrap();
        assert_eq!(numbered(&here, Some(2), 2), Ok(None));
        let third = "/api/v2/numbers?cursor=abc&pageNumber=3".to_owned();
        assert_eq!(numbered(&here, Some(2), 4), Ok(Some(third)));
        // A list that leads by cursor to its last page, and counts all of them.
        let (mut asked, mut rest) =
            (0, Some(Pages::new(Numbers, "https://api.x".parse().unwrap(), Policy::default())));
        while let Some(pages) = rest {
            let turn = run(pages, |_, _| {
                asked += 1;
                let next = if asked == 1 { r#","nextUri":"/api/v2/numbers?cursor=abc""# } else { "" };
                reply(
                    200,
                    "",
                    &format!(r#"{{"entities":[{asked}],"pageNumber":{asked},"pageCount":2{next}}}"#),
                )
            });
            rest = turn.result.unwrap().rest;
        }
        assert_eq!(asked, 2);
    }

    #[test]
    fn the_number_in_an_address_is_replaced() {
        let uri: Uri = format!("/api/v2/numbers?a=b&pageNumber={}&c", u64::MAX - 1).parse().unwrap();
        let last = format!("/api/v2/numbers?a=b&c&pageNumber={}", u64::MAX);
        assert_eq!(numbered(&uri, None, u64::MAX), Ok(Some(last.clone())));
        assert_eq!(numbered(&last.parse().unwrap(), None, u64::MAX), Ok(None));
        assert!(numbered(&"/?pageNumber=x".parse().unwrap(), None, 2).is_err());
    }

    #[test]
    fn a_page_is_asked_for_again_as_every_exchange_is() {
        let pages = Pages::new(Numbers, "https://api.x".parse().unwrap(), Policy::default());
        let mut n = 0;
        let done = run(pages.clone(), |_, _| {
            n += 1;
            match n {
                1 => reply(503, "", ""),
                2 => reply(429, "retry-after: 3", ""),
                _ => reply(200, "", r#"{"entities":[7]}"#),
            }
        });
        assert_eq!((done.sent.len(), done.result.unwrap().page.entities), (3, vec![7]));
        let done = run(pages, |_, _| reply(404, "", ""));
        assert_eq!(done.error().kind(), &ErrorKind::NotFound);
    }

    #[test]
    fn pages_wait_for_the_quota_and_the_login_like_every_machine() {
        use std::{cell::RefCell, rc::Rc};
        let environment =
            crate::Environment::new("https://api.x".parse().unwrap(), "https://login.x".parse().unwrap());
        let credentials = crate::Credentials::client("id", "secret").unwrap();
        let session = Rc::new(RefCell::new(crate::Session::new(environment, credentials)));
        let pages = Pages::new(Numbers, "https://api.x".parse().unwrap(), Policy::default());
        let mut n = 0;
        let done = run(crate::Authorized::new(pages, session), |request, _| {
            n += 1;
            match (n, request.operation().title()) {
                (1, "login") => reply(503, "", ""),
                (_, "login") => reply(200, "", r#"{"access_token":"t"}"#),
                _ => reply(200, "", r#"{"entities":[7]}"#),
            }
        });
        assert_eq!((done.sent.len(), done.result.unwrap().page.entities), (3, vec![7]));
    }

    #[test]
    fn a_gateway_keeps_its_prefix() {
        for next in
            ["/api/v2/numbers?after=a", "/gw/api/v2/numbers?after=a", "https://x.y/gw/api/v2/numbers?after=a"]
        {
            let (asked, numbers) = read("https://x.y/gw", &[next]);
            assert!(numbers.is_ok());
            assert_eq!(asked[1], "https://x.y/gw/api/v2/numbers?after=a", "{next}");
        }
        for base in ["https://x.y/a", "https://x.y/api", "https://x.y/api/v2"] {
            let (asked, _) = read(base, &["/api/v2/numbers?after=a"]);
            assert_eq!(asked[1], format!("{base}/api/v2/numbers?after=a"));
        }
    }
}
