//! The language of the repository: plain, modern technical English. `CONTRIBUTING.md` has the rules, and the table of
//! words that this test does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::root;

mod prose;

use prose::{Piece, Word, prose};

/// Everything that people read.
const ROOTS: [&str; 26] = [
    ".cargo",
    ".ci",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.toml",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "argon2id",
    "benches",
    "cli",
    "clippy.toml",
    "deny.toml",
    "docs",
    "events",
    "examples",
    "fuzz",
    "openapi.yaml",
    "redocly.yaml",
    "rust-toolchain.toml",
    "samconfig.toml",
    "src",
    "template.yaml",
    "testing",
    "tests",
    "tools",
];

/// Names and extensions of files and folders that are installed, generated, or not text.
const SKIPPED: [&str; 9] =
    ["__pycache__", "artifacts", "corpus", "dict", "lock", "node_modules", "package-lock.json", "pem", "target"];

/// Folders whose text comes from another source: the public cases, and the pinned requirements.
const GIVEN: [&str; 2] = ["tests/cases", "tools/requirements"];

/// The exceptions: beginnings of paths, the words that are allowed there, and the reason.
const ALLOWED: [(&[&str], &[&str], &str); 5] = [
    (
        &[
            ".ci/run",
            "CONTRIBUTING.md",
            "Makefile",
            "README.md",
            "docs/performance.md",
            "docs/security.md",
            "testing",
            "tests/it/faults",
            "tests/it/refresh_model",
            "tests/it/repository/language.rs",
            "tests/it/repository/promises.rs",
            "tests/it/throttle/permits.rs",
            "tests/it/throttle/races.rs",
            "tests/model",
            "tools/faults",
        ],
        &["fault", "faults"],
        "an error that a test injects; `make faults`",
    ),
    (
        &[
            "argon2id",
            "src/user.rs",
            "tests/it/argon2id.rs",
            "tests/it/password_hash.rs",
            "tests/it/repository/language.rs",
        ],
        &["reference", "references"],
        "a Rust reference; the reference implementation; a reference block (RFC 9106)",
    ),
    (&["src/http/browser/pages/texts/de.rs", "tests/it/repository/language.rs"], &["die"], "German"),
    (
        &["src/http/browser/pages/texts/en.rs", "tests/it/repository/language.rs"],
        &["ask"],
        "words for users of the pages",
    ),
    (
        &[
            "cli/src/token.rs",
            "cli/tests/it/keys.rs",
            "cli/tests/it/revocation.rs",
            "docs/cli.md",
            "tests/it/repository/language.rs",
        ],
        &["live"],
        "`token inspect --live`",
    ),
];

/// The words with which no doc comment begins.
const QUESTIONS: [&str; 9] = ["What", "Who", "Whether", "How", "Why", "That", "If", "When", "Where"];

/// A banned word or phrase, as words and punctuation marks.
struct Banned {
    text: String,
    words: Vec<String>,
}

