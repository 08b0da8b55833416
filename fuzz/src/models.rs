//! The parsers of the two operations.

use billing_core::calls::{BillableUsage, Call, TrusteeOverviewCall};
use billing_core::model::{PackedReport, TrusteeOverview, UsageReport};
use bytes::Bytes;
use http::Response;

use super::period;

/// Any bytes at all give a report or an error that says where, never a panic, and just as `serde_json` reads them; and a report
/// that was read is written to JSON that reads as the same report.
pub fn usage_report(data: &[u8]) {
    let response = Response::new(Bytes::copy_from_slice(data));
    let plain = serde_json::from_slice::<UsageReport>(data);
    match BillableUsage::new(period()).parse(&response) {
        Ok(report) => {
            assert_eq!(plain.expect("what is read fast can be read"), report);
            let packed = PackedReport::new(response.into_body()).expect("what can be read can be packed");
            for (packed, usage) in packed.usages().zip(report.usages()) {
                assert!(packed.resources().map(|r| r.unpacked()).eq(usage.resources().iter().cloned()));
            }
            let json = serde_json::to_vec(&report).expect("a model can be written");
            let again: UsageReport = serde_json::from_slice(&json).expect("what was written can be read");
            assert_eq!(report, again);
        }
        Err(error) => {
            assert!(!error.place().is_empty() && plain.is_err());
            assert_eq!(PackedReport::new(response.into_body()).err(), Some(error));
        }
    }
}

/// The same for an overview; and its statement is computed without a panic.
pub fn trustee_overview(data: &[u8]) {
    let response = Response::new(Bytes::copy_from_slice(data));
    let plain = serde_json::from_slice::<TrusteeOverview>(data);
    match TrusteeOverviewCall::new("org".parse().expect("a valid id")).parse(&response) {
        Ok(overview) => {
            assert_eq!(plain.expect("what is read fast can be read"), overview);
            let json = serde_json::to_vec(&overview).expect("a model can be written");
            let again: TrusteeOverview = serde_json::from_slice(&json).expect("what was written can be read");
            assert_eq!(overview, again);
            let statement = billing_core::Statement::new(&overview);
            serde_json::to_vec(&statement).expect("a statement can be written");
        }
        Err(error) => assert!(!error.place().is_empty() && plain.is_err()),
    }
}
