//! The prose of a file: comments, string literals and test names of code, descriptions of JSON, the whole text of
//! everything else. Text between backticks and placeholders such as `{name}` are names, not prose.

use serde_json::Value;

/// The members of JSON files that people read.
const DESCRIPTIONS: [&str; 6] = ["description", "name", "note", "reason", "summary", "title"];

/// One comment, string literal, test name or text: its lines, with their numbers.
pub struct Piece {
    /// True for a comment that begins with `///` or `//!`.
    pub is_doc: bool,
    lines: Vec<(usize, String)>,
}

/// A word or a punctuation mark, in lower case.
pub struct Word {
    pub line: usize,
    pub text: String,
}

impl Piece {
    fn new(line: usize, text: &str) -> Self {
        Self { is_doc: false, lines: (line..).zip(text.lines().map(ToOwned::to_owned)).collect() }
    }

    pub fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        for (line, text) in &self.lines {
            let text = without(&without(text, '`', '`', |_| true), '{', '}', is_placeholder).to_lowercase();
            // Markers of comments and headings.
            let text = text.trim_start().trim_start_matches(['#', '/', '!']);
            for part in text.split_inclusive(|c: char| !is_of_word(c)) {
                let word = part.trim_end_matches(|c| !is_of_word(c));
                let mark = &part[word.len()..];
                let texts = [word.trim_matches('-'), mark.trim()].into_iter().filter(|text| !text.is_empty());
                words.extend(texts.map(|text| Word { line: *line, text: text.to_owned() }));
            }
        }
        words
    }

    /// The first word of a doc comment, if it is a word and not the name of something.
    pub fn first_word(&self) -> Option<(usize, &str)> {
        let (line, text) = self.lines.iter().find(|(_, text)| !text.trim().is_empty())?;
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
        (end > 0).then_some((*line, &text[..end]))
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}

fn is_placeholder(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "_.:?#<>()[]".contains(c))
}

/// Returns the text without its parts between two marks whose content is as required.
fn without(text: &str, open: char, close: char, is_removed: fn(&str) -> bool) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(open) {
        kept.push_str(before);
        match after.split_once(close) {
            Some((inside, after)) if is_removed(inside) => {
                // What stood there was a word: its neighbours are not neighbours now.
                kept.push_str(" _ ");
                rest = after;
            }
            _ => {
                kept.push(open);
                rest = after;
            }
        }
    }
    kept + rest
}

/// Returns the prose of a file.
pub fn prose(name: &str, text: &str) -> Vec<Piece> {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "rs" => Scanner::new(text, &["//"], &["\""]).pieces(),
        "mjs" => Scanner::new(text, &["//"], &["\"", "'", "`"]).pieces(),
        "py" => Scanner::new(text, &["#"], &["\"\"\"", "'''", "\"", "'"]).pieces(),
        "json" => descriptions(text),
        _ => vec![Piece::new(1, text)],
    }
}

fn descriptions(text: &str) -> Vec<Piece> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if DESCRIPTIONS.contains(&name.as_str()) => found.push(text.clone()),
                        other => collect(other, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(text).expect("a file of JSON"), &mut found);
    let line = |found: &str| text.split(found).next().map_or(1, |before| before.matches('\n').count() + 1);
    found.iter().map(|found| Piece::new(line(found), found)).collect()
}

/// Separates comments, string literals and the names of test functions from code.
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    comment: &'a [&'a str],
    quotes: &'a [&'a str],
    /// True from a `#[test]` until the name of its function.
    is_test: bool,
    pieces: Vec<Piece>,
}

impl<'a> Scanner<'a> {
    fn new(code: &'a str, comment: &'a [&'a str], quotes: &'a [&'a str]) -> Self {
        Self { rest: code, line: 1, comment, quotes, is_test: false, pieces: Vec::new() }
    }

    fn pieces(mut self) -> Vec<Piece> {
        while let Some(next) = self.rest.chars().next() {
            if let Some(mark) = self.comment.iter().find(|mark| self.rest.starts_with(**mark)) {
                self.line_comment(mark);
            } else if self.comment == ["//"] && self.rest.starts_with("/*") {
                let (line, text) = (self.line, self.take_through("*/"));
                self.pieces.push(Piece::new(line, text));
            } else if let Some(quote) = self.quotes.iter().find(|quote| self.rest.starts_with(**quote)) {
                self.string(quote);
            } else if next == '\'' {
                self.char_or_lifetime();
            } else if next == '#' && self.rest.starts_with("#[") {
                let end = self.rest.find(['(', ']', ' ']).unwrap_or(self.rest.len());
                self.is_test |= self.rest[..end].ends_with("test");
                self.take(2);
            } else if is_of_word(next) {
                self.identifier();
            } else {
                self.take(next.len_utf8());
            }
        }
        self.pieces
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Takes everything through this mark, which it leaves out.
    fn take_through(&mut self, mark: &str) -> &'a str {
        let end = self.rest.find(mark).unwrap_or(self.rest.len());
        let taken = self.take(end);
        self.take(mark.len().min(self.rest.len()));
        taken
    }

    fn line_comment(&mut self, mark: &str) {
        let line = self.line;
        self.take(mark.len());
        let text = self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        let is_doc = mark == "//" && (text.starts_with('!') || text.starts_with('/') && !text.starts_with("//"));
        let text = if is_doc { &text[1..] } else { text };
        match self.pieces.last_mut() {
            Some(last) if last.is_doc == is_doc && last.lines.last().is_some_and(|(number, _)| number + 1 == line) => {
                last.lines.push((line, text.to_owned()));
            }
            _ => self.pieces.push(Piece { is_doc, lines: vec![(line, text.to_owned())] }),
        }
    }

    fn string(&mut self, quote: &str) {
        self.take(quote.len());
        let (line, start) = (self.line, self.rest);
        while !self.rest.is_empty() && !self.rest.starts_with(quote) {
            let escaped = usize::from(self.rest.starts_with('\\') && self.rest.len() > 1);
            self.take(escaped);
            self.take(self.rest.chars().next().map_or(0, char::len_utf8));
        }
        let text = &start[..start.len() - self.rest.len()];
        self.take(quote.len().min(self.rest.len()));
        self.pieces.push(Piece::new(line, &text.replace("\\n", "  ").replace("\\t", "  ")));
    }

    /// `'a'` and `'\n'` are characters, `'a` is a lifetime.
    fn char_or_lifetime(&mut self) {
        self.take(1);
        let mut characters = self.rest.chars();
        match (characters.next(), characters.next()) {
            (Some('\\'), _) => {
                self.take(2);
                self.take_through("'");
            }
            (Some(character), Some('\'')) => {
                self.take(character.len_utf8() + 1);
            }
            _ => {}
        }
    }

    fn identifier(&mut self) {
        let word = self.take(self.rest.find(|c| !is_of_word(c)).unwrap_or(self.rest.len()));
        let hashes = self.rest.len() - self.rest.trim_start_matches('#').len();
        if matches!(word, "r" | "br") && self.rest[hashes..].starts_with('"') && self.comment == ["//"] {
            self.take(hashes + 1);
            let (line, text) = (self.line, self.take_through(&format!("\"{}", "#".repeat(hashes))));
            self.pieces.push(Piece::new(line, text));
        } else if matches!(word, "fn" | "def") {
            let name = self.rest.trim_start();
            let name = &name[..name.find(|c| !is_of_word(c)).unwrap_or(name.len())];
            if std::mem::take(&mut self.is_test) || name.starts_with("test_") {
                self.pieces.push(Piece::new(self.line, &name.replace('_', " ")));
            }
        }
    }
}
