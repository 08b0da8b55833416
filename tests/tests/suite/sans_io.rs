//! Tests that the core does no I/O.

use std::process::Command;

#[test]
fn the_core_depends_on_nothing_that_could() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", "billing-core", "--all-features", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut names: Vec<_> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(|n| !n.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.contains(&"billing-core") && names.contains(&"http"), "{names:?}");
    // A list of allowed names instead of forbidden ones, so that each new name must be reviewed.
    let known = [
        "adler2",
        "arrayvec",
        "autocfg",
        "base64",
        "billing-core",
        "bytes",
        "cfg-if",
        "chrono",
        "crc32fast",
        "flate2",
        "http",
        "httpdate",
        "iana-time-zone",
        "itoa",
        "memchr",
        "miniz_oxide",
        "num-traits",
        "percent-encoding",
        "proc-macro2",
        "quote",
        "rust_decimal",
        "serde",
        "serde_core",
        "serde_derive",
        "serde_json",
        "serde_path_to_error",
        "simd-adler32",
        "syn",
        "unicode-ident",
        "zeroize",
        "zmij",
    ];
    let strangers: Vec<_> = names.iter().filter(|name| !known.contains(*name)).collect();
    assert!(strangers.is_empty(), "new in the core's tree: {strangers:?}");
}
