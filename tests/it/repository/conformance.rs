//! `docs/conformance.md` lists every module of the plans in `tests/conformance/plans.json`, with a test and the same result.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::root;

/// A row of the page: the module, the file and the name of its test, and the result.
struct Row {
    module: String,
    file: String,
    test: String,
    result: String,
}

/// Returns the rows of the tables of modules.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let lines = page.lines().filter(|line| line.starts_with("| `oidcc-") || line.starts_with("| `fapi2-"));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_end_matches(" |").split(" | ").collect();
        let [module, _, test, result] = cells[..] else { panic!("{line}") };
        let (file, test) = test.trim_matches('`').split_once("::").unwrap();
        let module = module.trim_start_matches("| ").trim_matches('`').to_owned();
        Row { module, file: file.to_owned(), test: test.to_owned(), result: result.to_owned() }
    };
    lines.map(row).collect()
}

/// Returns the expected result of each module of the four plans, as the suite writes it.
fn plans() -> BTreeMap<String, String> {
    let plans: Value = serde_json::from_slice(&fs::read(root().join("tests/conformance/plans.json")).unwrap()).unwrap();
    let counts: Vec<_> =
        plans.as_array().unwrap().iter().map(|plan| plan["modules"].as_object().unwrap().len()).collect();
    assert_eq!(counts, [1, 38, 11, 14]);
    let modules = plans.as_array().unwrap().iter().flat_map(|plan| plan["modules"].as_object().unwrap());
    modules.map(|(name, result)| (name.clone(), result.as_str().unwrap().to_lowercase())).collect()
}

#[test]
fn every_module_of_the_conformance_suite_is_documented_with_its_result() {
    let (rows, plans) = (rows(), plans());
    let documented: BTreeMap<_, _> = rows.iter().map(|row| (row.module.clone(), row.result.clone())).collect();
    assert_eq!(documented, plans);
    assert_eq!(rows.len(), plans.len(), "a module occurs twice");
}

#[test]
fn every_module_of_the_conformance_suite_has_a_test_that_names_it() {
    for Row { module, file, test, .. } in rows() {
        let code = fs::read_to_string(root().join("tests/it/conformance").join(&file)).unwrap();
        let is_test = code.contains(&format!("#[tokio::test]\nasync fn {test}() {{"));
        assert!(is_test, "{module}: {file} has no test {test}");
        let beginning = module.replace('-', "_").to_lowercase().replace("fapi2_security_profile_final_", "s_1027_");
        let beginning = beginning.trim_end_matches("_supported_correctly_or_rejected_as_unsupported");
        assert!(test.starts_with(beginning), "{test} does not begin with {beginning}");
    }
}
