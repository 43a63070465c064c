//! The lines of a file or of standard input, read by a thread of their own: reading may take for
//! ever, and nothing must wait for that.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use crate::failure::Failure;

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 << 20;

/// Lines that are read ahead.
const AHEAD: usize = 16;

/// Lines as bytes, without their line feeds.
pub(super) struct Input {
    lines: mpsc::Receiver<Result<Vec<u8>, Failure>>,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let cannot = |error: &dyn std::error::Error| Failure::new(format!("{shown} cannot be read")).because(error);
        let source: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(|error| cannot(&error))?;
            if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                return Err(Failure::new(format!("{shown} is a folder, not a file of requests")));
            }
            Box::new(file)
        };
        let (send, lines) = mpsc::channel(AHEAD);
        let reading = thread::Builder::new().name("input".to_owned());
        reading
            .spawn(move || read(source, &shown, &send))
            .map_err(|error| Failure::new("the system refuses a thread to read the input").because(&error))?;
        Ok(Self { lines })
    }

    /// The next line; `None` at the end. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        self.lines.recv().await
    }
}

fn read(source: Box<dyn Read + Send>, shown: &str, send: &mpsc::Sender<Result<Vec<u8>, Failure>>) {
    let mut source = BufReader::new(source);
    let mut n = 0_u64;
    loop {
        n += 1;
        let mut line = Vec::new();
        let read = (&mut source).take(MAX_LINE + 1).read_until(b'\n', &mut line);
        let item = match read {
            Ok(0) => return,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Ok(line)
            }
            Ok(read) if read as u64 > MAX_LINE => {
                Err(Failure::new(format!("{shown}: line {n} is longer than {MAX_LINE} bytes")))
            }
            Ok(_) => Ok(line),
            Err(error) => Err(Failure::new(format!("{shown} cannot be read on from line {n}")).because(&error)),
        };
        let is_last = item.is_err();
        if send.blocking_send(item).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn lines(bytes: &'static [u8]) -> Vec<String> {
        let (send, mut lines) = mpsc::channel(100);
        read(Box::new(bytes), "test", &send);
        drop(send);
        std::iter::from_fn(|| lines.blocking_recv()).map(|line| String::from_utf8(line.unwrap()).unwrap()).collect()
    }

    #[test]
    fn every_line_is_one_and_a_last_line_feed_makes_none() {
        assert_eq!(lines(b"a\n\nb\r\nc"), ["a", "", "b\r", "c"]);
        assert_eq!(lines(b"a\n"), ["a"]);
        assert!(lines(b"").is_empty());
    }
}
