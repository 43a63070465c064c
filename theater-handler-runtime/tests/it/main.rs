//! The runtime handler with real actors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod affairs;
mod links;
mod log;
mod support;
