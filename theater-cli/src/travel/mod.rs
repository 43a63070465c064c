//! The commands that go back in a history: to compare it with another, and to go on from there.

pub(crate) mod diff;
mod show;
