//! The access line as JSON: what `tracing_subscriber` would write, at a fraction of what that costs. It was an
//! eighth of all instructions of a proxied request.

use std::fmt;

use serde::{Serialize, Serializer as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Json, Writer};
use tracing_subscriber::fmt::time::{self, FormatTime as _};
use tracing_subscriber::registry::LookupSpan;

use super::ACCESS_TARGET;

/// More than most lines are long.
const USUAL_BYTES: usize = 512;

/// One JSON object a line, its fields at the top. Anything but the access log goes to the library's own format.
#[derive(Debug)]
pub(super) struct JsonLines(Format<Json>);

impl JsonLines {
    pub(super) fn new() -> Self {
        let library = Format::default().json().flatten_event(true);
        Self(library.with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != ACCESS_TARGET {
            return self.0.format_event(context, writer, event);
        }
        let mut now = String::new();
        time::time().format_time(&mut Writer::new(&mut now))?;
        let mut line = Line(Vec::with_capacity(USUAL_BYTES));
        line.0.push(b'{');
        line.member("timestamp", &now);
        line.member("level", event.metadata().level().as_str());
        event.record(&mut line);
        line.member("target", ACCESS_TARGET);
        line.0.extend_from_slice(b"}\n");
        // What serde_json writes is UTF-8.
        writer.write_str(str::from_utf8(&line.0).map_err(|_| fmt::Error)?)
    }
}

/// A JSON object that is being written.
struct Line(Vec<u8>);

impl Line {
    /// A name of ours, as it is.
    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        if serde_json::to_writer(&mut self.0, value).is_err() {
            // Writing text and numbers into memory does not fail; were it to, the line stays one object.
            self.0.extend_from_slice(b"null");
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field.name());
        let text = format_args!("{value:?}");
        if serde_json::Serializer::new(&mut self.0)
            .collect_str(&text)
            .is_err()
        {
            self.0.extend_from_slice(b"null");
        }
    }
}
