//! The targets of the packages. `cargo doc` writes the documentation of two targets of one name into one folder, also at the same
//! time, and then fails now and then.

use std::process::Command;

use serde_json::Value;

#[test]
fn no_two_documented_targets_have_one_name() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(super::root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();

    let targets =
        metadata["packages"].as_array().unwrap().iter().flat_map(|package| package["targets"].as_array().unwrap());
    let documented = targets.filter(|target| target["doc"] == true).map(|target| target["name"].as_str().unwrap());
    let mut names: Vec<_> = documented.map(|name| name.replace('-', "_")).collect();
    names.sort_unstable();
    assert!(names.iter().any(|name| name == "countersign"), "{names:?}");
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
