//! `docs/writing-a-handler.md` shows the files of this example as they are.

use std::path::Path;

#[test]
fn the_guide_shows_these_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../../docs/writing-a-handler.md")).unwrap();
    for file in ["wit/clock.wit", "src/lib.rs", "guest/src/lib.rs", "guest/sleeper.toml", "tests/it/clock.rs"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(guide.contains(&format!("\n{text}```\n")), "the guide does not show {file} as it is");
    }
}
