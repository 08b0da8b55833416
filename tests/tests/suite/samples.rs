//! The published samples, and answers with every field of the published schema.

use billing_core::model::{
    ContractList, ContractPeriodDetail, InvoiceLineList, InvoiceList, Organization, ReportStatus,
    SubscriptionType, TrusteeOverview, TrustorList, UsageReport,
};
use billing_core::{Amount, Charge, ErrorKind, Exchange, Machine, Policy, Statement, Step};

#[test]
fn the_usage_report() {
    let text = include_str!("../../samples/usage-report.json");
    let report: UsageReport = serde_json::from_str(text).unwrap();
    assert_eq!(report.status, Some(ReportStatus::Complete));
    assert_eq!((&report.id, &report.name), (&None, &None));
    assert_eq!(report.start_date.unwrap().to_string(), "2025-07-01T03:00:00Z");
    assert_eq!(report.end_date.unwrap().to_string(), "2025-07-08T03:00:00Z");
    let [usage] = report.usages() else { panic!("one usage") };
    assert_eq!(usage.name.as_deref(), Some("Genesys Cloud CX 1 Concorrent"));
    assert_eq!(usage.total_usage, None);
    let resources: Vec<_> =
        usage.resources().iter().map(|r| (r.name.unwrap(), r.date.unwrap().to_string())).collect();
    assert_eq!(
        resources,
        [
            ("user1@example.com", "2025-07-01T03:19:11.696Z".to_owned()),
            ("user2@example.com", "2025-07-02T01:28:06.606Z".to_owned())
        ]
    );
    assert_eq!(serde_json::to_string(&report).unwrap(), text.trim());
}

#[test]
fn the_trustee_overview() {
    let text = include_str!("../../samples/trustee-overview.json");
    let overview: TrusteeOverview = serde_json::from_str(text).unwrap();
    assert_eq!(overview.organization.as_ref().unwrap().name.as_deref(), Some("Test Org Name"));
    assert_eq!(overview.currency.as_deref(), Some("USD"));
    assert_eq!(overview.enabled_products.as_ref().unwrap().len(), 8);
    assert_eq!(overview.subscription_type, Some(SubscriptionType::Prepay));
    assert_eq!(overview.ramp_period_end_date.unwrap().to_string(), "2018-08-31T23:59:59.999Z");
    assert_eq!(overview.billing_period_end_date.unwrap().to_string(), "2020-04-30T23:59:59Z");
    let [row] = overview.usages() else { panic!("one row") };
    assert_eq!(row.part_number.as_deref(), Some("PC-170-NV-AVTEXINSY"));
    assert_eq!(row.overage_price.as_ref().unwrap().text(), "23.74");
    assert_eq!((row.prepay_price.as_ref(), row.is_third_party), (None, None));
    assert_eq!(serde_json::to_string(&overview).unwrap(), text.trim());

    // A commitment of two units without a price: the charge is unknown, not zero.
    let statement = Statement::new(&overview);
    assert!(matches!(statement.sections[0].lines[0].charge, Charge::Unknown(_)));
}

#[test]
fn the_429() {
    let (head, body) = include_str!("../../samples/too-many-requests.http").split_once("\n\n").unwrap();
    let mut response = http::Response::builder().status(429);
    for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value.trim());
    }
    let response = response.body(body.to_owned().into()).unwrap();

    let now = "2026-11-02T09:00:00Z".parse().unwrap();
    let call = billing_core::calls::TrusteeOverviewCall::new("org".parse().unwrap());
    let api = billing_core::Environment::default().api().clone();
    let step = |overall| {
        let policy = Policy { timeout: overall, ..Policy::default() };
        match Exchange::new(call.clone(), api.clone(), policy).step(now) {
            Step::Send(_, sent) => sent.receive(Ok(response.clone()), now),
            other => panic!("{other:?}"),
        }
    };
    let Step::Wait(until, _) = step(std::time::Duration::from_secs(900)) else { panic!("a wait") };
    assert_eq!((until - now).num_seconds(), 42);
    let Step::Done(Err(error)) = step(std::time::Duration::from_secs(30)) else { panic!("an error") };
    assert!(matches!(error.kind(), ErrorKind::Deferred(_)));
    assert_eq!(error.code(), Some("too.many.requests.retry.after"));
    assert_eq!(error.correlation_id(), Some("0f5f2f6e-5c0e-4a64-9d6c-3f0f4a1c2b3d"));
    assert!(error.to_string().contains("Retry the request in [42] seconds"));
}

/// Reads answers with every field of the published schema, in its order: no field is missing from the models, no field has
/// another name, and numbers are written back digit for digit.
#[test]
fn every_field_of_the_schema_is_known() {
    fn is_whole<T: serde::de::DeserializeOwned + serde::Serialize + std::fmt::Debug>(text: &str) -> T {
        let model: T = serde_json::from_str(text).unwrap();
        let shown = format!("{model:?}");
        assert!(!shown.contains("None"), "{shown}");
        assert!(!shown.contains("unknown: {\""), "{shown}");
        assert_eq!(serde_json::to_string(&model).unwrap(), text.trim());
        model
    }
    let contracts: ContractList = is_whole(include_str!("../../samples/schema/contract-list.json"));
    assert_eq!(contracts.entities()[0].plans()[0].items().len(), 1);
    let period: ContractPeriodDetail = is_whole(include_str!("../../samples/schema/contract-period.json"));
    let exact = |amount: &Option<Amount>| amount.as_ref().unwrap().decimal().unwrap().to_string();
    assert_eq!(exact(&period.wallets()[0].starting_balance), "0.1234567890123456789012345678");
    let invoices: InvoiceList = is_whole(include_str!("../../samples/schema/invoice-list.json"));
    assert!(invoices.entities()[0].amount.as_ref().unwrap().decimal().is_some());
    let lines: InvoiceLineList = is_whole(include_str!("../../samples/schema/invoice-lines.json"));
    assert!(lines.entities()[0].date_transacted.is_some());
    let trustors: TrustorList = is_whole(include_str!("../../samples/schema/trustors.json"));
    assert_eq!(trustors.entities()[0].organization_id(), Some("o-1"));
    let _: Organization = is_whole(include_str!("../../samples/schema/organization.json"));
    let overview: TrusteeOverview = is_whole(include_str!("../../samples/schema/trustee-overview.json"));
    assert_eq!(exact(&overview.minimum_monthly_amount), "9007199254740993");
    let report: UsageReport = is_whole(include_str!("../../samples/schema/usage-report.json"));
    assert_eq!(report.usages()[0].resources().len(), 1);
}
