//! Conformance of all operations other than the report and the overview. All three transports must give the same results,
//! also under the faults that each kind of operation can meet. The drivers use their own methods, iterators and streams.

use std::io;

use billing_core::calls::{
    Call, ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall, InvoiceLinesCall,
    InvoicesCall, OrganizationCall, TrustorsCall,
};
use billing_core::machine::Page;
use billing_core::model::{ContractStatus, PaymentStatus};
use billing_core::sandbox::{Fault, FaultTarget, LogEntry, RetryAfter, Sandbox};
use billing_core::values::PageSize;
use billing_core::{
    ContractId, ContractPeriodId, Credentials, DateRange, Download, Error, ErrorKind, Exchange, InvoiceId,
    Pages, Policy,
};
use billing_tests::{FakeServer, Memory, Stage, Transport, VirtualTime};
use chrono::Utc;
use futures_util::StreamExt;
use serde::Serialize;

use Fault::*;

/// An operation under test.
#[derive(Clone, Debug)]
enum What {
    Organization,
    Trustors,
    Contracts(ContractsCall),
    Contract(ContractId),
    Period(ContractId, ContractPeriodId),
    Invoices(InvoicesCall),
    Lines(InvoiceId),
    Document(InvoiceId),
}

/// The result of an operation: a list as JSON lines, a single value as JSON, or the text of a document.
type Came = Result<String, Error>;

impl What {
    fn in_memory(&self, memory: &mut Memory) -> Came {
        fn one<C: Call<Output: Serialize>>(memory: &mut Memory, call: C) -> Came {
            let exchange = Exchange::new(call, memory.api(), memory.policy());
            memory.run(exchange).map(|one| json(&one))
        }
        fn list<C>(memory: &mut Memory, call: C) -> Came
        where
            C: Call<Output: Page<Entity: Serialize>> + Clone,
        {
            let mut lines = Vec::new();
            let mut rest = Some(Pages::new(call, memory.api(), memory.policy()));
            while let Some(pages) = rest {
                let turn = memory.run(pages)?;
                lines.extend(turn.page.into_entities().iter().map(json));
                rest = turn.rest;
            }
            Ok(lines.join("\n"))
        }
        match self.clone() {
            Self::Organization => one(memory, OrganizationCall::new()),
            Self::Trustors => list(memory, TrustorsCall::new()),
            Self::Contracts(call) => list(memory, call),
            Self::Contract(id) => one(memory, ContractCall::new(id)),
            Self::Period(contract, id) => one(memory, ContractPeriodCall::new(contract, id)),
            Self::Invoices(call) => list(memory, call),
            Self::Lines(id) => list(memory, InvoiceLinesCall::new(id)),
            Self::Document(id) => {
                let download = Download::new(InvoiceDocumentCall::new(id), memory.api(), memory.policy());
                memory.run(download).map(|document| text(document.content.to_vec(), document.length))
            }
        }
    }

    fn blocking(&self, client: &billing_ureq::Client) -> Came {
        fn list<C>(list: billing_ureq::Listing<C>) -> Came
        where
            C: Call<Output: Page<Entity: Serialize>> + Clone,
        {
            let lines: Result<Vec<String>, Error> = list.entities().map(|one| Ok(json(&one?))).collect();
            Ok(lines?.join("\n"))
        }
        match self.clone() {
            Self::Organization => client.organization().map(|one| json(&one)),
            Self::Trustors => list(client.trustors()),
            Self::Contracts(call) => list(client.contracts(call)),
            Self::Contract(id) => client.contract(id).map(|one| json(&one)),
            Self::Period(contract, id) => client.contract_period(contract, id).map(|one| json(&one)),
            Self::Invoices(call) => list(client.invoices(call)),
            Self::Lines(id) => list(client.invoice_lines(id)),
            Self::Document(id) => {
                let file = tempfile::tempfile().unwrap();
                let length = client.invoice_document(id, || {
                    file.set_len(0)?;
                    io::Seek::rewind(&mut &file)?;
                    Ok(&file)
                })?;
                let mut content = Vec::new();
                io::Seek::rewind(&mut &file).unwrap();
                io::Read::read_to_end(&mut &file, &mut content).unwrap();
                Ok(text(content, length))
            }
        }
    }

