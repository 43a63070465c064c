//! The control protocol: what an operator or an embedding program may ask of a running runtime, as
//! values that can be sent. The command line serves it on a socket, one JSON document a line.
//!
//! It is not for messages to actors: these go through an [`ActorHandle`](crate::ActorHandle).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use theater_chain::{StoreError, TheaterId, document};

use crate::chain_view::ReadError;
use crate::compile::MAX_COMPONENT;
use crate::error::SpawnError;
use crate::manifest::ManifestConfig;
use crate::process::ActorProcess;
use crate::runtime::TheaterRuntime;
use crate::spawn::{RestartFrom, find_store};
use crate::subtree::Subtree;
use crate::upgrade::{Upgrade, UpgradeError, Upgraded};

/// Ended children that are listed of each actor: those that started last.
const ENDED: usize = 100;

/// The most events in one reply, and bytes of events after which a reply takes no more.
const MAX_EVENTS: usize = 1_000;
const MAX_BYTES: usize = 4 << 20;

/// What can be asked of a runtime. In JSON `{"get-actor-status": {"actor": "0123.."}}`, bytes as
/// base64 text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TheaterCommand {
    /// Start a root actor. The reply is [`TheaterReply::Actor`].
    SpawnActor {
        /// Its manifest; a relative path starts at the working folder of the runtime's process.
        manifest: PathBuf,
        /// What `init` gets in place of the manifest's `init_state`.
        #[serde(default, with = "crate::base64_bytes")]
        init: Option<Vec<u8>>,
    },
    /// Start a root actor from state bytes, without `init`. The reply is [`TheaterReply::Actor`].
    ResumeActor {
        /// Its manifest; a relative path starts at the working folder of the runtime's process.
        manifest: PathBuf,
        /// The state.
        #[serde(default, with = "crate::base64_bytes")]
        state: Option<Vec<u8>>,
    },
    /// Stop an actor and everything below it. The reply, when all has ended, is
    /// [`TheaterReply::Done`].
    StopActor {
        /// The actor.
        actor: TheaterId,
    },
    /// Start the next incarnation of an actor; one that runs is stopped first. The reply is
    /// [`TheaterReply::Done`].
    RestartActor {
        /// The actor.
        actor: TheaterId,
        /// The state that it begins with.
        from: RestartFrom,
    },
    /// Exchange the component of an actor, see [`TheaterRuntime::upgrade_actor`]. The reply is
    /// [`TheaterReply::Upgraded`].
    UpgradeActor {
        /// The actor.
        actor: TheaterId,
        /// The file of the new component; a relative path starts at the working folder of the runtime's
        /// process.
        component: PathBuf,
        /// Its version; none: as before.
        #[serde(default)]
        version: Option<String>,
        /// Also where it does not do again what the old one did last.
        #[serde(default)]
        allow_divergence: bool,
    },
    /// Take the newest upgrade of an actor back, see [`TheaterRuntime::roll_back_actor`]. The reply is
    /// [`TheaterReply::Upgraded`].
    RollBackActor {
        /// The actor.
        actor: TheaterId,
    },
    /// The children of an actor that is alive: those that are alive, and the 100 that ended last.
    /// The reply is [`TheaterReply::Actors`].
    ListChildren {
        /// The actor.
        actor: TheaterId,
    },
    /// How an actor stands, alive or ended. The reply is [`TheaterReply::Status`].
    GetActorStatus {
        /// The actor.
        actor: TheaterId,
    },
    /// The last committed state of an actor, alive or ended. The reply is [`TheaterReply::State`].
    GetActorState {
        /// The actor.
        actor: TheaterId,
    },
    /// Events of an actor, alive or ended. The reply is [`TheaterReply::Events`], with fewer than
    /// `max` where they are many or large: ask again from the next `seq` on; none are the end.
    GetActorEvents {
        /// The actor.
        actor: TheaterId,
        /// The `seq` of the first one.
        #[serde(default)]
        from: u64,
        /// At most so many; 1,000 at the most.
        #[serde(default = "max_events")]
        max: usize,
    },
    /// As [`TheaterCommand::GetActorEvents`], but the reply comes as soon as there is an event from
    /// `from` on. Asking again from the next `seq` on loses nothing and holds up nobody. No events:
    /// the runtime has been shut down.
    SubscribeToActor {
        /// The actor.
        actor: TheaterId,
        /// The `seq` of the first one.
        #[serde(default)]
        from: u64,
        /// At most so many; 1,000 at the most.
        #[serde(default = "max_events")]
        max: usize,
    },
    /// Every actor that is alive, and of each the 100 children that ended last. The reply is
    /// [`TheaterReply::Actors`], parents before their children.
    Tree,
}

