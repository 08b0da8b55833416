//! `GET /api/v2/billing/contracts/{contractId}`: one contract.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::{Call, SUBSCRIPTION_VIEW};
use crate::model::{Contract, decode_model};
use crate::{BaseUrl, ContractId, DecodeError, Operation};

/// A request for one contract. **Preview:** the vendor may change the operation and the shape of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractCall {
    contract: ContractId,
}

impl ContractCall {
    /// Requests the contract with the given id.
    pub fn new(contract: ContractId) -> Self {
        Self { contract }
    }
}

impl Call for ContractCall {
    type Output = Contract;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts").segment(self.contract.as_str()).request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<Contract, DecodeError> {
        decode_model(response.body())
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contract", "contract", SUBSCRIPTION_VIEW).in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;

    #[test]
    fn the_request() {
        let call = ContractCall::new("c/1".parse().unwrap());
        assert_eq!(
            request_to_text(&call.request(&"https://api.mypurecloud.com".parse().unwrap()).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/billing/contracts/c%2F1\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn the_answer() {
        let body = r#"{"id":"c-1","commercialModel":"Partner","endCustomer":{"id":"1","name":"Ünïcode"},
            "dateRampStart":"2026-01-01","dateRampEnd":null}"#;
        let contract = ContractCall::new("c-1".parse().unwrap()).parse(&Response::new(body.into())).unwrap();
        assert_eq!(contract.end_customer.unwrap().name.as_deref(), Some("Ünïcode"));
        assert_eq!(contract.date_ramp_end, None);
        assert!(contract.unknown.is_empty());
    }
}
