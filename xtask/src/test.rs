//! `cargo xtask test`: exactly what CI runs. It stops at the first step that fails.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::shell::{built, cargo, root, step};
use crate::{actors, demo};

const WASM: &str = "wasm32-unknown-unknown";

pub(crate) fn test() -> Result<()> {
    step("formatting", cargo(".").args(["fmt", "--all", "--check"]))?;
    step("formatting of the actors", cargo("actors").args(["fmt", "--all", "--check"]))?;
    step("lints", cargo(".").args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // Before their lints, since this installs the target for WebAssembly where it is missing.
    actors::build()?;
    step("lints of the actors", &mut actor_lints())?;
    step("tests", cargo(".").args(["test", "--workspace"]))?;
    step("documentation", cargo(".").args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    // Their tests ran with the others; this is the one that a reader starts with. Like the command
    // line of the demo it was built for the tests: building it alone would build wasmtime again,
    // since the features of a dependency are those that all packages of a build ask for.
    let mut inspect = Command::new(built("custom-runtime")?);
    step("examples", inspect.current_dir(root()).args(["inspect", "actors/counter/counter.wasm"]))?;
    demo::run(&built("theater")?)?;
    eprintln!("\nall is well");
    Ok(())
}

/// For WebAssembly where its library is installed. With a distribution's Rust, which builds that
/// library along with the actors, for the host: the code is the same.
fn actor_lints() -> Command {
    let mut clippy = cargo("actors");
    clippy.args(["clippy", "--workspace"]);
    if has_wasm_library() {
        clippy.args(["--target", WASM]);
    }
    clippy.args(["--", "-D", "warnings"]);
    clippy
}

fn has_wasm_library() -> bool {
    let mut rustc = Command::new("rustc");
    let printed = rustc.args(["--print", "target-libdir", "--target", WASM]).output();
    printed.is_ok_and(|printed| {
        printed.status.success() && Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir()
    })
}
