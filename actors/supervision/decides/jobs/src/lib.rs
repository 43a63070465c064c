//! A queue of jobs, which are numbers: `push N` adds one, `next` does the first. It has a bug: it
//! cannot do 0.

use std::collections::VecDeque;

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Jobs {
    waiting: VecDeque<i64>,
}

impl Actor for Jobs {}

impl Messages for Jobs {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let text = message.text()?;
        match text.split_once(' ') {
            Some(("push", job)) => self.waiting.push_back(job.trim().parse()?),
            None if text == "next" => {
                let job = self.waiting.pop_front().ok_or("there is no job")?;
                return Ok((100 / job).to_string().into());
            }
            _ => bail!("try push N or next"),
        }
        Ok(format!("{} waiting", self.waiting.len()).into())
    }
}

theater_actor::export!(Jobs: messages);
