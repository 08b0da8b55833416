use std::cell::RefCell;
use std::rc::Rc;

use http::Uri;

use super::*;
use crate::testing::{reply, run_in_virtual_time};
use crate::{Authorized, Credentials, Environment, Operation, Session};

/// A list of numbers with every kind of next page link.
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

    fn next_page(&self) -> NextPage<'_> {
        NextPage::from_uri_or_number(self.next_uri.as_deref(), self.page_number, self.page_count)
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
        crate::model::decode_json(response.body())
    }
}

/// Reads all pages, whose `nextUri`s are `next`, and returns the requested URIs.
fn read(base: &str, next: &[&str]) -> (Vec<String>, Result<Vec<u32>, Error>) {
    let mut asked = Vec::new();
    let mut numbers = Vec::new();
    let mut rest = Some(Pages::new(Numbers, base.parse().unwrap(), Policy::default()));
    while let Some(pages) = rest {
        // Save and restore before every page.
        let saved = serde_json::to_string(&pages).unwrap();
        let pages: Pages<Numbers> = serde_json::from_str(&saved).unwrap();
        let turned = pages.pages_read();
        let done = run_in_virtual_time(pages, |request, _| {
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
fn d10_an_empty_page_with_a_next_uri_is_not_the_end() {
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
fn d10_a_seen_cursor_is_an_error() {
    for next in [
        &["/api/v2/numbers"][..],
        &["?after=a", "https://api.x/api/v2/numbers?after=a"],
        &["?after=a", "?after=b", "/api/v2/numbers?after=a"],
    ] {
        let (asked, numbers) = read("https://api.x", next);
        assert!(matches!(numbers.unwrap_err().kind(), ErrorKind::BadLink(_)));
        assert_eq!(asked.len(), next.len());
    }
}

#[test]
fn d09_a_next_uri_to_another_origin_is_an_error_before_anything_is_sent() {
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
        assert!(matches!(numbers.unwrap_err().kind(), ErrorKind::BadLink(_)), "{next}");
        assert_eq!(asked.len(), 1, "{next}");
    }
}

#[test]
fn d09_a_next_uri_that_holds_the_token_is_not_followed() {
    for (next, fine) in [
        ("/api/v2/numbers?after=a", true),
        ("/api/v2/numbers?access_token=t0ken==", false),
        ("/api/v2/numbers?access_token=t0ken%3d%3D", false),
        ("/api/v2/t0ken==/numbers", false),
    ] {
        let session = Session::new(Environment::default(), Credentials::access_token("t0ken==").unwrap());
        let pages = Pages::new(Numbers, Environment::default().api().clone(), Policy::default());
        let done = run_in_virtual_time(Authorized::new(pages, Rc::new(RefCell::new(session))), |_, _| {
            reply(200, "", &format!(r#"{{"entities":[1],"nextUri":"{next}"}}"#))
        });
        match done.result {
            Ok(turn) => assert!(fine && turn.rest.is_some(), "{next}"),
            Err(error) => {
                assert!(!fine && matches!(error.kind(), ErrorKind::BadLink(_)), "{error}");
                assert!(!format!("{error} {error:?}").contains("t0ken"), "{error:?}");
            }
        }
    }
}

/// Reads all pages of a list without `nextUri`; `answer` returns the body for each page number.
fn read_by_number(base: &str, answer: impl Fn(u64) -> String) -> (Vec<String>, Result<Vec<u32>, Error>) {
    let (mut asked, mut numbers) = (Vec::new(), Vec::new());
    let mut rest = Some(Pages::new(Numbers, base.parse().unwrap(), Policy::default()));
    while let Some(pages) = rest {
        let done = run_in_virtual_time(pages, |request, _| {
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
fn d10_a_number_that_was_not_asked_for_is_an_error() {
    let (asked, numbers) =
        read_by_number("https://x.y", |_| r#"{"entities":[7],"pageNumber":1,"pageCount":3}"#.to_owned());
    let error = numbers.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BadLink(reason) if reason.contains("another page")), "{error}");
    assert_eq!(asked.len(), 2);
}

#[test]
fn a_page_whose_address_has_no_number_has_that_of_its_body() {
    let here: Uri = "/api/v2/numbers?cursor=abc".parse().unwrap();
    assert_eq!(next_numbered_target(&here, Some(2), 2), Ok(None));
    let third = "/api/v2/numbers?cursor=abc&pageNumber=3".to_owned();
    assert_eq!(next_numbered_target(&here, Some(2), 4), Ok(Some(third)));
    // A list that reaches its last page by cursor, and counts all of them.
    let (mut asked, mut rest) =
        (0, Some(Pages::new(Numbers, "https://api.x".parse().unwrap(), Policy::default())));
    while let Some(pages) = rest {
        let turn = run_in_virtual_time(pages, |_, _| {
            asked += 1;
            let next = if asked == 1 { r#","nextUri":"/api/v2/numbers?cursor=abc""# } else { "" };
            reply(200, "", &format!(r#"{{"entities":[{asked}],"pageNumber":{asked},"pageCount":2{next}}}"#))
        });
        rest = turn.result.unwrap().rest;
    }
    assert_eq!(asked, 2);
}

#[test]
fn the_number_in_an_address_is_replaced() {
    let uri: Uri = format!("/api/v2/numbers?a=b&pageNumber={}&c", u64::MAX - 1).parse().unwrap();
    let last = format!("/api/v2/numbers?a=b&c&pageNumber={}", u64::MAX);
    assert_eq!(next_numbered_target(&uri, None, u64::MAX), Ok(Some(last.clone())));
    assert_eq!(next_numbered_target(&last.parse().unwrap(), None, u64::MAX), Ok(None));
    assert!(next_numbered_target(&"/?pageNumber=x".parse().unwrap(), None, 2).is_err());
}

#[test]
fn a_page_is_asked_for_again_as_every_exchange_is() {
    let pages = Pages::new(Numbers, "https://api.x".parse().unwrap(), Policy::default());
    let mut n = 0;
    let done = run_in_virtual_time(pages.clone(), |_, _| {
        n += 1;
        match n {
            1 => reply(503, "", ""),
            2 => reply(429, "retry-after: 3", ""),
            _ => reply(200, "", r#"{"entities":[7]}"#),
        }
    });
    assert_eq!((done.sent_requests.len(), done.result.unwrap().page.entities), (3, vec![7]));
    let done = run_in_virtual_time(pages, |_, _| reply(404, "", ""));
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
    let done = run_in_virtual_time(crate::Authorized::new(pages, session), |request, _| {
        n += 1;
        match (n, request.operation().title()) {
            (1, "login") => reply(503, "", ""),
            (_, "login") => reply(200, "", r#"{"access_token":"t"}"#),
            _ => reply(200, "", r#"{"entities":[7]}"#),
        }
    });
    assert_eq!((done.sent_requests.len(), done.result.unwrap().page.entities), (3, vec![7]));
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
