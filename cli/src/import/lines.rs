//! The lines of an import file, each as a JSON object: JSON Lines, or a CSV whose header names the members.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use clap::ValueEnum;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

use super::values::cell;
use crate::error::Error;
use crate::forms;

/// The format of a file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON Lines: one object per line
    Jsonl,
    /// CSV with a header; lists are separated by spaces, objects are JSON
    Csv,
}

/// The members of a line.
pub type Line = Map<String, Value>;

/// A line that is not blank: its number, and its members or the reason why they cannot be read.
pub type Numbered = (u64, Result<Line, String>);

/// The maximum length of a line. A longer line is not a record.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Opens a file, or stdin if it is called `-`, and returns its lines. The first error is the last item.
pub fn lines(
    file: &Path,
    format: Option<Format>,
    columns: &[&str],
    bar: &ProgressBar,
) -> Result<Box<dyn Iterator<Item = Result<Numbered, Error>>>, Error> {
    let name = file.display();
    let format = match (format, file.extension().and_then(|extension| extension.to_str())) {
        (Some(format), _) => format,
        (None, Some("jsonl" | "ndjson" | "json")) => Format::Jsonl,
        (None, Some("csv")) => Format::Csv,
        (None, _) => {
            return Err(Error::new(format!("the format of {name} is not known; add --format jsonl or --format csv")));
        }
    };
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| Error::new(format!("cannot read {name}: {error}")))?;
        bar.set_length(metadata.len());
        Box::new(file)
    };
    let source = bar.wrap_read(source);
    Ok(match format {
        Format::Jsonl => Box::new(json_lines(BufReader::new(source))?),
        Format::Csv => Box::new(csv_lines(source, columns)?),
    })
}

/// Returns the lines of JSON Lines. Reads the first line here, because a file that is one array is rejected as a whole.
fn json_lines<R: BufRead>(source: R) -> Result<impl Iterator<Item = Result<Numbered, Error>>, Error> {
    let mut reader = JsonLines { source, number: 0, is_first: true };
    let mut lines = until_an_error(move || reader.next().transpose()).peekable();
    match lines.next_if(Result::is_err) {
        Some(Err(error)) => Err(error),
        _ => Ok(lines),
    }
}

struct JsonLines<R> {
    source: R,
    /// The number of the last line.
    number: u64,
    /// True while all lines were blank.
    is_first: bool,
}

impl<R: BufRead> JsonLines<R> {
    fn next(&mut self) -> Result<Option<Numbered>, Error> {
        loop {
            let mut bytes = Vec::new();
            self.number += 1;
            let number = self.number;
            let unreadable = |error: io::Error| Error::new(format!("line {number} cannot be read: {error}"));
            let read = self.source.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).map_err(unreadable)?;
            if read == 0 {
                return Ok(None);
            }
            // Some editors and exports begin a file with a byte order mark.
            let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).trim_ascii();
            if self.is_first && text.starts_with(b"[") {
                return Err(Error::new(
                    "the file is one JSON array, and an import reads one object per line; nothing was written. \
                     Convert it with `jq -c '.[]' users.json > users.jsonl`",
                ));
            }
            if read as u64 == MAX_LINE_BYTES && !bytes.ends_with(b"\n") {
                self.is_first = false;
                self.source.skip_until(b'\n').map_err(unreadable)?;
                return Ok(Some((self.number, Err("the line is longer than 1 MiB; check the file".to_owned()))));
            }
            if text.is_empty() {
                continue;
            }
            self.is_first = false;
            let line = match str::from_utf8(text) {
                Ok(text) => object(text),
                Err(_) => Err("not UTF-8".to_owned()),
            };
            return Ok(Some((self.number, line)));
        }
    }
}

/// Parses a line of JSON Lines.
fn object(text: &str) -> Result<Line, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(line)) => Ok(line),
        Ok(other) => Err(format!("the line is {}; write a JSON object", forms::kind(&other))),
        Err(_) => Err("the line is not valid JSON; write a JSON object".to_owned()),
    }
}

/// Ends after the first error.
fn until_an_error(
    mut next: impl FnMut() -> Option<Result<Numbered, Error>>,
) -> impl Iterator<Item = Result<Numbered, Error>> {
    let mut failed = false;
    std::iter::from_fn(move || {
        let item = if failed { None } else { next() };
        failed = matches!(item, Some(Err(_)));
        item
    })
}

fn csv_lines<R: Read + 'static>(
    source: R,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<Numbered, Error>> + use<R>, Error> {
    // If the last line has an end, each record ends at the beginning of a line, whose number is known.
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(source.chain(&b"\n"[..]));
    let header = reader.headers().map_err(|_| Error::new("the header of the CSV cannot be read"))?.clone();
    let known = columns.join(", ");
    if header.iter().any(|name| !columns.contains(&name)) {
        // Not quoted, because a first line without a header is a record.
        return Err(Error::new(format!("the first line is not the header of a CSV; columns are {known}")));
    }
    if header.iter().collect::<BTreeSet<_>>().len() < header.len() {
        return Err(Error::new("the header has a column twice; remove one"));
    }
    let mut next = move || -> Result<Option<Numbered>, Error> {
        loop {
            let mut record = csv::StringRecord::new();
            let read = reader.read_record(&mut record);
            let lines_in_cells: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
            let number = reader.position().line().saturating_sub(1 + lines_in_cells as u64);
            match read {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    return Ok(Some((number, Err("not UTF-8".to_owned()))));
                }
                Err(error) => return Err(Error::new(format!("line {number} cannot be read: {error}"))),
            }
            let mut cells: Vec<_> = record.iter().collect();
            if let Some(last) = cells.last_mut() {
                *last = last.strip_suffix('\r').unwrap_or(last);
            }
            let line = match cells.len() {
                1 if cells == [""] => continue,
                count if count == header.len() => {
                    let cells = header.iter().zip(cells);
                    cells.map(|(name, text)| Ok((name.to_owned(), cell(name, text)?))).collect()
                }
                count => Err(format!("the line has {count} columns, and the header {}", header.len())),
            };
            return Ok(Some((number, line)));
        }
    };
    Ok(until_an_error(move || next().transpose()))
}