/// The table of `CONTRIBUTING.md`: every text in backticks in its first column.
fn banned() -> Vec<Banned> {
    let page = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let section = page.split("## Banned words\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let texts = cells.flat_map(|cell| cell.split('`').step_by(2).filter(|text| !text.is_empty()));
    texts.map(|text| Banned { text: text.to_owned(), words: split(text) }).collect()
}

fn split(text: &str) -> Vec<String> {
    let pieces = prose("a.txt", text);
    pieces.iter().flat_map(Piece::words).map(|word| word.text).collect()
}

/// Returns the places at which the phrase begins.
fn places(words: &[Word], phrase: &[String]) -> Vec<usize> {
    let is_phrase = |window: &[Word]| window.iter().zip(phrase).all(|(word, expected)| word.text == *expected);
    let windows = words.windows(phrase.len()).enumerate();
    windows.filter(|(_, window)| is_phrase(window)).map(|(place, _)| place).collect()
}

/// Returns the row of `ALLOWED` that allows the word in this file.
fn exception(path: &str, word: &str) -> Option<usize> {
    let allows = |(paths, words, _): &(&[&str], &[&str], &str)| {
        words.contains(&word) && paths.iter().any(|start| path.starts_with(start))
    };
    ALLOWED.iter().position(allows)
}

/// The findings of one file, with their lines, and what was read.
#[derive(Default)]
struct Report {
    words: usize,
    docs: usize,
    found: Vec<(usize, String)>,
    questions: Vec<(usize, String)>,
}

fn check(path: &str, text: &str, banned: &[Banned], used: &mut BTreeSet<(usize, String)>) -> Report {
    let mut report = Report::default();
    for piece in prose(path, text) {
        let words = piece.words();
        report.words += words.iter().filter(|word| word.text.starts_with(char::is_alphanumeric)).count();
        for entry in banned {
            for place in places(&words, &entry.words) {
                if let Some(row) = exception(path, &entry.text) {
                    used.insert((row, entry.text.clone()));
                } else {
                    report.found.push((words[place].line, entry.text.clone()));
                }
            }
        }
        if let Some((line, word)) = piece.first_word().filter(|_| piece.is_doc) {
            report.docs += 1;
            if QUESTIONS.contains(&word) {
                report.questions.push((line, word.to_owned()));
            }
        }
    }
    report
}

/// Every text file of the roots, by its path from the root of the repository.
fn files() -> BTreeMap<String, String> {
    let mut paths: Vec<PathBuf> = ROOTS.iter().map(|name| root().join(name)).collect();
    let mut files = BTreeMap::new();
    while let Some(path) = paths.pop() {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let names = [path.file_name(), path.extension()].into_iter().flatten();
        if GIVEN.contains(&name.as_str())
            || names.into_iter().any(|name| SKIPPED.iter().any(|skipped| name == *skipped))
        {
            continue;
        }
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.insert(name, text);
        }
    }
    files
}

#[test]
fn prose_has_no_banned_words_and_doc_comments_do_not_begin_with_a_question_word() {
    let (banned, mut used) = (banned(), BTreeSet::new());
    let mut all = Report::default();
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let report = check(&name, &text, &banned, &mut used);
        let found = report.found.iter().map(|(line, word)| format!("{name}:{line}: {word}"));
        let questions = report.questions.iter().map(|(line, word)| format!("{name}:{line}: begins with {word}"));
        wrong.extend(found.chain(questions));
        all.words += report.words;
        all.docs += report.docs;
        all.found.extend(report.found);
        all.questions.extend(report.questions);
    }
    let hundredths = all.found.len() * 100_000 / all.words;
    let rate = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    println!("language: {} words, {} found, {rate} per 1,000", all.words, all.found.len());
    println!("language: {} doc comments, {} begin with a question word", all.docs, all.questions.len());
    assert!(wrong.is_empty(), "CONTRIBUTING.md says what to write instead:\n{}", wrong.join("\n"));
    for (row, (_, words, reason)) in ALLOWED.iter().enumerate() {
        for word in *words {
            assert!(used.contains(&(row, (*word).to_owned())), "nothing needs the exception for {word}: {reason}");
        }
    }
}

