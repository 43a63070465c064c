//! A supervisor that only declares: everything about its children stands in `declares.toml`, and
//! none of it here. This code passes requests on: `orders set tea 3` asks the child `orders` to
//! `set tea 3`.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Declares;

impl Actor for Declares {}

impl Messages for Declares {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let (child, order) = message.text()?.split_once(' ').ok_or("try `orders set tea 3`")?;
        // A child that is being restarted answers when it is back.
        Ok(message::request(&supervision::actor_id(child)?, order)?.into())
    }
}

theater_actor::export!(Declares: messages);
