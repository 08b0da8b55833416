//! `GET /api/v2/billing/contracts/{contractId}/billingperiods/{billingPeriodId}`: a billing period of a contract.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::{Call, SUBSCRIPTION_VIEW};
use crate::model::{ContractPeriodDetail, decode_model};
use crate::{BaseUrl, ContractId, ContractPeriodId, DecodeError, Operation};

/// A request for a billing period of a contract, with its charges and wallets. **Preview:** the vendor may change the operation and
/// the shape of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractPeriodCall {
    contract: ContractId,
    period: ContractPeriodId,
}

impl ContractPeriodCall {
    /// Requests a billing period of a contract.
    pub fn new(contract: ContractId, period: ContractPeriodId) -> Self {
        Self { contract, period }
    }
}

impl Call for ContractPeriodCall {
    type Output = ContractPeriodDetail;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts")
            .segment(self.contract.as_str())
            .path("/billingperiods")
            .segment(self.period.as_str())
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<ContractPeriodDetail, DecodeError> {
        decode_model(response.body())
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contract_billingperiod", "billing period of a contract", SUBSCRIPTION_VIEW)
        .in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;

    #[test]
    fn the_request() {
        let call = ContractPeriodCall::new("c-1".parse().unwrap(), "p/../2".parse().unwrap());
        assert_eq!(
            request_to_text(&call.request(&"https://gw.example.com/genesys".parse().unwrap()).unwrap()),
            "GET https://gw.example.com/genesys/api/v2/billing/contracts/c-1/billingperiods/p%2F..%2F2\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn the_answer_and_its_numbers_are_exact() {
        let body = r#"{"id":"p-1","dateStart":"2026-10-01","dateEnd":"2026-10-31","status":"Closed",
            "charges":[{"name":"AI Tokens","prepaidQuantity":1000,"actualQuantity":1234567890123456789012345678,
                "overageQuantity":-0.0,"overageRate":1e-4,"overageCharge":92345.678901234567890123456789,
                "tokenConversionRate":1.0000000000000000000000000001}],
            "wallets":[{"startingBalance":0.30,"endingBalance":1E+3,"balanceOverage":1e400,"unitOfMeasure":"Token"}]}"#;
        let call = ContractPeriodCall::new("c-1".parse().unwrap(), "p-1".parse().unwrap());
        let period = call.parse(&Response::new(body.into())).unwrap();
        let decimal = |amount: &Option<crate::Amount>| {
            amount.as_ref().and_then(|amount| amount.decimal()).map(|decimal| decimal.to_string())
        };
        let [charge] = period.charges() else { panic!("one charge") };
        assert_eq!(decimal(&charge.actual_quantity).as_deref(), Some("1234567890123456789012345678"));
        assert_eq!(decimal(&charge.overage_rate).as_deref(), Some("0.0001"));
        assert_eq!(decimal(&charge.overage_charge).as_deref(), None, "more digits than a decimal holds");
        assert_eq!(charge.overage_charge.as_ref().unwrap().text(), "92345.678901234567890123456789");
        assert_eq!(decimal(&charge.token_conversion_rate).as_deref(), Some("1.0000000000000000000000000001"));
        let [wallet] = period.wallets() else { panic!("one wallet") };
        assert_eq!(decimal(&wallet.starting_balance).as_deref(), Some("0.30"));
        assert_eq!(decimal(&wallet.ending_balance).as_deref(), Some("1000"));
        let beyond = wallet.balance_overage.as_ref().unwrap();
        assert_eq!((beyond.text(), beyond.decimal()), ("1e400", None));
        // Serializing reproduces every digit of the answer.
        let again = serde_json::to_string(&period).unwrap();
        for digits in ["92345.678901234567890123456789", "-0.0", "1e-4", "1e400", "1E+3", "0.30"] {
            assert!(again.contains(&format!(":{digits}")), "{digits} in {again}");
        }
    }
}
