//! What a manifest may say of the handler: how long a request waits, and to whom an actor may talk.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use theater::{Denied, Relation};

/// What a `[[handlers]]` entry may configure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MessageServerConfig {
    /// How long a request of this actor waits for its answer (`"5s"`).
    #[serde(with = "theater::duration")]
    pub request_timeout: Duration,
}

impl Default for MessageServerConfig {
    fn default() -> Self {
        Self { request_timeout: Duration::from_secs(5) }
    }
}

/// To whom an actor may send messages and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageServerPermissions {
    /// Peers, by how they stand to the actor (`["parent", "children", "siblings"]`); an empty list:
    /// nobody. The actor itself is always permitted.
    pub talk_to: BTreeSet<Peer>,
}

/// Peers of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// Its parent.
    Parent,
    /// Its own children.
    Children,
    /// The other children of its parent.
    Siblings,
    /// Every actor of the runtime, in whatever tree.
    Any,
}

impl Default for MessageServerPermissions {
    fn default() -> Self {
        Self { talk_to: BTreeSet::from([Peer::Parent, Peer::Children, Peer::Siblings]) }
    }
}

impl MessageServerPermissions {
    /// Whether an actor that stands so to the other may talk to it. Otherwise the peer to permit.
    pub(crate) fn permits(&self, other: Relation) -> Result<(), Peer> {
        let peer = match other {
            Relation::Itself => return Ok(()),
            Relation::Parent => Peer::Parent,
            Relation::Child => Peer::Children,
            Relation::Sibling => Peer::Siblings,
            _ => Peer::Any,
        };
        if self.covers(peer) { Ok(()) } else { Err(peer) }
    }

    /// What an actor gets that asks for `asked` below one that holds `self`: all of it, or nothing.
    pub(crate) fn narrow(&self, asked: Self) -> Result<Self, Denied> {
        match asked.talk_to.iter().find(|peer| !self.covers(**peer)) {
            None => Ok(asked),
            Some(peer) => {
                let both = Self { talk_to: asked.talk_to.iter().copied().filter(|peer| self.covers(*peer)).collect() };
                Err(Denied::new(format!(
                    "{asked} asks for {peer}, and {self} is held; write `permissions = {{ {both} }}`, or less"
                )))
            }
        }
    }

    fn covers(&self, peer: Peer) -> bool {
        self.talk_to.contains(&peer) || self.talk_to.contains(&Peer::Any)
    }
}

impl fmt::Display for MessageServerPermissions {
    /// As a manifest writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers: Vec<String> = self.talk_to.iter().map(Peer::to_string).collect();
        write!(f, "talk_to = [{}]", peers.join(", "))
    }
}

impl fmt::Display for Peer {
    /// As a manifest writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parent => "\"parent\"",
            Self::Children => "\"children\"",
            Self::Siblings => "\"siblings\"",
            Self::Any => "\"any\"",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    const RELATIONS: [Relation; 5] =
        [Relation::Itself, Relation::Parent, Relation::Child, Relation::Sibling, Relation::Other];

    fn permissions() -> impl Strategy<Value = MessageServerPermissions> {
        let peers = prop::sample::subsequence(vec![Peer::Parent, Peer::Children, Peer::Siblings, Peer::Any], 0..=4);
        peers.prop_map(|peers| MessageServerPermissions { talk_to: peers.into_iter().collect() })
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_is_held(held in permissions(), asked in permissions()) {
            let wider = |relation: &Relation| asked.permits(*relation).is_ok() && held.permits(*relation).is_err();
            match held.narrow(asked.clone()) {
                Ok(narrowed) => {
                    prop_assert_eq!(&narrowed, &asked);
                    prop_assert!(!RELATIONS.iter().any(wider));
                }
                Err(_) => prop_assert!(RELATIONS.iter().any(wider)),
            }
        }
    }

    #[test]
    fn a_denial_says_what_to_write() {
        let held = MessageServerPermissions { talk_to: BTreeSet::from([Peer::Parent]) };
        let denied = held.narrow(MessageServerPermissions::default()).unwrap_err().to_string();
        assert_eq!(
            denied,
            "talk_to = [\"parent\", \"children\", \"siblings\"] asks for \"children\", and talk_to = [\"parent\"] is \
             held; write `permissions = { talk_to = [\"parent\"] }`, or less"
        );
    }

    #[test]
    fn an_empty_list_permits_nobody_but_the_actor_itself() {
        let none = MessageServerPermissions { talk_to: BTreeSet::new() };
        assert_eq!(RELATIONS.map(|relation| none.permits(relation).is_ok()), [true, false, false, false, false]);
    }
}
