//! What a chain costs beside the hash and the database that it is made of, on the same data.

mod again;
mod bare;
mod life;
mod record;
mod table;

use anyhow::Result;
use theater::chain::{ChainStore, Level, MemoryStore, StateChain, verify_store};
use theater_store_sqlite::SqliteStore;

use self::table::Table;

/// Events of one run in memory.
const EVENTS: usize = 100_000;

/// Commits of one run on disk, by how many events each has.
const BATCHES: [(usize, usize); 3] = [(1, 400), (16, 200), (256, 60)];

/// Runs of each row; an odd number, for the median.
const RUNS: usize = 7;

/// Prints the table. `long` is how many events the chain has that is verified in one pass.
pub(crate) async fn run(long: usize) -> Result<()> {
    let mut table = Table::new();
    memory(&mut table).await?;
    disk(&mut table).await?;
    signing(&mut table)?;
    again::replay(&mut table).await?;
    again::recover(&mut table).await?;
    one_pass(long).await
}

/// Append and verification, beside SHA-256 over the same bytes.
async fn memory(table: &mut Table) -> Result<()> {
    let events = life::events(EVENTS);
    let chain = StateChain::from_events(events.clone());
    let (mut hash, mut append, mut links, mut full) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        hash.push(table::timed(|| bare::sha256(&events)).took());
        append.push(table::timed(|| life::append(EVENTS)).took());
        links.push(table::timed(|| chain.verify()).and_ok()?);
        let store = MemoryStore::new();
        store.commit(life::commit(&mut life::story(), EVENTS)).await?;
        let took = table::timed_async(verify_store(&store, Level::Full, &mut |_| ())).await;
        full.push(took.checked(|report| report.as_ref().is_ok_and(|report| report.ok))?);
    }
    let limit = table.limit("SHA-256 of the same bytes", EVENTS, hash);
    table.row("append in memory", EVENTS, append, limit);
    table.row("verify links", EVENTS, links, limit);
    table.row("verify full", EVENTS, full, limit);
    Ok(())
}

/// Commits of several sizes, beside the same rows in a bare SQLite.
async fn disk(table: &mut Table) -> Result<()> {
    for (size, commits) in BATCHES {
        let (mut rows, mut durable) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let folder = tempfile::tempdir()?;
            let batches: Vec<_> = life::events(size * commits).chunks(size).map(<[_]>::to_vec).collect();
            let mut sqlite = bare::Sqlite::open(&folder.path().join("bare.db"))?;
            rows.push(table::timed(|| batches.iter().try_for_each(|batch| sqlite.insert(batch))).and_ok()?);
            let store = SqliteStore::open(folder.path().join("store"))?;
            let mut story = life::story();
            let batches: Vec<_> = (0..commits).map(|_| life::commit(&mut story, size)).collect();
            let writing = async {
                for batch in batches {
                    store.commit(batch).await?;
                }
                anyhow::Ok(())
            };
            durable.push(table::timed_async(writing).await.and_ok()?);
        }
        let limit = table.limit(&format!("SQLite, {size} rows a commit"), size * commits, rows);
        table.row(&format!("append durable, {size} a commit"), size * commits, durable, limit);
    }
    Ok(())
}

/// One tree head over 1,000 changed heads, beside the hashes of its leaves.
fn signing(table: &mut Table) -> Result<()> {
    const HEADS: usize = 1_000;
    let heads = record::heads(HEADS);
    let (mut hash, mut sign) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        hash.push(table::timed(|| heads.iter().map(theater::chain::LoggedHead::leaf).collect::<Vec<_>>()).took());
        sign.push(table::timed(|| record::sign(heads.clone())).took());
    }
    let limit = table.limit("SHA-256 of 1,000 leaves", HEADS, hash);
    table.row("a signed head over them", HEADS, sign, limit);
    Ok(())
}

/// A long chain in SQLite, verified in one pass, with what it takes in memory.
async fn one_pass(events: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path())?;
    let mut story = life::story();
    for _ in 0..events.div_ceil(10_000) {
        store.commit(life::commit(&mut story, 10_000)).await?;
    }
    drop((store, story));
    for level in [Level::Links, Level::Full] {
        let store = SqliteStore::open_read_only(folder.path())?;
        record::reset_peak();
        let before = record::peak_mib();
        let took = table::timed_async(verify_store(&store, level, &mut |_| ())).await;
        let took = took.checked(|report| report.as_ref().is_ok_and(|report| report.ok))?;
        println!(
            "{events} events of one chain in SQLite, {level:?}: {:.1} s, {:.0} events a second, memory {before} MiB before, \
             {} MiB at most",
            took.as_secs_f64(),
            events as f64 / took.as_secs_f64(),
            record::peak_mib(),
        );
    }
    Ok(())
}
