//! The actor's own affairs: log, id, chain, end. Handler `runtime`, which every actor written with
//! this crate needs: its panics are logged through it.

use crate::bindings::imports::theater::simple::runtime as host;
use crate::{ChainEvent, Result};

pub use host::LogLevel;

/// Writes a line to the actor's log. The macros [`error!`](crate::error), [`warn!`](crate::warn),
/// [`info!`](crate::info), [`debug!`](crate::debug) and [`trace!`](crate::trace) format it.
///
/// On the host, in unit tests, it goes to standard error.
pub fn log(level: LogLevel, message: &str) {
    if cfg!(target_arch = "wasm32") {
        host::log(level, message);
    } else {
        eprintln!("{level:?}: {message}");
    }
}

/// Logs at level error, formatted as by `format!`.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => {
        $crate::runtime::log($crate::runtime::LogLevel::Error, &::std::format!($($message)+))
    };
}

/// Logs at level warn, formatted as by `format!`.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => {
        $crate::runtime::log($crate::runtime::LogLevel::Warn, &::std::format!($($message)+))
    };
}

/// Logs at level info, formatted as by `format!`.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => {
        $crate::runtime::log($crate::runtime::LogLevel::Info, &::std::format!($($message)+))
    };
}

/// Logs at level debug, formatted as by `format!`.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => {
        $crate::runtime::log($crate::runtime::LogLevel::Debug, &::std::format!($($message)+))
    };
}

/// Logs at level trace, formatted as by `format!`.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => {
        $crate::runtime::log($crate::runtime::LogLevel::Trace, &::std::format!($($message)+))
    };
}

/// The actor's id, 32 lower-case hex digits: the same in every life.
pub fn self_id() -> String {
    host::self_id()
}

/// The running call completes and commits, then the actor ends normally; the parent receives
/// `data`.
pub fn shutdown(data: Option<&[u8]>) {
    host::shutdown(data);
}

/// In `init` only: this actor need not run now. Its parent sees a stopped child, no failure.
pub fn decline_start() {
    host::decline_start();
}

/// The hash of the last event of the actor's chain: 32 bytes.
pub fn chain_head() -> Vec<u8> {
    host::chain_head()
}

/// The actor's whole chain, the oldest event first.
///
/// # Errors
/// It is larger than the manifest's `result` (16 MiB by default): use [`chain_range`].
pub fn chain() -> Result<Vec<ChainEvent>> {
    host::get_chain().map_err(Into::into)
}

/// At most `max` events from `from_seq` on; the first event is 0.
///
/// # Errors
/// They are larger than the manifest's `result` (16 MiB by default).
pub fn chain_range(from_seq: u64, max: u32) -> Result<Vec<ChainEvent>> {
    host::get_chain_range(from_seq, max).map_err(Into::into)
}

/// The `data` of a chain event as JSON text: hashes in hex, bytes in base64.
///
/// # Errors
/// The bytes are not the data of an event.
pub fn event_json(data: &[u8]) -> Result<String> {
    host::event_json(data).map_err(Into::into)
}
