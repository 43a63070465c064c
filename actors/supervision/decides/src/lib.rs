//! A supervisor that decides itself: its `decide` is asked before the declared policy, and may do
//! what no policy can, such as repair the state that a child goes on with.
//!
//! The child `jobs` is a queue whose first job is done by `next`. A job of 0 crashes it, and since a
//! crash changes nothing, the job is the first of the queue afterwards: with `resume` it would crash
//! the child again at every `next`, and with `reset` the other jobs would be lost. So `decide` takes
//! that job out of the queue.

use std::collections::VecDeque;

use theater_actor::prelude::*;
use theater_actor::supervision::ErrorType;

#[derive(Default, Serialize, Deserialize)]
struct Decides {
    /// Jobs that were taken out.
    dropped: Vec<i64>,
}

/// The state of the child, which is JSON.
#[derive(Serialize, Deserialize)]
struct Jobs {
    waiting: VecDeque<i64>,
}

impl Actor for Decides {}

impl Messages for Decides {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        match message.text()? {
            "dropped" => Reply::json(&self.dropped),
            order => Ok(message::request(&supervision::actor_id("jobs")?, order)?.into()),
        }
    }
}

impl Policy for Decides {
    fn decide(&mut self, failure: &ChildFailure) -> Result<Decision> {
        // Whatever is not the fault of a job is left to the manifest: a time limit, for example.
        if failure.error.error_type != ErrorType::Trap {
            return Ok(Decision::Policy);
        }
        // It is not the job either when it goes on and on.
        if failure.attempts >= 3 {
            return Ok(Decision::Escalate);
        }
        let Some(state) = supervisor::child_state(&failure.child_id)? else {
            return Ok(Decision::Policy);
        };
        let mut jobs: Jobs = serde_json::from_slice(&state)?;
        let Some(job) = jobs.waiting.pop_front() else {
            return Ok(Decision::Policy);
        };
        // This is a call like any other: what is noted here is committed with the answer.
        self.dropped.push(job);
        Ok(Decision::Restart(RestartState::Custom(serde_json::to_vec(&jobs)?)))
    }
}

theater_actor::export!(Decides: messages, policy);
