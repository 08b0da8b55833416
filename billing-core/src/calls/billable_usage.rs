//! `GET /api/v2/billing/reports/billableusage`: the billable usage of your own organisation in a period.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::{Call, forward_call};
use crate::model::{PackedReport, ReportStatus, UsageReport, decode_model};
use crate::poll::Report;
use crate::{BaseUrl, DecodeError, Operation, Period, Timestamp};

/// A request for the usage report of a period. The server builds the report while the client repeats the request, so use this call
/// in a [`Poll`](crate::Poll).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillableUsageCall {
    period: Period,
}

impl BillableUsageCall {
    /// Requests the report for `period`.
    pub fn new(period: Period) -> Self {
        Self { period }
    }
}

impl Call for BillableUsageCall {
    type Output = UsageReport;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        // Every published source agrees on this form of a date and on no other.
        let wire = |t: Timestamp| t.instant().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        Get::new("/api/v2/billing/reports/billableusage")
            .parameter("startDate", Some(wire(self.period.start())))
            .parameter("endDate", Some(wire(self.period.end())))
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<UsageReport, DecodeError> {
        decode_model(response.body())
    }
}

/// The same request with a [packed](PackedReport) report as its output: for large reports that are passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedBillableUsageCall(pub BillableUsageCall);

#[warn(clippy::missing_trait_methods)]
impl Call for PackedBillableUsageCall {
    type Output = PackedReport;

    forward_call!(0);

    fn parse(&self, response: &Response<Bytes>) -> Result<PackedReport, DecodeError> {
        PackedReport::new(response.body().clone())
    }
}

impl Report for PackedReport {
    fn status(&self) -> Option<&ReportStatus> {
        self.status()
    }
}

impl Report for UsageReport {
    fn status(&self) -> Option<&ReportStatus> {
        self.status.as_ref()
    }
}

const OPERATION: Operation = Operation::new(
    "get_billing_reports_billableusage",
    "billable usage report",
    &["billing:subscription:read", "billing:subscription:view"],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;

    #[test]
    fn the_request() {
        let call = BillableUsageCall::new(
            Period::from_user("2025-07-01T03:00:00Z", "2025-07-08T00:00:00-03:00").unwrap(),
        );
        let request = call.request(&"https://api.mypurecloud.com".parse().unwrap()).unwrap();
        assert_eq!(
            request_to_text(&request),
            "GET https://api.mypurecloud.com/api/v2/billing/reports/billableusage\
             ?startDate=2025-07-01T03%3A00%3A00.000Z&endDate=2025-07-08T03%3A00%3A00.000Z\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn a_published_answer() {
        let body = r#"{"startDate":"2025-07-01T03:00:00Z","endDate":"2025-07-08T03:00:00Z","status":"Complete",
            "usages":[{"name":"Genesys Cloud CX 1 Concorrent","resources":[
                {"name":"user1@example.com","date":"2025-07-01T03:19:11.696Z"}]}],
            "selfUri":"/api/v2/billing/reports/billableusage"}"#;
        let period = Period::from_user("2025-07-01", "2025-07-08").unwrap();
        let report = BillableUsageCall::new(period).parse(&Response::new(body.into())).unwrap();
        assert_eq!(report.status(), Some(&ReportStatus::Complete));
        assert_eq!((&report.id, &report.usages()[0].total_usage), (&None, &None));
        assert_eq!(
            report.usages()[0].resources().get(0).unwrap().date.unwrap().to_string(),
            "2025-07-01T03:19:11.696Z"
        );
    }
}
