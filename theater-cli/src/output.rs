//! Writing to standard output and standard error, whose readers may go away at any time. Text comes from
//! records that strangers wrote: nothing of it steers a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

/// A line to standard error. That it may be closed changes nothing.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut err = io::stderr().lock();
    let _ = plain(&mut err, text).and_then(|()| err.write_all(b"\n"));
}

/// Standard output, buffered.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// A line of text, or several; see [`steers`] for what is escaped.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        plain(&mut self.0, text)?;
        self.0.write_all(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// A value as JSON on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, value)?;
        self.0.write_all(b"\n")
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether a terminal may do something else with this character than to show it: control characters, but
/// for line breaks and tabs, and those that turn the direction of text around.
pub(crate) fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

/// Writes text, with what would steer a terminal as its escapes.
fn plain(out: &mut impl Write, text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut plain = Plain { out, failed: None };
    plain.write_fmt(text).map_err(|_| plain.failed.take().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
}

struct Plain<'o, W> {
    out: &'o mut W,
    failed: Option<io::Error>,
}

impl<W: Write> fmt::Write for Plain<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let mut write = |bytes: &[u8]| self.out.write_all(bytes);
        let written = loop {
            let Some((at, c)) = rest.char_indices().find(|(_, c)| steers(*c)) else { break write(rest.as_bytes()) };
            let (before, after) = rest.split_at(at);
            let escaped: String = c.escape_unicode().collect();
            if let Err(error) = write(before.as_bytes()).and_then(|()| write(escaped.as_bytes())) {
                break Err(error);
            }
            rest = &after[c.len_utf8()..];
        };
        written.map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        plain(&mut out, format_args!("{text}|{:>4}", 7)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_of_a_text_steers_a_terminal() {
        assert_eq!(written("ä\tb\nc"), "ä\tb\nc|   7");
        assert_eq!(written("\x1b[2J\u{9b}2J\r\x07\x7f\u{202e}"), r"\u{1b}[2J\u{9b}2J\u{d}\u{7}\u{7f}\u{202e}|   7");
    }

    #[test]
    fn a_reader_that_went_away_is_told_as_such() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(plain(&mut Gone, format_args!("x")).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
