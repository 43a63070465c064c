//! Recovery of a tree after its process went down. Beside it: a bare scan, with SQLite alone, of the same
//! database for each actor's head and the bytes of its state.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use theater::chain::ChainStore;
use theater_store_sqlite::SqliteStore;
use theater_tests::{Crashing, HANDLERS, World};

use crate::client::Client;
use crate::clock::{now, timed, timed_async};
use crate::plan::Plan;
use crate::row::{Row, Runs, Target};
use crate::world::builder;

/// Children of one supervisor.
const BROOD: usize = 1_000;

/// A root, supervisors below it, and their children: as many actors as asked for.
pub(crate) async fn run(plan: Plan) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let supervisors = plan.of(10, 1);
    let (actors, _manifests) = plant(folder.path(), supervisors).await?;
    let mut runs = Runs::default();
    for _ in plan.runs("recovery") {
        let scan = timed(|| scanned(folder.path(), actors)).and_ok()?;
        let (store, world) = process(folder.path()).await?;
        let recovered = timed_async(world.runtime.recover()).await;
        let recovered = recovered.checked(|all| all.as_ref().is_ok_and(|all| all.actors == actors))?;
        world.runtime.flush().await?;
        store.go_down().await;
        runs.add(scan.as_secs_f64() * 1e3, recovered.as_secs_f64() * 1e3);
    }
    let name = format!("recovery of a tree of {actors} actors");
    Ok(vec![Row::new(&name, "ms", "SQLite: heads and states read", runs, Some(Target::TimesAtMost(2.0)))])
}

/// How long what a process left behind may take to end.
const ENDING: Duration = Duration::from_secs(60);

/// A process whose store can go down with it; begins when the one before has let go of the folder.
async fn process(folder: &Path) -> Result<(Crashing, World)> {
    let begin = now();
    let store = loop {
        match SqliteStore::open(folder) {
            Ok(store) => break store,
            Err(error) if begin.elapsed() > ENDING => return Err(error.into()),
            Err(_) => {
                #[expect(clippy::disallowed_methods, reason = "a benchmark waits for the run before")]
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    let store: Arc<dyn ChainStore> = Arc::new(store);
    let store = Crashing::after(u64::MAX, store);
    Ok((store.clone(), World::with(&["counter", "rogue"], builder()?.store(store))))
}

/// Grows the tree and has its process go down; how many actors it has, and where their manifests are.
async fn plant(folder: &Path, supervisors: usize) -> Result<(usize, TempDir)> {
    let (store, world) = process(folder).await?;
    let entry = format!("{HANDLERS}\n[[handlers]]\ntype = \"supervisor\"\n");
    world.manifest(
        "boss",
        "rogue",
        &format!(
            "{entry}strategy = \"dynamic\"\npermissions = {{ max_children = {BROOD} }}\n\
             [[handlers.children]]\nid = \"template\"\nmanifest = \"counter.toml\"\nrestart_state = \"resume\"\n"
        ),
    );
    let bosses = (0..supervisors).fold(String::new(), |text, n| {
        text + &format!(
            "[[handlers.children]]\nid = \"boss-{n}\"\nmanifest = \"boss.toml\"\nrestart_state = \"resume\"\n"
        )
    });
    world.manifest("root", "rogue", &format!("{entry}permissions = {{ max_children = {BROOD} }}\n{bosses}"));
    let root = world.spawn("root").await;
    let mut client = Client::new();
    for n in 0..supervisors {
        let boss = world.declared(&root, &format!("boss-{n}"));
        for _ in 0..BROOD {
            let child = String::from_utf8(client.ask(&boss, "start").await?)?;
            client.ask(&world.handle(&child), "inc").await?;
        }
        eprintln!("recovery: {} actors stand", (n + 1) * BROOD);
    }
    world.runtime.flush().await?;
    let actors = world.runtime.actors().len();
    store.go_down().await;
    let World { folder, .. } = world;
    Ok((actors, folder))
}

/// The head and the state of every actor.
fn scanned(folder: &Path, actors: usize) -> Result<()> {
    let connection = Connection::open_with_flags(folder.join("theater.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection.prepare(
        "SELECT id, head_seq, head_hash, actors.state, bytes FROM actors LEFT JOIN states ON hash = actors.state",
    )?;
    let mut rows = statement.query([])?;
    let mut read = 0;
    while let Some(row) = rows.next()? {
        let head: (i64, [u8; 32]) = (row.get(1)?, row.get(2)?);
        let state: Option<Vec<u8>> = row.get(4)?;
        std::hint::black_box((row.get::<_, [u8; 16]>(0)?, head, state));
        read += 1;
    }
    ensure!(read == actors, "{read} actors were read of {actors}");
    Ok(())
}
