//! Runtimes that do not compile what was compiled before, so that a run is about what it measures.

use anyhow::{Context as _, Result};
use theater::{CompileCache, TheaterRuntimeBuilder};

/// The first-party handlers, and compiled components beside this program.
pub(crate) fn builder() -> Result<TheaterRuntimeBuilder> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("this program is in no folder")?.join("bench-compiled");
    Ok(theater_tests::builder().compile_cache(CompileCache::open(folder)?))
}
