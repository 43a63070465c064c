//! The clock, and the guide that shows how it is made.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod guide;
