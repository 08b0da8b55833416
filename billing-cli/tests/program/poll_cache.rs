//! Tests of the poll cache, which keeps the durations of reports between runs.

use std::fs;
use std::path::Path;

use crate::common::{Ended, Server, answer, ended, names_in, run, sandbox};
use billing_core::poll::PollTimings;

const USAGE: [&str; 5] = ["usage", "--start", "2026-10-01", "--end", "2026-11-01"];

/// Returns a server that answers `InProgress` once, and then the report.
fn server() -> Server {
    let [working, complete] = [r#"{"status":"InProgress"}"#, r#"{"status":"Complete","usages":[]}"#]
        .map(|body| answer(200, &[], body));
    Server::answering(&[working, complete])
}

fn usage(home: &Path, more: &[&str]) -> Ended {
    let ended = run(server().program(&USAGE).args(more).env("HOME", home));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    ended
}

fn kept(home: &Path) -> PollTimings {
    let folder = home.join(".cache/genesys-billing");
    assert_eq!(names_in(&folder), ["poll-timings.json"]);
    let text = fs::read_to_string(folder.join("poll-timings.json"));
    text.ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_else(|| panic!("no history in {folder:?}"))
}

#[test]
fn each_report_teaches_the_next() {
    let home = tempfile::tempdir().unwrap();
    let first = usage(home.path(), &["-v"]);
    assert!(first.stderr.contains("by the usual schedule"), "{}", first.stderr);
    let seen = kept(home.path());
    let completion = seen.iter().next().unwrap();
    assert!(
        seen.len() == 1
            && completion.complete_age() - completion.pending_age() >= std::time::Duration::from_secs(2)
    );

    let second = usage(home.path(), &["-v"]);
    assert!(second.stderr.contains("as learned from the one report before"), "{}", second.stderr);
    assert_eq!(kept(home.path()).len(), 2);

    let off = usage(home.path(), &["-v", "--no-poll-cache"]);
    assert!(off.stderr.contains("by the usual schedule"), "{}", off.stderr);
    assert_eq!(kept(home.path()).len(), 2);
}

#[test]
fn nothing_is_kept_where_nothing_is_wanted() {
    let home = tempfile::tempdir().unwrap();
    usage(home.path(), &["--no-poll-cache"]);
    let simulated = run(crate::common::program(&["--sandbox", "-q"]).args(USAGE).env("HOME", home.path()));
    assert_eq!(simulated.status, 0, "{}", simulated.stderr);
    assert!(names_in(home.path()).is_empty());
    assert_eq!(
        sandbox(&["usage", "--no-poll-cache", "--start", "2026-10-01", "--end", "2026-11-01"]).status,
        0
    );
}

#[test]
fn a_broken_history_is_noted_and_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".cache/genesys-billing");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("poll-timings.json");
    fs::write(&file, r#"{"format":"billing-core completions","version":1,"comp"#).unwrap();
    let ended = usage(home.path(), &["-v"]);
    assert!(
        ended.stderr.contains(&format!("{} is invalid and will be replaced", file.display())),
        "{}",
        ended.stderr
    );
    assert_eq!(kept(home.path()).len(), 1);

    fs::write(&file, "[]").unwrap();
    assert_eq!(usage(home.path(), &[]).stderr, "", "nobody has to know");
}

#[test]
fn runs_side_by_side_leave_it_whole() {
    let home = tempfile::tempdir().unwrap();
    let servers: Vec<_> = (0..8).map(|_| server()).collect();
    let runs = servers.iter().map(|server| {
        let mut command = server.program(&USAGE);
        command.env("HOME", home.path()).stdout(std::process::Stdio::null()).spawn().unwrap()
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(ended(run.wait_with_output().unwrap()).status, 0);
    }
    assert!((1..=8).contains(&kept(home.path()).len()));
}
