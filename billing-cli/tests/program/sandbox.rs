//! Tests of the program on its sandbox: every command in every format.

use crate::common::{Ended, ids, names_in, program, run, sandbox};
use billing_core::sandbox::ORG_ID;
use serde_json::Value;

const USAGE: [&str; 5] = ["usage", "--start", "2026-10-01", "--end", "2026-11-01"];

fn usage(more: &[&str]) -> Ended {
    let line: Vec<&str> = USAGE.iter().chain(more).copied().collect();
    sandbox(&line)
}

#[test]
fn the_same_answers_every_time_and_a_word_that_they_are_simulated() {
    let noted = run(program(&["--sandbox"]).args(USAGE));
    assert_eq!(noted.status, 0);
    assert!(noted.stderr.starts_with("note: the sandbox's figures are simulated"), "{}", noted.stderr);
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
fn the_options_of_a_command_stand_before_those_of_all() {
    for much in ["-h", "--help"] {
        let help = run(&mut program(&["history", much])).stdout;
        let at = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
        let all = at("Options of every command:");
        assert!(["--periods", "--fail-on-overage"].iter().all(|option| at(option) < all), "{help}");
        assert!(all < at("--region"), "{help}");
    }
}

#[test]
fn wrong_input_is_named_before_anything_is_sent() {
    let cases: &[(&[&str], &str)] = &[
        (&["usage", "--start", "2026-11-01", "--end", "2026-10-01"], "swap"),
        (&["usage", "--start", "1.10.2026", "--end", "2026-11-01"], "\"1.10.2026\""),
        (&["usage", "--start", "2026-10-01"], "--end"),
        (&["overview", ".."], "\"..\""),
        (&["history", ORG_ID, "--year", "20266"], "--year \"20266\""),
        (&["history", ORG_ID, "--year", "26"], "--year \"26\""),
        (&["compare", ORG_ID, "--periods", "0"], "--periods names 1 billing period,"),
        (&["contracts", "--number", ""], "--number \"\""),
        (&["history", ORG_ID, "--from", "2026-02-01", "--to", "2026-01-01"], "--to 2026-01-01: swap"),
        (&["overview", ORG_ID, "--period", "-1"], "\"-1\""),
        (&["overview", ORG_ID, "--region", "atlantis"], "atlantis"),
        (&["regions", "--region", "atlantis"], "atlantis"),
        (&["regions", "--format", "xlsx"], "xlsx"),
        #[cfg(target_os = "linux")]
        (&["regions", "--format", "xlsx", "-o", "/dev/ptmx"], "cannot be shown on a terminal"),
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
fn what_comes_in_parts_is_bounded_as_one_answer_is() {
    let history = ["history", ORG_ID, "--periods", "3"];
    let cases: [(&[&str], &str, &str); 2] =
        [(&["trustors"], "100KiB", "pages together exceed 102400 bytes"), (&history, "10KiB", "10240 bytes")];
    for (line, bound, said) in cases {
        let failed = sandbox(&[line, &["--max-body", bound]].concat());
        assert!(failed.status == 8 && failed.stdout.is_empty(), "{}: {}", failed.status, failed.stderr);
        let parts = [": the answer is too large: 2 p", said, "Raise --max-body"];
        assert!(parts.iter().all(|part| failed.stderr.contains(part)), "{}", failed.stderr);
        // Each page is small enough, and a larger limit allows all of them.
        assert_eq!(sandbox(&[line, &["--max-body", "2MiB"]].concat()).status, 0, "{line:?}");
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
fn every_command_has_every_format() {
    let (contract, invoice) = (&ids(&["contracts"])[0], &ids(&["invoices"])[0]);
    let contract_json: Value =
        serde_json::from_str(&sandbox(&["contract", contract, "--format", "json"]).stdout).unwrap();
    let period = contract_json["billingPeriods"][1]["id"].as_str().unwrap().to_owned();
    let lines: [&[&str]; 10] = [
        &USAGE,
        &["overview", ORG_ID],
        &["history", ORG_ID, "--periods", "3"],
        &["compare", ORG_ID, "--periods", "0,2"],
        &["trustors"],
        &["contracts"],
        &["contract", contract],
        &["period", contract, &period],
        &["invoices"],
        &["invoice-lines", invoice],
    ];
    let folder = tempfile::tempdir().unwrap();
    for line in lines {
        let with = |format: &str| {
            let done = sandbox(&[line, &["--format", format]].concat());
            assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{line:?} as {format}");
            assert!(!done.stdout.is_empty() && !done.stdout.contains('\u{1b}'), "{line:?} as {format}");
            done.stdout
        };
        with("table");
        let json: Value = serde_json::from_str(&with("json")).unwrap();
        assert!(json.is_array() || json.is_object(), "{line:?}");
        for object in with("ndjson").lines() {
            assert!(serde_json::from_str::<Value>(object).unwrap().is_object(), "{line:?}: {object}");
        }
        let csv = with("csv");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let columns = reader.headers().unwrap().len();
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        assert!(columns > 2 && !rows.is_empty(), "{line:?}");
        for (format, begins) in [("xlsx", &b"PK"[..]), ("html", b"<!DOCTYPE html>")] {
            let file = folder.path().join(format);
            let made = sandbox(&[line, &["--format", format, "-o", file.to_str().unwrap()]].concat());
            assert_eq!((made.status, made.stderr.as_str()), (0, ""), "{line:?} as {format}");
            assert!(std::fs::read(&file).unwrap().starts_with(begins), "{line:?} as {format}");
        }
    }
}

#[test]
fn history_is_the_newest_first_with_the_trend() {
    let json = sandbox(&["history", ORG_ID, "--periods", "3", "--format", "json"]).stdout;
    let periods: Value = serde_json::from_str(&json).unwrap();
    let periods = periods.as_array().unwrap();
    let starts: Vec<&str> =
        periods.iter().map(|period| period["billingPeriodStartDate"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-09-01T00:00:00Z"]);
    let known = |n: usize| -> rust_decimal::Decimal {
        periods[n]["statement"]["total"]["known"].as_str().unwrap().parse().unwrap()
    };
    let delta: rust_decimal::Decimal = periods[0]["change"]["delta"].as_str().unwrap().parse().unwrap();
    assert_eq!(delta, known(0) - known(1));
    assert!(periods[2]["change"].is_null());
    let overview = sandbox(&["overview", ORG_ID, "--format", "json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&overview).unwrap()["statement"], periods[0]["statement"]);

    // Calendar selections: the whole year that the server has, and one day of August.
    let rows = |line: &[&str]| {
        let csv = sandbox(&[&["history", ORG_ID, "--format", "csv"], line].concat()).stdout;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let starts = reader.records().map(|row| row.unwrap()[2].to_owned());
        starts.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((rows(&["--year", "2026"]), rows(&["--year", "2025"])), (11, 12));
    assert_eq!(rows(&["--from", "2026-07-31", "--to", "2026-08-01"]), 2);
    assert_eq!(rows(&["--from", "2026-07-30", "--to", "2026-07-31"]), 1);
}

#[test]
fn a_range_without_a_period_is_an_empty_result_and_a_note() {
    for (format, nothing) in [("json", "[]\n"), ("ndjson", ""), ("csv", "organizationId,")] {
        let empty =
            run(program(&["--sandbox"]).args(["history", ORG_ID, "--year", "1999", "--format", format]));
        assert!(empty.status == 0 && empty.stdout.starts_with(nothing), "{format}: {}", empty.stdout);
        assert!(empty.stdout.lines().count() <= 1, "{format}: {}", empty.stdout);
        assert!(empty.stderr.contains("note: the periods of 1999-01-01"), "{}", empty.stderr);
    }
}

#[test]
fn compare_shows_differences_and_refuses_what_is_none() {
    let json = sandbox(&["compare", ORG_ID, "--periods", "0,1", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["periods"].as_array().unwrap().len(), 2);
    let rows = json["comparison"]["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["partNumber"] == "GC-170-NV-CX1CC").unwrap();
    assert_eq!(row["used"]["values"], serde_json::json!(["38", "43"]));
    assert_eq!(row["used"]["changes"][0]["delta"], "5");
    let table = sandbox(&["compare", ORG_ID, "--periods", "1,0"]).stdout;
    for said in ["Usage", "Overage", "Δ %", "+13.2 %", "Tax and telco"] {
        assert!(table.contains(said), "{said}\n{table}");
    }
    for periods in ["0", "0,1,2,3,4", "1,1"] {
        let wrong = sandbox(&["compare", ORG_ID, "--periods", periods]);
        assert_eq!((wrong.status, wrong.stdout.as_str()), (2, ""), "{periods}: {}", wrong.stderr);
        assert!(wrong.stderr.contains("--periods"), "{}", wrong.stderr);
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let invoices = "`invoices` lists the invoices";
    for (line, advice) in [
        (vec!["history", "nobody"], ORG_ID),
        (vec!["compare", "nobody", "--periods", "0,1"], ORG_ID),
        (vec!["compare", ORG_ID, "--periods", "0,999"], "error: billing period 999: "),
        (vec!["overview", ORG_ID, "--period", "999"], "`history` the billing periods of one"),
        (vec!["contract", "none"], "Check the id: `contracts`"),
        (vec!["period", "none", "none"], "Check both ids: `contracts`"),
        (vec!["invoice-lines", "none"], invoices),
        (vec!["invoice-document", "none", "-o", "-"], invoices),
    ] {
        let missing = sandbox(&line);
        assert_eq!((missing.status, missing.stdout.as_str()), (5, ""), "{line:?}: {}", missing.stderr);
        assert_eq!(missing.stderr.lines().count(), 1, "{}", missing.stderr);
        assert!(missing.stderr.contains(advice), "{advice}: {}", missing.stderr);
    }
}

#[test]
fn a_title_is_said_once() {
    let lines = sandbox(&["invoice-lines", &ids(&["invoices"])[0]]).stdout;
    let lines: Vec<&str> = lines.lines().take(2).collect();
    assert!(lines[0].starts_with("Invoice ") && lines[0] != lines[1], "{lines:?}");
}

#[test]
fn a_document_is_downloaded_whole() {
    let invoice = &ids(&["invoices"])[0];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invoice.pdf");
    let path = file.to_str().unwrap();
    let got = sandbox(&["invoice-document", invoice, "-o", path]);
    assert_eq!((got.status, got.stdout.as_str(), got.stderr.as_str()), (0, "", ""));
    let pdf = std::fs::read(&file).unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(sandbox(&["invoice-document", "none", "-o", path]).status, 5);
    assert_eq!(std::fs::read(&file).unwrap(), pdf);
    assert_eq!(names_in(folder.path()), ["invoice.pdf"]);
    let nowhere = sandbox(&["invoice-document", invoice]);
    assert!(nowhere.status == 2 && nowhere.stderr.contains("--output"), "{}", nowhere.stderr);
    let piped = program(&["--sandbox", "-q", "invoice-document", invoice, "-o", "-"]).output().unwrap();
    assert_eq!(piped.stdout, pdf);
}

#[test]
fn invoices_are_summed_up_by_currency_and_filtered() {
    let all = ids(&["invoices"]);
    let unpaid = ids(&["invoices", "--status", "Unpaid"]);
    let of_days = ids(&["invoices", "--from", "2026-01-01", "--to", "2026-06-30"]);
    assert!(!unpaid.is_empty() && unpaid.len() < all.len());
    assert!(!of_days.is_empty() && of_days.len() < all.len());
    let table = sandbox(&["invoices"]).stdout;
    assert!(table.contains("Total: ") && table.contains("Unpaid: "), "{table}");
    for (line, named) in [
        (vec!["invoices", "--status", "paid"], "paid"),
        (vec!["invoices", "--from", "soon"], "soon"),
        (vec!["invoices", "--from", "2026-02-01", "--to", "2026-01-01"], "2026-02-01"),
        (vec!["contracts", "--status", "gone"], "gone"),
    ] {
        let wrong = sandbox(&line);
        assert_eq!(wrong.status, 2, "{line:?}");
        assert!(wrong.stderr.contains(named), "{}", wrong.stderr);
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
    let lines = |beginning| page.lines().filter(|line| line.starts_with(beginning)).count();
    assert_eq!(lines(".SH OPTIONS"), 1, "those of a command are in its own section: {page}");
    assert_eq!((lines(".el "), lines(".TH ")), (lines(".ie "), 1), "{page}");
}

#[cfg(unix)]
#[test]
fn nobody_reading_on_is_no_failure_and_a_full_disk_is_one() {
    use std::process::Stdio;
    let mut child =
        program(&["--sandbox"]).args(USAGE).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = crate::common::ended(child.wait_with_output().unwrap());
    assert_eq!(ended.status, 0, "{}", ended.stderr);

    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let child =
        program(&["--sandbox", "-q"]).args(USAGE).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let ended = crate::common::ended(child.wait_with_output().unwrap());
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("--output"), "{}", ended.stderr);
}
