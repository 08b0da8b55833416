//! Tests of the month-end close: the commands in the README and `--help` run on the sandbox.

use crate::common::{names_in, program, run};
use billing_core::sandbox::ORG_ID;

#[test]
fn a_months_close_takes_the_five_lines_of_the_readme() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("<!-- close -->\n```sh\n").unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines.len(), 5);

    let help = run(&mut program(&["--help"])).stdout;
    let folder = tempfile::tempdir().unwrap();
    let few = folder.path().join("few");
    std::fs::write(&few, format!("{ORG_ID}\n")).unwrap();
    for line in lines {
        let shown = format!("\n  {}\n", line.replace(ORG_ID, "ORG"));
        assert!(help.contains(&shown), "{line}\n{help}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, words) = words.split_first().unwrap();
        assert_eq!(*name, "genesys-billing");
        let mut command = program(&["--sandbox", "-q"]);
        command.args(words).current_dir(folder.path());
        if words.contains(&"fleet") {
            // All 5,000 organisations take minutes in an unoptimized build; the full gate runs them in an
            // optimized one.
            command.arg("--orgs").arg(&few);
        }
        let done = run(&mut command);
        assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{line}");
        assert_eq!(done.stdout.is_empty(), words.contains(&"-o"), "{line}");
    }
    assert_eq!(names_in(folder.path()), ["close.xlsx", "few", "history.html", "journal"]);
}
