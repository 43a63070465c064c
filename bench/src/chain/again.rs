//! What a record is used for: calls again, beside the calls that it is of, and actors that go on, beside
//! reading where they stood.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use theater::chain::ChainStore;
use theater_replay::{Part, Replayer};
use theater_store_sqlite::SqliteStore;
use theater_tests::{Crashing, World, builder};

use super::table::{self, Table};

/// Calls of one run.
const CALLS: usize = 5_000;

/// Actors that go on.
const ACTORS: usize = 500;

/// Runs of each row.
const RUNS: usize = 5;

/// Replays the calls of one actor, beside making them.
pub(super) async fn replay(table: &mut Table) -> Result<()> {
    let replayer = Replayer::new()?;
    let (mut live, mut again) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let world = World::new(&["counter"]);
        let counter = world.spawn("counter").await;
        let calls = async {
            for _ in 0..CALLS {
                world.try_call(&counter, "inc").await?;
            }
            anyhow::Ok(())
        };
        live.push(table::timed_async(calls).await.and_ok()?);
        world.runtime.flush().await?;
        let store = world.runtime.store();
        // Compiles the component.
        Box::pin(replayer.replay(store.clone(), counter.id(), Part::whole().until(1))).await?;
        let replay = table::timed_async(Box::pin(replayer.replay(store.clone(), counter.id(), Part::whole()))).await;
        again.push(replay.checked(|replay| replay.as_ref().is_ok_and(|replay| replay.replayed as usize > CALLS))?);
        world.runtime.kill().await?;
    }
    let limit = table.limit("calls of a counter, live", CALLS, live);
    table.row("replay of them", CALLS, again, limit);
    Ok(())
}

/// Recovers a store of many actors, beside reading their heads and states.
pub(super) async fn recover(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let process = || -> Result<(Crashing, World)> {
        let store: Arc<dyn ChainStore> = Arc::new(SqliteStore::open(folder.path())?);
        let store = Crashing::after(u64::MAX, store);
        Ok((store.clone(), World::with(&["counter"], builder().store(store))))
    };
    let (store, world) = process()?;
    for _ in 0..ACTORS {
        let counter = world.spawn("counter").await;
        world.try_call(&counter, "inc").await?;
    }
    world.runtime.flush().await?;
    store.go_down().await;
    drop((store, world));
    let (mut scan, mut recover) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let store = SqliteStore::open_read_only(folder.path())?;
        scan.push(table::timed_async(scanned(&store)).await.and_ok()?);
        drop(store);
        let (store, world) = process()?;
        let recovered = table::timed_async(world.runtime.recover()).await;
        recover.push(recovered.checked(|all| all.as_ref().is_ok_and(|all| all.actors == ACTORS))?);
        world.runtime.flush().await?;
        store.go_down().await;
    }
    let limit = table.limit("heads and states, read", ACTORS, scan);
    table.row("recover", ACTORS, recover, limit);
    Ok(())
}

/// The head and the state of every actor.
async fn scanned(store: &dyn ChainStore) -> Result<()> {
    let actors = store.actors(None, usize::MAX).await?;
    ensure!(actors.len() == ACTORS, "there are {} actors", actors.len());
    for entry in actors {
        store.state(entry.index.state).await?.context("its state is not stored")?;
    }
    Ok(())
}
