//! A plant and its lines: supervisors on two levels, with one code, since their policies stand in
//! their manifests. What a line cannot put right within its budget goes up to the plant.
//!
//! `north lathe 60` asks the child `north` for `lathe 60`, which asks its child `lathe` for `60`.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Hierarchy;

impl Actor for Hierarchy {}

impl Messages for Hierarchy {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let (child, order) = message.text()?.split_once(' ').ok_or("try `north lathe 60`")?;
        Ok(message::request(&supervision::actor_id(child)?, order)?.into())
    }
}

theater_actor::export!(Hierarchy: messages);
