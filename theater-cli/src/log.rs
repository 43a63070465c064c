//! What actors and the runtime log, as lines on standard error.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;
use crate::output::steers;

/// The target of what actors log.
const ACTORS: &str = "theater::actor";
const VARIABLE: &str = "THEATER_LOG";

/// Shows log lines from the level that was asked for on.
pub(crate) fn install(verbose: u8, quiet: u8) -> Result<(), Failure> {
    let targets = match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => text
            .parse::<Targets>()
            .map_err(|error| Failure::new(format!("{VARIABLE} is no log level: {text:?}")).because(&error))?,
        _ => levels(verbose, quiet),
    };
    let lines = tracing_subscriber::fmt::layer().event_format(Lines).with_writer(std::io::stderr);
    // An embedding program may have its own subscriber already; then that one is used.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
    Ok(())
}

fn levels(verbose: u8, quiet: u8) -> Targets {
    let (actors, rest) = match (verbose, quiet) {
        (0, 0) => (LevelFilter::INFO, LevelFilter::WARN),
        (1, _) => (LevelFilter::DEBUG, LevelFilter::INFO),
        (_, 0) => (LevelFilter::TRACE, LevelFilter::DEBUG),
        (_, 1) => (LevelFilter::ERROR, LevelFilter::ERROR),
        _ => (LevelFilter::OFF, LevelFilter::OFF),
    };
    Targets::new().with_default(rest).with_target(ACTORS, actors)
}

/// `warn  bank (3f2a9c01): worker a failed`, or the target in place of an actor.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(out, "{level:<5} ")?;
        match (&fields.name, &fields.actor) {
            (Some(name), Some(actor)) => write!(out, "{name} ({}): ", actor.get(..8).unwrap_or(actor))?,
            (Some(name), None) => write!(out, "{name}: ")?,
            (None, Some(actor)) => write!(out, "{actor}: ")?,
            (None, None) => write!(out, "{}: ", event.metadata().target())?,
        }
        writeln!(out, "{}{}", fields.message, fields.rest)
    }
}

#[derive(Default)]
struct Fields {
    actor: Option<String>,
    name: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

impl Fields {
    fn set(&mut self, field: &str, value: String) {
        match field {
            "actor" => self.actor = Some(value),
            "name" => self.name = Some(value),
            "message" => self.message = printable(&value),
            field => self.rest.push_str(&format!(" {field}={value}")),
        }
    }
}

/// Guests may log anything: what could steer a terminal is written as its escape.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nä"), "a\\u{1b}[2Jb\nä");
    }
}
