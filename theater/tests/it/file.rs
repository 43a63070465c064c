//! The file of a component between two spawns.

use std::fs;
use std::future::Future;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use theater::chain::{codec, data::ActorStarted};
use theater::sources::{Sources, SystemSources};
use theater::{ActorHandle, Digest, TheaterRuntime};

use crate::support::{Post, Voice, ask, manifest};

/// A clock by which every file is old.
struct Later(SystemSources);

impl Sources for Later {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms() + 3_600_000
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.0.fill_random(bytes);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.sleep(duration)
    }
}

/// One of the repository's components, made this long with a custom section of that name.
fn padded(component: &str, section: char, len: usize) -> Vec<u8> {
    let mut bytes = fs::read(theater_build::testing::component(component)).unwrap();
    let body = len - bytes.len() - 6;
    bytes.push(0);
    // The size in five bytes, of which the last is empty.
    bytes.extend((0..4).map(|n| 0x80 | u8::try_from((body >> (7 * n)) & 0x7f).unwrap()));
    bytes.extend([0, 1, section as u8]);
    bytes.resize(len, 0);
    bytes
}

async fn recorded(runtime: &TheaterRuntime, actor: &ActorHandle) -> Digest {
    let first = runtime.get_actor_events(actor.id(), 0, 1).await.unwrap().pop().unwrap();
    codec::decode::<ActorStarted>(&first.data).unwrap().component
}

fn changed(file: &Path) -> (i64, i64, u64) {
    let facts = fs::metadata(file).unwrap();
    (facts.ctime(), facts.ctime_nsec(), facts.ino())
}

/// A content, and how it comes into the file.
type Step<'a> = (&'a [u8], &'a dyn Fn(&[u8]));

#[tokio::test]
async fn an_actor_runs_what_is_in_the_file_when_it_is_spawned() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counter.wasm");
    let sources = Later(SystemSources::new());
    let runtime = TheaterRuntime::builder().handler(Voice).handler(Post).sources(sources).build().unwrap();
    let config = manifest(folder.path(), "counter", "");
    let longest = ["counter", "tally"].map(|name| fs::metadata(theater_build::testing::component(name)).unwrap().len());
    let len = usize::try_from(longest.into_iter().max().unwrap()).unwrap() + 64;
    let over = |bytes: &[u8]| {
        fs::write(folder.path().join("new"), bytes).unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
    };
    let in_place = |bytes: &[u8]| fs::write(&file, bytes).unwrap();
    let touched =
        |_: &[u8]| fs::File::options().append(true).open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let [x, y] = ['x', 'y'].map(|section| padded("counter", section, len));
    let other = padded("tally", 'x', len);
    assert_eq!([x.len(), y.len(), other.len()], [len; 3]);
    let steps: [Step<'_>; 6] =
        [(&x, &in_place), (&y, &in_place), (&other, &over), (&other, &touched), (&x, &over), (&other, &in_place)];
    for (n, (bytes, change)) in (0..).zip(steps) {
        // By this runtime's clock every change is old, so it must show in the file system's.
        let before = changed(&file);
        while changed(&file) == before {
            change(bytes);
        }
        for again in 0..2 {
            let actor = runtime.spawn_actor(config.clone()).await.unwrap();
            assert_eq!(recorded(&runtime, &actor).await, Digest::of(bytes), "step {n}");
            let counts = ask(&actor, 2 * n + again, "inc").await.is_ok_and(|answer| answer == "1");
            assert_eq!(counts, bytes != other, "step {n}");
            runtime.stop_actor(actor.id()).await.unwrap();
        }
    }
    fs::remove_file(&file).unwrap();
    let gone = runtime.spawn_actor(config).await.unwrap_err();
    assert!(gone.to_string().contains("there is no such file"), "{gone}");
    runtime.shutdown().await.unwrap();
}
