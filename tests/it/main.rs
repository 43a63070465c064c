//! Scenarios: manifests, guests and inputs, and the chains that come of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod corpus;
mod durability;
mod examples;
mod fork;
mod guests;
mod hostile;
mod lifecycle;
mod otp;
mod places;
mod policy;
mod recovery;
mod refusals;
mod replay;
mod signed;
mod states;
mod storms;
mod supervision;
