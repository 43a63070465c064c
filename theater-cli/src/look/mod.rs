//! The commands that read a record: while a process writes it, and afterwards.

mod declared;
pub(crate) mod events;
pub(crate) mod find;
mod merge;
pub(crate) mod prove;
pub(crate) mod record;
mod render;
pub(crate) mod replay;
pub(crate) mod state;
pub(crate) mod tree;
pub(crate) mod trust;
pub(crate) mod verify;
