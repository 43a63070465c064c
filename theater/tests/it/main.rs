//! The core through its public interface, with handlers of the tests' own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compile;
#[cfg(unix)]
mod file;
mod handlers;
mod host_key;
mod life;
mod link;
mod manifest;
mod reading;
mod support;
mod upgrade;
