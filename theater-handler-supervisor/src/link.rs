//! State-linked groups: members that restart together from one consistent cut over their chains.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use theater::chain::ActorEntry;
use theater::{ChainStore, Digest, StoreError, Subtree, TheaterId};
use theater_supervision_policy::Restarted;
use theater_supervision_policy::cut::{self, Cut, Member};

use crate::callbacks;
use crate::restart::{Members, Restart};
use crate::supervision::{Cause, State, Supervision};

/// Which messages never happened, by their ids.
pub(crate) type Undone = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A cut that members restart from.
#[derive(Debug, Clone)]
pub(crate) struct Linked {
    cut: Cut,
    /// Members of which no incarnation began from it yet.
    waiting: HashSet<TheaterId>,
}

impl Linked {
    /// The cut of a decision after which the process went down: these of its members have still to
    /// start from it.
    pub(crate) async fn again(
        records: &dyn ChainStore,
        restarted: &Restarted,
        waiting: &[TheaterId],
        children: &HashMap<TheaterId, ActorEntry>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(members) = restarted.decision.cut.clone() else { return Ok(None) };
        let until = |child: &TheaterId| {
            let begun = children.get(child).map(|entry| entry.index.started);
            begun.filter(|_| !waiting.contains(child))
        };
        let asked: Vec<Member> = members.iter().map(|(child, ..)| Member { id: *child, until: until(child) }).collect();
        let found = cut::greatest(records, &asked).await?.ok().filter(|found| found.members == members);
        let cut = found.unwrap_or_else(|| Cut { members, ..Cut::default() });
        Ok(Some(Self { cut, waiting: waiting.iter().copied().collect() }))
    }

    /// The state that a member begins with.
    pub(crate) fn state(&self, child: TheaterId) -> Digest {
        self.cut.members.iter().find(|(member, ..)| *member == child).map(|(.., hash)| *hash).unwrap_or_default()
    }

    /// Which part of a member's chain counts: its restart from this cut may still be ahead.
    fn member(&self, child: TheaterId) -> Member {
        let part = self.cut.members.iter().find(|(member, ..)| *member == child && self.waiting.contains(member));
        Member { id: child, until: part.map(|(_, seq, _)| seq + 1) }
    }
}

impl State {
    /// The cut that a child has still to start from.
    pub(crate) fn linked(&self, child: TheaterId) -> Option<&Linked> {
        let group = self.engine.spec(child)?.group.as_ref()?;
        self.linked.get(group).filter(|linked| linked.waiting.contains(&child))
    }

    /// An incarnation of a child has begun from its group's cut, with the messages that it is to
    /// begin again.
    pub(crate) fn has_left_cut(&mut self, child: TheaterId) {
        let Some(group) = self.group(child) else { return };
        if let Some(linked) = self.linked.get_mut(&group) {
            linked.waiting.remove(&child);
            linked.cut.redeliver.remove(&child);
            linked.cut.interrupted.remove(&child);
            if linked.waiting.is_empty() {
                self.linked.remove(&group);
            }
        }
    }

    fn group(&self, child: TheaterId) -> Option<String> {
        self.engine.spec(child)?.group.clone()
    }
}

/// Which messages a member that starts from a cut begins again, and which never happened.
pub(crate) fn messages(linked: Option<&Linked>, child: TheaterId) -> (Vec<u64>, Undone) {
    let Some(linked) = linked else {
        return (Vec::new(), Arc::new(|_| false));
    };
    let mut redeliver = linked.cut.redeliver.get(&child).cloned().unwrap_or_default();
    redeliver.extend(linked.cut.interrupted.get(&child));
    let cut = linked.cut.clone();
    (redeliver, Arc::new(move |message_id| cut.is_undone(message_id)))
}

/// Stops the members, finds the cut, and restarts them from it.
pub(crate) fn restart_together(
    supervision: &Arc<Supervision>,
    members: Members,
    number: u64,
    cause: Cause,
    tell: bool,
) {
    let linking = supervision.clone();
    let actor = supervision.actor.clone();
    actor.spawn(async move {
        linking.actor.recovered().await;
        let Some(tree) = linking.tree() else { return };
        linking.stop_scope(&tree, &members, number).await;
        let cut = find(&linking, &tree, &members).await;
        if let Some(restart) = decide(&linking, &members, number, cause, cut, tell) {
            linking.restart(restart).await;
        }
    });
}

async fn find(supervision: &Supervision, tree: &Subtree, members: &Members) -> Result<Cut, String> {
    let records = tree.records().await.map_err(|error| error.to_string())?;
    let before = {
        let state = supervision.lock();
        state.group(members.child).and_then(|group| state.linked.get(&group).cloned())
    };
    let of = |child: &TheaterId| match &before {
        Some(before) => before.member(*child),
        None => Member { id: *child, until: None },
    };
    let asked: Vec<Member> = members.scope.iter().map(of).collect();
    let found = cut::greatest(&records, &asked).await.map_err(|error| error.to_string())?;
    let mut cut = found.map_err(|none| none.to_string())?;
    // What a restart that did not come about was to deliver again still is.
    if let Some(before) = before {
        for (child, calls) in before.cut.redeliver {
            let later = cut.redeliver.entry(child).or_default();
            later.extend(calls);
            later.sort_unstable();
        }
        for (child, call) in before.cut.interrupted {
            cut.interrupted.entry(child).or_insert(call);
        }
        for (child, calls) in before.cut.undone {
            cut.undone.entry(child).or_default().extend(calls);
        }
    }
    Ok(cut)
}

fn decide(
    supervision: &Arc<Supervision>,
    members: &Members,
    number: u64,
    mut cause: Cause,
    cut: Result<Cut, String>,
    tell: bool,
) -> Option<Restart> {
    let mut state = supervision.lock();
    if !state.awaits(members.child, number) {
        // It was stopped on purpose meanwhile, or another restart has taken it over. Whom that leaves
        // behind goes on from where it stood.
        let left: Vec<_> = members.scope.iter().copied().filter(|child| state.awaits(*child, number)).collect();
        let declared = left.first().map(|child| state.engine.declared_state(*child)).unwrap_or_default();
        drop(state);
        if let (true, Cause::Exit(exit)) = (tell, cause) {
            callbacks::tell(&supervision.actor, *exit);
        }
        return Restart::without_decision(left, number, declared);
    }
    if let Err(reason) = &cut {
        supervision.actor.record_error("consistent cut", reason);
    }
    let of_members = cut.as_ref().map(|cut| cut.members.clone()).map_err(Clone::clone);
    let decisions = state.engine.linked(members.child, of_members, supervision.actor.at_ms());
    let restart = supervision.carry_out(&mut state, &decisions, &mut cause);
    if let Some(group) = state.group(members.child) {
        match cut {
            Ok(cut) if restart.is_some() => {
                let waiting = members.scope.iter().copied().collect();
                state.linked.insert(group, Linked { cut, waiting });
            }
            _ => drop(state.linked.remove(&group)),
        }
    }
    if restart.is_none() {
        for child in &members.scope {
            state.cancel(*child);
        }
    }
    drop(state);
    if let (true, Cause::Exit(exit)) = (tell, cause) {
        callbacks::tell(&supervision.actor, *exit);
    }
    restart
}
