//! Comparing histories, and how recorded values are shown. Forks run: they are in `run`.

pub(crate) mod diff;
pub(crate) mod show;
