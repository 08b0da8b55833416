//! Tests of the program against a server: its messages, exit statuses and output.

use std::time::{Duration, Instant};

use crate::common::{Server, TOKEN, answer, names_in, program, run};

const USAGE: [&str; 5] = ["usage", "--start", "2026-10-01", "--end", "2026-11-01"];
const OVERVIEW: [&str; 2] = ["overview", "9d750d63-95ae-4df7-8955-2bca7152ca19"];

const PUBLISHED: &str = include_str!("trustee-overview.json");

/// An overview that does not name its organisation.
const NOBODYS: &str = r#"{"currency":"USD","billingPeriodStartDate":"2026-10-01T00:00:00Z",
    "billingPeriodEndDate":"2026-10-31T23:59:59Z","usages":[{"name":"CX 1","usageQuantity":"3","prepayQuantity":"1"}]}"#;

fn error_body(code: &str) -> String {
    format!(r#"{{"message":"it says {code}","code":"{code}","contextId":"ctx"}}"#)
}

#[test]
fn each_failure_has_its_status_and_says_all_in_one_line() {
    let cases = [
        (401, vec![], "bad.credentials", 3, "client id and secret"),
        (403, vec![], "missing.any.permissions", 4, "affiliateOrganization:clientBilling:view"),
        (404, vec![], "not.found", 5, "billing period"),
        (429, vec!["Retry-After: 7200"], "too.many.requests", 6, "Run the same command again after 20"),
        (400, vec![], "bad.request", 1, "bad.request"),
        (501, vec![], "not.implemented", 8, "corr-7"),
        (302, vec!["Location: http://127.0.0.1:1/"], "moved", 8, "corr-7"),
    ];
    for (status, headers, code, exit, named) in cases {
        let server = Server::answering(&[answer(status, &headers, &error_body(code))]);
        let failed = run(&mut server.program(&OVERVIEW));
        assert_eq!((failed.status, failed.stdout.as_str()), (exit, ""), "{status}: {}", failed.stderr);
        assert_eq!(failed.stderr.lines().count(), 1, "{}", failed.stderr);
        for part in ["error: ", &status.to_string(), code, "it says", "corr-7", named] {
            assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
        }
        let more = run(server.program(&OVERVIEW).arg("-v"));
        assert!(more.stderr.contains("operation get_billing_trustee"), "{}", more.stderr);
    }
}

#[test]
fn permissions_of_the_report_are_named_too() {
    let server = Server::answering(&[answer(403, &[], &error_body("missing.any.permissions"))]);
    let failed = run(&mut server.program(&USAGE));
    assert_eq!(failed.status, 4);
    assert!(
        failed.stderr.contains("billing:subscription:read, billing:subscription:view"),
        "{}",
        failed.stderr
    );
}

#[test]
fn a_refused_login_is_not_logged_in() {
    let refusal = r#"{"error":"invalid_client","description":"client not found"}"#;
    let server = Server::answering(&[answer(400, &[], refusal)]);
    let mut command = program(&["--api-url", &server.url, "--login-url", &server.url]);
    let failed = run(command
        .args(OVERVIEW)
        .env("GENESYSCLOUD_OAUTHCLIENT_ID", "id")
        .env("GENESYSCLOUD_OAUTHCLIENT_SECRET", "hunter2-hunter2"));
    assert_eq!(failed.status, 3);
    assert!(
        failed.stderr.contains("invalid_client") && failed.stderr.contains("--region"),
        "{}",
        failed.stderr
    );
    assert!(!failed.stderr.contains("hunter2"));
}

#[test]
fn without_credentials_nothing_is_sent_and_the_ways_are_named() {
    let server = Server::answering(&[answer(200, &[], "{}")]);
    let failed = run(program(&["--api-url", &server.url]).args(OVERVIEW));
    assert_eq!(failed.status, 3);
    for way in ["GENESYSCLOUD_ACCESS_TOKEN", "GENESYSCLOUD_OAUTHCLIENT_ID", "config.toml", "--sandbox"] {
        assert!(failed.stderr.contains(way), "{}", failed.stderr);
    }
    assert!(server.requests.try_recv().is_err());
}

#[test]
fn a_profile_is_enough() {
    let server = Server::answering(&[answer(200, &[], PUBLISHED)]);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".gc")).unwrap();
    let port = server.url.rsplit(':').next().unwrap();
    let profile = format!(
        "[partner]\naccess_token = \"from-the-profile\"\ngateway_protocol = \"http\"\n\
         gateway_host = \"127.0.0.1\"\ngateway_port = \"{port}\"\n"
    );
    std::fs::write(home.path().join(".gc/config.toml"), profile).unwrap();
    let done = run(program(&["--profile", "partner"]).args(OVERVIEW).env("HOME", home.path()));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let request = server.requests.recv().unwrap();
    assert!(request.contains("Bearer from-the-profile"), "{request}");
    let missing = run(program(&["--profile", "other"]).args(OVERVIEW).env("HOME", home.path()));
    assert!(missing.status == 2 && missing.stderr.contains("it has partner"), "{}", missing.stderr);
}

