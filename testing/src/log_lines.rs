//! The log of a test, and the hashes that it computed.
//!
//! One subscriber serves all tests and collects the lines of each thread. A subscriber for each test would race with the
//! others, because `tracing` caches the interest of subscribers globally.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

thread_local! {
    static COLLECTED: RefCell<Option<Collected>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Collected {
    text: Vec<u8>,
    hashes: Vec<HashRun>,
    panics: bool,
    panics_at: Option<&'static str>,
}

/// A computed hash: its scheme and its parameters.
pub type HashRun = (String, Vec<(String, u64)>);

/// Collects the log lines and the hashes of this thread until it is dropped.
pub struct LogLines(());

#[allow(clippy::unused_self, reason = "the thread collects while the value exists")]
impl LogLines {
    /// Installs the subscriber of all tests. A benchmark already has one, and keeps it.
    pub fn install() {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            let subscriber = tracing_subscriber::registry()
                .with(countersign::log::lines(|| ToThread))
                .with(HashCounter.with_filter(LevelFilter::DEBUG));
            let _ = tracing::subscriber::set_global_default(subscriber);
        });
    }

    /// Begins to collect.
    pub fn collect() -> Self {
        COLLECTED.set(Some(Collected::default()));
        Self(())
    }

    /// Makes the next hash panic.
    pub fn panic_once(&self) {
        COLLECTED.with_borrow_mut(|collected| collected.as_mut().unwrap().panics = true);
    }

    /// Makes the next record of this field of a request panic.
    pub fn panic_at(&self, field: &'static str) {
        COLLECTED.with_borrow_mut(|collected| collected.as_mut().unwrap().panics_at = Some(field));
    }

    /// Returns the log so far.
    pub fn text(&self) -> String {
        COLLECTED.with_borrow(|collected| String::from_utf8(collected.as_ref().unwrap().text.clone()).unwrap())
    }

    /// Returns the lines so far. Asserts that each has the members that Lambda needs with `LogFormat: JSON`.
    pub fn lines(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            let timestamp = DateTime::from_str(line["timestamp"].as_str().unwrap(), Format::DateTime);
            assert!(timestamp.is_ok(), "not RFC 3339: {line}");
            assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        }
        lines
    }

    /// Returns the hashes that were computed since the last call.
    pub fn take_hashes(&self) -> Vec<HashRun> {
        COLLECTED.with_borrow_mut(|collected| std::mem::take(&mut collected.as_mut().unwrap().hashes))
    }
}

impl Drop for LogLines {
    fn drop(&mut self) {
        COLLECTED.set(None);
    }
}

struct ToThread;

impl Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        COLLECTED.with_borrow_mut(|collected| {
            if let Some(collected) = collected {
                collected.text.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct HashCounter;

impl<S: Subscriber> Layer<S> for HashCounter {
    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut names = Names::default();
        values.record(&mut names);
        let panics = COLLECTED.with_borrow_mut(|collected| {
            let field = collected.as_mut().and_then(|collected| collected.panics_at.take_if(|at| names.0.contains(at)));
            field.is_some()
        });
        assert!(!panics, "on purpose");
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("countersign::password_hash") {
            let mut run = Run::default();
            event.record(&mut run);
            let panics = COLLECTED.with_borrow_mut(|collected| {
                let Some(collected) = collected else { return false };
                collected.hashes.push(run.0);
                std::mem::take(&mut collected.panics)
            });
            assert!(!panics, "on purpose");
        }
    }
}

/// The names of recorded fields.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Visit for Names {
    fn record_debug(&mut self, field: &Field, _: &dyn std::fmt::Debug) {
        self.0.push(field.name());
    }
}

#[derive(Default)]
struct Run(HashRun);

impl Visit for Run {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.1.push((field.name().to_owned(), value));
    }

    fn record_debug(&mut self, _: &Field, message: &dyn std::fmt::Debug) {
        self.0.0 = format!("{message:?}");
    }
}
