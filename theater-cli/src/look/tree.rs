//! `theater tree`.

use std::collections::HashMap;

use serde::Serialize;
use theater::chain::data::{ActorTerminated, EventData as _};
use theater::chain::{ActorEntry, codec};
use theater::{ActorProcess, ActorStatus, ChainStore, TheaterCommand, TheaterId, TheaterReply, status_of};

use super::record;
use crate::args::TreeArgs;
use crate::client::Client;
use crate::failure::{Failure, Outcome, Status};
use crate::output::{Output, say};

/// An actor, and how it stands.
#[derive(Debug)]
struct Known {
    id: TheaterId,
    name: String,
    parent: Option<TheaterId>,
    status: ActorStatus,
    incarnation: u32,
    /// What is to be said beside the status.
    remark: Option<String>,
}

/// An actor with those below it.
#[derive(Debug, Serialize)]
struct Node {
    id: TheaterId,
    name: String,
    status: ActorStatus,
    incarnation: u32,
    restarts: u32,
    children: Vec<Node>,
    #[serde(skip)]
    remark: Option<String>,
}

pub(crate) fn tree(args: &TreeArgs) -> Outcome {
    let dir = &args.data.data;
    let actors = match Client::connect(dir) {
        Some(mut client) => match client.ask(&TheaterCommand::Tree)? {
            TheaterReply::Actors(actors) => actors.into_iter().map(Known::from).collect(),
            _ => return Err(Failure::new("the process that runs the tree answers something else")),
        },
        None => {
            let store = record::open(dir)?;
            let actors = record::block_on(recorded(&store))?;
            say(format_args!("note: nothing runs in {}; this is what the chains say", dir.display()));
            actors
        }
    };
    if actors.is_empty() {
        say(format_args!("note: no actor was started"));
    }
    let mut out = Output::new();
    for root in nested(actors) {
        if args.json {
            out.json(&root)?;
        } else {
            print(&mut out, &root, "", "")?;
        }
    }
    out.flush()?;
    Ok(Status::Yes)
}

impl From<ActorProcess> for Known {
    fn from(actor: ActorProcess) -> Self {
        Self {
            id: actor.actor_id,
            name: actor.name,
            parent: actor.parent,
            status: actor.status,
            incarnation: actor.incarnation,
            remark: actor.last_error.map(|error| error.message),
        }
    }
}

async fn recorded(store: &dyn ChainStore) -> Result<Vec<Known>, Failure> {
    let mut actors = Vec::new();
    for entry in record::actors(store).await? {
        let status = ended(store, &entry).await?;
        let remark = status.is_none().then(|| "the process went down while it ran".to_owned());
        actors.push(Known {
            id: entry.id,
            name: entry.index.name,
            parent: entry.index.parent,
            status: status.unwrap_or(ActorStatus::Stopped),
            incarnation: entry.index.incarnation,
            remark,
        });
    }
    Ok(actors)
}

/// How an actor ended; `None`: its chain has no end.
async fn ended(store: &dyn ChainStore, entry: &ActorEntry) -> Result<Option<ActorStatus>, Failure> {
    let Some(seq) = entry.index.ended else {
        return Ok(None);
    };
    let event = store.events(entry.id, seq, 1).await?.pop();
    let event = event.filter(|event| event.event_type == ActorTerminated::TYPE).ok_or_else(|| {
        Failure::new(format!("event {seq} of actor {} is not the end that the index says", entry.id))
            .help("`theater verify` says what is damaged")
    })?;
    Ok(Some(status_of(&codec::decode::<ActorTerminated>(&event.data)?.reason)))
}

/// The roots, with everything else below them. Parents stand before their children in `actors`.
fn nested(actors: Vec<Known>) -> Vec<Node> {
    let mut below: HashMap<TheaterId, Vec<Node>> = HashMap::new();
    let mut roots = Vec::new();
    // From the end, so that an actor's children are complete when it is its turn.
    for actor in actors.into_iter().rev() {
        let mut children = below.remove(&actor.id).unwrap_or_default();
        children.reverse();
        let node = Node {
            id: actor.id,
            name: actor.name,
            status: actor.status,
            incarnation: actor.incarnation,
            restarts: actor.incarnation.saturating_sub(1),
            children,
            remark: actor.remark,
        };
        match actor.parent {
            Some(parent) => below.entry(parent).or_default().push(node),
            None => roots.push(node),
        }
    }
    roots.reverse();
    roots
}

/// Recursive: a tree is at most as deep as the runtime lets it grow.
fn print(out: &mut Output, node: &Node, first: &str, rest: &str) -> Result<(), Failure> {
    let status = match node.status {
        ActorStatus::Running => "running",
        ActorStatus::Restarting => "restarting",
        ActorStatus::Stopped => "stopped",
        ActorStatus::Failed => "failed",
    };
    let restarts = match node.restarts {
        0 => String::new(),
        1 => ", incarnation 2 (1 restart)".to_owned(),
        many => format!(", incarnation {} ({many} restarts)", node.incarnation),
    };
    let remark = node.remark.as_deref().and_then(|remark| remark.lines().next());
    let remark = remark.map(|remark| format!(": {remark}")).unwrap_or_default();
    let id = node.id.to_string();
    out.line(format_args!("{first}{} {}  {status}{restarts}{remark}", node.name, &id[..8]))?;
    for (at, child) in node.children.iter().enumerate() {
        let (first, more) = if at + 1 == node.children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        print(out, child, &format!("{rest}{first}"), &format!("{rest}{more}"))?;
    }
    Ok(())
}