fn max_events() -> usize {
    MAX_EVENTS
}

/// The answer to a [`TheaterCommand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TheaterReply {
    /// It is done.
    Done,
    /// The actor that was started.
    Actor(TheaterId),
    /// One actor.
    Status(Box<ActorProcess>),
    /// What was exchanged.
    Upgraded(Box<Upgraded>),
    /// Actors.
    Actors(Vec<ActorProcess>),
    /// State bytes; none: the actor has no state.
    State(#[serde(with = "crate::base64_bytes")] Option<Vec<u8>>),
    /// Events as documents, see [`document::event_json`].
    Events(Vec<Value>),
}

/// Why a command was not done.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No such actor.
    #[error("actor {0} is not found")]
    NotFound(TheaterId),
    /// An actor was not started, or not stopped.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// An actor was not upgraded, or an upgrade not taken back.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TheaterRuntime {
    /// Does what a command asks for. Only the commands that start, stop or restart an actor wait
    /// for it, and [`TheaterCommand::SubscribeToActor`] for an event.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn command(&self, command: TheaterCommand) -> Result<TheaterReply, CommandError> {
        let reply = self.carry_out(command).await;
        // What leaves the process waits until it is durable, a failure too; where it cannot become so
        // now, that is the answer.
        self.shared.journal.told().await?;
        reply
    }

    async fn carry_out(&self, command: TheaterCommand) -> Result<TheaterReply, CommandError> {
        Ok(match command {
            TheaterCommand::SpawnActor { manifest, init } => {
                let manifest = read_manifest(manifest).await?;
                let actor = match init {
                    Some(init) => self.spawn_actor_with(manifest, init).await?,
                    None => self.spawn_actor(manifest).await?,
                };
                TheaterReply::Actor(actor.id())
            }
            TheaterCommand::ResumeActor { manifest, state } => {
                let manifest = read_manifest(manifest).await?;
                TheaterReply::Actor(self.resume_actor(manifest, state.map(Into::into)).await?.id())
            }
            TheaterCommand::StopActor { actor } => {
                self.stop_actor(actor).await?;
                TheaterReply::Done
            }
            TheaterCommand::RestartActor { actor, from } => {
                self.restart_actor(actor, from).await?;
                TheaterReply::Done
            }
            TheaterCommand::UpgradeActor { actor, component, version, allow_divergence } => {
                let component = read_new_component(actor, component).await?;
                let upgrade = Upgrade::new(component).allow_divergence(allow_divergence);
                let upgrade = version.into_iter().fold(upgrade, Upgrade::version);
                TheaterReply::Upgraded(Box::new(self.upgrade_actor(actor, upgrade).await?))
            }
            TheaterCommand::RollBackActor { actor } => {
                TheaterReply::Upgraded(Box::new(self.roll_back_actor(actor).await?))
            }
            TheaterCommand::ListChildren { actor } => TheaterReply::Actors(self.children_of(actor).await?),
            TheaterCommand::GetActorStatus { actor } => TheaterReply::Status(Box::new(self.status(actor).await?)),
            TheaterCommand::GetActorState { actor } => {
                TheaterReply::State(self.get_actor_state(actor).await?.map(Into::into))
            }
            TheaterCommand::GetActorEvents { actor, from, max } => self.documents(actor, from, max).await?,
            TheaterCommand::SubscribeToActor { actor, from, max } => {
                if self.subscribe(actor, from).await?.next().await?.is_none() {
                    return Ok(TheaterReply::Events(Vec::new()));
                }
                self.documents(actor, from, max).await?
            }
            TheaterCommand::Tree => TheaterReply::Actors(self.all_actors().await?),
        })
    }

    async fn status(&self, actor: TheaterId) -> Result<ActorProcess, CommandError> {
        if let Some(alive) = self.actor(actor) {
            return Ok(alive);
        }
        self.shared.journal.told().await?;
        let store = find_store(&self.shared, actor).await?;
        let entry = store.actor(actor).await?.ok_or(CommandError::NotFound(actor))?;
        Ok(ActorProcess::of_ended(&**store, &entry).await?)
    }

    /// In the order in which they were first started.
    async fn children_of(&self, actor: TheaterId) -> Result<Vec<ActorProcess>, CommandError> {
        let Some(found) = self.shared.tree.find(actor) else {
            return self.status(actor).await.map(|_| Vec::new());
        };
        let subtree = Subtree::unwaiting(&found);
        self.shared.journal.told().await?;
        let mut children = subtree.ended_as_stored(ENDED).await?;
        children.extend(subtree.children());
        let newest_first = find_store(&self.shared, actor).await?.children(actor, children.len()).await?;
        let place: HashMap<TheaterId, usize> =
            newest_first.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        children.sort_by_key(|child| Reverse(place.get(&child.actor_id).copied().unwrap_or(usize::MAX)));
        Ok(children)
    }

    async fn all_actors(&self) -> Result<Vec<ActorProcess>, CommandError> {
        let roots = self.actors().into_iter().filter(|actor| actor.parent.is_none());
        let mut found: Vec<ActorProcess> = roots.collect();
        // What is found is looked into in turn.
        let mut at = 0;
        while let Some(actor) = found.get(at) {
            let actor = actor.actor_id;
            at += 1;
            if self.actor(actor).is_some() {
                found.extend(self.children_of(actor).await?);
            }
        }
        Ok(found)
    }

    async fn documents(&self, actor: TheaterId, from: u64, max: usize) -> Result<TheaterReply, CommandError> {
        let events = self.read_events(actor, from, max.clamp(1, MAX_EVENTS), MAX_BYTES).await?;
        let mut documents = Vec::with_capacity(events.len());
        let mut bytes = 0;
        for event in events {
            bytes += event.content_len();
            if bytes > MAX_BYTES && !documents.is_empty() {
                break;
            }
            let damaged = |error| StoreError::Damaged(format!("event {} of actor {actor}: {error}", event.seq));
            documents.push(document::event_json(&actor, &event).map_err(damaged)?);
        }
        Ok(TheaterReply::Events(documents))
    }
}

