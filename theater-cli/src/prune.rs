//! `theater prune`.

use indicatif::ProgressBar;
use theater::chain::prune::{PruneError, Pruning, prune as prune_chain};
use theater::sources::{Sources as _, SystemSources};
use theater_store_sqlite::SqliteStore;

use crate::args::PruneArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::prove::verified;
use crate::look::{record, trust};
use crate::output::Output;

pub(crate) fn prune(args: &PruneArgs) -> Outcome {
    record::there(&args.data)?;
    let store = SqliteStore::open(&args.data)?;
    let key = trust::own_key(&args.data)?;
    let bar = ProgressBar::new_spinner().with_message("reading");
    let (sources, mut salt) = (SystemSources::new(), [0; 16]);
    sources.fill_random(&mut salt);
    let (dropped, path) = record::block_on(async {
        let actors = Actors::read(&store).await?;
        let entry = actors.find(&args.actor)?;
        // What is not right must stay, so that it can be seen.
        verified(&store, std::slice::from_ref(entry), key.as_ref()).await?;
        let progress = &mut |events| bar.set_position(events);
        let pruning = Pruning { keep_after: args.keep_after, now: sources.wall_ms(), salt, key: key.as_ref() };
        let dropped = prune_chain(&store, entry, &pruning, progress).await.map_err(|error| match error {
            PruneError::Store(_) => Failure::of(&error),
            error => Failure::of(&error).no(),
        })?;
        Ok((dropped, actors.path(entry)))
    })?;
    bar.finish_and_clear();
    let mut out = Output::new();
    if args.json {
        out.json(&dropped)?
    } else {
        let (events, states, from) = (dropped.events, dropped.states, dropped.kept_from);
        out.line(format_args!(
            "dropped {events} events and {states} states of {path}; it is kept from event {from} on"
        ))?
    }
    out.flush()?;
    Ok(Status::Yes)
}
