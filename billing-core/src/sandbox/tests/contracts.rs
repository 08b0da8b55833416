//! Contracts, billing periods, invoices, lines and documents.

use rust_decimal::Decimal;

use super::*;
use crate::calls::{
    ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall, InvoiceLinesCall, InvoicesCall,
};
use crate::model::{Contract, ContractPeriodStatus, ContractStatus, Invoice, PaymentStatus};
use crate::values::PageSize;
use crate::{Amount, DateRange, Download};

fn sandbox() -> Sandbox {
    Sandbox::new(7).without_quota()
}

fn contracts(sandbox: &mut Sandbox, call: ContractsCall) -> Vec<Contract> {
    list(sandbox, call).unwrap().0
}

fn invoices(sandbox: &mut Sandbox, call: InvoicesCall) -> Vec<Invoice> {
    list(sandbox, call).unwrap().0
}

fn exact(amount: &Option<Amount>) -> Decimal {
    amount.as_ref().unwrap().decimal().unwrap()
}

fn days(start: &str, end: &str) -> DateRange {
    DateRange::between(start.parse().unwrap(), end.parse().unwrap()).unwrap()
}

#[test]
fn contracts_are_filtered() {
    let mut sandbox = sandbox();
    let mut numbers = |call: ContractsCall| -> Vec<String> {
        contracts(&mut sandbox, call).into_iter().map(|contract| contract.external_number.unwrap()).collect()
    };
    let all = || ContractsCall::new();
    assert_eq!(numbers(all()), ["Q-100482", "Q-100977", "Q-088110"]);
    assert_eq!(numbers(all().status(ContractStatus::Active).unwrap()), ["Q-100482", "Q-100977"]);
    assert_eq!(numbers(all().status(ContractStatus::Inactive).unwrap()), ["Q-088110"]);
    assert_eq!(numbers(all().external_number("Q-100977").unwrap()), ["Q-100977"]);
    assert_eq!(numbers(all().dates(days("2016-01-01", "2020-01-01"))), ["Q-100482", "Q-088110"]);
    assert_eq!(numbers(all().dates(DateRange::starting("2034-04-01".parse().unwrap()))), [""; 0]);
}

#[test]
fn a_contract_is_the_same_in_the_list_and_alone() {
    let mut sandbox = sandbox();
    for contract in contracts(&mut sandbox, ContractsCall::new()) {
        assert!(contract.unknown.is_empty());
        let id = contract.id.as_ref().unwrap().parse().unwrap();
        assert_eq!(call(&mut sandbox, ContractCall::new(id)).unwrap(), contract);
    }
}

#[test]
fn periods_go_back_60_months_and_their_figures_agree() {
    let mut sandbox = sandbox();
    let contract = contracts(&mut sandbox, ContractsCall::new()).remove(0);
    let (id, periods) = (contract.id.as_ref().unwrap(), contract.billing_periods());
    assert_eq!(periods.len(), 61, "60 that are over, and the open one");
    assert_eq!(periods[0].status, Some(ContractPeriodStatus::Open));
    assert_eq!(periods[0].date_start.unwrap().to_string(), "2026-11-01");
    let mut over = 0;
    for period in periods.iter().step_by(20) {
        let ids = (id.parse().unwrap(), period.id.as_ref().unwrap().parse().unwrap());
        let detail = call(&mut sandbox, ContractPeriodCall::new(ids.0, ids.1)).unwrap();
        assert_eq!((&detail.id, detail.date_end), (&period.id, period.date_end));
        for charge in detail.charges() {
            let left = exact(&charge.actual_quantity)
                - exact(&charge.prepaid_quantity)
                - exact(&charge.fairuse_quantity);
            assert_eq!(exact(&charge.overage_quantity), left.max(Decimal::ZERO));
            let cost = exact(&charge.overage_quantity) * exact(&charge.overage_rate);
            assert_eq!(exact(&charge.overage_charge), cost);
            over += usize::from(!cost.is_zero());
        }
        let [wallet] = detail.wallets() else { panic!("one wallet") };
        let moved = exact(&wallet.starting_balance) + exact(&wallet.balance_increase)
            - exact(&wallet.balance_decrease)
            - exact(&wallet.balance_consumption);
        assert_eq!(exact(&wallet.ending_balance), moved);
    }
    assert!(over > 3);
}

