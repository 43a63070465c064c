//! `theater export` and `theater import`: the record of actors as one file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tempfile::NamedTempFile;
use theater::TheaterId;
use theater::chain::ActorEntry;
use theater::chain::bundle::{self, Arrival, Exported, Imported};
use theater_store_sqlite::SqliteStore;

use crate::args::{ExportArgs, ImportArgs};
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::{prove, record, trust};
use crate::output::{Output, say};

pub(crate) fn export(args: &ExportArgs) -> Outcome {
    if args.file.exists() {
        let sentence = format!("{} is there already", args.file.display());
        return Err(Failure::new(sentence).help("name another file, or remove this one"));
    }
    let store = record::snapshot(&args.data.data)?;
    let key = trust::own_key(&args.data.data)?;
    if key.is_none() {
        say(format_args!("note: there is no host key in {}, so the chains are not signed", args.data.data.display()));
    }
    let failed = |error: io::Error| Failure::new(format!("cannot write {}", args.file.display())).because(&error);
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Under its own name only when it is whole and on the disk.
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let exported = record::block_on(async {
        let actors = Actors::read(&store).await?;
        let root = actors.find(&args.actor)?;
        let chosen = if args.tree { actors.subtree(root) } else { vec![root] };
        let chosen: Vec<ActorEntry> = chosen.into_iter().cloned().collect();
        if key.is_some() {
            prove::verified(&store, &chosen, key.as_ref()).await?;
        }
        let bar = progress(
            "exporting",
            chosen.iter().fold(0, |events: u64, actor| events.saturating_add(actor.head.seq + 1)),
        );
        let chosen: Vec<TheaterId> = chosen.into_iter().map(|actor| actor.id).collect();
        let mut out = BufWriter::new(&mut file);
        let exported =
            bundle::export(&store, &chosen, key.as_ref(), &mut out, &mut |events| bar.set_position(events)).await?;
        out.flush().map_err(failed)?;
        bar.finish_and_clear();
        Ok(exported)
    })?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(&args.file).map_err(|error| failed(error.error))?;
    let mut out = Output::new();
    let Exported { actors, events, bytes, signed, .. } = exported;
    if args.json {
        out.json(&json!({ "actors": actors, "events": events, "bytes": bytes, "signed": signed }))?;
    } else {
        out.line(format_args!("{}: {actors} actors, {events} events, {bytes} bytes", args.file.display()))?;
        if signed < actors && key.is_some() {
            say(format_args!("note: the chains of {} actors are not signed: not all of them is kept", actors - signed));
        }
    }
    out.flush()?;
    Ok(Status::Yes)
}

pub(crate) fn import(args: &ImportArgs) -> Outcome {
    let file = open(&args.file)?;
    if !args.data.data.join("theater.db").exists() {
        // No folder is made for what is no bundle.
        bundle::check(open(&args.file)?).map_err(|error| refused(&args.file, &error))?;
    }
    let store = SqliteStore::open(&args.data.data)?;
    let size = file.metadata().map_or(0, |found| found.len());
    // It is read twice: to be checked, and to come in.
    let bar = ProgressBar::new(size.saturating_mul(2))
        .with_style(style("importing {wide_bar} {binary_bytes} of {binary_total_bytes}"));
    let file = Seen { file, bar: bar.clone() };
    let imported =
        record::block_on(async { bundle::import(&store, file).await.map_err(|error| refused(&args.file, &error)) })?;
    bar.finish_and_clear();
    let mut out = Output::new();
    if args.json {
        let actors: Vec<_> =
            imported.actors.iter().map(|(id, arrival)| json!({ "id": id, "arrival": arrival })).collect();
        out.json(&json!({ "actors": actors, "events": imported.events }))?;
    } else {
        print(&mut out, &imported)?;
    }
    out.flush()?;
    Ok(Status::Yes)
}

fn print(out: &mut Output, imported: &Imported) -> io::Result<()> {
    for (id, arrival) in &imported.actors {
        let what = match arrival {
            Arrival::New => "new",
            Arrival::Continued => "continued",
            Arrival::Same => "here already",
            Arrival::Older => "here already, with more events",
        };
        out.line(format_args!("{id}  {what}"))?;
    }
    out.line(format_args!("{} actors, {} events that were not here", imported.actors.len(), imported.events))
}

/// The file of a bundle.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(&error))
}

/// Why a bundle did not come in: a no, where the bundle or its history is the reason.
pub(crate) fn refused(path: &Path, error: &bundle::BundleError) -> Failure {
    let failure = Failure::new(format!("{} was not imported", path.display())).because(error);
    match error {
        bundle::BundleError::Parted { .. } => {
            failure.no().help("import it into a folder of its own with --data DIR, and compare them there")
        }
        bundle::BundleError::Refused(_) => failure.no().help("nothing of it was taken; copy the file again"),
        _ => failure,
    }
}

/// On a terminal's standard error; nothing elsewhere.
fn progress(doing: &str, events: u64) -> ProgressBar {
    ProgressBar::new(events).with_style(style(&format!("{doing} {{wide_bar}} {{human_pos}} of {{human_len}} events")))
}

/// A bar that looks like this.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A file whose bar moves as it is read.
struct Seen {
    file: File,
    bar: ProgressBar,
}

impl io::Read for Seen {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

impl io::Seek for Seen {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