#[test]
fn the_body_comes_through_byte_for_byte() {
    let body =
        "{ \"currency\": \"USD\",\n \"zeta\": 1.10, \"big\": 12345678901234567890.000, \"usages\": [] }";
    let server = Server::answering(&[answer(200, &[], body)]);
    let json = run(server.program(&OVERVIEW).args(["--format", "json"])).stdout;
    let before = body.strip_suffix('}').unwrap();
    assert!(json.starts_with(before), "{json}");
    assert!(json[before.len()..].starts_with(",\"statement\":{"), "{json}");

    let body = "{\"status\":\"Complete\", \"usages\": [{\"name\":\"a\",\"totalUsage\":1.10}],\"new\":[1e2]}";
    let server = Server::answering(&[answer(200, &[], body)]);
    let json = run(server.program(&USAGE).args(["--format", "json"])).stdout;
    assert_eq!(json, format!("{body}\n"));
}

#[test]
fn the_published_overview_has_an_unknown_charge() {
    let server = Server::answering(&[answer(200, &[], PUBLISHED)]);
    let table = run(&mut server.program(&OVERVIEW)).stdout;
    for said in
        ["Test Org Name", "unknown", "Total: unknown", "the server sent no prepayPrice", "Tax and telco"]
    {
        assert!(table.contains(said), "{said}\n{table}");
    }
    assert!(!table.contains("Total: 0"));
}

/// Returns an overview of the month, with one row that costs `used` in that currency.
fn month(month: u8, used: u8, currency: &str) -> String {
    let body = format!(
        r#"{{"organization":{{"id":"o1","name":"Acme"}},"currency":"{currency}",
            "billingPeriodStartDate":"2026-{month:02}-01T00:00:00Z","billingPeriodEndDate":"2026-{month:02}-28T23:59:59Z",
            "usages":[{{"name":"CX","grouping":"device","usageQuantity":"{used}","prepayQuantity":"0","prepayPrice":"0",
                "overagePrice":"1"}}]}}"#
    );
    answer(200, &[], &body)
}

#[test]
fn a_period_that_cannot_be_read_is_named_and_no_change_goes_across_it() {
    let refused = answer(400, &[], &error_body("bad.request"));
    let server = Server::answering(&[
        month(11, 9, "USD"),
        month(10, 7, "USD"),
        refused,
        month(8, 4, "USD"),
        month(7, 2, "USD"),
        answer(404, &[], &error_body("not.found")),
    ]);
    let history = run(server.program(&["history", "o1"]).args(["-q", "--format", "json"]));
    assert_eq!(history.status, 9);
    assert!(
        history.stderr.starts_with("error: the period with index 2 could not be read: "),
        "{}",
        history.stderr
    );
    let periods: serde_json::Value = serde_json::from_str(&history.stdout).unwrap();
    let changes: Vec<_> = periods.as_array().unwrap().iter().map(|period| &period["change"]).collect();
    assert_eq!((&changes[0]["delta"], &changes[2]["delta"]), (&"2".into(), &"2".into()), "{changes:?}");
    assert!(
        changes[1]["delta"].is_null() && !changes[1].is_null(),
        "there is one, and it is unknown: {changes:?}"
    );
    assert!(changes[3].is_null());
}

