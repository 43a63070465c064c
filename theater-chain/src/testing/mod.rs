//! What the tests of stores share: a recorded life to store, and what every store must do.
//!
//! Not part of the public interface; a third party's store may use it in its tests.
#![allow(clippy::unwrap_used, reason = "it is test code, which fails by panicking")]
#![allow(missing_docs, reason = "it is test code, described where it is not plain")]

mod conformance;
mod dropping;
mod log;
mod passing;
mod story;

pub use conformance::conformance;
pub use story::Story;
