//! The handler fits its WIT.

use theater_handler_supervisor::{SupervisorHandler, SupervisorHostConfig};

#[test]
fn the_handler_fits_the_wit() {
    let handler = SupervisorHandler::new(SupervisorHostConfig::default(), None);
    theater::testing::assert_links(handler, concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"));
}