#[test]
fn invoices_are_filtered_and_are_the_sum_of_their_lines() {
    let mut sandbox = sandbox();
    let (all, pages) = list(&mut sandbox, InvoicesCall::new().page_size(PageSize::new(50).unwrap())).unwrap();
    assert_eq!((all.len(), pages), (115, 3));
    let latest_first: Vec<_> = all.iter().map(|invoice| invoice.date_invoiced.unwrap()).collect();
    assert!(latest_first.is_sorted_by(|a, b| a >= b));
    let paid = InvoicesCall::new().payment_status(PaymentStatus::Paid).unwrap();
    let unpaid = InvoicesCall::new().payment_status(PaymentStatus::Unpaid).unwrap();
    let [paid, unpaid] = [paid, unpaid].map(|call| invoices(&mut sandbox, call).len());
    assert!(paid > 100 && unpaid > 0 && paid + unpaid == 115, "{paid} {unpaid}");
    let october = invoices(&mut sandbox, InvoicesCall::new().dates(days("2026-10-01", "2026-10-31")));
    assert_eq!(october.len(), 2);
    for invoice in &october {
        assert!(invoice.unknown.is_empty());
        let id = invoice.id.as_ref().unwrap().parse().unwrap();
        let lines = InvoiceLinesCall::new(id).page_size(PageSize::new(2).unwrap());
        let (lines, pages) = list(&mut sandbox, lines).unwrap();
        assert!(pages > 1 && lines.len() > 2);
        assert_eq!(lines.iter().map(|line| exact(&line.amount)).sum::<Decimal>(), exact(&invoice.amount));
    }
}

#[test]
fn a_list_can_be_read_from_any_page_in_either_direction() {
    let mut sandbox = sandbox();
    let first = InvoicesCall::new().page_size(PageSize::new(10).unwrap());
    let page = call(&mut sandbox, first.clone()).unwrap();
    let cursor = |uri: &Option<String>, name: &str| {
        let uri = uri.as_ref().unwrap();
        uri.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)).unwrap().parse().unwrap()
    };
    let second = call(&mut sandbox, first.clone().after(cursor(&page.next_uri, "after="))).unwrap();
    assert_ne!(second.entities(), page.entities());
    let back = call(&mut sandbox, first.clone().before(cursor(&second.previous_uri, "before="))).unwrap();
    assert_eq!(back.entities(), page.entities());
    let error = call(&mut sandbox, first.after("not a cursor".parse().unwrap())).unwrap_err();
    assert_eq!((error.kind(), error.code()), (&ErrorKind::Rejected, Some("bad.request")));
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut sandbox = sandbox();
    let contract = contracts(&mut sandbox, ContractsCall::new()).remove(0).id.unwrap();
    let (known, no) = (contract.parse().unwrap(), || "nobody-s".parse().unwrap());
    let errors = [
        call(&mut sandbox, ContractCall::new(no())).unwrap_err(),
        call(&mut sandbox, ContractPeriodCall::new(known, "nobody-s".parse().unwrap())).unwrap_err(),
        call(&mut sandbox, ContractPeriodCall::new(no(), "nobody-s".parse().unwrap())).unwrap_err(),
        call(&mut sandbox, InvoiceLinesCall::new("nobody-s".parse().unwrap())).unwrap_err(),
        call(&mut sandbox, InvoiceDocumentCall::new("nobody-s".parse().unwrap())).unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.code()), (&ErrorKind::NotFound, Some("not.found")));
        assert!(error.server_message().unwrap().starts_with("There is no such "), "{error}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let mut sandbox = sandbox();
    let token = token(&mut sandbox, start());
    for (query, code) in [
        ("contracts?status=active", "invalid.value"),
        ("contracts?dateStart=2026-02-30", "invalid.date"),
        ("contracts?pageSize=201", "invalid.value"),
        ("contracts/invoices?paymentStatus=Due", "invalid.value"),
        ("contracts/invoices?after=a&before=b", "bad.request"),
    ] {
        let response = whole(sandbox.respond(&get(&format!("/api/v2/billing/{query}"), &token), start()));
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), body["code"].as_str()), (400, Some(code)), "{query}");
    }
}

fn invoice_id(sandbox: &mut Sandbox) -> crate::InvoiceId {
    invoices(sandbox, InvoicesCall::new()).remove(0).id.unwrap().parse().unwrap()
}

fn download(sandbox: &mut Sandbox, id: crate::InvoiceId) -> Result<crate::machine::Document, Error> {
    let locate = InvoiceDocumentCall::new(id);
    let machine = Download::new(locate, sandbox.environment().api().clone(), Policy::default());
    let machine = Authorized::new(machine, session(sandbox));
    sandbox.run(machine, &mut start(), |_| {})
}

