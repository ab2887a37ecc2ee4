//! The log: one JSON line per event, with escaped values, to any writer.
//!
//! The line of a decision contains the time, the event, the outcome with its reason and durations, and the fields of the
//! request's span that are known by then; docs/deployment.md lists all of them.
//!
//! The JSON format of `tracing-subscriber` is not used, because it parses the JSON of a span again for each recorded
//! field. That took a tenth of our own work for a token.

use std::{fmt, io, panic};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::Record;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Returns the layer that formats and filters the lines. Other crates only log errors, because their details contain
/// whole requests.
pub fn lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer()
        .fmt_fields(Members)
        .event_format(Line)
        .with_writer(writer)
        .with_filter(Targets::new().with_target("countersign", Level::INFO).with_default(LevelFilter::ERROR))
}

/// Logs the lines of this process to `writer`. A panic is logged with its location only, because its message may quote
/// anything.
pub fn init<W>(writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Fails if there is a subscriber already, which then receives the events.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines(writer)));
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        tracing::error!(location, "panic");
    }));
}

/// Formats an event as one JSON object, with the members of its spans.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        to.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut to)?;
        write!(to, "\",\"level\":\"{}\"", event.metadata().level())?;
        context.format_fields(to.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(members) = span.extensions().get::<FormattedFields<N>>() {
                to.write_str(members)?;
            }
        }
        to.write_str("}\n")
    }
}

/// Formats fields as members of a JSON object, each after a comma. Fields that are recorded later are appended.
struct Members;

impl<'w> FormatFields<'w> for Members {
    fn format_fields<R: RecordFields>(&self, to: Writer<'w>, fields: R) -> fmt::Result {
        let mut members = MembersTo { to, written: Ok(()) };
        fields.record(&mut members);
        members.written
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

struct MembersTo<'w> {
    to: Writer<'w>,
    written: fmt::Result,
}

impl MembersTo<'_> {
    fn member(&mut self, field: &Field, value: impl Serialize) {
        let Self { to, written } = self;
        *written = written.and_then(|()| {
            [",\"", field.name(), "\":"].into_iter().try_for_each(|part| to.write_str(part))?;
            serde_json::to_writer(Escaped(to), &value).map_err(|_| fmt::Error)
        });
    }
}

/// Writes JSON to a line, without a copy of it.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl io::Write for Escaped<'_, '_> {
    /// Writes a part of the JSON, which never ends within a character.
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let json = str::from_utf8(part).map_err(io::Error::other)?;
        write_escaped(self.0, json).map_err(io::Error::other)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes JSON. Escapes the characters that JSON allows in strings but that terminals and readers of lines interpret: DEL,
/// the control characters of ISO 8859, and the line and paragraph separators.
fn write_escaped(to: &mut Writer<'_>, json: &str) -> fmt::Result {
    let is_interpreted = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    let mut rest = json;
    while let Some((plain, from)) = rest.find(is_interpreted).and_then(|position| rest.split_at_checked(position)) {
        let mut characters = from.chars();
        let escaped = characters.next().map_or(0, u32::from);
        write!(to, "{plain}\\u{escaped:04x}")?;
        rest = characters.as_str();
    }
    to.write_str(rest)
}

impl Visit for MembersTo<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, value);
    }
}
