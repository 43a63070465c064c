//! The decision engine, its policies and what is decided with both, through the crate's interface.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod cut;
mod model;
mod read;
mod rules;
mod same;
