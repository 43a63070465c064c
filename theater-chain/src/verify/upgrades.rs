//! Which component an actor runs, over its upgrades and their rollbacks.

use super::structure::Checked;
use crate::data::{ActorRolledBack, ActorUpgraded};
use crate::{ActorIndex, Digest, Upgraded};

/// How many upgrades a rollback is compared with, so that memory is bounded.
const MAX_REMEMBERED: usize = 1 << 12;

/// What was there before an upgrade.
#[derive(Debug)]
struct Before {
    upgrade: u64,
    component: Digest,
    version: String,
    state: Digest,
}

/// Follows the components of one chain.
#[derive(Debug)]
pub(super) struct Upgrades {
    /// Every upgrade of the chain was seen: it is read from its first event on.
    whole: bool,
    component: Option<Digest>,
    newest: Option<Upgraded>,
    /// The upgrades that no rollback took back, oldest first.
    in_force: Vec<Before>,
    forgotten: bool,
}

impl Upgrades {
    pub(super) fn new(whole: bool) -> Self {
        Self { whole, component: None, newest: None, in_force: Vec::new(), forgotten: false }
    }

    /// An incarnation starts with this component.
    pub(super) fn started(&mut self, component: Digest) -> Checked {
        self.runs(component, "it starts with another component than the actor had")?;
        self.component = Some(component);
        Ok(())
    }

    pub(super) fn upgraded(&mut self, seq: u64, data: &ActorUpgraded) -> Checked {
        self.runs(data.old_component, "its old component is not the one that the actor ran")?;
        self.follows(data.previous, &data.old_version)?;
        if !data.migrated && data.old_state_hash != data.new_state_hash {
            return Err("it changes the state, and says that `migrate` did not run".into());
        }
        if self.in_force.len() == MAX_REMEMBERED {
            self.in_force.remove(0);
            self.forgotten = true;
        }
        self.in_force.push(Before {
            upgrade: seq,
            component: data.old_component,
            version: data.old_version.clone(),
            state: data.old_state_hash,
        });
        self.now(seq, data.new_component, &data.new_version);
        Ok(())
    }

    /// The sentence, if any, says what could not be checked.
    pub(super) fn rolled_back(&mut self, seq: u64, data: &ActorRolledBack) -> Result<Option<&'static str>, String> {
        self.runs(data.old_component, "its old component is not the one that the actor ran")?;
        self.follows(data.previous, &data.old_version)?;
        let unchecked = match self.in_force.pop() {
            Some(before) if before.upgrade != data.upgrade => {
                return Err(format!(
                    "it takes back event {}, and the newest upgrade is event {}",
                    data.upgrade, before.upgrade
                ));
            }
            Some(before) => {
                let same = before.component == data.new_component
                    && before.version == data.new_version
                    && before.state == data.new_state_hash;
                if !same {
                    return Err(format!(
                        "it goes to something else than what was there before event {}",
                        before.upgrade
                    ));
                }
                None
            }
            None if self.whole && !self.forgotten => return Err("there is no upgrade that it could take back".into()),
            None => Some("a rollback: the upgrade that it takes back was not kept"),
        };
        self.now(seq, data.new_component, &data.new_version);
        Ok(unchecked)
    }

    /// Whether the index entry says what the chain says.
    pub(super) fn matches(&self, index: &ActorIndex) -> bool {
        if self.whole || self.newest.is_some() { index.upgraded == self.newest } else { true }
    }

    fn runs(&self, component: Digest, otherwise: &str) -> Checked {
        match self.component {
            Some(known) if known != component => Err(otherwise.to_owned()),
            _ => Ok(()),
        }
    }

    fn follows(&self, previous: Option<u64>, old_version: &str) -> Checked {
        if (self.whole || self.newest.is_some()) && previous != self.newest.as_ref().map(|newest| newest.seq) {
            return Err("it does not name the upgrade before it".into());
        }
        match &self.newest {
            Some(newest) if &*newest.version != old_version => {
                Err("its old version is not the one that the actor had".into())
            }
            _ => Ok(()),
        }
    }

    fn now(&mut self, seq: u64, component: Digest, version: &str) {
        self.component = Some(component);
        self.newest = Some(Upgraded { seq, component, version: version.into() });
    }
}
