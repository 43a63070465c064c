//! The message-server handler with real actors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod inside;
mod outside;
mod permissions;
mod support;

#[test]
fn the_handler_fits_the_wit() {
    let handler = theater_handler_message_server::MessageServerHandler::new();
    theater::testing::assert_links(handler, concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"));
}
