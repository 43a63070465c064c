//! The repository's actors, built for real: what their components import and export.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod actors;
mod guests;
