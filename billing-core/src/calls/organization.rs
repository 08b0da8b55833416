//! `GET /api/v2/organizations/me`: your own organisation.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::Call;
use super::get::Get;
use crate::model::{Organization, decode_model};
use crate::{BaseUrl, DecodeError, Operation};

/// A request for the organisation that the credentials belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationCall {}

impl OrganizationCall {
    /// Requests your own organisation.
    pub fn new() -> Self {
        Self {}
    }
}

impl Call for OrganizationCall {
    type Output = Organization;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/organizations/me").request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<Organization, DecodeError> {
        decode_model(response.body())
    }
}

const OPERATION: Operation = Operation::new("get_organizations_me", "own organisation", &[]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::model::OrganizationState;

    #[test]
    fn the_request() {
        let request =
            OrganizationCall::new().request(&"https://api.mypurecloud.com".parse().unwrap()).unwrap();
        assert_eq!(
            request_to_text(&request),
            "GET https://api.mypurecloud.com/api/v2/organizations/me\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn the_answer() {
        let body = r#"{"id":"9d750d63-95ae-4df7-8955-2bca7152ca19","name":"Test Org Name","defaultLanguage":"en-us",
            "defaultCountryCode":"US","thirdPartyOrgName":"test-org","domain":"test.example","version":6,"state":"active",
            "features":{"directory":true},"selfUri":"/api/v2/organizations/me"}"#;
        let own = OrganizationCall::new().parse(&Response::new(body.into())).unwrap();
        assert_eq!(own.default_country_code.as_deref(), Some("US"));
        assert_eq!(own.state, Some(OrganizationState::Active));
        assert_eq!(
            own.unknown.iter().collect::<Vec<_>>(),
            [("features", r#"{"directory":true}"#), ("version", "6")]
        );
    }
}
