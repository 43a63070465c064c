//! What no setting of a runtime reaches: engines with other settings on one folder.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use theater_chain::Digest;
use tokio::runtime::Handle;
use tokio::sync::mpsc::unbounded_channel;
use wasmtime::{Config, Engine, OptLevel};

use super::{CompileCache, CompileStep, Compiler, Observer, Options};
use crate::engine;
use crate::sources::SystemSources;

/// The last step of a component on an engine with these settings.
async fn last_step(folder: &Path, config: &Config) -> CompileStep {
    let engine = Engine::new(config).unwrap();
    let (tell, mut told) = unbounded_channel();
    let options = Options {
        cache: Some(CompileCache::open(folder).unwrap()),
        observer: Observer::new(move |event| _ = tell.send(event.step.clone())),
        ..Options::default()
    };
    let settings = engine::record(&engine).config;
    let compiler = Compiler::new(engine, settings, options, Arc::new(SystemSources::new()), Handle::current());
    let bytes = Bytes::from_static(b"\0asm\x0d\0\x01\0");
    compiler.compile(Digest::of(&bytes), &bytes, Path::new("empty.wasm")).await.unwrap();
    loop {
        let step = told.recv().await.unwrap();
        if matches!(step, CompileStep::Loaded | CompileStep::Kept(_) | CompileStep::NotKept(_)) {
            return step;
        }
    }
}

#[tokio::test]
async fn code_of_other_settings_is_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let canonical = |nans: bool| {
        let mut config = Config::new();
        config.cranelift_nan_canonicalization(nans);
        config
    };
    let mut slow = canonical(true);
    slow.cranelift_opt_level(OptLevel::None);
    let mut interrupted = canonical(true);
    interrupted.epoch_interruption(true);
    let mut settings = vec![canonical(true), canonical(false), slow, interrupted];
    for config in &settings {
        let step = last_step(folder.path(), config).await;
        assert!(matches!(step, CompileStep::Kept(_)), "{step:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), settings.len());
    // What does not change the code is found again.
    settings[0].max_wasm_stack(300 << 10);
    for config in &settings {
        assert_eq!(last_step(folder.path(), config).await, CompileStep::Loaded);
    }
}
