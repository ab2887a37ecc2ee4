//! The lines of an import, each as a JSON object: JSON Lines are that, and a CSV's columns are named by its heading.

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

/// The lines of a file, or of the input if it is called `-`.
pub fn lines(
    file: &Path,
    format: Option<Format>,
    columns: &[&str],
    bar: &ProgressBar,
) -> Result<Box<dyn Iterator<Item = Line>>, Fault> {
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

fn json_lines(mut source: impl BufRead) -> impl Iterator<Item = Line> {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            let mut bytes = Vec::new();
            let read = source.read_until(b'\n', &mut bytes);
            number += 1;
            let text = match read {
                Ok(0) => return None,
                Ok(_) => str::from_utf8(&bytes),
                Err(error) => return Some((number, Err(format!("it cannot be read: {error}")))),
            };
            let Ok(text) = text else {
                return Some((number, Err("it is not UTF-8".to_owned())));
            };
            // What some editors and exports put before everything.
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Some((number, serde_json::from_str(text).map_err(|_| "it is no JSON object".to_owned())));
            }
        }
    })
}

fn csv_lines<R: Read + 'static>(source: R, columns: &[&str]) -> Result<impl Iterator<Item = Line> + use<R>, Fault> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(source);
    let heading = reader.headers().map_err(|_| Fault::new("the heading of the CSV cannot be read"))?.clone();
    if let Some(unknown) = heading.iter().find(|name| !columns.contains(name)) {
        return Err(Fault::new(format!("the CSV has a column {unknown:?}; there can be {}", columns.join(", "))));
    }
    Ok(reader.into_records().map(move |record| match record {
        Ok(record) => {
            let number = record.position().map_or(0, csv::Position::line);
            let cells = heading.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
            (number, cells.map(|(name, cell)| Ok((name.to_owned(), value(name, cell)?))).collect())
        }
        Err(error) => {
            let number = error.position().map_or(0, csv::Position::line);
            let reason = match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    format!("it has {len} columns, and the heading {expected_len}")
                }
                csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
                _ => "it cannot be read".to_owned(),
            };
            (number, Err(reason))
        }
    }))
}

/// A cell as its column has it.
fn value(name: &str, cell: &str) -> Result<Value, String> {
    let json = || serde_json::from_str(cell).map_err(|_| format!("the {name} is no JSON"));
    match name {
        "scopes" | "default_scopes" | "grant_types" => Ok(cell.split_whitespace().collect()),
        "dealer" | "system" | "access_token_ttl" | "refresh_token_ttl" => json(),
        "enabled" => match cell.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true.into()),
            "false" | "0" => Ok(false.into()),
            _ => Err("the enabled is neither true nor false".to_owned()),
        },
        _ => Ok(cell.into()),
    }
}
