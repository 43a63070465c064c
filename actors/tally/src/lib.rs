//! Adds up. Requests: `add N` and `get`, both answered by the total. Its next version is in `next`.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Tally {
    total: u64,
}

impl Actor for Tally {}

impl Messages for Tally {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split(' ').collect();
        match words[..] {
            ["get"] => {}
            ["add", n] => {
                self.total += n.parse::<u64>()?;
                debug!("the total is {}", self.total);
            }
            _ => bail!("unknown request: try add N or get"),
        }
        Ok(self.total.to_string().into())
    }
}

theater_actor::export!(Tally: messages);
