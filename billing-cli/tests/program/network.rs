//! Tests of the program as a process, against the fake server, over real HTTP and in real time.

use std::time::{Duration, Instant};

use crate::process::{program, program_at, stderr, stdout};
use billing_core::sandbox::{CLIENT_SECRET, Fault, FaultTarget, ORG_ID, RetryAfter, Sandbox};
use billing_tests::FakeServer;
use chrono::{TimeDelta, Utc};

const OCTOBER: [&str; 5] = ["usage", "--start", "2026-10-01", "--end", "2026-11-01"];

fn server(sandbox: Sandbox) -> FakeServer {
    FakeServer::start(sandbox, Utc::now)
}

#[test]
fn a_report_in_spite_of_everything() {
    // Two responses say `InProgress`; a third does too, but is cut short.
    let server = server(Sandbox::new(7).pending_answers(3));
    for fault in [
        Fault::ExpireToken,
        Fault::StatusRetryAfter(429, RetryAfter::Seconds(1)),
        Fault::Html(503),
        Fault::Reset,
        Fault::TruncatedBody,
    ] {
        server.sandbox().inject(FaultTarget::UsageReport, fault);
    }
    let output = program_at(&server).args(OCTOBER).args(["--format", "json", "-v"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let report: billing_core::model::UsageReport = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report.status, Some(billing_core::model::ReportStatus::Complete));

    let log = server.sandbox().log().to_vec();
    let text: String = log.iter().map(|entry| format!("{entry}\n")).collect();
    let polls: Vec<_> = log.iter().filter(|entry| entry.path_and_query.contains("/billableusage?")).collect();
    // Five faults, two `InProgress` responses, and the report.
    assert_eq!(polls.len(), 8, "{text}");
    assert_eq!(log.len() - polls.len(), 2, "one login, and one after the 401:\n{text}");
    assert!(polls.iter().all(|poll| poll.path_and_query == polls[0].path_and_query), "{text}");
    // Only the retry after the 401 may follow at once.
    let gaps: Vec<_> = polls.windows(2).map(|pair| pair[1].received_at - pair[0].received_at).collect();
    assert!(gaps[1..].iter().all(|gap| *gap >= TimeDelta::seconds(2)), "{gaps:?}\n{text}");
    for secret in [CLIENT_SECRET, "Bearer ", "Basic "] {
        assert!(!stderr(&output).contains(secret));
    }
}

#[test]
fn a_report_is_learned_from_unless_it_is_not_wanted() {
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("genesys-billing/poll-timings.json");
    let run = |more: &[&str]| {
        // One response says `InProgress`, so that the poll cache gets a timing.
        let server = server(Sandbox::new(7).pending_answers(1));
        let mut command = program_at(&server);
        let output = command.env("XDG_CACHE_HOME", cache.path()).args(OCTOBER).args(more).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    run(&[]);
    let kept = std::fs::read_to_string(&file).unwrap();
    let seen: billing_core::poll::PollTimings = serde_json::from_str(&kept).unwrap();
    assert_eq!(seen.len(), 1, "{kept}");

    let said = run(&["-v"]);
    assert!(said.contains("as learned from the one report before"), "{said}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(serde_json::from_str::<billing_core::poll::PollTimings>(&kept).unwrap().len(), 2, "{kept}");
    let said = run(&["-v", "--no-poll-cache"]);
    assert!(said.contains("by the usual schedule"), "nothing is used: {said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept, "and nothing is kept");
}

#[test]
fn an_overview_in_each_format() {
    let server = server(Sandbox::new(7));
    let run = |format: &str| {
        let output = program_at(&server)
            .args(["overview", ORG_ID, "--period", "1", "--format", format])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let table = run("table");
    assert!(table.contains("Tax and telco usage are not included"), "{table}");
    assert!(!table.contains('\u{1b}'), "no escape codes in a pipe");
    let json: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
    assert!(json["statement"]["total"]["known"].is_string(), "{json}");
    assert!(json["usages"].is_array());
    assert_eq!(run("ndjson").lines().count(), 1);
    let csv = run("csv");
    assert_eq!(csv.lines().count(), json["usages"].as_array().unwrap().len() + 1, "{csv}");
    assert!(
        server.sandbox().log().iter().any(|entry| entry.path_and_query.ends_with("?billingPeriodIndex=1"))
    );
}

#[test]
fn each_failure_has_its_status_and_one_line() {
    for (status, fault, on, words) in [
        (3, Fault::InvalidClient, FaultTarget::Login, "invalid_client"),
        (4, Fault::Status(403), FaultTarget::Overview, "affiliateOrganization:clientBilling:view"),
        (5, Fault::Status(404), FaultTarget::Overview, "not.found"),
        (6, Fault::StatusRetryAfter(429, RetryAfter::Seconds(7200)), FaultTarget::Overview, "come back"),
        (8, Fault::Status(501), FaultTarget::Overview, "501"),
        (8, Fault::Redirect("https://evil.invalid/".into()), FaultTarget::Overview, "30"),
    ] {
        let server = server(Sandbox::new(7));
        server.sandbox().inject(on, fault.clone());
        let output = program_at(&server).args(["overview", ORG_ID]).output().unwrap();
        let line = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{fault:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains(words), "{line}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_deadline_is_kept() {
    let server = server(Sandbox::new(7).pending_answers(1000));
    let mut program = program_at(&server);
    let begun = Instant::now();
    let output = program.args(OCTOBER).args(["--timeout", "3s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let server = server(Sandbox::new(7));
    for (args, words) in [
        (vec!["usage", "--start", "soon", "--end", "2026-11-01"], "soon"),
        (vec!["usage", "--start", "2026-11-01", "--end", "2026-10-01"], "not before"),
        (vec!["usage", "--start", "2026-11-01"], "--end"),
        (vec!["overview", ""], "id"),
        (vec!["overview", ".."], ".."),
        (vec!["overview", "a\nb"], "control"),
        (vec!["overview", ORG_ID, "--period", "-1"], "-1"),
        (vec!["--api-url", "http://api.example.com", "overview", ORG_ID], "http"),
        (vec!["--region", "atlantis-1", "overview", ORG_ID], "atlantis-1"),
        (vec!["--timeout", "never", "overview", ORG_ID], "never"),
        (vec!["--format", "pdf", "overview", ORG_ID], "pdf"),
        (vec!["frobnicate"], "frobnicate"),
    ] {
        let mut command = program_at(&server);
        // A gateway address in the environment would override the region.
        if args.contains(&"--region") {
            command.env_remove("GENESYSCLOUD_API_URL").env_remove("GENESYSCLOUD_LOGIN_URL");
        }
        let output = command.args(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
    assert!(server.sandbox().log().is_empty());
}

#[test]
fn without_credentials_the_three_ways_are_named() {
    let output = program().args(OCTOBER).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    for way in ["GENESYSCLOUD_ACCESS_TOKEN", "GENESYSCLOUD_OAUTHCLIENT_ID", "config.toml", "--sandbox"] {
        assert!(stderr(&output).contains(way), "{way}: {}", stderr(&output));
    }
}

#[test]
fn a_failure_leaves_the_old_file() {
    let server = server(Sandbox::new(7));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("overview.csv");
    let run = || {
        program_at(&server)
            .args(["overview", ORG_ID, "--format", "csv", "-o"])
            .arg(&file)
            .output()
            .unwrap()
            .status
    };
    assert!(run().success());
    let good = std::fs::read(&file).unwrap();
    assert!(!good.is_empty());
    server.sandbox().inject(FaultTarget::Overview, Fault::Status(404));
    assert_eq!(run().code(), Some(5));
    assert_eq!(std::fs::read(&file).unwrap(), good);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_within_a_second() {
    let server = server(Sandbox::new(7).pending_answers(1000));
    let child = program_at(&server).args(OCTOBER).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while server.sandbox().log().len() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Rule D9 at every log level: neither the client secret nor a token, in plain or encoded form, is ever
/// printed.
#[test]
fn d09_the_log_holds_no_secret_at_any_level() {
    for level in ["-v", "-vv", "-vvv"] {
        for (on, fault) in [
            (FaultTarget::Overview, Fault::ExpireToken),
            (FaultTarget::Overview, Fault::Status(403)),
            (FaultTarget::Overview, Fault::Html(400)),
            (FaultTarget::Overview, Fault::NotJson),
            (FaultTarget::Login, Fault::TruncatedJson),
            (FaultTarget::Login, Fault::NotJson),
            (FaultTarget::Login, Fault::InvalidClient),
        ] {
            let server = server(Sandbox::new(7));
            server.sandbox().inject(on, fault.clone());
            let output =
                program_at(&server).args(["overview", ORG_ID, level, "--timeout", "5s"]).output().unwrap();
            let said = format!("{}{}", stdout(&output), stderr(&output));
            assert!(said.contains("/oauth/token"), "{level}: something is logged: {said}");
            let sent: Vec<String> = server
                .received()
                .iter()
                .filter_map(|request| request.headers.get("authorization")?.to_str().ok()?.split_once(' '))
                .map(|(_, credentials)| credentials.to_owned())
                .collect();
            assert!(!sent.is_empty());
            for secret in sent.iter().map(String::as_str).chain([CLIENT_SECRET]) {
                assert!(!said.contains(secret), "{level} {fault:?}: {secret} in {said}");
            }
        }
    }
}
