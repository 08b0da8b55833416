//! Tests of `fleet` over many organisations, on the sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Ended, program, run, sandbox};
use billing_core::sandbox::Sandbox;
use serde_json::Value;

/// A folder with a list of organisations, the last of which does not exist.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(organizations: usize) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let mut list = "# ours\nid,name\n".to_owned();
        for (id, name) in Sandbox::new(1).all_trustors().take(organizations) {
            list += &format!("{id},\"{name}\"\n");
        }
        fs::write(folder.at("orgs.csv"), list).unwrap();
        folder
    }

    fn with_one_that_is_not_there(self) -> Self {
        let list = fs::read_to_string(self.at("orgs.csv")).unwrap();
        fs::write(self.at("orgs.csv"), list + "gone-1\tLost & Found\n").unwrap();
        self
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn fleet(&self, more: &[&str]) -> Ended {
        sandbox(&[&["fleet", "--orgs", text(&self.at("orgs.csv"))], more].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_format_has_every_organization_in_the_order_of_the_list() {
    let folder = Folder::new(6);
    let table = folder.fleet(&[]);
    assert_eq!((table.status, table.stderr.as_str()), (0, ""));
    assert!(table.stdout.contains("Read 6 organisations"), "{}", table.stdout);
    // Three currencies, each with its own total.
    for currency in ["EUR; ", "JPY; ", "USD; "] {
        assert_eq!(table.stdout.matches(currency).count(), 1, "{currency}\n{}", table.stdout);
    }
    let json: Value = serde_json::from_str(&folder.fleet(&["--format", "json"]).stdout).unwrap();
    let ids: Vec<&str> =
        json.as_array().unwrap().iter().map(|one| one["organization"]["id"].as_str().unwrap()).collect();
    let listed: Vec<String> = Sandbox::new(1).all_trustors().take(6).map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, listed);
    assert!(json[0]["statement"]["total"]["known"].is_string());

    let lines = folder.fleet(&["--format", "ndjson"]).stdout;
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| listed.iter().position(|id| line["organization"]["id"] == **id));
    assert_eq!(Value::from(lines), json);

    let csv = folder.fleet(&["--format", "csv"]).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().get(0), Some("organizationId"));
    let mut seen: Vec<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    seen.dedup();
    assert_eq!(seen, listed);

    for (format, begins) in [("xlsx", &b"PK"[..]), ("html", b"<!DOCTYPE html>")] {
        let file = folder.at(format);
        let made = folder.fleet(&["--format", format, "-o", text(&file)]);
        assert_eq!((made.status, made.stderr.as_str()), (0, ""), "{format}");
        assert!(fs::read(&file).unwrap().starts_with(begins));
    }
    let overage = folder.fleet(&["--fail-on-overage"]);
    assert_eq!((overage.status, overage.stdout), (10, table.stdout));
    assert!(overage.stderr.contains("Northwind Airlines: "), "{}", overage.stderr);
}

#[test]
fn what_cannot_be_read_is_listed_and_the_rest_is_printed() {
    let folder = Folder::new(2).with_one_that_is_not_there();
    let list = text(&folder.at("orgs.csv")).to_owned();
    let some = run(program(&["--sandbox"]).args(["fleet", "--orgs", &list, "--format", "csv"]));
    assert_eq!(some.status, 9);
    assert!(some.stdout.contains("Northwind Airlines"), "{}", some.stdout);
    for said in ["error: gone-1 (Lost & Found): ", "1 of 3 organisations could not be read"] {
        assert!(some.stderr.contains(said), "{said}: {}", some.stderr);
    }
    let table = folder.fleet(&["--fail-on-overage"]);
    assert_eq!(table.status, 9);
    assert!(table.stdout.contains("! gone-1 (Lost & Found) could not be read"), "{}", table.stdout);
    assert!(table.stderr.contains("overage found in"), "{}", table.stderr);
    // A failure that the output does not contain is reported even with `--quiet`.
    for (format, printed) in [("ndjson", 2), ("csv", 41)] {
        let quiet = folder.fleet(&["--format", format]);
        assert_eq!((quiet.status, quiet.stdout.lines().count()), (9, printed), "{format}");
        assert_eq!(quiet.stderr.lines().count(), 2, "{}", quiet.stderr);
        assert!(quiet.stderr.starts_with("error: gone-1 (Lost & Found): "), "{}", quiet.stderr);
    }
    fs::write(&list, "gone-1\n").unwrap();
    let none = folder.fleet(&["--format", "csv"]);
    assert_eq!((none.status, none.stdout.lines().count()), (9, 1));
    assert!(none.stderr.ends_with("error: 1 of 1 organisation could not be read\n"), "{}", none.stderr);
}

