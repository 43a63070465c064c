//! A machine: a number is so much work, and the answer is all the work it has done. More than 100 at
//! once overheats it.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Machine {
    done: u64,
}

impl Actor for Machine {}

impl Messages for Machine {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let work: u64 = message.text()?.trim().parse()?;
        assert!(work <= 100, "overheated by {work}");
        self.done += work;
        Ok(self.done.to_string().into())
    }
}

theater_actor::export!(Machine: messages);
