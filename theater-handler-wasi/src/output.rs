//! Standard output and error, line by line into the log.

use theater::TheaterId;
use theater::log::{LONGEST, LogLevel, emit};

/// One of the two streams: what was written since the last line ended.
#[derive(Debug)]
pub(crate) struct Output {
    level: LogLevel,
    begun: Vec<u8>,
}

/// The actor whose output it is.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) actor: TheaterId,
    pub(crate) name: String,
}

impl Output {
    pub(crate) fn new(level: LogLevel) -> Self {
        Self { level, begun: Vec::new() }
    }

    /// Takes what the guest wrote; each line that it completes goes to the log, and to `line`.
    pub(crate) fn write(&mut self, writer: &Writer, bytes: &[u8], mut line: impl FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(&rest[..end]);
            self.end_line(writer, &mut line);
            rest = &rest[end + 1..];
        }
        for part in rest.chunks(LONGEST) {
            if self.begun.len() + part.len() > LONGEST {
                self.end_line(writer, &mut line);
            }
            self.begun.extend_from_slice(part);
        }
    }

    /// Logs a line that was begun and will not be ended.
    pub(crate) fn close(mut self, writer: &Writer) {
        if !self.begun.is_empty() {
            self.end_line(writer, &mut |_| ());
        }
    }

    fn end_line(&mut self, writer: &Writer, line: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.begun);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        emit(self.level, writer.actor, &writer.name, text);
        line(text);
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_out_however_they_were_cut(
            lines in prop::collection::vec("[a-zé ]{0,12}", 0..8),
            end in "[a-z]{0,4}",
            cuts in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect::<String>() + &end;
            let writer = Writer { actor: TheaterId::from_bytes([7; 16]), name: "a".into() };
            let (mut output, mut seen) = (Output::new(LogLevel::Info), Vec::new());
            let (mut rest, mut cuts) = (text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (part, after) = rest.split_at((*cuts.next().unwrap_or(&1)).min(rest.len()));
                output.write(&writer, part, |line| seen.push(line.to_owned()));
                rest = after;
            }
            prop_assert_eq!(seen, lines);
            prop_assert_eq!(output.begun, end.as_bytes());
        }

        #[test]
        fn what_never_ends_a_line_is_bounded(sizes in prop::collection::vec(0_usize..100_000, 0..12)) {
            let writer = Writer { actor: TheaterId::from_bytes([7; 16]), name: "a".into() };
            let (mut output, mut seen) = (Output::new(LogLevel::Info), 0);
            for size in &sizes {
                output.write(&writer, &vec![b'x'; *size], |line| seen += line.len());
                prop_assert!(output.begun.len() <= LONGEST);
            }
            prop_assert_eq!(seen + output.begun.len(), sizes.iter().sum::<usize>());
        }
    }
}