#[test]
fn all_that_trust_ours_are_the_usual_list() {
    let listed = sandbox(&["fleet", "--format", "ndjson"]);
    assert_eq!((listed.status, listed.stdout.lines().count()), (0, 5000), "{}", listed.stderr);
}

#[test]
fn a_run_goes_on_from_its_journal_and_from_no_other() {
    let folder = Folder::new(5);
    let journal = folder.at("journal");
    let resume = |more: &[&str]| folder.fleet(&[&["--resume", text(&journal)], more].concat());
    let first = resume(&["--format", "csv"]);
    assert_eq!(first.status, 0, "{}", first.stderr);
    let whole = fs::read(&journal).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // A run killed at any byte of the journal resumes to the same result.
    let mut cuts: Vec<usize> = (0..whole.len()).step_by(whole.len() / 12).collect();
    cuts.extend([1, whole.len() - 1, whole.len()]);
    for cut in cuts {
        fs::write(&journal, &whole[..cut]).unwrap();
        let again = resume(&["--format", "csv"]);
        assert_eq!((again.status, &again.stdout), (0, &first.stdout), "cut at {cut}: {}", again.stderr);
    }
    // The journal also contains the list of the organisations.
    let without_list = sandbox(&["fleet", "--resume", text(&journal), "--format", "csv"]);
    assert_eq!((without_list.status, &without_list.stdout), (0, &first.stdout));

    let refused = |line: &[&str], why: &str| {
        let refused = sandbox(line);
        assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{}", refused.stderr);
        assert!(refused.stderr.contains(why) && refused.stderr.lines().count() == 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("--resume"), "{}", refused.stderr);
    };
    let file = text(&journal).to_owned();
    refused(&["fleet", "--resume", &file, "--period", "1"], "index");
    let other = Folder::new(4);
    refused(&["fleet", "--resume", &file, "--orgs", text(&other.at("orgs.csv"))], "other organisations");
    let edited = fs::read_to_string(&journal).unwrap();
    let (first, rest) = edited.split_once('\n').unwrap();
    fs::write(&journal, format!("{first}\n{}", rest.replacen("\"index\":0", "\"index\":1", 1))).unwrap();
    refused(&["fleet", "--resume", &file], "checksum");
    fs::write(&journal, "{}\n").unwrap();
    refused(&["fleet", "--resume", &file], "no journal");
    refused(&["fleet", "--resume", &file, "-o", &file], "same file");
    let roundabout = folder.at("../").join(folder.0.path().file_name().unwrap()).join("journal");
    refused(&["fleet", "--resume", &file, "-o", text(&roundabout)], "same file");
    #[cfg(unix)]
    for (link, to) in [("link", "journal"), ("to-none", "none-yet")] {
        std::os::unix::fs::symlink(folder.at(to), folder.at(link)).unwrap();
        refused(&["fleet", "--resume", text(&folder.at(link)), "-o", text(&folder.at(to))], "same file");
    }
}

