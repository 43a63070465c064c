//! Compiled components: what is kept of them in a folder, who waits for them, and what is told.

use std::fs::{self, File, Permissions};
use std::future::Future;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::{Duration, SystemTime};

use theater::sources::{Sources, SystemSources};
use theater::{
    CacheError, CompileCache, CompileEvent, CompileStep, Digest, ManifestConfig, SpawnError, TheaterRuntime,
    TheaterRuntimeBuilder,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Post, Voice, ask, manifest};

/// A runtime, and what it tells about compiling.
struct Stage {
    runtime: TheaterRuntime,
    told: UnboundedReceiver<CompileEvent>,
}

impl Stage {
    fn with(set: impl FnOnce(TheaterRuntimeBuilder) -> TheaterRuntimeBuilder) -> Self {
        let (tell, told) = unbounded_channel();
        let builder = TheaterRuntime::builder().handler(Voice).handler(Post);
        let builder = set(builder).on_compile(move |event| _ = tell.send(event.clone()));
        Self { runtime: builder.build().unwrap(), told }
    }

    fn cached(folder: &Path) -> Self {
        let cache = CompileCache::open(folder).unwrap();
        Self::with(|builder| builder.compile_cache(cache))
    }

    /// What was told, up to the first step that is the last of a component.
    async fn steps(&mut self) -> Vec<&'static str> {
        let mut steps = Vec::new();
        while let Some(event) = self.told.recv().await {
            steps.push(name(&event.step));
            if matches!(steps.last(), Some(&("loaded" | "kept" | "not kept" | "failed"))) {
                break;
            }
        }
        steps
    }

    /// Compiles a component, which is no actor: what is said of that comes after compiling.
    async fn compile(&self, file: &Path) {
        let error = self.try_compile(file).await;
        assert!(error.contains("does not export theater:simple/actor"), "{error}");
    }

    async fn try_compile(&self, file: &Path) -> String {
        self.runtime.spawn_actor(manifest_of(file)).await.err().unwrap().to_string()
    }
}

fn name(step: &CompileStep) -> &'static str {
    match step {
        CompileStep::Loaded => "loaded",
        CompileStep::Damaged(_) => "damaged",
        CompileStep::Begun => "begun",
        CompileStep::Running(_) => "running",
        CompileStep::Compiled(_) => "compiled",
        CompileStep::Failed(_) => "failed",
        CompileStep::Kept(_) => "kept",
        CompileStep::NotKept(_) => "not kept",
        _ => "unknown",
    }
}

const COLD: [&str; 3] = ["begun", "compiled", "kept"];
const WARM: [&str; 1] = ["loaded"];

fn manifest_of(file: &Path) -> ManifestConfig {
    let component = file.file_name().unwrap().to_str().unwrap();
    let text = format!("name = \"a\"\ncomponent = \"{component}\"\n");
    ManifestConfig::from_source(file.with_extension("toml"), text).unwrap()
}

/// A component whose only function multiplies so many times.
fn component(folder: &Path, name: &str, muls: usize) -> PathBuf {
    let body = "local.get 0 i64.mul ".repeat(muls);
    let text =
        format!("(component (core module (func (export \"{name}\") (param i64) (result i64) local.get 0 {body})))");
    let path = folder.join(format!("{name}.wasm"));
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Time, in which timers up to this long end at once.
struct Hasty(SystemSources, Duration);

impl Sources for Hasty {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.fill_random(bytes);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration <= self.1 { Box::pin(std::future::ready(())) } else { self.0.sleep(duration) }
    }
}

#[tokio::test]
async fn a_component_is_compiled_once_for_all_runtimes() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("deep/cache");
    let counter = || manifest(folder.path(), "counter", "");
    let mut cold = Stage::cached(&cache);
    let actor = cold.runtime.spawn_actor(counter()).await.unwrap();
    assert_eq!(ask(&actor, 1, "inc").await.unwrap(), "1");
    assert_eq!(cold.steps().await, COLD);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let [entry] = &entries(&cache)[..] else { panic!("not one entry") };
    assert_eq!(fs::metadata(entry).unwrap().permissions().mode() & 0o777, 0o600);
    cold.runtime.shutdown().await.unwrap();

    let mut warm = Stage::cached(&cache);
    let actor = warm.runtime.spawn_actor(counter()).await.unwrap();
    assert_eq!(ask(&actor, 1, "inc").await.unwrap(), "1");
    assert_eq!(warm.steps().await, WARM);
    // A trap of code that was loaded says as much as one of code that was compiled.
    let (Err(loaded), compiled) = (ask(&actor, 2, "crash").await, crash_without_cache(counter()).await) else {
        panic!("it did not crash")
    };
    assert_eq!(loaded.to_string().replace(&actor.id().to_string(), "ID"), compiled);
}

