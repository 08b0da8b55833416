//! The program on its sandbox: every command, every format.

mod common;

use billing_core::sandbox::ORG_ID;
use common::{names_in, program, run, sandbox};
use serde_json::Value;

const USAGE: [&str; 5] = ["usage", "--start", "2026-10-01", "--end", "2026-11-01"];

fn usage(more: &[&str]) -> common::Ended {
    let line: Vec<&str> = USAGE.iter().chain(more).copied().collect();
    sandbox(&line)
}

#[test]
fn the_same_answers_every_time_and_a_word_that_they_are_simulated() {
    let noted = run(program(&["--sandbox"]).args(USAGE));
    assert_eq!(noted.status, 0);
    assert!(noted.stderr.starts_with("note: simulated"), "{}", noted.stderr);
    let quiet = usage(&[]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), (noted.stdout.as_str(), ""));
    assert!(quiet.stdout.starts_with("Billable usage\nPeriod 2026-10-01 to 2026-11-01\n"));
}

#[test]
fn usage_in_each_format_holds_the_same_resources() {
    let json = usage(&["--format", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["status"], "Complete");
    let usages = report["usages"].as_array().unwrap();
    let resources: Vec<&str> = usages
        .iter()
        .flat_map(|usage| usage["resources"].as_array().into_iter().flatten())
        .filter_map(|resource| resource["name"].as_str())
        .collect();
    assert!(resources.len() > 10);

    let ndjson = usage(&["--format", "ndjson"]).stdout;
    let names: Vec<String> = ndjson
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|line| assert!(line["usage"].is_string()))
        .filter_map(|line| line["name"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(names, resources);

    let csv = usage(&["--format", "csv"]).stdout;
    assert!(csv.starts_with("usage,totalUsage,name,date\r\n"), "{csv}");
    let table = usage(&[]).stdout;
    for name in resources {
        assert!(csv.contains(name) && table.contains(name), "{name}");
    }
    assert!(!table.contains('\u{1b}'), "no escape codes in a pipe");
}

#[test]
fn an_answer_over_the_bound_is_refused_and_the_bound_can_be_raised() {
    let refused = usage(&["--format", "csv", "--max-body", "1KiB"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (8, ""));
    assert!(
        refused.stderr.contains("larger than 1024 bytes") && refused.stderr.contains("--max-body"),
        "{}",
        refused.stderr
    );
    let taken = usage(&["--format", "csv", "--max-body", "1GiB"]);
    assert_eq!((taken.status, taken.stdout), (0, usage(&["--format", "csv"]).stdout));
}

#[test]
fn an_overview_is_the_servers_object_with_a_statement() {
    let json = sandbox(&["overview", ORG_ID, "--format", "json"]).stdout;
    let overview: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(overview["organization"]["id"], ORG_ID);
    let known = overview["statement"]["total"]["known"].as_str().unwrap();
    assert!(known.parse::<rust_decimal::Decimal>().is_ok(), "{known}");

    let line = sandbox(&["overview", ORG_ID, "--format", "ndjson"]).stdout;
    assert_eq!(line.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), overview);

    let csv = sandbox(&["overview", ORG_ID, "--format", "csv"]).stdout;
    let rows = overview["usages"].as_array().unwrap().len();
    assert_eq!(csv.matches("\r\n").count(), rows + 1);

    let table = sandbox(&["overview", ORG_ID]).stdout;
    for said in
        ["Total: ", overview["currency"].as_str().unwrap(), "Tax and telco usage are not included.", "USERS"]
    {
        assert!(table.contains(said), "{said}\n{table}");
    }
    let coloured =
        run(program(&["--sandbox", "-q", "--color", "always", "overview", ORG_ID]).env("NO_COLOR", "1"));
    assert!(coloured.stdout.contains("\u{1b}[38;5;1m\u{1b}[1m! 3\u{1b}"));
    assert!(!table.contains('\u{1b}'));
}

#[test]
fn periods_differ_and_a_missing_one_is_not_found() {
    let period = |n: &str| sandbox(&["overview", ORG_ID, "--period", n]);
    assert_ne!(period("0").stdout, period("1").stdout);
    let missing = period("9999");
    assert_eq!((missing.status, missing.stdout.as_str()), (5, ""));
    assert!(
        missing.stderr.contains("not.found") && missing.stderr.lines().count() == 1,
        "{}",
        missing.stderr
    );
}

#[test]
fn a_wrong_organization_is_told_the_right_ones() {
    let wrong = sandbox(&["overview", "nobody"]);
    assert_eq!(wrong.status, 5);
    assert!(wrong.stderr.contains(ORG_ID), "{}", wrong.stderr);
    assert!(run(&mut program(&["overview", "--help"])).stdout.contains(ORG_ID));
}

#[test]
fn wrong_input_is_named_before_anything_is_sent() {
    let cases: &[(&[&str], &str)] = &[
        (&["usage", "--start", "2026-11-01", "--end", "2026-10-01"], "swap"),
        (&["usage", "--start", "1.10.2026", "--end", "2026-11-01"], "\"1.10.2026\""),
        (&["usage", "--start", "2026-10-01"], "--end"),
        (&["overview", ".."], "\"..\""),
        (&["overview", ORG_ID, "--period", "-1"], "\"-1\""),
        (&["overview", ORG_ID, "--region", "atlantis"], "atlantis"),
        (&["regions", "--region", "atlantis"], "atlantis"),
        (&["regions", "--format", "xlsx"], "xlsx"),
        (&["regions", "--timeout", "90"], "1h30m"),
        (&["regions", "-o", "/nonexistent/x"], "/nonexistent/x"),
        (&["nonsense"], "nonsense"),
    ];
    for (line, named) in cases {
        let wrong = sandbox(line);
        assert_eq!((wrong.status, wrong.stdout.as_str()), (2, ""), "{line:?}");
        assert!(
            wrong.stderr.starts_with("error: ") && wrong.stderr.contains(named),
            "{line:?}: {}",
            wrong.stderr
        );
        assert_eq!(wrong.stderr.lines().count(), 1, "{}", wrong.stderr);
    }
}

#[test]
fn time_runs_out_in_virtual_time_too() {
    let late = usage(&["--timeout", "3s"]);
    assert_eq!(late.status, 7);
    assert!(late.stderr.contains("--timeout"), "{}", late.stderr);
}

#[test]
fn verbose_logs_each_exchange_and_nothing_secret() {
    let said = run(program(&["--sandbox", "-vvv"]).args(USAGE));
    for part in [
        "POST /oauth/token: 200",
        "GET /api/v2/billing/reports/billableusage?",
        "correlation id",
        "InProgress",
    ] {
        assert!(said.stderr.contains(part), "{part}\n{}", said.stderr);
    }
    assert!(!said.stderr.contains(billing_core::sandbox::CLIENT_SECRET));
    assert!(!said.stderr.contains("Bearer") && !said.stderr.contains("Basic"), "{}", said.stderr);
    assert_eq!(said.stdout, usage(&[]).stdout);
}

#[test]
fn a_file_is_written_whole_and_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.csv");
    let file = path.to_str().unwrap();
    let written = usage(&["--format", "csv", "-o", file]);
    assert_eq!((written.status, written.stdout.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), usage(&["--format", "csv"]).stdout);
    assert_eq!(names_in(folder.path()), ["usage.csv"]);

    std::fs::write(&path, "what was there").unwrap();
    assert_eq!(usage(&["-o", file, "--timeout", "3s"]).status, 7);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "what was there");
    assert_eq!(names_in(folder.path()), ["usage.csv"]);

    assert_eq!(usage(&["-o", "-"]).stdout, usage(&[]).stdout);
}

