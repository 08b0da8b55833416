//! `GET /api/v2/billing/trusteebillingoverview/{trustorOrgId}`: what a trustor committed to, used and owes.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::Call;
use super::get::Get;
use crate::model::{TrusteeOverview, decode_model};
use crate::{BaseUrl, DecodeError, Operation, OrgId, PeriodIndex};

/// A request of a trustee for the billing overview of a trustor organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrusteeOverviewCall {
    trustor: OrgId,
    period: Option<PeriodIndex>,
}

impl TrusteeOverviewCall {
    /// Requests the overview of the latest billing period. It sends no index, so the server uses its default.
    pub fn new(trustor: OrgId) -> Self {
        Self { trustor, period: None }
    }

    /// Selects the billing period with this index; `None` selects the latest one.
    #[must_use = "the call is not changed in place"]
    pub fn period_index(self, index: impl Into<Option<PeriodIndex>>) -> Self {
        Self { period: index.into(), ..self }
    }
}

impl Call for TrusteeOverviewCall {
    type Output = TrusteeOverview;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/trusteebillingoverview")
            .segment(self.trustor.as_str())
            .parameter("billingPeriodIndex", self.period)
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<TrusteeOverview, DecodeError> {
        decode_model(response.body())
    }

    fn attempt_timeout(&self) -> Duration {
        Duration::from_secs(60)
    }
}

pub(crate) const OPERATION: Operation = Operation::new(
    "get_billing_trusteebillingoverview_trustor_org_id",
    "trustee billing overview",
    &["affiliateOrganization:clientBilling:view"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;

    #[test]
    fn the_request() {
        let api = "https://gateway.example.com/genesys".parse().unwrap();
        let call = TrusteeOverviewCall::new("9d750d63-95ae-4df7-8955-2bca7152ca19".parse().unwrap());
        let uri = |call: &TrusteeOverviewCall| call.request(&api).unwrap().uri().to_string();
        assert_eq!(
            uri(&call),
            "https://gateway.example.com/genesys/api/v2/billing/trusteebillingoverview/\
             9d750d63-95ae-4df7-8955-2bca7152ca19"
        );
        assert_eq!(uri(&call.clone().period_index(PeriodIndex::new(3)).period_index(None)), uri(&call));
        assert_eq!(
            uri(&call.clone().period_index(Some(PeriodIndex::new(3)))),
            uri(&call) + "?billingPeriodIndex=3"
        );
        assert_eq!(
            request_to_text(&call.period_index(PeriodIndex::new(0)).request(&api).unwrap()),
            "GET https://gateway.example.com/genesys/api/v2/billing/trusteebillingoverview/\
             9d750d63-95ae-4df7-8955-2bca7152ca19?billingPeriodIndex=0\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn d13_an_id_stays_in_its_segment() {
        let call = TrusteeOverviewCall::new("a/../b?c".parse().unwrap());
        let uri = call.request(&"https://api.mypurecloud.com".parse().unwrap()).unwrap().uri().to_string();
        assert!(uri.ends_with("/trusteebillingoverview/a%2F..%2Fb%3Fc"), "{uri}");
    }

    #[test]
    fn a_published_answer() {
        let body = r#"{"organization":{"id":"9d750d63-95ae-4df7-8955-2bca7152ca19","name":"Test Org Name"},"currency":"USD",
            "subscriptionType":"PREPAY","rampPeriodEndDate":"2018-08-31T23:59:59.999Z",
            "billingPeriodEndDate":"2020-04-30T23:59:59Z","usages":[{"name":"PureCloud for Avtex InteractionSync Add-on",
            "grouping":"billable-app-usage-license","usageQuantity":"0","overagePrice":"23.74","prepayQuantity":"2"}]}"#;
        let overview =
            TrusteeOverviewCall::new("x".parse().unwrap()).parse(&Response::new(body.into())).unwrap();
        assert_eq!(
            overview.usages()[0].overage_price.as_ref().unwrap().decimal().unwrap().to_string(),
            "23.74"
        );
        assert_eq!(overview.usages()[0].prepay_price, None);
        assert!(overview.unknown.is_empty());
    }
}
