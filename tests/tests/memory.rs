//! The memory that a body can fill: reading any body within the bound on its length takes at most a multiple of that length.
//! The allocator counts the bytes, for each way to read a body.

use billing_core::calls::{
    BillableUsageCall, Call, ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall,
    InvoiceLinesCall, InvoicesCall, OrganizationCall, PackedBillableUsageCall, TrusteeOverviewCall,
    TrustorsCall,
};
use billing_core::{DecodeError, Environment, Exchange, Machine, Period, Policy, Step};
use billing_tests::bodies;
use bytes::Bytes;
use http::Response;

/// The allowed memory for each byte of the body: four bytes, and as many again while a list doubles its capacity.
const FOR_EACH_BYTE: u64 = 8;
const FOR_EACH_BODY: u64 = 32 << 20;

#[test]
fn d14_no_body_fills_more_than_a_multiple_of_its_length() {
    const USAGES: (&str, &str, &str) = ("usages", r#"{"status":"Complete","usages":["#, "]}");
    const RESOURCES: (&str, &str, &str) =
        ("resources", r#"{"status":"Complete","usages":[{"resources":["#, "]}]}");
    const ENTITIES: (&str, &str, &str) = ("entities", r#"{"entities":["#, "]}");
    const NEW: (&str, &str, &str) = ("something new", r#"{"new":["#, "]}");
    let reports: &[Way] = &[Way::Report, Way::Packed];
    let usages: &[Way] = &[Way::Report, Way::Packed, Way::Overview];
    let lists: &[Way] = &[Way::Trustors, Way::Contracts, Way::Invoices, Way::Lines];
    for ((name, opens, closes), element, ways) in [
        (USAGES, "{}", usages),
        (USAGES, r#"{"a":1}"#, usages),
        (USAGES, r#"{"usageQuantity":"1","prepayQuantity":2}"#, &[Way::Overview]),
        (USAGES, r#"{"resources":[{}]}"#, reports),
        (RESOURCES, "{}", reports),
        (RESOURCES, r#"{"a":1}"#, reports),
        (RESOURCES, r#"{"name":""}"#, reports),
        (RESOURCES, r#"{"date":"2026-10-01T00:00:00Z"}"#, reports),
        (("products", r#"{"enabledProducts":["#, "]}"), r#""""#, &[Way::Overview]),
        (ENTITIES, "{}", lists),
        (ENTITIES, r#"{"plans":[{"items":[{}]}]}"#, &[Way::Contracts]),
        (("plans", r#"{"plans":["#, "]}"), r#"{"items":[{}]}"#, &[Way::Contract]),
        (("charges", r#"{"charges":["#, "]}"), "{}", &[Way::Period]),
        (("wallets", r#"{"wallets":["#, "]}"), "{}", &[Way::Period]),
        (("new fields", "{", "}"), r#""a":1"#, &[Way::Overview, Way::Packed, Way::Document, Way::Refused]),
        (NEW, "0", &[Way::Organization, Way::Document, Way::Refused]),
        (NEW, "[[[[[]]]]]", &[Way::Organization, Way::Document, Way::Refused]),
    ] {
        let elements = vec![element; SIZE / (element.len() + 1)].join(",");
        // A body that is broken at its end fills the same memory before the error.
        for body in [format!("{opens}{elements}{closes}"), format!("{opens}{elements},!{closes}")] {
            for way in ways {
                let mut error = None;
                let peak = allocation_counter::measure(|| error = way.read(&body)).bytes_max;
                let most = FOR_EACH_BODY + FOR_EACH_BYTE * u64::try_from(body.len()).unwrap();
                println!("{peak} bytes for {} of {name}, {element} as {way:?}", body.len());
                assert!(peak <= most, "{name}, {element} as {way:?}: {peak} bytes; {error:?}");
            }
        }
    }
}

#[test]
fn what_is_honest_is_read_however_large_it_is() {
    let report = Bytes::from(bodies::report(100_000));
    assert!(BillableUsageCall::new(october()).parse(&Response::new(report.clone())).is_ok());
    // Add an unknown field to each resource.
    let grown = String::from_utf8_lossy(&report).replace(r#""date":"#, r#""division":"a57c2a","date":"#);
    let grown = BillableUsageCall::new(october()).parse(&Response::new(grown.into())).unwrap();
    let unknown = grown.usages().iter().flat_map(|usage| usage.resources()).filter(|r| !r.unknown.is_empty());
    assert_eq!(unknown.count(), 100_000);
    // This is a hundred times the rows of the largest known customer.
    let overview = Response::new(bodies::overview(50_000).into());
    let overview = TrusteeOverviewCall::new("o".parse().unwrap()).parse(&overview).unwrap();
    assert_eq!(overview.usages().len(), 50_000);
}

#[test]
fn d12_what_is_too_full_is_an_error_that_says_so() {
    let body = format!(r#"{{"usages":[{}]}}"#, vec!["{}"; 1 << 20].join(","));
    let call = TrusteeOverviewCall::new("o".parse().unwrap());
    let error = call.parse(&Response::new(body.clone().into())).unwrap_err();
    assert!(error.to_string().contains("more in it than an answer of its length can hold"), "{error}");
    let packed = PackedBillableUsageCall(BillableUsageCall::new(october()))
        .parse(&Response::new(body.clone().into()))
        .unwrap_err();
    assert_eq!(packed.to_string().split(": ").nth(1), error.to_string().split(": ").nth(1));
    // The request is retried, as for every answer that cannot be decoded; then the call fails with this error.
    let mut now = "2026-11-02T09:00:00Z".parse().unwrap();
    let mut machine = Exchange::new(call, Environment::default().api().clone(), Policy::default());
    let error = (0..3).find_map(|_| {
        let Step::Send(_, sent) = std::mem::replace(&mut machine, idle()).step(now) else {
            panic!("a request")
        };
        match sent.receive(Ok(Response::new(body.clone().into())), now) {
            Step::Wait(until, waiting) => (now, machine) = (until, waiting),
            Step::Done(result) => return result.err(),
            Step::Send(..) => panic!("at once"),
        }
        None
    });
    assert!(error.unwrap().to_string().contains("the answer cannot be read, at byte "));
}

fn idle() -> Exchange<TrusteeOverviewCall> {
    Exchange::new(
        TrusteeOverviewCall::new("o".parse().unwrap()),
        Environment::default().api().clone(),
        Policy::default(),
    )
}

/// A way to read a body.
#[derive(Clone, Copy, Debug)]
enum Way {
    Report,
    Packed,
    Overview,
    Trustors,
    Organization,
    Contracts,
    Contract,
    Period,
    Invoices,
    Lines,
    Document,
    /// The body of an error.
    Refused,
}

impl Way {
    fn read(self, body: &str) -> Option<DecodeError> {
        let body = &Bytes::copy_from_slice(body.as_bytes());
        match self {
            Self::Report => read(&BillableUsageCall::new(october()), body),
            Self::Packed => read(&PackedBillableUsageCall(BillableUsageCall::new(october())), body),
            Self::Overview => read(&TrusteeOverviewCall::new("o".parse().unwrap()), body),
            Self::Trustors => read(&TrustorsCall::new(), body),
            Self::Organization => read(&OrganizationCall::new(), body),
            Self::Contracts => read(&ContractsCall::new(), body),
            Self::Contract => read(&ContractCall::new("c".parse().unwrap()), body),
            Self::Period => read(&ContractPeriodCall::new("c".parse().unwrap(), "p".parse().unwrap()), body),
            Self::Invoices => read(&InvoicesCall::new(), body),
            Self::Lines => read(&InvoiceLinesCall::new("i".parse().unwrap()), body),
            Self::Document => read(&InvoiceDocumentCall::new("i".parse().unwrap()), body),
            Self::Refused => refused(body),
        }
    }
}

fn read<C: Call>(call: &C, body: &Bytes) -> Option<DecodeError> {
    call.parse(&Response::new(body.clone())).err()
}

fn refused(body: &Bytes) -> Option<DecodeError> {
    let now = "2026-11-02T09:00:00Z".parse().unwrap();
    let Step::Send(_, sent) = idle().step(now) else { panic!("a request") };
    let reply = Response::builder().status(400).body(body.clone()).unwrap();
    assert!(matches!(sent.receive(Ok(reply), now), Step::Done(Err(_))));
    None
}

fn october() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").unwrap()
}

/// The length of the bodies in bytes. Eighty times this length, the memory of rows without a bound, is 160 MiB and exceeds
/// the allowed 48 MiB.
const SIZE: usize = 2 << 20;