#[test]
fn overage_fails_the_command_after_everything_is_printed() {
    let without = sandbox(&["overview", ORG_ID]);
    let with = run(program(&["--sandbox"]).args(["overview", ORG_ID, "--fail-on-overage"]));
    assert_eq!((without.status, with.status), (0, 10));
    assert_eq!(without.stdout, with.stdout);
    assert!(with.stderr.contains("error: overage found in 11 rows: "), "{}", with.stderr);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("overview.json");
    let line = ["overview", ORG_ID, "--format", "json", "--fail-on-overage", "-o", file.to_str().unwrap()];
    assert_eq!(sandbox(&line).status, 10);
    assert!(std::fs::read_to_string(&file).unwrap().contains("statement"), "the file is there all the same");
}

#[test]
fn a_workbook_and_a_page_want_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for (format, begins) in [("xlsx", &b"PK"[..]), ("html", b"<!DOCTYPE html>")] {
        for line in [vec!["overview", ORG_ID], USAGE.to_vec(), vec!["regions"]] {
            let bare = sandbox(&[&line[..], &["--format", format]].concat());
            assert_eq!((bare.status, bare.stdout.as_str()), (2, ""), "{line:?}");
            assert!(bare.stderr.contains("--output"), "{}", bare.stderr);
            let file = folder.path().join("made");
            let made = sandbox(&[&line[..], &["--format", format, "-o", file.to_str().unwrap()]].concat());
            assert_eq!((made.status, made.stdout.as_str(), made.stderr.as_str()), (0, "", ""), "{line:?}");
            assert!(std::fs::read(&file).unwrap().starts_with(begins), "{line:?}");
        }
    }
}

#[test]
fn regions_completions_and_man_need_nothing() {
    let regions = run(&mut program(&["regions", "--format", "json"]));
    let regions: Value = serde_json::from_str(&regions.stdout).unwrap();
    assert_eq!(regions.as_array().unwrap().len(), 18);
    assert!(run(&mut program(&["regions"])).stdout.contains("https://login.mypurecloud.de"));
    assert!(
        run(&mut program(&["regions", "--format", "csv"])).stdout.starts_with("region,domain,api,login\r\n")
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(&mut program(&["completions", shell])).stdout.contains("overview"), "{shell}");
    }
    let page = run(&mut program(&["man"])).stdout;
    assert!(page.contains(".TH genesys") && page.contains("Exit status"), "{page}");
}

#[cfg(unix)]
#[test]
fn nobody_reading_on_is_no_failure_and_a_full_disk_is_one() {
    use std::process::Stdio;
    let mut child =
        program(&["--sandbox"]).args(USAGE).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = common::ended(child.wait_with_output().unwrap());
    assert_eq!(ended.status, 0, "{}", ended.stderr);

    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let child =
        program(&["--sandbox", "-q"]).args(USAGE).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let ended = common::ended(child.wait_with_output().unwrap());
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("--output"), "{}", ended.stderr);
}
