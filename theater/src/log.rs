//! The log of one actor, for handlers through which a guest writes lines: how much of it passes, and
//! where it goes. What is recorded of it is the handler's business.
//!
//! Lines are `tracing` events with the target `theater::actor` and the fields `actor` (its id) and
//! `name` (its manifest's); the program decides what becomes of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use theater_chain::TheaterId;
use wasmtime::component::{ComponentType, Lift};

/// The longest line, in bytes.
pub const LONGEST: usize = 64 << 10;

/// What a line counts beside its text, in bytes: about what is printed in front of it.
const LINE: usize = 64;

/// How far a burst may be ahead of the rate.
const BURST: Duration = Duration::from_secs(1);

/// How much a line matters. WIT `log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
pub enum LogLevel {
    /// For following a program step by step.
    #[component(name = "trace")]
    Trace,
    /// For whoever looks for a fault.
    #[component(name = "debug")]
    Debug,
    /// What happens.
    #[component(name = "info")]
    Info,
    /// What should not happen.
    #[component(name = "warn")]
    Warn,
    /// A failure.
    #[component(name = "error")]
    Error,
}

/// What a handler keeps of one actor's log: how far it is ahead of the manifest's limit `log`.
#[derive(Debug, Default)]
pub struct Log {
    /// When all that has passed is paid for at the rate of the manifest.
    paid: Duration,
    /// Lines that did not pass since the last one that did.
    dropped: Option<Box<Dropped>>,
}

#[derive(Debug)]
struct Dropped {
    lines: u64,
    actor: TheaterId,
    name: String,
}

impl Log {
    /// Whether a line of `bytes` passes at `now` (monotonic), where `rate` bytes a second are allowed,
    /// each line counted with 64 bytes beside its text.
    pub fn admit(&mut self, bytes: usize, rate: u64, now: Duration) -> bool {
        let paid = self.paid.max(now);
        if rate == 0 || paid - now >= BURST {
            return false;
        }
        // A line is at most 64 KiB, so this neither overflows nor loses more than a nanosecond.
        let cost = (bytes + LINE) as u64 * 1_000_000_000 / rate;
        self.paid = paid + Duration::from_nanos(cost);
        true
    }

    /// Counts a line that did not pass.
    pub fn drop_line(&mut self, actor: TheaterId, name: &str) {
        let new = || Box::new(Dropped { lines: 0, actor, name: name.to_owned() });
        self.dropped.get_or_insert_with(new).lines += 1;
    }

    /// Says how many lines were dropped since a line passed last: at the actor's end.
    pub fn close(mut self) {
        self.tell_dropped();
    }

    /// As [`Log::close`], but in front of a line that passes.
    pub fn tell_dropped(&mut self) {
        if let Some(Dropped { lines, actor, name }) = self.dropped.take().as_deref() {
            tracing::warn!(target: "theater::actor", %actor, name, "{lines} log lines were dropped: more than the manifest's limit `log`");
        }
    }
}

/// The text as far as it may go, cut between two characters.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// Hands a line to the program's subscriber.
pub fn emit(level: LogLevel, actor: TheaterId, name: &str, text: &str) {
    // The level of a `tracing` event is a constant of its call site.
    macro_rules! at {
        ($level:ident) => {
            tracing::event!(target: "theater::actor", tracing::Level::$level, %actor, name, "{text}")
        };
    }
    match level {
        LogLevel::Trace => at!(TRACE),
        LogLevel::Debug => at!(DEBUG),
        LogLevel::Info => at!(INFO),
        LogLevel::Warn => at!(WARN),
        LogLevel::Error => at!(ERROR),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u64 = 10_000;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut log = Log::default();
        // 936 + 64 bytes a line: ten of them are a second's worth.
        let burst = (0..20).filter(|_| log.admit(936, RATE, at(0))).count();
        assert_eq!(burst, 10);
        assert!(!log.admit(0, RATE, at(0)), "short lines count too");
        assert!(log.admit(936, RATE, at(1)), "a millisecond paid for a little");
        assert!(!log.admit(936, RATE, at(50)));
        let later = (0..20).filter(|_| log.admit(936, RATE, at(60_000))).count();
        assert_eq!(later, 10, "what was not used is not saved up beyond a second");
    }

    #[test]
    fn a_line_longer_than_a_seconds_worth_passes_and_is_paid_for() {
        let mut log = Log::default();
        assert!(log.admit(5 * RATE as usize - LINE, RATE, at(0)));
        assert!(!log.admit(1, RATE, at(3_999)));
        assert!(log.admit(1, RATE, at(4_001)));
    }

    proptest! {
        #[test]
        fn no_flood_passes_more_than_the_rate(
            rate in 1_u64..1_000_000,
            lines in prop::collection::vec((0_u64..50, 0_usize..2_000), 1..200),
        ) {
            let mut log = Log::default();
            let (mut now, mut passed) = (0, 0);
            for (pause, bytes) in lines {
                now += pause;
                if log.admit(bytes, rate, at(now)) {
                    passed += bytes + LINE;
                }
            }
            // A second ahead, and the line that crossed it.
            let allowed = rate as u128 * (u128::from(now) + 1_000) / 1_000 + 2_000 + LINE as u128;
            prop_assert!(passed as u128 <= allowed + 1);
        }

        #[test]
        fn a_cut_line_is_the_beginning_of_the_text(text in "\\PC{0,100}", filler in 0_usize..70_000) {
            let text = format!("{}{text}", "x".repeat(filler));
            let kept = cut(&text);
            prop_assert!(text.starts_with(kept) && kept.len() <= LONGEST);
            prop_assert!(kept.len() == text.len() || kept.len() > LONGEST - 4);
        }
    }
}
