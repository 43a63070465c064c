//! A shop: a till that sells and a stock that it takes from, whose states belong together. They are
//! a state-linked group: when one fails, both go back to one consistent cut, so that nothing is taken
//! from the stock that was not sold.
//!
//! `sell tea 2` and `sold` go to the till, `left tea` to the stock.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Linked {
    till: String,
    stock: String,
}

impl Actor for Linked {
    fn init(_start: &Start) -> Result<Self> {
        // The declared children run already.
        let (till, stock) = (supervision::actor_id("till")?, supervision::actor_id("stock")?);
        // Ids stay the same over all restarts, so that telling once is enough.
        message::send(&till, &stock)?;
        Ok(Linked { till, stock })
    }
}

impl Messages for Linked {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let order = message.text()?;
        let child = if order.starts_with("left ") { &self.stock } else { &self.till };
        Ok(message::request(child, order)?.into())
    }
}

theater_actor::export!(Linked: messages);
