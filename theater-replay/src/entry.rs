//! Where the replay of a part of a chain begins: at a point at which the instance was fresh.

use std::sync::Arc;

use theater::ProposedUpgrade;
use theater_chain::data::{ActorStarted, Data, EventData as _, RestartStateKind};
use theater_chain::{ChainEvent, ChainStore, Digest, StoreError, TheaterId, newest};

use crate::link::Linked;
use crate::lives::{Standing, stored_state};
use crate::machine::Machine;
use crate::record::Halt;
use crate::replayer::Replayer;
use crate::report::State;

impl Replayer {
    /// A machine at the last point at or before `until` at which an instance was fresh and the state is
    /// stored, and the seq of the event that comes next there.
    pub(crate) async fn enter(
        &self,
        store: &Arc<dyn ChainStore>,
        actor: TheaterId,
        kept: u64,
        until: u64,
    ) -> Result<(Machine<'_>, u64), Halt> {
        let mut end = until + 1;
        while let Some(point) = newest(&**store, actor, kept..end, Point::of).await? {
            let seq = match point {
                Point::Started { seq, .. } => return Ok((Machine::new(self, store.clone(), actor, seq, None), seq)),
                Point::Dropped(seq) | Point::Exchanged { seq, .. } => seq,
            };
            end = seq;
            let Some(Committed::State(hash)) = newest(&**store, actor, kept..seq, Committed::of).await? else {
                continue;
            };
            let Some(bytes) = stored_state(&**store, hash).await? else { continue };
            let Some(standing) = standing(&**store, actor, kept, seq).await? else { continue };
            let mut machine = Machine::new(self, store.clone(), actor, seq, None);
            machine.enter(&standing, State { hash, bytes }).await?;
            return Ok((machine, seq));
        }
        Ok((Machine::new(self, store.clone(), actor, kept, None), kept))
    }

    /// A machine that runs the component of an upgrade, at the last point of the record at which an
    /// instance of the component until now was fresh and the state is stored, and the seq of the event
    /// that comes next there. `None`: there is no such point.
    pub(crate) async fn enter_upgraded<'a>(
        &'a self,
        upgrade: &'a ProposedUpgrade,
        instead: Arc<Linked>,
    ) -> Result<Option<(Machine<'a>, u64)>, Halt> {
        let (store, actor) = (&upgrade.store, upgrade.actor);
        let kept = store.kept_from(actor).await?;
        let machine =
            |from| Machine::new(self, store.clone(), actor, from, Some(instead.clone())).upgrading(Some(upgrade));
        let mut end = upgrade.head.seq + 1;
        while let Some(point) = newest(&**store, actor, kept..end, Point::of).await? {
            let (from, hash, oldest) = match point {
                Point::Started { seq, install: None } => return Ok(Some((machine(seq), seq))),
                Point::Started { seq, install: Some(hash) } => {
                    if stored_state(&**store, hash).await?.is_some() {
                        return Ok(Some((machine(seq), seq)));
                    }
                    end = seq;
                    continue;
                }
                // Before it another component ran, with states of its own.
                Point::Exchanged { seq, state } => (seq + 1, Some(state), true),
                Point::Dropped(seq) => match newest(&**store, actor, kept..seq, Committed::of).await? {
                    Some(Committed::State(hash)) => (seq, Some(hash), false),
                    Some(Committed::Open) | None => (seq, None, false),
                },
            };
            let stored = match hash {
                Some(hash) => stored_state(&**store, hash).await?.map(|bytes| State { hash, bytes }),
                None => None,
            };
            if let (Some(state), Some(standing)) = (stored, standing(&**store, actor, kept, from).await?) {
                let mut machine = machine(from);
                machine.enter(&standing, state).await?;
                return Ok(Some((machine, from)));
            }
            if oldest {
                return Ok(None);
            }
            end = from;
        }
        Ok(None)
    }
}

/// Where an instance is fresh.
enum Point {
    /// With the state that is installed, unless `init` makes it.
    Started { seq: u64, install: Option<Digest> },
    /// With the last committed state.
    Dropped(u64),
    /// With the state that is then the actor's.
    Exchanged { seq: u64, state: Digest },
}

impl Point {
    fn of(event: &ChainEvent) -> Option<Self> {
        let seq = event.seq;
        Some(match Data::decode(&event.event_type, &event.data).ok()?? {
            Data::ActorStarted(data) => {
                let install = (data.restart_state != RestartStateKind::Reset).then_some(data.state_hash);
                Self::Started { seq, install }
            }
            Data::InstanceDropped(_) => Self::Dropped(seq),
            Data::ActorUpgraded(data) => Self::Exchanged { seq, state: data.new_state_hash },
            Data::ActorRolledBack(data) => Self::Exchanged { seq, state: data.new_state_hash },
            _ => return None,
        })
    }
}

/// What the newest event about calls says of a point in a chain.
enum Committed {
    /// Between calls, with this state.
    State(Digest),
    /// A call is open, or `init` has yet to be called.
    Open,
}

impl Committed {
    fn of(event: &ChainEvent) -> Option<Self> {
        Some(match Data::decode(&event.event_type, &event.data).ok()?? {
            Data::ActorStarted(data) if data.restart_state == RestartStateKind::Reset => Self::Open,
            Data::ActorStarted(data) => Self::State(data.state_hash),
            Data::CallReturned(data) => Self::State(data.state_hash),
            Data::StateUpdated(data) => Self::State(data.new_state_hash),
            Data::ActorErrorData(data) => Self::State(data.state_hash),
            Data::ActorTerminated(data) => Self::State(data.final_state_hash),
            Data::ActorUpgraded(data) => Self::State(data.new_state_hash),
            Data::ActorRolledBack(data) => Self::State(data.new_state_hash),
            Data::Call(_) | Data::HostCall(_) | Data::HostCallBegun(_) => Self::Open,
            _ => return None,
        })
    }
}

/// The incarnation that stands right before the event `seq`, or begins with it.
pub(crate) async fn standing(
    store: &dyn ChainStore,
    actor: TheaterId,
    kept: u64,
    seq: u64,
) -> Result<Option<Standing>, StoreError> {
    let exchanged = newest(store, actor, kept..seq, |event| match Data::decode(&event.event_type, &event.data) {
        Ok(Some(Data::ActorStarted(_))) => Some(None),
        Ok(Some(Data::ActorUpgraded(data))) => Some(Some((event.seq, data.new_component))),
        Ok(Some(Data::ActorRolledBack(data))) => Some(Some((event.seq, data.new_component))),
        _ => None,
    })
    .await?;
    newest(store, actor, kept..seq + 1, |event| {
        if event.event_type != ActorStarted::TYPE {
            return None;
        }
        let started = ActorStarted::decode(&event.data).ok()?;
        let exchanged = exchanged.flatten().filter(|(seq, _)| *seq > event.seq);
        Some(Standing { seq, event: event.clone(), started, exchanged })
    })
    .await
}
