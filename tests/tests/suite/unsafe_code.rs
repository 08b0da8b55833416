//! No target of any crate of this workspace may contain unsafe code.

use std::path::Path;

use toml::{Table, Value};

#[test]
fn every_package_forbids_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = |package: &str| -> Table {
        std::fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap().parse().unwrap()
    };
    let forbids = |lints: &Value| {
        lints.get("rust").and_then(|rust| rust.get("unsafe_code")) == Some(&Value::from("forbid"))
    };
    let workspace = &manifest("")["workspace"];
    let members = workspace["members"].as_array().unwrap().iter().map(|member| member.as_str().unwrap());
    let packages: Vec<_> = members.chain(["fuzz"]).collect();
    assert!(packages.len() >= 6, "{packages:?}");
    for package in packages {
        let manifest = manifest(package);
        let lints = &manifest["lints"];
        let inherited = lints.get("workspace") == Some(&Value::from(true)) && forbids(&workspace["lints"]);
        assert!(inherited || forbids(lints), "{package}");
    }
}
