//! The WASI handler with real components.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod links;