#[test]
fn what_is_no_journal_or_is_another_runs_stays_as_it_is() {
    let folder = Folder::new(2);
    let file = folder.at("file");
    let resume = ["--resume", text(&file)];
    for foreign in ["{\"what\":\"a line without an end\"}", "\u{1}\u{2}", "notes\n"] {
        fs::write(&file, foreign).unwrap();
        let refused = folder.fleet(&resume);
        assert!(refused.status == 2 && refused.stderr.contains("no journal"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap(), foreign);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(folder.fleet(&[&resume[..], &["--region", "atlantis"]].concat()).status, 2);
    assert!(!file.exists(), "nothing is made for an invalid command line");

    assert_eq!(folder.fleet(&resume).status, 0);
    let torn = fs::read_to_string(&file).unwrap() + "{\"organiz";
    fs::write(&file, &torn).unwrap();
    assert_eq!(folder.fleet(&[&resume[..], &["--period", "1"]].concat()).status, 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), torn, "another run's is not even cut");

    let writing = fs::File::open(&file).unwrap();
    writing.lock().unwrap();
    let second = folder.fleet(&resume);
    assert_eq!((second.status, second.stdout.as_str()), (2, ""), "{}", second.stderr);
    assert!(second.stderr.contains("another run is using it"), "{}", second.stderr);
    drop(writing);
    assert_eq!(folder.fleet(&resume).status, 0);
}

#[test]
fn a_wrong_list_is_refused_before_anything_is_asked() {
    let folder = Folder::new(1);
    let list = folder.at("orgs.csv");
    for (content, why) in [("# none\n", "no organisation"), ("a\n..\n", "line 2"), ("\u{1}\n", "line 1")] {
        fs::write(&list, content).unwrap();
        let refused = folder.fleet(&[]);
        assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{content:?}");
        assert!(refused.stderr.contains(why) && refused.stderr.contains("--orgs"), "{}", refused.stderr);
    }
    let missing = sandbox(&["fleet", "--orgs", "/nonexistent/orgs"]);
    assert!(missing.status == 2 && missing.stderr.contains("/nonexistent/orgs"), "{}", missing.stderr);
}

#[test]
fn the_list_may_come_through_a_pipe() {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = program(&["--sandbox", "-q", "fleet", "--orgs", "-", "--format", "ndjson"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(billing_core::sandbox::ORG_ID.as_bytes()).unwrap();
    let ended = crate::common::ended(child.wait_with_output().unwrap());
    assert_eq!((ended.status, ended.stdout.lines().count()), (0, 1), "{}", ended.stderr);
}

#[test]
fn a_run_that_has_to_come_back_later_says_how_to_go_on() {
    let folder = Folder::new(700);
    let journal = folder.at("journal");
    let result = folder.at("all.ndjson");
    fs::write(&result, "what was there").unwrap();
    let line = ["--format", "ndjson", "-o", text(&result), "--resume", text(&journal)];
    // The run exceeds the first minute's quota and has no time for the next one.
    let late = folder.fleet(&[&line[..], &["--timeout", "30s"]].concat());
    assert_eq!(late.status, 6, "{}", late.stderr);
    assert!(late.stderr.contains(text(&journal)), "{}", late.stderr);
    assert_eq!(fs::read_to_string(&result).unwrap(), "what was there");
    let known = fs::read_to_string(&journal).unwrap().lines().count() - 1;
    assert!(known > 100 && known < 700, "{known}");
    let done = folder.fleet(&line);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&result).unwrap().lines().count(), 700);
}

#[test]
fn a_run_that_is_stopped_prints_what_it_has_found_and_that_it_is_not_all() {
    let folder = Folder::new(320);
    let stopped = |more: &[&str]| {
        let stopped = folder.fleet(&[more, &["--timeout", "30s"]].concat());
        assert_eq!((stopped.status, stopped.stderr.lines().count()), (6, 1), "{}", stopped.stderr);
        assert!(stopped.stderr.contains("--resume FILE"), "{}", stopped.stderr);
        stopped
    };
    let csv = stopped(&["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    let ids: std::collections::BTreeSet<_> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    let found = ids.len();
    assert!((200..320).contains(&found), "{found}");
    let incomplete = format!("The printed result is incomplete: {found} of 320 organisations");
    assert!(csv.stderr.contains(&incomplete), "{}", csv.stderr);
    let json: Value = serde_json::from_str(&stopped(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), found);
    let table = stopped(&["--fail-on-overage"]);
    assert!(table.stderr.contains("; overage found in"), "{}", table.stderr);
    for said in [format!("Read {found} of 320 organisations"), format!("{} of 320", 320 - found)] {
        assert!(table.stdout.contains(&said), "{said}");
    }
    assert_eq!(stopped(&["--format", "ndjson"]).stdout.lines().count(), found);

    let old = folder.at("old.csv");
    fs::write(&old, "what was there").unwrap();
    let kept = stopped(&["--format", "csv", "-o", text(&old)]);
    assert!(kept.stderr.contains("old.csv was not written"), "{}", kept.stderr);
    assert_eq!((kept.stdout.as_str(), fs::read_to_string(&old).unwrap().as_str()), ("", "what was there"));
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = Folder::new(3);
    if !Path::new("/dev/full").exists() {
        return;
    }
    for format in ["csv", "ndjson", "xlsx"] {
        let full = folder.fleet(&["--format", format, "-o", "/dev/full"]);
        assert_eq!(full.status, 1, "{format}: {}", full.stderr);
        assert!(full.stderr.contains("/dev/full"), "{}", full.stderr);
        assert!(!full.stderr.contains("was not changed"), "of a device nobody knows: {}", full.stderr);
    }
    let journal = folder.fleet(&["--resume", "/dev/full"]);
    assert!(journal.status == 2 && journal.stderr.contains("/dev/full"), "{}", journal.stderr);
}
