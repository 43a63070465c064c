//! The handler offers all that WASI's `imports` world has, with WASI's own types.

use theater::testing::assert_links;
use theater_handler_wasi::WasiHandler;

#[test]
fn the_handler_fits_wasis_wit() {
    assert_links(WasiHandler::new(), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wit"));
}