/// As [`read_manifest`].
async fn read_new_component(actor: TheaterId, path: PathBuf) -> Result<Vec<u8>, UpgradeError> {
    let read = tokio::task::spawn_blocking(move || {
        let unreadable =
            |reason: String| UpgradeError::Component { actor, reason: format!("{}: {reason}", path.display()) };
        let size = std::fs::metadata(&path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_COMPONENT {
            return Err(unreadable(format!("it has {size} bytes; a component has at most {MAX_COMPONENT}")));
        }
        std::fs::read(&path).map_err(|error| unreadable(error.to_string()))
    });
    read.await.map_err(|_| SpawnError::ShuttingDown)?
}

/// Off the runtime's own threads: a slow disk must not hold up actors.
async fn read_manifest(path: PathBuf) -> Result<ManifestConfig, SpawnError> {
    let read = tokio::task::spawn_blocking(move || ManifestConfig::from_file(path)).await;
    Ok(read.map_err(|_| SpawnError::ShuttingDown)??)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn commands_and_replies_are_the_same_after_the_wire() {
        let actor = TheaterId::from_bytes([7; 16]);
        for command in [
            TheaterCommand::SpawnActor { manifest: "a.toml".into(), init: Some(vec![0, 255]) },
            TheaterCommand::RestartActor { actor, from: RestartFrom::Custom(Some(b"state".to_vec())) },
            TheaterCommand::SubscribeToActor { actor, from: 3, max: 5 },
            TheaterCommand::Tree,
        ] {
            let line = serde_json::to_string(&command).unwrap();
            assert_eq!(serde_json::from_str::<TheaterCommand>(&line).unwrap(), command, "{line}");
        }
        for reply in [TheaterReply::Done, TheaterReply::State(Some(vec![1, 2])), TheaterReply::State(None)] {
            let line = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<TheaterReply>(&line).unwrap(), reply, "{line}");
        }
    }

    #[test]
    fn the_wire_is_as_documented() {
        fn command(text: &str) -> serde_json::Result<TheaterCommand> {
            serde_json::from_str(text)
        }
        let id = "07".repeat(16);
        let events = command(&format!(r#"{{"get-actor-events": {{"actor": "{id}"}}}}"#)).unwrap();
        let actor = TheaterId::from_bytes([7; 16]);
        assert_eq!(events, TheaterCommand::GetActorEvents { actor, from: 0, max: 1_000 });
        assert_eq!(command(r#""tree""#).unwrap(), TheaterCommand::Tree);
        let unknown = command(&format!(r#"{{"stop-actor": {{"actor": "{id}", "now": true}}}}"#));
        assert!(unknown.unwrap_err().to_string().contains("now"));
        assert_eq!(serde_json::to_string(&TheaterReply::State(Some(vec![1]))).unwrap(), r#"{"state":"AQ=="}"#);
    }
}
