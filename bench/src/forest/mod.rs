//! Many actors below supervisors on SQLite, for the long runs: they are grown, asked and crashed at random,
//! and at the end everything that was acknowledged must be in their chains.

mod check;
mod load;

use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use theater::{ActorHandle, TheaterId, TheaterRuntimeBuilder};
use theater_store_sqlite::SqliteStore;
use theater_tests::{HANDLERS, World};

pub(crate) use self::check::Checked;
pub(crate) use self::load::{Load, Meter};
use crate::client::{Client, together};
use crate::world::builder;

/// Children of one supervisor.
const BROOD: usize = 1_000;

/// Supervisors that start children at the same time.
const GROWING: usize = 16;

/// Counters, each the child of one of many supervisors that restart it with its last state.
pub(crate) struct Forest {
    pub(crate) world: World,
    supervisors: Vec<ActorHandle>,
    counters: Vec<Counter>,
    grown: AtomicUsize,
}

/// One of them, and what its clients know.
#[derive(Default)]
struct Counter {
    id: OnceLock<TheaterId>,
    /// Increments that were acknowledged: durable.
    acknowledged: AtomicU32,
    /// Increments whose answer was an error: they may have happened, or not.
    unsure: AtomicU32,
}

impl Forest {
    /// The supervisors, with their record in `data`; no counters yet.
    pub(crate) async fn new(
        data: &Path,
        counters: usize,
        with: impl Fn(TheaterRuntimeBuilder) -> TheaterRuntimeBuilder,
    ) -> Result<Self> {
        let world = World::with(&["counter", "rogue", "tally"], with(builder()?.store(SqliteStore::open(data)?)));
        world.manifest(
            "boss",
            "rogue",
            &format!(
                "{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\nstrategy = \"dynamic\"\nmax_restarts = \"infinity\"\n\
                 permissions = {{ max_children = {BROOD} }}\n\
                 [[handlers.children]]\nid = \"template\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n"
            ),
        );
        let mut supervisors = Vec::new();
        for _ in 0..counters.div_ceil(BROOD) {
            supervisors.push(world.spawn("boss").await);
        }
        let counters = (0..counters).map(|_| Counter::default()).collect();
        Ok(Self { world, supervisors, counters, grown: AtomicUsize::new(0) })
    }

    /// Has the supervisors start the counters, and waits until all of it is on disk.
    pub(crate) async fn grow(self: &Arc<Self>) -> Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        together(GROWING, |_| {
            let (forest, next) = (self.clone(), next.clone());
            async move {
                let mut client = Client::new();
                loop {
                    let boss = next.fetch_add(1, Ordering::Relaxed);
                    let Some(supervisor) = forest.supervisors.get(boss) else { return Ok(()) };
                    for counter in forest.counters.iter().skip(boss * BROOD).take(BROOD) {
                        let started = client.ask(supervisor, "start").await?;
                        let id = String::from_utf8(started)?.parse().ok().context("`start` answered no id")?;
                        ensure!(counter.id.set(id).is_ok(), "a counter was started twice");
                        forest.grown.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        })
        .await?;
        self.world.runtime.flush().await?;
        Ok(())
    }

    /// How many counters were started so far.
    pub(crate) fn grown(&self) -> usize {
        self.grown.load(Ordering::Relaxed)
    }
}