    async fn in_tasks(&self, client: &billing_hyper::Client) -> Came {
        async fn list<C>(list: billing_hyper::Listing<C>) -> Came
        where
            C: Call<Output: Page<Entity: Serialize> + Send> + Clone + Send + 'static,
        {
            let lines: Vec<Came> = list.entities().map(|one| Ok(json(&one?))).collect().await;
            Ok(lines.into_iter().collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
        match self.clone() {
            Self::Organization => client.organization().await.map(|one| json(&one)),
            Self::Trustors => list(client.trustors()).await,
            Self::Contracts(call) => list(client.contracts(call)).await,
            Self::Contract(id) => client.contract(id).await.map(|one| json(&one)),
            Self::Period(contract, id) => client.contract_period(contract, id).await.map(|one| json(&one)),
            Self::Invoices(call) => list(client.invoices(call)).await,
            Self::Lines(id) => list(client.invoice_lines(id)).await,
            Self::Document(id) => {
                let folder = tempfile::tempdir().unwrap();
                let place = folder.path().join("document");
                let length = client.invoice_document(id, || tokio::fs::File::create(place.clone())).await?;
                Ok(text(std::fs::read(&place).unwrap(), length))
            }
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn text(content: Vec<u8>, length: u64) -> String {
    assert_eq!(length, u64::try_from(content.len()).unwrap());
    String::from_utf8(content).unwrap()
}

struct Scenario {
    what: What,
    sandbox: fn(Sandbox) -> Sandbox,
    faults: Vec<(FaultTarget, Fault)>,
    policy: Policy,
    /// The number of lines, or the beginning of the error kind's name.
    comes_to: Result<usize, &'static str>,
    /// The requests that the server must log, without the login.
    seen: Vec<&'static str>,
}

fn doing(what: What) -> Scenario {
    Scenario {
        what,
        sandbox: |sandbox| sandbox,
        faults: Vec::new(),
        policy: Policy::default(),
        comes_to: Ok(1),
        seen: Vec::new(),
    }
}

impl Scenario {
    fn on(self, sandbox: fn(Sandbox) -> Sandbox) -> Self {
        Self { sandbox, ..self }
    }

    fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    fn meets(mut self, target: FaultTarget, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults.into_iter().map(|fault| (target, fault)));
        self
    }

    fn gives(self, lines: usize, seen: impl IntoIterator<Item = &'static str>) -> Self {
        Self { comes_to: Ok(lines), seen: seen.into_iter().collect(), ..self }
    }

    fn fails(self, kind: &'static str, seen: impl IntoIterator<Item = &'static str>) -> Self {
        Self { comes_to: Err(kind), seen: seen.into_iter().collect(), ..self }
    }
}

/// The ids of the sandbox's data, which do not depend on its seed.
struct Ids {
    contract: ContractId,
    period: ContractPeriodId,
    invoice: InvoiceId,
}

fn ids() -> Ids {
    let mut ids = None;
    Transport::Memory.act(
        stage(Sandbox::new(7), Policy::default()),
        |memory| {
            let (api, policy) = (memory.api(), memory.policy());
            let contracts = Exchange::new(ContractsCall::new(), api.clone(), policy.clone());
            let contract = memory.run(contracts).unwrap().entities()[0].clone();
            let invoices = memory.run(Exchange::new(InvoicesCall::new(), api, policy)).unwrap();
            let id = |id: &Option<String>| id.clone().unwrap();
            ids = Some(Ids {
                contract: id(&contract.id).parse().unwrap(),
                period: id(&contract.billing_periods()[1].id).parse().unwrap(),
                invoice: id(&invoices.entities()[0].id).parse().unwrap(),
            });
        },
        |_| (),
        async |_| (),
    );
    ids.unwrap()
}

fn scenarios() -> Vec<Scenario> {
    let Ids { contract, period, invoice } = ids();
    let nobody = || "nobody-s".parse().unwrap();
    let (document, lines) = (|| What::Document(invoice.clone()), || What::Lines(invoice.clone()));
    let by = |n| InvoicesCall::new().page_size(PageSize::new(n).unwrap());
    let contracts = || What::Contracts(ContractsCall::new());
    let small = Policy { max_body: 300, ..Policy::default() };
    let in_2026 = DateRange::between("2026-01-01".parse().unwrap(), "2026-12-31".parse().unwrap()).unwrap();
    vec![
        doing(What::Organization).gives(1, ["me 200"]),
        doing(What::Organization)
            .meets(FaultTarget::OwnOrganization, [Html(503)])
            .gives(1, ["me 503", "me 200"]),
        doing(What::Organization)
            .meets(FaultTarget::OwnOrganization, [Status(403)])
            .fails("Forbidden", ["me 403"]),
        // Lists by page number, with `nextUri` and without.
        doing(What::Trustors).on(|s| s.trustor_count(250)).gives(250, ["trustors 200"; 3]),
        doing(What::Trustors).on(|s| s.trustor_count(250).next_uris(false)).gives(250, ["trustors 200"; 3]),
        doing(What::Trustors).on(|s| s.trustor_count(0)).gives(0, ["trustors 200"]),
        doing(What::Trustors)
            .on(|s| s.trustor_count(250))
            .meets(FaultTarget::Trustors, [ExpireToken, Reset, Status(500)])
            .gives(
                250,
                [
                    "trustors 401",
                    "login 200",
                    "trustors connection lost",
                    "trustors 500",
                    "trustors 200",
                    "trustors 200",
                    "trustors 200",
                ],
            ),
        // Lists by cursor.
        doing(contracts()).gives(3, ["contracts 200"]),
        doing(What::Contracts(ContractsCall::new().status(ContractStatus::Active).unwrap()))
            .gives(2, ["contracts 200"]),
        doing(What::Contracts(ContractsCall::new().external_number("no such").unwrap()))
            .gives(0, ["contracts 200"]),
        doing(What::Invoices(by(50))).gives(115, ["invoices 200"; 3]),
        doing(What::Invoices(by(200).dates(in_2026).payment_status(PaymentStatus::Paid).unwrap()))
            .gives(19, ["invoices 200"]),
        doing(lines()).gives(3, ["lines 200"]),
        // Rule D10.
        doing(What::Invoices(by(100)))
            .meets(FaultTarget::Invoices, [EmptyPage])
            .gives(115, ["invoices 200"; 3]),
        doing(contracts())
            .meets(FaultTarget::Contracts, [NextUri("/api/v2/billing/contracts?pageSize=100".into())])
            .fails("BadLink(\"the next page link leads back", ["contracts 200"]),
        // Rule D9.
        doing(contracts())
            .meets(FaultTarget::Contracts, [NextUri("https://evil.invalid/api/v2/billing/contracts".into())])
            .fails("BadLink(\"the next page link leads to another host", ["contracts 200"]),
        // Faults in the middle of a list.
        doing(What::Invoices(by(50)))
            .meets(FaultTarget::Invoices, [Nothing, Status(500), Html(502)])
            .gives(115, ["invoices 200", "invoices 500", "invoices 502", "invoices 200", "invoices 200"]),
        doing(What::Invoices(by(50)))
            .meets(FaultTarget::Invoices, [Nothing, Nothing, Status(501)])
            .fails("Server", ["invoices 200", "invoices 200", "invoices 501"]),
        doing(What::Trustors)
            .on(|s| s.trustor_count(250))
            .meets(
                FaultTarget::Trustors,
                [Nothing, NextUri("/api/v2/orgauthorization/trustors?pageSize=100&pageNumber=1".into())],
            )
            .fails("BadLink", ["trustors 200"; 2]),
        doing(contracts())
            .meets(FaultTarget::Contracts, [StatusRetryAfter(429, RetryAfter::Seconds(3)), TruncatedBody])
            .gives(3, ["contracts 429", "contracts 200, cut short", "contracts 200"]),
        // An answer of another shape.
        doing(contracts())
            .meets(FaultTarget::Contracts, vec![Renamed("entities"); 3])
            .fails("Decode", ["contracts 200"; 3]),
        doing(document())
            .meets(FaultTarget::InvoiceDocument, vec![Renamed("url"); 3])
            .fails("Decode", ["document 200"; 3]),
        doing(What::Contract(contract.clone())).gives(1, ["contract 200"]),
        doing(What::Contract(nobody())).fails("NotFound", ["contract 404"]),
        doing(What::Contract(contract.clone()))
            .meets(FaultTarget::Contract, vec![WrongShape; 3])
            .fails("Decode", ["contract 200"; 3]),
        doing(What::Period(contract.clone(), period)).gives(1, ["period 200"]),
        doing(What::Period(contract, "nobody-s".parse().unwrap())).fails("NotFound", ["period 404"]),
        doing(What::Lines("nobody-s".parse().unwrap())).fails("NotFound", ["lines 404"]),
        // Documents.
        doing(document()).gives(PDF, ["document 200", "file 200"]),
        doing(What::Document("nobody-s".parse().unwrap())).fails("NotFound", ["document 404"]),
        doing(document()).meets(FaultTarget::Document, [TruncatedBody, Reset, Html(503)]).gives(
            PDF,
            ["document 200", "file 200, cut short", "file connection lost", "file 503", "file 200"],
        ),
        doing(document()).meets(FaultTarget::Document, vec![TruncatedBody; 3]).fails(
            "Decode",
            ["document 200", "file 200, cut short", "file 200, cut short", "file 200, cut short"],
        ),
        doing(document())
            .meets(FaultTarget::Document, [Status(403)])
            .gives(PDF, ["document 200", "file 403", "document 200", "file 200"]),
        doing(document())
            .on(|s| s.document_lifetime(std::time::Duration::ZERO))
            .fails("UnexpectedStatus", ["document 200", "file 403", "document 200", "file 403"]),
        doing(document())
            .meets(FaultTarget::Document, [Redirect("https://evil.invalid/1.pdf".into())])
            .fails("UnexpectedStatus", ["document 200", "file 302"]),
        doing(document())
            .meets(FaultTarget::Document, [Status(401)])
            .gives(PDF, ["document 200", "file 401", "document 200", "file 200"]),
        doing(document())
            .meets(FaultTarget::Document, [StatusRetryAfter(429, RetryAfter::Seconds(5))])
            .gives(PDF, ["document 200", "file 429", "file 200"]),
        doing(document())
            .policy(small)
            .fails("Transport(TooLarge { limit: 300 })", ["document 200", "file 200"]),
    ]
}

/// The number of lines in the document of the latest invoice.
const PDF: usize = 39;

fn stage(sandbox: Sandbox, policy: Policy) -> Stage {
    let credentials = sandbox.credentials();
    Stage {
        credentials,
        sandbox,
        time: VirtualTime::at("2026-11-02T09:00:00Z".parse().unwrap()),
        policy,
        elsewhere: None,
    }
}

/// The part of a run that is compared: the result and the requests that the server logged. Times are not compared, because
/// the drivers draw their own jitter.
#[derive(Debug, PartialEq)]
struct Trace {
    came: Result<String, String>,
    seen: Vec<String>,
}

fn run(scenario: &Scenario, transport: Transport) -> Trace {
    let mut sandbox = (scenario.sandbox)(Sandbox::new(7));
    for (on, fault) in &scenario.faults {
        sandbox.inject(*on, fault.clone());
    }
    let what = &scenario.what;
    let (came, log) = transport.act(
        stage(sandbox, scenario.policy.clone()),
        |memory| what.in_memory(memory),
        |client| what.blocking(&client),
        async |client| what.in_tasks(&client).await,
    );
    assert!(
        log.iter()
            .all(|entry| !entry.path_and_query.starts_with("/documents/") || entry.token_number.is_none())
    );
    Trace { came: came.map_err(|error| said(&error)), seen: log.iter().map(seen).collect() }
}

/// Returns the text of an error without the parts that the HTTP libraries word differently.
fn said(error: &Error) -> String {
    let kind = match error.kind() {
        ErrorKind::Decode(_) if error.transport().is_some() => "Decode".to_owned(),
        kind => format!("{kind:?}"),
    };
    let about = (error.status(), error.code(), error.correlation_id(), error.attempts());
    format!("{kind} {about:?} {:?}", error.operation().id())
}

fn seen(entry: &LogEntry) -> String {
    let path = entry.path_and_query.split('?').next().unwrap();
    let operation = match path.rsplit('/').next().unwrap() {
        "token" => "login",
        name if path.contains("/billingperiods/") && !name.is_empty() => "period",
        name if path.starts_with("/documents/") && !name.is_empty() => "file",
        name @ ("me" | "trustors" | "contracts" | "invoices" | "lines" | "document") => name,
        _ => "contract",
    };
    format!("{operation} {}", entry.outcome)
}

fn conforms(transport: Transport) {
    for scenario in scenarios() {
        let trace = run(&scenario, transport);
        let what = format!("{transport:?}: {:?} {:?}\n{:#?}", scenario.what, scenario.faults, trace.seen);
        match (&trace.came, scenario.comes_to) {
            (Ok(came), Ok(lines)) => assert_eq!(came.lines().count(), lines, "{what}"),
            (Err(error), Err(kind)) => assert!(error.starts_with(kind), "{error}, not {kind}: {what}"),
            (came, expected) => panic!("{came:?}, not {expected:?}: {what}"),
        }
        let (login, seen) = trace.seen.split_first().unwrap();
        assert_eq!(login, "login 200", "{what}");
        assert_eq!(seen, scenario.seen, "{what}");
        if transport != Transport::Memory {
            assert_eq!(trace, run(&scenario, Transport::Memory), "{what}");
        }
    }
}

#[test]
fn in_memory() {
    conforms(Transport::Memory);
}

#[test]
fn through_ureq() {
    conforms(Transport::Ureq);
}

#[test]
fn through_hyper() {
    conforms(Transport::Hyper);
}

fn server_of_lists() -> (FakeServer, Credentials) {
    let sandbox = Sandbox::new(7).trustor_count(250).without_quota();
    let credentials = sandbox.credentials();
    (FakeServer::start(sandbox, Utc::now), credentials)
}

fn ureq_client(server: &FakeServer, credentials: Credentials) -> billing_ureq::Client {
    billing_ureq::Client::builder(server.environment().unwrap(), credentials).no_proxy().build().unwrap()
}

fn hyper_client(server: &FakeServer, credentials: Credentials) -> billing_hyper::Client {
    billing_hyper::Client::builder(server.environment().unwrap(), credentials).no_proxy().build().unwrap()
}

fn pages_seen(server: &FakeServer) -> usize {
    server.sandbox().log().iter().filter(|entry| entry.path_and_query.contains("/trustors")).count()
}

#[test]
fn ureq_a_list_is_fetched_as_it_is_read_and_goes_on_from_where_it_was_left() {
    let (server, credentials) = server_of_lists();
    let client = ureq_client(&server, credentials);
    let mut list = client.trustors();
    assert_eq!(pages_seen(&server), 0);
    assert_eq!(list.next().unwrap().unwrap().entities().len(), 100);
    assert_eq!(pages_seen(&server), 1);
    // Another client resumes the saved list.
    let saved = serde_json::to_string(list.rest().unwrap()).unwrap();
    drop(list);
    let credentials = server.sandbox().credentials();
    let mut rest = ureq_client(&server, credentials)
        .resume(serde_json::from_str::<Pages<TrustorsCall>>(&saved).unwrap());
    let mut again = rest.by_ref().map(|page| page.unwrap().entities().len());
    assert_eq!((again.next(), again.next(), again.next(), again.next()), (Some(100), Some(50), None, None));
    assert!(rest.rest().is_none() && pages_seen(&server) == 3);

    // An error ends the iterator. The rest begins with the page that failed.
    server.sandbox().inject(FaultTarget::Trustors, Nothing);
    server.sandbox().inject(FaultTarget::Trustors, Status(403));
    let mut list = client.trustors().entities();
    assert_eq!(list.by_ref().take_while(Result::is_ok).count(), 100);
    assert!(list.next().is_none());
    let rest = list.rest().unwrap().clone();
    assert_eq!(client.resume(rest).entities().map(Result::unwrap).count(), 150);
}

#[test]
fn hyper_a_list_is_fetched_as_it_is_read_and_goes_on_from_where_it_was_left() {
    let (server, credentials) = server_of_lists();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = hyper_client(&server, credentials);
        let mut list = client.trustors();
        assert_eq!(pages_seen(&server), 0);
        assert_eq!(list.next().await.unwrap().unwrap().entities().len(), 100);
        assert_eq!(pages_seen(&server), 1);
        let saved = serde_json::to_string(list.rest().unwrap()).unwrap();
        drop(list);
        let credentials = server.sandbox().credentials();
        let mut rest = hyper_client(&server, credentials)
            .resume(serde_json::from_str::<Pages<TrustorsCall>>(&saved).unwrap());
        let mut again = Vec::new();
        while let Some(page) = rest.next().await {
            again.push(page.unwrap().entities().len());
        }
        assert_eq!(again, [100, 50]);
        assert!(rest.next().await.is_none() && rest.rest().is_none() && pages_seen(&server) == 3);

        server.sandbox().inject(FaultTarget::Trustors, Nothing);
        server.sandbox().inject(FaultTarget::Trustors, Status(403));
        let mut list = client.trustors().entities();
        let mut read = 0;
        while let Some(Ok(_)) = list.next().await {
            read += 1;
        }
        assert_eq!(read, 100);
        assert!(list.next().await.is_none());
        let rest = list.rest().unwrap().clone();
        assert_eq!(client.resume(rest).entities().map(Result::unwrap).count().await, 150);

        // The request of a page stays in flight when its future is dropped: the page is neither lost nor fetched twice.
        let seen = pages_seen(&server);
        let mut list = client.trustors();
        let mut polled = Box::pin(list.next());
        assert!(futures_util::poll!(polled.as_mut()).is_pending());
        drop(polled);
        assert_eq!(list.entities().map(Result::unwrap).count().await, 250);
        assert_eq!(pages_seen(&server) - seen, 3);
    });
}
