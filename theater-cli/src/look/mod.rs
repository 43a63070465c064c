//! The commands that read a record: while a process writes it, and afterwards.

pub(crate) mod events;
mod find;
mod record;
mod render;
pub(crate) mod state;
pub(crate) mod tree;
pub(crate) mod verify;
