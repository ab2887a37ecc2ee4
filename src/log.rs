//! The log: one JSON line for each decision, values escaped, on whatever is handed to it.
//!
//! A line holds the time, the outcome with its reason, and the span of the request: request id, source address, grant,
//! client id, hashed user, token version and key id, as far as they were known.

use std::panic;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What formats and filters the lines. Of other crates only errors are told: in their details stand whole requests.
pub fn lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer)
        .with_filter(Targets::new().with_target("countersign", Level::INFO).with_default(LevelFilter::ERROR))
}

/// Has this process log its lines to `writer`, and where it panics, but not what the panic says: that may quote
/// anything.
pub fn init<W>(writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Fails if there is a subscriber already, which then has the lines.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines(writer)));
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        tracing::error!(location, "panic");
    }));
}
