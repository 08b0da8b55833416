//! Tests of each command as a process against the fake server, and of a fleet run that is killed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::process::{program, program_at, stderr, stdout};
use billing_core::sandbox::{Fault, FaultTarget, ORG_ID, Sandbox};
use billing_tests::FakeServer;
use chrono::{DateTime, Utc};

/// Returns the organisation data of `--sandbox`, at the same time.
fn server() -> FakeServer {
    let at: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
    FakeServer::start(Sandbox::new(1).pending_answers(0).quota(10_000, Duration::from_secs(60)), move || at)
}

/// Returns the output of a command with `--sandbox`.
fn simulated(line: &[&str]) -> Output {
    program().arg("--sandbox").args(line).output().unwrap()
}

/// Returns a field of the first entity in a list.
fn first(line: &[&str], field: &str) -> String {
    let listed = simulated(&[line, &["-q", "--format", "json"]].concat());
    let listed: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    listed.pointer(field).and_then(|id| id.as_str()).unwrap_or_else(|| panic!("{field}: {listed}")).to_owned()
}

fn organizations(n: usize) -> Vec<String> {
    Sandbox::new(1).all_trustors().take(n).map(|(id, _)| id.to_string()).collect()
}

/// Returns the organisations that were requested with the server's nth token.
fn asked_with(server: &FakeServer, token: usize) -> Vec<String> {
    let sandbox = server.sandbox();
    let entries = sandbox.log().iter().filter(|entry| entry.token_number == Some(token));
    let paths = entries.filter_map(|entry| entry.path_and_query.split_once("overview/"));
    paths.map(|(_, rest)| rest.split('?').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn each_command_says_of_a_server_what_it_says_of_the_sandbox() {
    let server = server();
    let (contract, invoice) = (first(&["contracts"], "/0/id"), first(&["invoices"], "/0/id"));
    let period = first(&["contract", &contract], "/billingPeriods/1/id");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("orgs");
    std::fs::write(&list, organizations(5).join("\n")).unwrap();
    let list = list.to_str().unwrap();
    let lines: [(&[&str], &str); 12] = [
        (&["usage", "--start", "2026-10-01", "--end", "2026-11-01"], "/billing/reports/billableusage?"),
        (&["overview", ORG_ID, "--period", "1"], "/billing/trusteebillingoverview/"),
        (&["history", ORG_ID, "--periods", "3"], "?billingPeriodIndex=2"),
        (&["compare", ORG_ID, "--periods", "0,12"], "?billingPeriodIndex=12"),
        (&["fleet", "--orgs", list], "/billing/trusteebillingoverview/"),
        (&["trustors"], "/orgauthorization/trustors?"),
        (&["contracts"], "/billing/contracts?"),
        (&["contract", &contract], &format!("/billing/contracts/{contract}")),
        (&["period", &contract, &period], &format!("/billingperiods/{period}")),
        (&["invoices"], "/billing/contracts/invoices?"),
        (&["invoice-lines", &invoice], "/lines?"),
        (&["invoice-document", &invoice], "/document"),
    ];
    for (line, path) in lines {
        // Formats do not depend on the backend, so they are tested on the sandbox.
        let formats =
            if line.contains(&ORG_ID) && line.contains(&"overview") { &FORMATS[..] } else { &FORMATS[..2] };
        for format in formats {
            let line = [&["-q", "--format", format, "-o", "-"], line].concat();
            let before = server.sandbox().log().len();
            let done = program_at(&server).args(&line).output().unwrap();
            assert!(done.status.success() && done.stderr.is_empty(), "{line:?}: {}", stderr(&done));
            assert!(!done.stdout.is_empty() && done.stdout == simulated(&line).stdout, "{line:?}");
            let sandbox = server.sandbox();
            let asked = &sandbox.log()[before..];
            assert!(asked.iter().any(|entry| entry.path_and_query.contains(path)), "{line:?}: {asked:?}");
        }
    }
}

const FORMATS: [&str; 6] = ["json", "csv", "table", "ndjson", "xlsx", "html"];

#[test]
fn what_the_server_does_not_have_is_told_plainly() {
    let server = server();
    for (line, advice) in [
        (vec!["overview", "nobody"], "`trustors` lists the organisations"),
        (vec!["history", "nobody"], "`trustors` lists the organisations"),
        (vec!["compare", ORG_ID, "--periods", "0,999"], "error: billing period 999: "),
        (vec!["contract", "none"], "`contracts` lists"),
        (vec!["period", "none", "none"], "`contract` the billing periods"),
        (vec!["invoice-lines", "none"], "`invoices` lists"),
        (vec!["invoice-document", "none", "-o", "-"], "`invoices` lists"),
    ] {
        let output = program_at(&server).args(&line).output().unwrap();
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(5), ""), "{line:?}: {said}");
        assert!(
            said.lines().count() == 1 && said.contains("404") && said.contains(advice),
            "{line:?}: {said}"
        );
    }
    let none =
        program_at(&server).args(["history", ORG_ID, "--year", "1999", "--format", "json"]).output().unwrap();
    assert_eq!((none.status.code(), stdout(&none).as_str()), (Some(0), "[]\n"));
    assert!(stderr(&none).starts_with("note: "), "{}", stderr(&none));
}

