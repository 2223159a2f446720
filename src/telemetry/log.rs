//! The agent's own log: one line an event, on stderr.

mod line;

use super::span;
use jiff::Timestamp;
use line::{Line, Value};
use std::{
    fmt,
    io::{self, IsTerminal},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Writes the log to stderr from now on; `RUST_LOG` chooses what, by default everything from `info` up. Later calls do
/// nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // An error means that there is a log already.
    if log.event_format(Lines(format)).try_init().is_ok() && format == LogFormat::Json {
        std::panic::set_hook(Box::new(|panic| {
            tracing::error!(place = panic.location().map(|at| at.to_string()), "{panic}")
        }));
    }
}

/// Makes a line of each event.
struct Lines(LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target());
        let mut line =
            Line { time: Timestamp::now(), level, target, message: String::new(), fields: Vec::new(), span: None };
        line.span = span::current_ids();
        event.record(&mut line);
        let text = match self.0 {
            LogFormat::Json => line.json(),
            LogFormat::Text => line.text(writer.has_ansi_escapes()),
        };
        writeln!(writer, "{text}")
    }
}

impl Line<'_> {
    fn push(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text) | Value::Raw(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, Value::Raw(line::bounded(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::Text(line::bounded(&format_args!("{value}"))));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::Json(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::Json(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Json(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::Json(value.into()));
    }
}
