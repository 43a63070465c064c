//! Tally, the next version: it counts the additions, too, and answers `mean`. Its state is another
//! one, which `migrate` makes of the old one.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Tally {
    sum: u64,
    /// How many additions there were since this version.
    additions: u64,
    /// The version that it was upgraded from.
    from: String,
}

/// The state of version 0.1.0.
#[derive(Deserialize)]
struct Old {
    total: u64,
}

impl Actor for Tally {}

impl Migrate for Tally {
    type Old = Old;

    fn migrate(old: Old, version: &str) -> Result<Self> {
        Ok(Self { sum: old.total, additions: 0, from: version.to_owned() })
    }
}

impl Messages for Tally {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.split(' ').collect();
        match words[..] {
            ["get"] => {}
            ["add", n] => {
                self.sum += n.parse::<u64>()?;
                self.additions += 1;
                debug!("the total is {}", self.sum);
            }
            ["mean"] => match self.sum.checked_div(self.additions) {
                Some(mean) => return Ok(mean.to_string().into()),
                None => bail!("nothing was added yet"),
            },
            ["from"] => return Ok(self.from.clone().into()),
            _ => bail!("unknown request: try add N, get, mean or from"),
        }
        Ok(self.sum.to_string().into())
    }
}

theater_actor::export!(Tally: messages, migrate);