/// Returns a run over all organisations of the server that keeps a journal.
fn fleet(server: &FakeServer, journal: &Path, result: &Path) -> Child {
    let mut command = program_at(server);
    command.args(["fleet", "--format", "ndjson", "--resume"]).arg(journal).arg("-o").arg(result);
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[cfg(unix)]
#[test]
fn a_fleet_that_is_ended_goes_on_with_nothing_asked_twice_that_was_answered_and_nothing_missed() {
    for (signal, status) in [("-KILL", None), ("-INT", Some(130)), ("-TERM", Some(130))] {
        let server = FakeServer::start(
            Sandbox::new(7).trustor_count(40).quota(10_000, Duration::from_secs(60)),
            Utc::now,
        );
        let all: BTreeSet<String> =
            Sandbox::new(7).trustor_count(40).all_trustors().map(|(id, _)| id.to_string()).collect();
        let folder = tempfile::tempdir().unwrap();
        let (journal, result) = (folder.path().join("journal"), folder.path().join("result"));
        // One response never arrives, so the run cannot finish before it is killed.
        server.hold(Sandbox::new(7).all_trustors().nth(20).unwrap().0.as_str());
        let first = fleet(&server, &journal, &result);
        let known = || -> BTreeSet<String> {
            let text = std::fs::read_to_string(&journal).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let entries =
                whole.lines().skip(1).map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            entries.map(|entry| entry["organization"].as_str().unwrap().to_owned()).collect()
        };
        let begun = Instant::now();
        while known().len() < 10 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{signal}: {} of 10", known().len());
            std::thread::sleep(Duration::from_millis(5));
        }
        server.await_held();
        let begun = Instant::now();
        std::process::Command::new("kill").args([signal, &first.id().to_string()]).status().unwrap();
        let ended = first.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{signal}: {:?}", begun.elapsed());
        assert_eq!(ended.status.code(), status, "{signal}: {}", stderr(&ended));

        let known = known();
        assert!(known.len() < all.len() && !result.exists());
        let rest = fleet(&server, &journal, &result).wait_with_output().unwrap();
        assert!(rest.status.success(), "{signal}: {}", stderr(&rest));
        assert!(
            stderr(&rest).contains(&format!("{} of 40 organisations done", known.len())),
            "{}",
            stderr(&rest)
        );
        // Use another token: requests of the first process may arrive after its end.
        let asked = asked_with(&server, 2);
        let expected: BTreeSet<String> = all.difference(&known).cloned().collect();
        assert_eq!(asked.len(), expected.len(), "{signal}: none twice");
        assert_eq!(asked.into_iter().collect::<BTreeSet<_>>(), expected, "{signal}");
        let printed: BTreeSet<String> = std::fs::read_to_string(&result)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|line| line["organization"]["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(printed, all, "{signal}");
    }
}

#[test]
fn a_fleet_lists_what_failed_and_prints_the_rest() {
    let server =
        FakeServer::start(Sandbox::new(7).trustor_count(6).quota(10_000, Duration::from_secs(60)), Utc::now);
    server.sandbox().inject(FaultTarget::Overview, Fault::Status(400));
    let output = program_at(&server).args(["fleet", "--format", "csv"]).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(said.contains(": trustee billing overview: the request was refused (400"), "{said}");
    assert!(
        said.ends_with("error: 1 of 6 organisations could not be read; the rest was printed\n"),
        "{said}"
    );
    let rows = stdout(&output);
    let read: BTreeSet<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
    assert_eq!(read.len(), 5);
    let over = program_at(&server).args(["-q", "fleet", "--fail-on-overage"]).output().unwrap();
    assert_eq!(over.status.code(), Some(10), "{}", stderr(&over));
}