async fn crash_without_cache(manifest: ManifestConfig) -> String {
    let stage = Stage::with(|builder| builder);
    let actor = stage.runtime.spawn_actor(manifest).await.unwrap();
    ask(&actor, 1, "inc").await.unwrap();
    let error = ask(&actor, 2, "crash").await.unwrap_err();
    error.to_string().replace(&actor.id().to_string(), "ID")
}

#[tokio::test]
async fn a_damaged_entry_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let [one, other] = ["one", "other"].map(|name| component(folder.path(), name, 1));
    let mut stage = Stage::cached(&cache);
    stage.compile(&other).await;
    assert_eq!(stage.steps().await, COLD);
    let [others] = &entries(&cache)[..] else { panic!("not one entry") };
    let others_bytes = fs::read(others).unwrap();
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, COLD);
    let entry = entries(&cache).into_iter().find(|entry| entry != others).unwrap();
    let good = fs::read(&entry).unwrap();

    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let damages = [
        Vec::new(),
        good[..20].to_vec(),
        good[..48].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], b"\0"].concat(),
        flipped(0),
        flipped(20),
        flipped(48),
        flipped(good.len() / 2),
        flipped(good.len() - 1),
        others_bytes,
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        fs::write(&entry, damage).unwrap();
        let mut stage = Stage::cached(&cache);
        stage.compile(&one).await;
        assert_eq!(stage.steps().await, ["damaged", "begun", "compiled", "kept"], "damage {number}");
        assert_eq!(fs::read(&entry).unwrap(), good, "damage {number}");
    }
    let mut stage = Stage::cached(&cache);
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, WARM);
}

#[tokio::test]
async fn a_cache_that_takes_nothing_costs_time_alone() {
    let folder = tempfile::tempdir().unwrap();
    let one = component(folder.path(), "one", 1);
    // Nothing can be written to a folder that is gone.
    let gone = folder.path().join("gone");
    let mut stage = Stage::cached(&gone);
    fs::remove_dir(&gone).unwrap();
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, ["begun", "compiled", "not kept"]);
    // One entry is more than it may have.
    let full = folder.path().join("full");
    let cache = CompileCache::open(&full).unwrap().max_bytes(1_000);
    let mut stage = Stage::with(|builder| builder.compile_cache(cache));
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, ["begun", "compiled", "not kept"]);
    assert_eq!(entries(&full), [] as [PathBuf; 0]);
    // The place of the entry is taken by a folder.
    let taken = folder.path().join("taken");
    let mut stage = Stage::cached(&taken);
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, COLD);
    let entry = entries(&taken).pop().unwrap();
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    let mut stage = Stage::cached(&taken);
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, ["begun", "compiled", "not kept"]);
    assert_eq!(entries(&taken), [entry], "nothing unready is left");
}

#[tokio::test]
async fn a_read_only_cache_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let one = component(folder.path(), "one", 1);
    let mut stage = Stage::cached(&cache);
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, COLD);
    fs::set_permissions(&cache, Permissions::from_mode(0o500)).unwrap();
    let mut stage = Stage::cached(&cache);
    stage.compile(&one).await;
    assert_eq!(stage.steps().await, WARM);
}

#[tokio::test]
async fn what_was_not_used_for_longest_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    let [a, b, c] = ["a", "b", "c"].map(|name| component(folder.path(), name, 1));
    let mut stage = Stage::cached(&path);
    stage.compile(&a).await;
    assert_eq!(stage.steps().await, COLD);
    let first = entries(&path).pop().unwrap();
    stage.compile(&b).await;
    assert_eq!(stage.steps().await, COLD);
    let second = entries(&path).into_iter().find(|entry| *entry != first).unwrap();
    // What a process that was killed left, and what is none of ours.
    let left = path.join(format!("{}.1-1.new", Digest::of(b"killed")));
    fs::write(&left, "half").unwrap();
    fs::write(path.join("README"), "mine").unwrap();
    for (age, file) in [(3, &first), (2, &second), (9, &left)] {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
        File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
    }
    let bytes = fs::metadata(&first).unwrap().len();
    let cache = CompileCache::open(&path).unwrap().max_bytes(bytes * 5 / 2);
    let mut stage = Stage::with(|builder| builder.compile_cache(cache));
    stage.compile(&a).await;
    assert_eq!(stage.steps().await, WARM);
    stage.compile(&c).await;
    assert_eq!(stage.steps().await, COLD);
    let is_there = [&first, &second, &left, &path.join("README")].map(|file| file.exists());
    assert_eq!(is_there, [true, false, false, true]);
}

