//! What a chain costs beside the hash and the database that it is made of, on the same data.

mod life;
mod record;
mod sha;

use anyhow::Result;
use theater::chain::{ChainEvent, ChainStore, Level, LoggedHead, MemoryStore, StateChain, verify_store};
use theater_store_sqlite::SqliteStore;

use crate::clock::{micros_each, per_second, timed, timed_async};
use crate::limit::sqlite::Sqlite;
use crate::plan::Plan;
use crate::process::{peak_mib, reset_peak};
use crate::row::{Row, Runs, Target};

/// Commits of one run on disk, by how many events each has: so many, and so many when it is quick. A call and
/// its state belong together, so that there are two at least.
const BATCHES: [(usize, usize, usize); 3] = [(2, 400, 60), (16, 200, 60), (256, 60, 20)];

/// All rows. `long` is how many events the chain has that is verified in one pass; none if 0.
pub(crate) async fn run(plan: Plan, long: Option<usize>) -> Result<Vec<Row>> {
    let mut rows = memory(plan).await?;
    for (size, full, quick) in BATCHES {
        rows.push(disk(plan, size, plan.of(full, quick)).await?);
    }
    rows.push(signing(plan)?);
    let long = long.unwrap_or(plan.of(1_000_000, 0));
    if long > 0 {
        rows.extend(one_pass(plan, long).await?);
    }
    Ok(rows)
}

/// Append and verification, beside SHA-256 over the same bytes.
async fn memory(plan: Plan) -> Result<Vec<Row>> {
    let count = plan.of(100_000, 20_000);
    let events = life::events(count);
    let chain = StateChain::from_events(events.clone());
    let [mut append, mut links, mut full] = [(); 3].map(|()| Runs::default());
    for _ in plan.runs("chain in memory") {
        let hash = per_second(timed(|| sha::sha256(&events)).took(), count);
        append.add(hash, per_second(timed(|| life::append(count)).took(), count));
        links.add(hash, per_second(timed(|| chain.verify()).and_ok()?, count));
        let store = MemoryStore::new();
        store.commit(life::commit(&mut life::story(), count)).await?;
        let took = timed_async(verify_store(&store, Level::Full, &mut |_| ())).await;
        full.add(hash, per_second(took.checked(|report| report.as_ref().is_ok_and(|report| report.ok))?, count));
    }
    let row = |name: &str, runs, goal| {
        Row::new(name, "events/s", "SHA-256 of the same bytes", runs, Some(Target::AtLeast(goal)))
    };
    Ok(vec![row("append in memory", append, 1.5e6), row("verify links", links, 2.5e6), row("verify full", full, 0.5e6)])
}

/// Commits of one size, beside the same rows in a bare SQLite.
async fn disk(plan: Plan, size: usize, commits: usize) -> Result<Row> {
    let mut runs = Runs::default();
    let name = format!("append durable, {size} a commit");
    for _ in plan.runs(&name) {
        let folder = tempfile::tempdir()?;
        let batches: Vec<_> = life::events(size * commits).chunks(size).map(<[ChainEvent]>::to_vec).collect();
        let mut sqlite = Sqlite::open(&folder.path().join("bare.db"))?;
        let bare = timed(|| batches.iter().try_for_each(|batch| sqlite.insert(batch))).and_ok()?;
        let store = SqliteStore::open(folder.path().join("store"))?;
        let mut story = life::story();
        let batches: Vec<_> = (0..commits).map(|_| life::commit(&mut story, size)).collect();
        let events: usize = batches.iter().map(|batch| batch.events.len()).sum();
        let writing = async {
            for batch in batches {
                store.commit(batch).await?;
            }
            anyhow::Ok(())
        };
        let ours = timed_async(writing).await.and_ok()?;
        runs.add(per_second(bare, size * commits), per_second(ours, events));
    }
    Ok(Row::new(&name, "events/s", "SQLite, as many rows a commit", runs, Some(Target::TimesAtLeast(0.7))))
}

/// One tree head over 1,000 changed heads, beside the hashes of its leaves.
fn signing(plan: Plan) -> Result<Row> {
    const HEADS: usize = 1_000;
    let heads = record::heads(HEADS);
    let mut runs = Runs::default();
    for _ in plan.runs("signing") {
        let hash = timed(|| heads.iter().map(LoggedHead::leaf).collect::<Vec<_>>()).took();
        let sign = timed(|| record::sign(heads.clone())).took();
        runs.add(micros_each(hash, 1), micros_each(sign, 1));
    }
    Ok(Row::new("a signed head over 1,000 changed heads", "us", "SHA-256 of the 1,000 leaves", runs, None))
}

/// A long chain in SQLite, verified in one pass, with what it takes in memory. Beside it: SHA-256 of as many
/// events.
async fn one_pass(plan: Plan, events: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path())?;
    let mut story = life::story();
    for _ in 0..events.div_ceil(10_000) {
        store.commit(life::commit(&mut story, 10_000)).await?;
    }
    drop((store, story));
    let sample = life::events(events.min(100_000));
    let mut rows = Vec::new();
    for (level, text) in [(Level::Links, "links"), (Level::Full, "full")] {
        let mut runs = Runs::default();
        for _ in plan.runs(&format!("{events} events from SQLite, {text}")) {
            let hash = per_second(timed(|| sha::sha256(&sample)).took(), sample.len());
            let store = SqliteStore::open_read_only(folder.path())?;
            reset_peak();
            let before = peak_mib();
            let took = timed_async(verify_store(&store, level, &mut |_| ())).await;
            let took = took.checked(|report| report.as_ref().is_ok_and(|report| report.ok))?;
            eprintln!("    {before} MiB before, {} MiB at most", peak_mib());
            runs.add(hash, per_second(took, events));
        }
        let name = format!("verify {text}, {events} events from SQLite");
        rows.push(Row::new(&name, "events/s", "SHA-256 of the same bytes", runs, None));
    }
    Ok(rows)
}
