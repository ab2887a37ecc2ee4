//! The log of a test, and the hashes that ran in it.
//!
//! One subscriber serves all tests, and keeps for each thread what it asks for: subscribers that come and go would
//! race for what `tracing` remembers of who is interested in what.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Kept {
    text: Vec<u8>,
    hashes: Vec<HashRun>,
    panics: bool,
}

/// A hash that ran: its scheme, and its parameters.
pub type HashRun = (String, Vec<(String, u64)>);

/// Collects what this thread logs, as long as it lives.
pub struct LogLines(());

#[allow(clippy::unused_self, reason = "what is kept is kept while this lives")]
impl LogLines {
    /// Has the lines of all tests go where each of them asks for.
    pub fn install() {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            let subscriber = tracing_subscriber::registry()
                .with(countersign::log::lines(|| ToThread))
                .with(HashCounter.with_filter(LevelFilter::DEBUG));
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
    }

    pub fn collect() -> Self {
        KEPT.set(Some(Kept::default()));
        Self(())
    }

    /// Makes the next hash panic.
    pub fn panic_once(&self) {
        KEPT.with_borrow_mut(|kept| kept.as_mut().unwrap().panics = true);
    }

    pub fn text(&self) -> String {
        KEPT.with_borrow(|kept| String::from_utf8(kept.as_ref().unwrap().text.clone()).unwrap())
    }

    /// Returns the lines. Each has what Lambda needs to pass it on unchanged and by its level (`LogFormat: JSON`).
    pub fn lines(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            let timestamp = DateTime::from_str(line["timestamp"].as_str().unwrap(), Format::DateTime);
            assert!(timestamp.is_ok(), "not RFC 3339: {line}");
            assert!(["INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        }
        lines
    }

    /// Takes the hashes that ran since the last time.
    pub fn take_hashes(&self) -> Vec<HashRun> {
        KEPT.with_borrow_mut(|kept| std::mem::take(&mut kept.as_mut().unwrap().hashes))
    }
}

impl Drop for LogLines {
    fn drop(&mut self) {
        KEPT.set(None);
    }
}

struct ToThread;

impl Write for ToThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.with_borrow_mut(|kept| kept.iter_mut().for_each(|kept| kept.text.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct HashCounter;

impl<S: Subscriber> Layer<S> for HashCounter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("countersign::password_hash") {
            let mut run = Run::default();
            event.record(&mut run);
            let panics = KEPT.with_borrow_mut(|kept| {
                let Some(kept) = kept else { return false };
                kept.hashes.push(run.0);
                std::mem::take(&mut kept.panics)
            });
            assert!(!panics, "on purpose");
        }
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
