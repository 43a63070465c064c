//! `theater erase`.

use indicatif::ProgressBar;
use theater::chain::erase::{EraseError, Erased, erase as erase_payload};
use theater::sources::{Sources as _, SystemSources};
use theater_store_sqlite::SqliteStore;

use crate::args::EraseArgs;
use crate::failure::{Failure, Outcome, Status};
use crate::look::record;
use crate::output::Output;

pub(crate) fn erase(args: &EraseArgs) -> Outcome {
    record::there(&args.data)?;
    let store = SqliteStore::open(&args.data)?;
    let bar = ProgressBar::new_spinner().with_message("reading");
    let now = SystemSources::new().wall_ms();
    let erased = record::block_on(async {
        let erased = erase_payload(&store, args.payload, &args.why, now, &mut |events| bar.set_position(events)).await;
        erased.map_err(|error| match error {
            EraseError::Unknown(_) => {
                Failure::of(&error).no().help("`theater events ACTOR --json` shows the `payload_commit` of each event")
            }
            EraseError::Open { .. } => Failure::of(&error).no(),
            error => Failure::of(&error),
        })
    })?;
    bar.finish_and_clear();
    let mut out = Output::new();
    if args.json {
        out.json(&erased)?
    } else {
        print(&mut out, &erased)?
    }
    out.flush()?;
    Ok(Status::Yes)
}

fn print(out: &mut Output, erased: &Erased) -> std::io::Result<()> {
    for event in &erased.events {
        out.line(format_args!("erased    {}  event {}, {}", event.actor, event.seq, event.event_type))?;
    }
    for message_id in &erased.pending {
        out.line(format_args!("erased    message {message_id}, which waited: it is a dead letter now"))?;
    }
    for state in &erased.states {
        let (hash, actor, seq) = (state.state.to_string(), state.actor, state.seq);
        out.line(format_args!("remains   {actor}  the state after event {seq}, {}, and later ones", &hash[..16]))?;
    }
    Ok(())
}
