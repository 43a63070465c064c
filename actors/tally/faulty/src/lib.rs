//! A new version of tally that is wrong in every way there is. How its `migrate` misbehaves is the
//! version of the old one; from another version it keeps the state, and then it adds each number
//! twice and panics when it is asked for a total over 100.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Tally {
    total: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

impl Actor for Tally {}

impl Migrate for Tally {
    type Old = Tally;

    fn migrate(mut old: Tally, version: &str) -> Result<Self> {
        match version {
            "err" => bail!("version {version} is too old"),
            "panic" => panic!("no way from version {version}"),
            "ask" => old.padding = runtime::self_id(),
            "large" => old.padding = "x".repeat(1 << 20),
            "greedy" => old.padding = String::with_capacity(1 << 30),
            "spin" => while std::hint::black_box(true) {},
            _ => info!("from version {version}"),
        }
        Ok(old)
    }
}

impl Messages for Tally {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split(' ').collect();
        match words[..] {
            ["get"] if self.total > 100 => panic!("{} is too much", self.total),
            ["get"] => {}
            ["add", n] => {
                self.total += 2 * n.parse::<u64>()?;
                debug!("the total is {}", self.total);
            }
            _ => bail!("unknown request: try add N or get"),
        }
        Ok(self.total.to_string().into())
    }
}

theater_actor::export!(Tally: messages, migrate);
