//! The limits: what the machine takes for the same work with nothing of Theater in it. Each is as small as
//! it can be and has the same guests, the same bytes and the same settings as what runs beside it.

pub(crate) mod frames;
pub(crate) mod guest;
pub(crate) mod mailbox;
pub(crate) mod sqlite;
