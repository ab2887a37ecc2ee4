//! The lines of an import, each as a JSON object: JSON Lines are that, and a CSV's columns are named by its heading.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use clap::ValueEnum;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

use crate::fault::Fault;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON Lines: an object in each line
    Jsonl,
    /// CSV with a heading; lists by spaces, objects as JSON, nothing for what is absent
    Csv,
}

/// A line that holds something: its number, and its object or what is wrong with it.
pub type Line = (u64, Result<Map<String, Value>, String>);

/// The longest line: what is longer is no line of ours.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The lines of a file, or of the input if it is called `-`. After a fault there are no more.
pub fn lines(
    file: &Path,
    format: Option<Format>,
    columns: &[&str],
    bar: &ProgressBar,
) -> Result<Box<dyn Iterator<Item = Result<Line, Fault>>>, Fault> {
    let name = file.display();
    let format = match (format, file.extension().and_then(|extension| extension.to_str())) {
        (Some(format), _) => format,
        (None, Some("jsonl" | "ndjson")) => Format::Jsonl,
        (None, Some("csv")) => Format::Csv,
        (None, _) => return Err(Fault::new(format!("{name}: say --format jsonl or --format csv"))),
    };
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| Fault::new(format!("{name} cannot be read: {error}")))?;
        bar.set_length(metadata.len());
        Box::new(file)
    };
    let source = bar.wrap_read(source);
    Ok(match format {
        Format::Jsonl => Box::new(json_lines(BufReader::new(source))),
        Format::Csv => Box::new(csv_lines(source, columns)?),
    })
}

fn json_lines(mut source: impl BufRead) -> impl Iterator<Item = Result<Line, Fault>> {
    let mut number = 0;
    let mut next = move || -> Result<Option<Line>, Fault> {
        loop {
            let mut bytes = Vec::new();
            number += 1;
            let read = source.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
            let read = read.map_err(|error| Fault::new(format!("line {number} cannot be read: {error}")))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_LINE_BYTES {
                return Err(Fault::new(format!("line {number} is longer than 1 MiB: is it the right file?")));
            }
            let Ok(text) = str::from_utf8(&bytes) else {
                return Ok(Some((number, Err("it is not UTF-8".to_owned()))));
            };
            // What some editors and exports put before everything.
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(Some((number, serde_json::from_str(text).map_err(|_| "it is no JSON object".to_owned()))));
            }
        }
    };
    until_a_fault(move || next().transpose())
}

/// Ends after the first fault.
fn until_a_fault(mut next: impl FnMut() -> Option<Result<Line, Fault>>) -> impl Iterator<Item = Result<Line, Fault>> {
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
) -> Result<impl Iterator<Item = Result<Line, Fault>> + use<R>, Fault> {
    // With a last line that ends, each record ends at the beginning of a line, whose number is known.
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(source.chain(&b"\n"[..]));
    let heading = reader.headers().map_err(|_| Fault::new("the heading of the CSV cannot be read"))?.clone();
    let known = columns.join(", ");
    if heading.iter().any(|name| !columns.contains(&name)) {
        // Not quoted: without a heading it is a record.
        return Err(Fault::new(format!("the first line is no heading of a CSV: there can be {known}")));
    }
    if heading.iter().collect::<BTreeSet<_>>().len() < heading.len() {
        return Err(Fault::new("the heading has a column twice"));
    }
    let mut next = move || -> Result<Option<Line>, Fault> {
        loop {
            let mut record = csv::StringRecord::new();
            let read = reader.read_record(&mut record);
            let lines_in_cells: usize = record.iter().map(|cell| cell.matches('\n').count()).sum();
            let number = reader.position().line().saturating_sub(1 + lines_in_cells as u64);
            match read {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    return Ok(Some((number, Err("it is not UTF-8".to_owned()))));
                }
                Err(error) => return Err(Fault::new(format!("line {number} cannot be read: {error}"))),
            }
            let mut cells: Vec<_> = record.iter().collect();
            if let Some(last) = cells.last_mut() {
                *last = last.strip_suffix('\r').unwrap_or(last);
            }
            let object = match cells.len() {
                1 if cells == [""] => continue,
                count if count == heading.len() => {
                    let cells = heading.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
                    cells.map(|(name, cell)| Ok((name.to_owned(), value(name, cell)?))).collect()
                }
                count => Err(format!("it has {count} columns, and the heading {}", heading.len())),
            };
            return Ok(Some((number, object)));
        }
    };
    Ok(until_a_fault(move || next().transpose()))
}

/// A cell as its column has it.
fn value(name: &str, cell: &str) -> Result<Value, String> {
    let json = || serde_json::from_str(cell).map_err(|_| format!("the {name} is no JSON"));
    match name {
        "scopes" | "default_scopes" | "grant_types" | "allowed_origins" => Ok(cell.split_whitespace().collect()),
        "dealer" | "system" | "access_token_ttl" | "refresh_token_ttl" => json(),
        "enabled" => match cell.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true.into()),
            "false" | "0" => Ok(false.into()),
            _ => Err("the enabled is neither true nor false".to_owned()),
        },
        _ => Ok(cell.into()),
    }
}
