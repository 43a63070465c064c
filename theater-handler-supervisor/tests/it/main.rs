//! The supervisor handler with real actors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ceiling;
mod held;
mod limits;
mod links;
mod manifests;
mod support;
