//! A supervisor that mixes: the manifest declares one child, its policy and rules about errors, and
//! this code opens more children, decides some cases, and hears what becomes of all of them.
//!
//! `open NAME` opens a room, `NAME ORDER` passes an order to one (`lobby say hello`), `report` says
//! what this supervisor knows.

use std::collections::BTreeMap;

use theater_actor::prelude::*;
use theater_actor::supervision::{ChildSpec, RestartType};

#[derive(Default, Serialize, Deserialize)]
struct Mixes {
    /// What rooms said when they closed.
    closed: BTreeMap<String, String>,
    /// Errors of each room.
    errors: BTreeMap<String, u32>,
}

impl Actor for Mixes {}

impl Messages for Mixes {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        match message.text()?.split_once(' ') {
            Some(("open", name)) => self.open(name),
            Some((name, order)) => Ok(message::request(&supervision::actor_id(name)?, order)?.into()),
            None if message.text()? == "report" => Reply::json(self),
            None => bail!("try open NAME, NAME ORDER or report"),
        }
    }
}

impl Mixes {
    fn open(&mut self, name: &str) -> Result<Reply> {
        // What the manifest's [[handlers.children]] says in TOML, said in code. A transient room is
        // restarted when it fails, and stays closed when it closes.
        let spec = ChildSpec { restart: RestartType::Transient, ..ChildSpec::new(name, "room/room.toml") };
        supervision::start_child(&spec)?;
        Ok(format!("{name} is open").into())
    }

    /// What people call a child. Callbacks name it by its actor id.
    fn name_of(child: &str) -> String {
        let known = supervision::which_children().into_iter();
        let mut named = known.filter(|info| info.actor_id.as_deref() == Some(child)).map(|info| info.id);
        named.next().unwrap_or_else(|| child.to_owned())
    }
}

/// Asked about failures that no rule of the manifest decides.
impl Policy for Mixes {
    fn decide(&mut self, failure: &ChildFailure) -> Result<Decision> {
        // The first time a room keeps what was said in it. If it fails again soon, perhaps because
        // of that, it is restarted as declared, which is empty.
        Ok(if failure.attempts == 0 { Decision::Restart(RestartState::Resume) } else { Decision::Policy })
    }
}

/// Told once of each end, when everything about it is decided.
impl Children for Mixes {
    fn handle_child_exit(&mut self, child: &str, data: Option<&[u8]>) -> Result<()> {
        let name = Self::name_of(child);
        let said = data.map(|data| String::from_utf8_lossy(data).into_owned());
        self.closed.insert(name.clone(), said.unwrap_or_default());
        // The spec of a transient child that ended well is kept; the name is to be free again.
        supervision::delete_child(&name)?;
        Ok(())
    }
}

/// Told of the events that the manifest's `events` lets through: errors of rooms.
impl Events for Mixes {
    fn handle_child_event(&mut self, child: &str, _event: &ChainEvent) -> Result<()> {
        *self.errors.entry(child.to_owned()).or_default() += 1;
        Ok(())
    }
}

theater_actor::export!(Mixes: messages, policy, children, events);
