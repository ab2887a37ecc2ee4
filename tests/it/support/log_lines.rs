//! The log of a test, and the hashes that ran in it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Collects what this thread logs, as long as it lives.
pub struct LogLines {
    text: Buffer,
    hashes: Hashes,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

/// The parameters of each argon2 run.
#[derive(Clone, Default)]
struct Hashes(Arc<Mutex<Vec<Vec<(String, u64)>>>>);

impl LogLines {
    /// Collects the lines as the service writes them.
    pub fn collect() -> Self {
        let (text, hashes) = (Buffer::default(), Hashes::default());
        let writer = text.clone();
        let subscriber = countersign::log::subscriber(move || writer.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        Self { text, hashes, _guard: guard }
    }

    /// Counts the argon2 runs instead.
    pub fn count_hashes() -> Self {
        let (text, hashes) = (Buffer::default(), Hashes::default());
        let subscriber = tracing_subscriber::registry().with(hashes.clone().with_filter(LevelFilter::DEBUG));
        let guard = tracing::subscriber::set_default(subscriber);
        Self { text, hashes, _guard: guard }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Takes the argon2 runs since the last time.
    pub fn take_hashes(&self) -> Vec<Vec<(String, u64)>> {
        std::mem::take(&mut self.hashes.0.lock().unwrap())
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Subscriber> Layer<S> for Hashes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "countersign::secret" {
            let mut params = Params::default();
            event.record(&mut params);
            self.0.lock().unwrap().push(params.0);
        }
    }
}

#[derive(Default)]
struct Params(Vec<(String, u64)>);

impl Visit for Params {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name().to_owned(), value));
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