#[test]
fn compared_rows_say_whose_they_are_and_in_which_currency() {
    let server = Server::answering(&[month(11, 9, "EUR"), month(10, 7, "USD")]);
    let csv = run(&mut server.program(&["compare", "o1", "--periods", "0,1", "--format", "csv"])).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    for (column, cell) in [
        ("organizationId", "o1"),
        ("organizationName", "Acme"),
        ("charge.2026-10-01", "7"),
        ("currency.2026-10-01", "USD"),
        ("charge.2026-11-01", "9"),
        ("currency.2026-11-01", "EUR"),
        ("chargeChange.2026-11-01", ""),
        ("usedChange.2026-11-01", "2"),
    ] {
        let at = header.iter().position(|name| name == column).unwrap_or_else(|| panic!("{column}: {csv}"));
        assert_eq!(row.get(at), Some(cell), "{column}: {csv}");
    }
}

#[test]
fn a_history_that_is_not_whole_still_tells_of_overage() {
    let answers =
        [answer(200, &[], NOBODYS), answer(400, &[], &error_body("bad.request")), answer(404, &[], "{}")];
    let server = Server::answering(&answers);
    let line = ["history", OVERVIEW[1], "--periods", "3", "--fail-on-overage"];
    let partly = run(&mut server.program(&line));
    assert_eq!(partly.status, 9, "{}", partly.stderr);
    for said in ["1 billing period of", "the rest was printed; overage found in 1 row: ", "CX 1 by 2"] {
        assert!(partly.stderr.contains(said), "{said}: {}", partly.stderr);
    }
}

#[test]
fn an_answer_that_does_not_say_whose_it_is_has_the_id_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("orgs.csv");
    std::fs::write(&list, format!("{},Listed\n", OVERVIEW[1])).unwrap();
    let server = Server::answering(&[answer(200, &[], NOBODYS)]);
    let lines: [&[&str]; 3] = [
        &OVERVIEW,
        &["history", OVERVIEW[1], "--periods", "1"],
        &["fleet", "--orgs", list.to_str().unwrap()],
    ];
    for line in lines {
        let name = if line[0] == "fleet" { Some("Listed") } else { None };
        let made = |format: &str| run(server.program(line).args(["-q", "--format", format])).stdout;
        for format in ["json", "ndjson"] {
            let json: serde_json::Value = serde_json::from_str(&made(format)).unwrap();
            let json = json.get(0).unwrap_or(&json);
            assert_eq!(
                (json["asked"]["id"].as_str(), json["asked"]["name"].as_str()),
                (Some(OVERVIEW[1]), name)
            );
            assert!(json["statement"].is_object() && json.get("organization").is_none(), "{json}");
        }
        let csv = made("csv");
        let row = format!("{},{},2026-10-01", OVERVIEW[1], name.unwrap_or_default());
        assert!(csv.lines().skip(1).all(|line| line.starts_with(&row)), "{csv}");
        assert!(csv.lines().count() > 1 && made("table").contains(name.unwrap_or(OVERVIEW[1])), "{line:?}");
    }
}

#[test]
fn who_is_in_the_list_and_cannot_be_asked_about_is_not_lost_in_silence() {
    let list = r#"{"entities":[{"organization":{"name":"Nameless"}},{"id":"..","organization":{"name":"Dots"}},
        {"id":"org-1","enabled":true},{"enabled":false},{}]}"#;
    let server = Server::answering(&[answer(200, &[], list), answer(200, &[], NOBODYS)]);
    let partly = run(&mut server.program(&["fleet"]));
    assert_eq!(partly.status, 9, "{}", partly.stderr);
    for said in [
        "error: Nameless: the list of trustors has no id for it",
        "error: Dots: ",
        "error: an organisation without a name: the list of trustors has no id for it",
        "note: 1 organisation is skipped",
        "3 of 4 organisations could not be read; the rest was printed",
    ] {
        assert!(partly.stderr.contains(said), "{said}: {}", partly.stderr);
    }
    for said in ["Read 1 organisation; 3 could not be read", "! Dots could not be read: "] {
        assert!(partly.stdout.contains(said), "{said}: {}", partly.stdout);
    }
}

