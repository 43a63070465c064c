//! A guest of WASI that is killed in the middle of a call: it goes on with the time and the random
//! numbers that it was given, and has not printed twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use theater::sources::{Sources, SystemSources};
use theater_handler_wasi::WasiHandler;
use theater_store_sqlite::SqliteStore;
use theater_tests::{Crashing, HANDLERS, World, builder};
use tokio::sync::Notify;

use super::{ask, killed};

const ENDLESS: u64 = u64::MAX;
const HOUR: Duration = Duration::from_secs(3_600);
/// When the first process runs.
const DAY: u64 = 1_700_000_000_000;
const NEXT_DAY: u64 = DAY + 24 * 3_600 * 1_000;

/// A day's. An hour's sleep is none, or takes all day.
#[derive(Clone)]
struct Day {
    system: Arc<SystemSources>,
    wall_ms: u64,
    slept_ms: Arc<AtomicU64>,
    /// Told of a sleep that takes all day.
    falls_asleep: Option<Arc<Notify>>,
}

impl Day {
    fn new(wall_ms: u64, falls_asleep: Option<Arc<Notify>>) -> Self {
        Self { system: Arc::default(), wall_ms, slept_ms: Arc::default(), falls_asleep }
    }
}

impl Sources for Day {
    fn wall_ms(&self) -> u64 {
        self.wall_ms + self.slept_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic() + Duration::from_millis(self.slept_ms.load(Ordering::SeqCst))
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.system.fill_random(bytes);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration > HOUR || duration < HOUR / 2 {
            return self.system.sleep(duration);
        }
        let Some(falls_asleep) = self.falls_asleep.clone() else {
            self.slept_ms.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
            return Box::pin(std::future::ready(()));
        };
        Box::pin(async move {
            falls_asleep.notify_one();
            std::future::pending().await
        })
    }
}

fn world(store: Crashing, day: Day) -> World {
    let world = World::with(&[], builder().handler(WasiHandler::new()).sources(day).store(store));
    std::fs::copy(theater_build::testing::wasi_component("clerk"), world.path().join("clerk.wasm")).unwrap();
    let limits = "limits = { host_call_timeout = \"24h\", call_timeout = \"24h\" }\n";
    world.manifest("clerk", "clerk", &format!("{limits}{HANDLERS}\n[[handlers]]\ntype = \"wasi\"\n"));
    world
}

const SHIFT: &str = "shift 3600000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_a_call() {
    if let Some(folder) = killed::is_to_be() {
        let (asleep, store) = (Arc::new(Notify::new()), Arc::new(SqliteStore::open(&folder).unwrap()));
        let day = Day::new(DAY, Some(asleep.clone()));
        let down = Crashing::after(ENDLESS, store.clone());
        let before = world(down.clone(), day.clone());
        let clerk = before.spawn("clerk").await.id();
        before.runtime.flush().await.unwrap();
        down.go_down().await;
        // Its instance is a new one in each process, and what it keeps in globals with it.
        let world = world(Crashing::after(ENDLESS, store), day);
        world.runtime.recover().await.unwrap();
        let clerk = world.runtime.handle(clerk);
        tokio::select! {
            answer = ask(&clerk, 2, SHIFT) => panic!("{answer:?}"),
            () = asleep.notified() => world.runtime.flush().await.unwrap(),
        }
        killed::now();
    }
    let folder = tempfile::tempdir().unwrap();
    killed::alone("recovery::wasi::killed_in_a_call", folder.path());

    let world =
        world(Crashing::after(ENDLESS, Arc::new(SqliteStore::open(folder.path()).unwrap())), Day::new(NEXT_DAY, None));
    let clerk = world.recorded().await[0].id;
    let given = |calls: Vec<serde_json::Value>, of: &'static str| {
        calls.into_iter().filter(move |call| call["interface"].as_str().unwrap().starts_with(of)).count()
    };
    let seeds = given(world.of_type(clerk, "host_call").await, "wasi:random");
    assert!(seeds > 0);
    let recovered = world.runtime.recover().await.unwrap();
    assert_eq!((recovered.actors, recovered.calls), (1, 1));
    let clerk = world.runtime.handle(clerk);
    let answer = ask(&clerk, 2, SHIFT).await.unwrap();
    let (begun, order) = answer.split_once(' ').unwrap();
    assert_eq!(begun.parse::<u64>().unwrap(), DAY, "the time of the first process");
    assert_eq!(order.matches(',').count(), 9, "{order}");
    assert_eq!(given(world.of_type(clerk.id(), "host_call").await, "wasi:random"), seeds, "not drawn again");
    let now: u64 = ask(&clerk, 3, "time").await.unwrap().parse().unwrap();
    assert!(now >= NEXT_DAY, "the time of this process: {now}");
    assert_eq!(ask(&clerk, 4, "entries").await.unwrap(), "3");
    world.close().await; // with the same seeds it answers the same
    let events = world.runtime.get_actor_events(clerk.id(), 0, usize::MAX).await.unwrap();
    for line in ["a shift begins\n", "it is over\n"] {
        let has = |bytes: &[u8]| bytes.windows(line.len()).any(|window| window == line.as_bytes());
        let printed = events.iter().filter_map(|event| event.payload.as_ref()).filter(|payload| has(payload.bytes()));
        assert_eq!(printed.count(), 1, "{line}");
    }
}
