//! The WASI handler with real components: one of Rust's target `wasm32-wasip2`, one of JavaScript.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod denials;
mod ends;
mod links;
mod manifests;
mod output;
mod stage;
mod standard;
mod waits;