/// One sample of each kind of file and of each place in it. `{}` is replaced by a banned word.
const SAMPLES: [(&str, &str); 21] = [
    ("a.rs", "// A comment with {} in it.\n"),
    ("a.rs", "let x = 'a'; // a comment with {} in it\n"),
    ("a.rs", "/* A comment\n with {} in it. */\n"),
    ("a.rs", "/// A doc comment with {} in it.\n"),
    ("a.rs", "//! A doc comment\n//! with {} in it.\n"),
    ("a.rs", "const A: &str = \"a \\\"string\\\" with {} in it\";"),
    ("a.rs", "const A: &str = r#\"a \"string\" with {} in it\"#;"),
    ("a.py", "# A comment with {} in it.\n"),
    ("a.py", "\"\"\"A docstring\n    with {} in it.\"\"\"\n"),
    ("a.py", "x = 'a string with {} in it'\n"),
    ("a.py", "x = f\"{y} with {} in it\"\n"),
    ("a.mjs", "// A comment with {} in it.\nconst x = `${y}`\n"),
    ("a.mjs", "console.log('a string with {} in it')\n"),
    ("a.yaml", "# A comment with {} in it.\na: b\n"),
    ("a.yaml", "description: >-\n  A text\n  with {} in it.\n"),
    ("a.md", "# Heading\n\nA text with `code` and {} in it.\n"),
    ("b/Makefile", "help: ## A text with {} in it\n\t@true\n"),
    ("a.toml", "# A comment with {} in it.\na = 1\n"),
    ("a.json", r#"{"a": [{"description": "A text with {} in it."}]}"#),
    ("run", "#!/usr/bin/env bash\n# A comment with {} in it.\necho done\n"),
    ("run", "#!/usr/bin/env bash\necho 'a text with {} in it'\n"),
];

#[test]
fn each_banned_word_is_found_in_each_kind_of_file() {
    let banned = banned();
    assert!(banned.len() > 60, "{} words in the table", banned.len());
    let found = |name: &str, text: &str| check(name, text, &banned, &mut BTreeSet::new()).found;
    for (name, sample) in SAMPLES {
        assert_eq!(found(name, &sample.replace("{}", "nothing")), [], "{name}: {sample}");
        for entry in &banned {
            let line = sample.split("{}").next().unwrap().matches('\n').count() + 1;
            let capital = entry.text[..1].to_uppercase() + &entry.text[1..];
            for text in [&entry.text, &capital, &entry.text.to_uppercase()] {
                let expected = (line, entry.text.clone());
                assert!(found(name, &sample.replace("{}", text)).contains(&expected), "{name}: {text}: {sample}");
            }
        }
    }
    // A phrase may continue in the next line. A test name is a sentence.
    for entry in &banned {
        let lines = format!("/// A doc comment with {}\nfn f() {{}}\n", entry.words.join("\n/// "));
        assert!(!found("a.rs", &lines).is_empty(), "{lines}");
        if entry.words.iter().all(|word| word.chars().all(char::is_alphanumeric)) {
            let name = entry.words.join("_");
            for (file, code) in [
                ("a.rs", format!("#[test]\nfn it_has_{name}_in_it() {{}}\n")),
                ("a.rs", format!("#[tokio::test(start_paused = true)]\nasync fn it_has_{name}_in_it() {{}}\n")),
                ("a.py", format!("def test_it_has_{name}_in_it(api):\n")),
            ] {
                assert!(!found(file, &code).is_empty(), "{code}");
            }
        }
    }
}

#[test]
fn names_are_not_prose() {
    let banned = banned();
    let word = banned[0].text.clone();
    for (name, sample) in [
        ("a.rs", "let {} = 1; // a comment with `{}` in it\n"),
        ("a.rs", "fn {}<'a>(x: &'a str) -> char { '\"' } // nothing"),
        ("a.rs", "let x = format!(\"{{}} and {{}:?}\");\n"),
        ("a.rs", "// part_of_{} and {}-like\n"),
        ("a.py", "{} = '' # nothing\n"),
        ("a.json", r#"{"{}": "{}"}"#),
    ] {
        let text = sample.replace("{}", &word);
        assert_eq!(check(name, &text, &banned, &mut BTreeSet::new()).found, [], "{text}");
    }
}

#[test]
fn a_doc_comment_that_begins_with_a_question_word_is_found() {
    let questions = |text: &str| check("a.rs", text, &[], &mut BTreeSet::new()).questions;
    for word in QUESTIONS {
        for start in ["///", "//!", "    ///"] {
            let text = format!("\n{start} {word} it is.\n{start} If more follows.\n");
            assert_eq!(questions(&text), [(2, word.to_owned())], "{text}");
        }
        assert_eq!(questions(&format!("// {word} it is.\n/// Returns it.\n/// {word} more follows.\n")), []);
    }
    assert_eq!(questions("/// `If-None-Match`, as it was sent.\n/// Whatever.\n"), []);
}
