//! Counts. Requests: `inc`, `get`, `add N`, and `crash`, which panics.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    n: u64,
}

impl Actor for Counter {}

impl Messages for Counter {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split(' ').collect();
        match words[..] {
            ["get"] => {}
            ["inc"] => self.n += 1,
            ["add", n] => self.n += n.parse::<u64>()?,
            ["crash"] => panic!("asked to crash at {}", self.n),
            _ => bail!("unknown request: try inc, get, add N or crash"),
        }
        Ok(self.n.to_string().into())
    }
}

theater_actor::export!(Counter: messages);