#[test]
fn hostile_text_steers_nothing() {
    let body = r#"{"organization":{"name":"\u001b]0;x\u0007Org"},"currency":"\u001b[2J","usages":[
        {"name":"=cmd|' /C calc'!A0\u001b[31m","grouping":"\u001b[8m","usageQuantity":"\u001b"}]}"#;
    let server = Server::answering(&[answer(200, &[], body)]);
    for format in ["table", "csv"] {
        let out = run(server.program(&OVERVIEW).args(["--format", format])).stdout;
        assert!(!out.contains('\u{1b}') && !out.contains('\u{7}'), "{out:?}");
        assert!(!out.contains(",=cmd"), "{out}");
    }
    let server = Server::answering(&[answer(404, &[], r#"{"message":"a\u001b[2J\nb","code":"x\u0007"}"#)]);
    let failed = run(server.program(&OVERVIEW).arg("-vvv"));
    assert!(!failed.stderr.contains('\u{1b}') && !failed.stderr.contains('\u{7}'), "{:?}", failed.stderr);
}

#[test]
fn a_token_is_in_nothing_that_is_said() {
    let body = format!(r#"{{"message":"bad token {TOKEN}","code":"{TOKEN}"}}"#);
    let server = Server::answering(&[answer(500, &["Set-Cookie: s3ssion"], &body)]);
    let failed = run(server.program(&OVERVIEW).args(["-vvv", "--timeout", "2s"]));
    assert!(!failed.stderr.contains(TOKEN) && !failed.stderr.contains("s3ssion"), "{}", failed.stderr);
    assert!(server.requests.recv().unwrap().contains(TOKEN), "it was sent");

    let whole = answer(400, &["Retry-After: 7"], "{}");
    for header in ["ININ-Correlation-Id: corr-7", "Retry-After: 7", "Content-Type: application/json"] {
        let (name, value) = header.split_once(": ").unwrap();
        let server = Server::answering(&[whole.replace(header, &format!("{name}: {TOKEN}"))]);
        let shown = ["-v", "-vv", "-vvv"].map(|much| run(server.program(&OVERVIEW).arg(much)).stderr);
        assert!(!shown.concat().contains(TOKEN), "{}", shown.concat());
        assert!(shown[2].contains(&format!("< {}: [secret]\n", name.to_lowercase())), "{}", shown[2]);
        let plain = Server::answering(std::slice::from_ref(&whole));
        let plain = run(plain.program(&OVERVIEW).arg("-vvv")).stderr;
        assert!(plain.contains(&format!("< {}: {value}\n", name.to_lowercase())), "{plain}");
    }
}

#[test]
fn a_client_secret_is_in_nothing_that_is_said() {
    let (id, secret) = ("our-id", "hunter2-hunter2");
    let pair = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{id}:{secret}"));
    assert!(pair.ends_with('='));
    for repeated in [secret, &pair, pair.trim_end_matches('=')] {
        let refusal = format!(r#"{{"error":"invalid_client","description":"{repeated}"}}"#);
        let server = Server::answering(&[answer(400, &[], &refusal).replace("corr-7", repeated)]);
        let mut command = program(&["--api-url", &server.url, "--login-url", &server.url, "-vvv"]);
        command.env("GENESYSCLOUD_OAUTHCLIENT_ID", id).env("GENESYSCLOUD_OAUTHCLIENT_SECRET", secret);
        let failed = run(command.args(OVERVIEW));
        assert_eq!(failed.status, 3, "{}", failed.stderr);
        assert!(!failed.stderr.contains(repeated), "{}", failed.stderr);
        assert!(failed.stderr.contains("< inin-correlation-id: [secret]\n"), "{}", failed.stderr);
    }
}

#[test]
fn a_report_that_takes_too_long_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    std::fs::write(&file, "what was there").unwrap();
    let server = Server::answering(&[answer(200, &[], r#"{"status":"InProgress"}"#)]);
    let begun = Instant::now();
    let late = run(server.program(&USAGE).args(["--timeout", "3s", "-o", file.to_str().unwrap()]));
    assert_eq!(late.status, 7, "{}", late.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there");
    assert_eq!(names_in(folder.path()), ["report.json"]);
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_it_within_a_second() {
    use std::process::{Command, Stdio};
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.csv");
        let server = Server::answering(&[]);
        let mut command = server.program(&USAGE);
        command.args(["-o", file.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        server.requests.recv_timeout(Duration::from_secs(10)).unwrap();
        let begun = Instant::now();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let ended = crate::common::ended(child.wait_with_output().unwrap());
        assert_eq!(ended.status, 130);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(ended.stderr, "error: interrupted\n");
        assert!(names_in(folder.path()).is_empty());
    }
}
