//! The fuzz targets run over their corpora as ordinary tests, so that every bug once found stays fixed.

use std::fs;
use std::path::Path;

use billing_tests::fuzzing::TARGETS;

fn over_corpus(name: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} is a corpus", folder.display());
    for file in files {
        println!("{}", file.display());
        body(&fs::read(&file).unwrap());
    }
}

#[test]
fn every_target_holds_over_its_corpus() {
    for (name, body) in TARGETS {
        over_corpus(name, body);
    }
}
