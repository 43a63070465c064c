//! The command line as a person or a program uses it: the real binary, on real actors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod bundle;
mod cache;
mod control;
mod crash;
mod erase;
mod full_disk;
mod kills;
mod look;
mod merge;
mod project;
mod proof;
mod prune;
mod replay;
mod run;
mod signals;
mod tool;
mod travel;
mod tree;
mod trouble;
mod upgrade;
