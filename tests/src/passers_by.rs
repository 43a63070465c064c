//! Children that are started, do a thing and end: for a test and for a benchmark.

use std::path::Path;

use futures_util::future::join_all;
use theater::ActorHandle;
use theater_store_sqlite::SqliteStore;

use crate::{HANDLERS, World, builder};

/// How many pass by at once.
const AT_ONCE: usize = 100;

/// A supervisor of temporary children, on SQLite.
pub struct PassersBy {
    /// Where they live.
    pub world: World,
    boss: ActorHandle,
}

impl PassersBy {
    /// The supervisor, with its record in `data`.
    pub async fn new(data: &Path) -> Self {
        let world = World::with(&["rogue"], builder().store(SqliteStore::open(data).unwrap()));
        let entries = format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n");
        let template = "[[handlers.children]]\nid = \"template\"\nmanifest = \"brief.toml\"\nrestart = \"temporary\"\n";
        world.manifest("brief", "rogue", &entries);
        // A guest that keeps nothing of them itself.
        world.manifest("boss", "rogue", &format!("{entries}strategy = \"dynamic\"\n{template}"));
        let boss = world.spawn("boss").await;
        Self { world, boss }
    }

    /// Has so many pass by, rounded down to hundreds, and waits until they have ended. Resident
    /// memory after that, in KiB.
    pub async fn pass(&self, children: usize) -> u64 {
        for _ in 0..children / AT_ONCE {
            join_all((0..AT_ONCE).map(|_| self.one())).await;
        }
        while self.world.runtime.actors().len() > 1 {
            tokio::task::yield_now().await;
        }
        self.world.runtime.flush().await.unwrap();
        assert!(self.world.runtime.actor(self.boss.id()).unwrap().children.is_empty());
        resident()
    }

    async fn one(&self) {
        let child = self.world.handle(&self.world.try_call(&self.boss, "start").await.unwrap());
        self.world.try_call(&child, "shutdown").await.unwrap();
    }
}

/// Resident memory of this process, in KiB; where that cannot be read, none.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
