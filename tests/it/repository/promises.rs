//! The promises of `docs/security.md` and the tests that prove them. The name of a test contains the number of its promise.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{root, source_files};

/// A test of a promise: the name and the file of its function.
struct Test {
    name: String,
    path: PathBuf,
    /// The attributes of the function, or its decorators.
    attributes: Vec<String>,
}

impl Test {
    fn promise(&self) -> &str {
        let number = self.name.split_once("s_").unwrap().1;
        number.split(|c: char| !c.is_ascii_digit()).next().unwrap()
    }

    /// Returns the reason if the test does not run.
    fn skip_reason(&self) -> Option<&'static str> {
        let has = |start: &str| self.attributes.iter().any(|attribute| attribute.starts_with(start));
        if self.path.extension().is_some_and(|extension| extension == "py") {
            return (has("@pytest.mark.skip") || has("@pytest.mark.xfail")).then_some("it is skipped");
        }
        if !has("#[test]") && !has("#[tokio::test") {
            return Some("it is not a test");
        }
        let runs_in_make_faults =
            ["faults/table.rs", "throttle/races.rs"].iter().any(|path| self.path.ends_with(format!("tests/it/{path}")));
        (has("#[ignore") && !runs_in_make_faults || has("#[cfg")).then_some("it is ignored")
    }
}

fn page() -> String {
    fs::read_to_string(root().join("docs/security.md")).unwrap()
}

/// Returns the number and the sentence of each promise.
fn promises() -> BTreeMap<String, String> {
    let mut promises = BTreeMap::new();
    for line in page().lines().filter_map(|line| line.strip_prefix("| S-")) {
        let [number, sentence, _] = line.split(" |").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let known = promises.insert(number.to_owned(), sentence.trim().to_owned());
        assert!(known.is_none() && number.parse::<u16>().is_ok(), "{line}");
    }
    assert!(promises.len() > 40);
    promises
}

/// Returns every function in the tests whose name has the number of a promise.
fn tests() -> Vec<Test> {
    ["tests", "cli/tests"].into_iter().flat_map(source_files).flat_map(|path| tests_in(&path)).collect()
}

fn tests_in(path: &Path) -> Vec<Test> {
    let code = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = code.lines().collect();
    let named = lines.iter().enumerate().filter_map(|(number, line)| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let signature = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def "))?;
        let name: String = signature.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        is_of_a_promise(name.strip_prefix("test_").unwrap_or(&name)).then_some((number, name))
    });
    let attributes = |number: usize| {
        let before = lines[..number].iter().rev().map(|line| line.trim());
        let above = before.take_while(|line| ["#[", "@", "//"].iter().any(|start| line.starts_with(start)));
        above.map(ToOwned::to_owned).collect()
    };
    named.map(|(number, name)| Test { name, path: path.to_owned(), attributes: attributes(number) }).collect()
}

/// Returns true for `s_`, a number of three or four digits, and words.
fn is_of_a_promise(name: &str) -> bool {
    let number = name.strip_prefix("s_").and_then(|rest| rest.split_once('_')).map(|(number, _)| number);
    number.is_some_and(|number| (3..=4).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn each_promise_has_a_test_that_runs_and_each_test_of_a_promise_has_its_promise() {
    let promised: BTreeSet<_> = promises().into_keys().collect();
    let mut tested = BTreeSet::new();
    for test in tests() {
        if let Some(reason) = test.skip_reason() {
            panic!("{} in {}: {reason}", test.name, test.path.display());
        }
        tested.insert(test.promise().to_owned());
    }
    assert_eq!(promised, tested);
}

/// `cargo test` ignores `faults/table.rs`, and the measurements of `throttle/`. `tools/faults` runs them.
#[test]
fn ignored_tests_run_in_ci() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    assert!(read("tools/faults").contains("cargo test --test it -- --nocapture --ignored faults::table::"));
    assert!(read("tools/faults").contains("cargo test --test it -- --nocapture --ignored --test-threads=1 throttle::"));
    assert!(read("Makefile").contains("tools/faults $(RACES)\n"));
    assert!(read(".ci/run").contains(" tools/faults faults::processes faults::pages\n"));
}

#[test]
fn a_test_that_the_documents_name_exists() {
    let names: BTreeSet<_> = tests().into_iter().map(|test| test.name).collect();
    let mut documents: Vec<_> = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    documents.push(root().join("README.md"));
    let mut count = 0;
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if is_of_a_promise(word.strip_prefix("test_").unwrap_or(word)) {
                assert!(names.contains(word), "{} names {word}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 0);
}

/// A test prints the number that a promise has in brackets.
#[test]
fn a_promise_with_a_number_of_combinations_has_a_test_that_prints_it() {
    let mut count = 0;
    for (number, sentence) in promises() {
        let combinations = sentence.rsplit_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
        if !combinations.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')) {
            continue;
        }
        let paths = tests().into_iter().filter(|test| test.promise() == number).map(|test| test.path);
        let prints = |path: PathBuf| fs::read_to_string(path).unwrap().contains(&format!("S-{number} "));
        assert!(paths.into_iter().any(prints), "no test prints a number for S-{number}");
        count += 1;
    }
    assert!(count > 5);
}