#[tokio::test]
async fn a_folder_that_others_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let error = CompileCache::open(path).err().unwrap();
        assert!(matches!(&error, CacheError::Writable(folder) if Path::new(folder) == path), "{mode:o}: {error}");
    }
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    CompileCache::open(path).unwrap();
    fs::write(path.join("file"), "").unwrap();
    let error = CompileCache::open(path.join("file")).err().unwrap();
    assert!(matches!(error, CacheError::Io { .. }), "{error}");
    // Only the superuser may give a folder away.
    if chown(path, Some(65_534), None).is_ok() {
        let error = CompileCache::open(path).err().unwrap();
        assert!(matches!(error, CacheError::NotOwned(_)), "{error}");
    }
}

#[tokio::test]
async fn a_compile_beyond_the_timeout_fails_the_start_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let slow = component(folder.path(), "slow", 5_000);
    let cache = CompileCache::open(folder.path().join("cache")).unwrap();
    let limit = Duration::from_millis(1_500);
    let sources = Hasty(SystemSources::new(), limit);
    let mut stage = Stage::with(|builder| builder.compile_cache(cache).compile_timeout(limit).sources(sources));
    let error = stage.try_compile(&slow).await;
    let (manifest, file) = (slow.with_extension("toml"), slow.display());
    let expected = format!(
        "{}: `component` names {file}: it was not compiled within 1s 500ms, the runtime's compile timeout; compiling \
         goes on, so a later start may find it done",
        manifest.display()
    );
    assert_eq!(error, expected);
    assert!(stage.runtime.actors().is_empty());
    let steps = stage.steps().await;
    assert_eq!((steps.first(), steps.last()), (Some(&"begun"), Some(&"kept")), "{steps:?}");
    // It took more than no time, and that was told.
    assert!(steps.contains(&"running") && steps.contains(&"compiled"), "{steps:?}");
    stage.compile(&slow).await;
    assert!(stage.told.try_recv().is_err(), "it was compiled again");
}

#[tokio::test]
async fn many_wait_for_one_compile_and_one_that_leaves_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = component(folder.path(), "one", 1_000);
    let mut stage = Stage::with(|builder| builder);
    let runtime = stage.runtime.clone();
    let begin = || {
        let starting = runtime.spawn_actor(manifest_of(&one));
        async move { starting.await.err().unwrap() }
    };
    {
        let mut leaving = pin!(begin());
        tokio::select! {
            biased;
            _ = &mut leaving => panic!("it is not done yet"),
            told = stage.told.recv() => assert_eq!(told.unwrap().step, CompileStep::Begun),
        }
    }
    let errors = futures_util::future::join_all((0..20).map(|_| begin())).await;
    assert!(errors.iter().all(|error| matches!(error, SpawnError::Link { .. })), "{errors:?}");
    let mut steps = Vec::new();
    while let Ok(event) = stage.told.try_recv() {
        steps.push(name(&event.step));
    }
    steps.retain(|step| *step != "running");
    assert_eq!(steps, ["compiled"]);
}

#[tokio::test]
async fn what_cannot_be_compiled_is_not_kept_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.wasm");
    fs::write(&bad, b"\0asm\x0d\0\x01\0\xff\xff").unwrap();
    let mut stage = Stage::cached(&folder.path().join("cache"));
    for _ in 0..2 {
        let error = stage.try_compile(&bad).await;
        assert!(error.contains("it cannot be compiled") && error.contains("theater build"), "{error}");
        assert_eq!(stage.steps().await, ["begun", "failed"]);
    }
    assert_eq!(entries(&folder.path().join("cache")), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_shutdown_waits_for_no_compile() {
    let folder = tempfile::tempdir().unwrap();
    let slow = component(folder.path(), "slow", 5_000);
    let mut stage = Stage::with(|builder| builder);
    let runtime = stage.runtime.clone();
    let starting = runtime.spawn_actor(manifest_of(&slow));
    let stopping = async {
        assert_eq!(stage.told.recv().await.unwrap().step, CompileStep::Begun);
        runtime.shutdown().await.unwrap();
    };
    let (started, ()) = tokio::join!(starting, stopping);
    assert!(matches!(started, Err(SpawnError::ShuttingDown)), "{:?}", started.err());
}

#[tokio::test]
async fn what_was_compiled_is_kept_before_a_shutdown_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let stage = Stage::cached(&cache);
    stage.compile(&component(folder.path(), "one", 1)).await;
    stage.runtime.shutdown().await.unwrap();
    let [entry] = &entries(&cache)[..] else { panic!("not one entry") };
    assert_eq!(entry.extension().unwrap(), "code");
}
