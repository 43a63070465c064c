//! `theater stop` and `theater restart`: what an operator asks of the process that runs a tree.

use std::path::Path;

use theater::chain::ActorEntry;
use theater::chain::codec;
use theater::chain::data::{ActorTerminated, EventData as _, KillCause, ReasonRecord};
use theater::{ActorStatus, ChainStore, RestartFrom, TheaterCommand, TheaterId, TheaterReply};

use crate::args::{RestartArgs, RestartWith, StopArgs};
use crate::client::Client;
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::record;
use crate::output::Output;

/// The actor that is meant, and the process that runs it.
struct Target {
    store: Box<dyn ChainStore>,
    client: Client,
    id: TheaterId,
    /// Its path and the first digits of its id.
    label: String,
}

impl Target {
    fn find(dir: &Path, text: &str, verb: &str) -> Result<Self, Failure> {
        let store = record::open(dir)?;
        let (id, label) = record::block_on(async {
            let actors = Actors::read(&store).await?;
            let entry = actors.find(text)?;
            Ok((entry.id, format!("{} {}", actors.path(entry), &entry.id.to_string()[..8])))
        })?;
        let client = Client::connect(dir).ok_or_else(|| {
            Failure::new(format!("nothing runs in {}, so there is nothing to {verb}", dir.display()))
                .help("`theater run MANIFEST` runs a tree; `theater tree` shows how this one ended")
        })?;
        Ok(Self { store: Box::new(store), client, id, label })
    }

    /// How the actor stands in the record.
    fn entry(&self) -> Result<ActorEntry, Failure> {
        let entry = record::block_on(async { Ok(self.store.actor(self.id).await?) })?;
        entry.ok_or_else(|| Failure::new(format!("actor {} is not in the record any more", self.id)))
    }

    /// How its last incarnation ended; `None`: it has not.
    fn reason(&self) -> Result<Option<ReasonRecord>, Failure> {
        let Some(seq) = self.entry()?.index.ended else { return Ok(None) };
        let event = record::block_on(async { Ok(self.store.events(self.id, seq, 1).await?.pop()) })?;
        let event = event.filter(|event| event.event_type == ActorTerminated::TYPE);
        event.map(|event| Ok(codec::decode::<ActorTerminated>(&event.data)?.reason)).transpose()
    }

    /// How the process says that it stands.
    fn status(&mut self) -> Result<ActorStatus, Failure> {
        match self.client.ask(&TheaterCommand::GetActorStatus { actor: self.id })? {
            TheaterReply::Status(process) => Ok(process.status),
            _ => Err(Failure::new("the process that runs the tree answers something else")),
        }
    }
}

/// Stops an actor and everything below it.
pub(crate) fn stop(args: &StopArgs) -> Outcome {
    let mut target = Target::find(&args.data.data, &args.actor, "stop")?;
    let status = target.status()?;
    if matches!(status, ActorStatus::Stopped | ActorStatus::Failed) {
        return tell(&format!("{} had ended already", target.label));
    }
    // No answer: it was the root, with whose end the run ends. The record says what happened.
    target.client.wait(&TheaterCommand::StopActor { actor: target.id }).map_err(Failure::no)?;
    let how = match target.reason()? {
        Some(_) if status == ActorStatus::Restarting => "stopped, no restart follows:",
        Some(ReasonRecord::Shutdown | ReasonRecord::Normal | ReasonRecord::Declined) => "stopped",
        Some(ReasonRecord::Killed(KillCause::Deadline)) => "killed, since it did not stop in time:",
        Some(ReasonRecord::Killed(_)) => "killed",
        Some(ReasonRecord::Abnormal(_)) => "failed while it stopped:",
        None => {
            return Err(Failure::new(format!("the process went down before {} had stopped", target.label))
                .help("`theater tree` shows what the record says"));
        }
    };
    tell(&format!("{how} {}", target.label))
}

/// Starts the next incarnation of an actor.
pub(crate) fn restart(args: &RestartArgs) -> Outcome {
    let mut target = Target::find(&args.data.data, &args.actor, "restart")?;
    let from = match args.state {
        RestartWith::Resume => RestartFrom::Resume,
        RestartWith::Reset => RestartFrom::Reset,
    };
    let restart = TheaterCommand::RestartActor { actor: target.id, from };
    if target.client.wait(&restart).map_err(Failure::no)?.is_none() {
        return Err(Failure::new(format!("the process went down before {} was restarted", target.label))
            .help("`theater tree` shows what the record says"));
    }
    let entry = target.entry()?;
    let state = match args.state {
        RestartWith::Resume => "its last committed state",
        RestartWith::Reset => "a new state",
    };
    match entry.index.ended {
        None => tell(&format!("restarted {} with {state}: incarnation {}", target.label, entry.index.incarnation)),
        Some(_) => {
            let said = format!("incarnation {} of {} ended at once", entry.index.incarnation, target.label);
            Err(Failure::new(said).no().help(format!("`theater events {}` shows why", target.id)))
        }
    }
}

fn tell(what: &str) -> Outcome {
    let mut out = Output::new();
    out.line(format_args!("{what}"))?;
    out.flush()?;
    Ok(Status::Yes)
}
