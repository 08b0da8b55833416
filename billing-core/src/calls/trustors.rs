//! `GET /api/v2/orgauthorization/trustors`: the organisations that trust yours.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::{Call, decode_page};
use crate::model::TrustorList;
use crate::values::PageSize;
use crate::{BaseUrl, DecodeError, Operation};

/// A request of a trustee for the organisations that trust it; use it with [`Pages`](crate::Pages).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustorsCall {
    page_size: PageSize,
}

impl TrustorsCall {
    /// Requests all trustors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of entries per page.
    #[must_use = "the call is not changed in place"]
    pub fn page_size(self, page_size: PageSize) -> Self {
        Self { page_size }
    }
}

impl Call for TrustorsCall {
    type Output = TrustorList;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/orgauthorization/trustors")
            .parameter("pageSize", Some(self.page_size))
            .parameter("pageNumber", Some(1))
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<TrustorList, DecodeError> {
        decode_page(response, |page: &TrustorList| page.entities.is_some())
    }
}

const OPERATION: Operation =
    Operation::new("get_orgauthorization_trustors", "list of trustors", &["authorization:orgTrustor:view"]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::machine::{NextPage, Page};

    #[test]
    fn the_request() {
        let api = "https://api.mypurecloud.com".parse().unwrap();
        let call = TrustorsCall::new().page_size(PageSize::new(200).unwrap());
        assert_eq!(
            request_to_text(&call.request(&api).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/orgauthorization/trustors?pageSize=200&pageNumber=1\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
        let default = TrustorsCall::new().request(&api).unwrap();
        assert_eq!(default.uri().query(), Some("pageSize=100&pageNumber=1"));
    }

    #[test]
    fn the_answer() {
        let body = r#"{"entities":[{"id":"9d750d63-95ae-4df7-8955-2bca7152ca19","enabled":true,
            "dateCreated":"2020-04-01T09:30:00.000Z","organization":{"id":"9d750d63-95ae-4df7-8955-2bca7152ca19",
            "name":"Test Org Name"},"createdBy":{"name":"Ada"}}],
            "pageSize":1,"pageNumber":1,"total":2,"pageCount":2}"#;
        let page = TrustorsCall::new().parse(&Response::new(body.into())).unwrap();
        assert_eq!(page.next_page(), NextPage::Number { current: Some(1), count: 2 });
        assert_eq!(page.total, Some(2));
        let [trustor] = page.entities() else { panic!("one trustor") };
        assert_eq!(trustor.organization_id(), Some("9d750d63-95ae-4df7-8955-2bca7152ca19"));
        assert_eq!(
            (trustor.enabled, trustor.unknown.get("createdBy")),
            (Some(true), Some(r#"{"name":"Ada"}"#))
        );
    }

    #[test]
    fn a_page_without_its_list_is_no_empty_page() {
        let parse = |body: &'static str| TrustorsCall::new().parse(&Response::new(body.into()));
        assert!(parse(r#"{"entities":[]}"#).is_ok());
        for body in ["{}", r#"{"entities":null}"#, r#"{"items":[]}"#] {
            assert!(parse(body).unwrap_err().to_string().starts_with("at entities: "), "{body}");
        }
    }
}
