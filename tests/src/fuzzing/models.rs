//! The parsers of the operations.

use std::fmt::Debug;
use std::net::IpAddr;

use billing_core::calls::{
    BillableUsageCall, Call, ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall,
    InvoiceLinesCall, InvoicesCall, OrganizationCall, TrusteeOverviewCall, TrustorsCall,
};
use billing_core::model::{PackedReport, TrusteeOverview, UsageReport};
use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::period;

/// Any bytes at all give a report or an error that says where, never a panic, and just as `serde_json` reads them; and a report
/// that was read is written to JSON that reads as the same report.
pub fn usage_report(data: &[u8]) {
    let response = Response::new(Bytes::copy_from_slice(data));
    let plain = serde_json::from_slice::<UsageReport>(data);
    match BillableUsageCall::new(period()).parse(&response) {
        Ok(report) => {
            assert_eq!(plain.expect("what is read fast can be read"), report);
            let packed = PackedReport::new(response.into_body()).expect("what can be read can be packed");
            same(&packed, &report);
            let json = serde_json::to_vec(&report).expect("a model can be written");
            let again: UsageReport = serde_json::from_slice(&json).expect("what was written can be read");
            assert_eq!(report, again);
        }
        Err(error) => {
            assert!(!error.location().is_empty() && plain.is_err());
            assert_eq!(PackedReport::new(response.into_body()).err(), Some(error));
        }
    }
}

/// A packed report says what the model says.
fn same(packed: &PackedReport, report: &UsageReport) {
    assert_eq!((packed.id(), packed.name()), (report.id.as_deref(), report.name.as_deref()));
    assert_eq!((packed.start_date(), packed.end_date()), (report.start_date, report.end_date));
    assert_eq!((packed.status(), packed.self_uri()), (report.status.as_ref(), report.self_uri.as_deref()));
    assert_eq!((packed.unknown(), packed.usages().len()), (&report.unknown, report.usages().len()));
    for (packed, usage) in packed.usages().zip(report.usages()) {
        assert_eq!(
            (packed.name(), packed.total_usage()),
            (usage.name.as_deref(), usage.total_usage.as_ref())
        );
        assert_eq!((packed.unknown(), packed.resources().len()), (&usage.unknown, usage.resources().len()));
        for (packed, resource) in packed.resources().zip(usage.resources()) {
            assert_eq!(packed.to_model(), resource.unpacked());
            assert_eq!((packed.name().as_deref(), packed.date()), (resource.name, resource.date));
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
        Err(error) => assert!(!error.location().is_empty() && plain.is_err()),
    }
}

/// The same for the other operations, of which the first byte chooses one; a list that is not there is an error too. And the
/// address of a document is of https or of this machine, and shown in no error.
pub fn resources(data: &[u8]) {
    let Some((which, body)) = data.split_first() else { return };
    match which % 8 {
        0 => reads(&OrganizationCall::new(), body),
        1 => reads(&TrustorsCall::new(), body),
        2 => reads(&ContractsCall::new(), body),
        3 => reads(&ContractCall::new("c".parse().expect("a valid id")), body),
        4 => {
            let call =
                ContractPeriodCall::new("c".parse().expect("a valid id"), "p".parse().expect("one too"));
            reads(&call, body);
        }
        5 => reads(&InvoicesCall::new(), body),
        6 => reads(&InvoiceLinesCall::new("i".parse().expect("a valid id")), body),
        _ => document(body),
    }
}

fn reads<C>(call: &C, body: &[u8])
where
    C: Call<Output: Serialize + DeserializeOwned + PartialEq + Debug>,
{
    let plain = serde_json::from_slice::<C::Output>(body);
    match call.parse(&Response::new(Bytes::copy_from_slice(body))) {
        Ok(model) => {
            assert_eq!(plain.expect("what is read fast can be read"), model);
            let json = serde_json::to_vec(&model).expect("a model can be written");
            let again: C::Output = serde_json::from_slice(&json).expect("what was written can be read");
            assert_eq!(model, again);
        }
        Err(error) => {
            assert!(!error.location().is_empty() && (plain.is_err() || error.location() == "entities"))
        }
    }
}

fn document(body: &[u8]) {
    let call = InvoiceDocumentCall::new("i".parse().expect("a valid id"));
    match call.parse(&Response::new(Bytes::copy_from_slice(body))) {
        Ok(url) => {
            let uri: http::Uri = url.expose().parse().expect("an address");
            let (scheme, authority) = uri.scheme().zip(uri.authority()).expect("a whole one");
            let host = authority.host().trim_matches(['[', ']']);
            let local = host.eq_ignore_ascii_case("localhost")
                || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
            assert!(scheme == "https" || (scheme == "http" && local), "{uri}");
            let shown = format!("{scheme}://{authority}/…");
            assert_eq!((format!("{url}"), format!("{url:?}")), (shown.clone(), shown));
        }
        Err(error) => {
            let said = format!("{error} {error:?}");
            let text = String::from_utf8_lossy(body);
            let marks = text.split(['"', '/', '?', '&', '=']).filter(|part| part.starts_with("s1gn"));
            marks.for_each(|mark| assert!(!said.contains(mark), "{said}"));
        }
    }
}