#[test]
fn a_document_is_a_small_pdf() {
    let mut sandbox = sandbox();
    let id = invoice_id(&mut sandbox);
    let document = download(&mut sandbox, id.clone()).unwrap();
    let text = String::from_utf8(document.content.to_vec()).unwrap();
    assert!(document.length < 2_000 && text.starts_with("%PDF-1.4\n") && text.ends_with("%%EOF\n"));
    assert!(text.contains(id.as_str()) && text.contains("Total: "), "{text}");
    // Each object is at its offset in the cross-reference table.
    let table = text.split_once("xref\n").unwrap().1;
    let offsets = table.lines().skip(2).take(5).map(|line| line[..10].parse::<usize>().unwrap());
    for (number, offset) in (1..).zip(offsets) {
        assert!(text[offset..].starts_with(&format!("{number} 0 obj\n")), "{number}");
    }
    let start: usize = text.split_once("startxref\n").unwrap().1.lines().next().unwrap().parse().unwrap();
    assert!(text[start..].starts_with("xref\n"));
    let stream = text.split_once("stream\n").unwrap().1.split_once("\nendstream").unwrap().0;
    assert!(text.contains(&format!("/Length {} ", stream.len())));
}

#[test]
fn a_document_wants_its_signature_and_no_token() {
    let mut sandbox = sandbox();
    let id = invoice_id(&mut sandbox);
    let url = call(&mut sandbox, InvoiceDocumentCall::new(id)).unwrap();
    let token = token(&mut sandbox, start());
    let mut status = |uri: &str, headers: &[(&str, &str)], now| {
        let response = whole(sandbox.respond(&request(Method::GET, uri, headers, ""), now));
        assert!(!response.headers().contains_key("inin-ratelimit-count"));
        (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
    };
    assert_eq!(status(url.expose(), &[], start()).0, 200);
    assert_eq!(status(url.expose(), &[], later(599)).0, 200);
    let with_token = [("authorization", &*format!("Bearer {token}"))];
    assert!(
        matches!(status(url.expose(), &with_token, start()), (400, body) if body.contains("InvalidArgument"))
    );
    assert!(matches!(status(url.expose(), &[], later(600)), (403, body) if body.contains("expired")));
    let forged = url.expose().replace("X-Expires=1", "X-Expires=2");
    assert!(matches!(status(&forged, &[], start()), (403, body) if body.contains("SignatureProvided")));
}

#[test]
fn an_address_that_is_too_old_is_asked_for_anew_once() {
    let mut sandbox = sandbox().document_lifetime(Duration::ZERO);
    let id = invoice_id(&mut sandbox);
    let seen = sandbox.log().len();
    let error = download(&mut sandbox, id.clone()).unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (&ErrorKind::UnexpectedStatus, 403));
    assert!(error.body_start().unwrap().contains("expired"), "{error:?}");
    let seen: Vec<String> = sandbox.log()[seen..].iter().map(|entry| entry.outcome.to_string()).collect();
    assert_eq!(seen, ["200", "200", "403", "200", "403"]);
    let mut fresh = sandbox.document_lifetime(Duration::from_secs(60));
    fresh.inject(FaultTarget::Document, Fault::Status(403));
    assert!(download(&mut fresh, id).is_ok());
}

#[test]
fn pages_can_be_spoilt() {
    let mut sandbox = sandbox();
    let whole = contracts(&mut sandbox, ContractsCall::new());
    sandbox.inject(FaultTarget::Contracts, Fault::EmptyPage);
    sandbox.inject(FaultTarget::Contracts, Fault::EmptyPage);
    let (again, pages) = list(&mut sandbox, ContractsCall::new()).unwrap();
    assert_eq!((again, pages), (whole, 3));
    for next in ["https://evil.test/api/v2/billing/contracts", "/api/v2/billing/contracts?pageSize=100"] {
        sandbox.inject(FaultTarget::Contracts, Fault::NextUri(next.into()));
        let error = list(&mut sandbox, ContractsCall::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadLink(_)), "{error}");
    }
    for _ in 0..3 {
        sandbox.inject(FaultTarget::Contracts, Fault::Renamed("entities"));
    }
    let error = list(&mut sandbox, ContractsCall::new()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Decode(_)) && error.to_string().contains("preview"), "{error}");
}
