//! Exports every interface there is: it decides about its children as it was told, and records all
//! it hears, for tests.
//!
//! Requests: `spawn PATH [INIT]`, `decide restart|resume|custom STATE|from HASH|stop|escalate|ignore|policy|err|panic`
//! (what it says at the next failures; `events-err` has it refuse events instead), `log`.

use theater_actor::prelude::*;

#[derive(Default, Serialize, Deserialize)]
struct Warden {
    log: Vec<String>,
    /// What it was told to decide; nothing: as the policy declares.
    verdict: String,
}

impl Actor for Warden {}

impl Resumed for Warden {
    fn resumed(&mut self, id: &str) -> Result<()> {
        self.log.push(format!("resumed {id}"));
        Ok(())
    }
}

impl Messages for Warden {
    fn handle_request(&mut self, _id: &str, message: Message<'_>) -> Result<Reply> {
        let words: Vec<&str> = message.text()?.splitn(3, ' ').collect();
        Ok(match words[..] {
            ["log"] => self.log.join("\n").into(),
            ["spawn", path] => supervisor::spawn(path, None)?.into(),
            ["spawn", path, init] => supervisor::spawn(path, Some(init.as_bytes()))?.into(),
            ["decide", ref verdict @ ..] => {
                self.verdict = verdict.join(" ");
                "noted".into()
            }
            _ => bail!("unknown request: try spawn, decide or log"),
        })
    }
}

impl Children for Warden {
    fn handle_child_error(&mut self, child: &str, error: &ActorError) -> Result<()> {
        self.log.push(format!("child-error {child} {error}"));
        Ok(())
    }
}

impl Policy for Warden {
    fn decide(&mut self, failure: &ChildFailure) -> Result<Decision> {
        let ChildFailure { child_id, incarnation, class, attempts, .. } = failure;
        self.log.push(format!("decide {child_id} {incarnation} {class} {attempts}"));
        if let Some(state) = self.verdict.strip_prefix("custom ") {
            return Ok(Decision::Restart(RestartState::Custom(state.as_bytes().to_vec())));
        }
        if let Some(hash) = self.verdict.strip_prefix("from ") {
            let byte = |at| u8::from_str_radix(hash.get(at..at + 2).unwrap_or_default(), 16).unwrap_or_default();
            let bytes = (0..hash.len()).step_by(2).map(byte).collect();
            return Ok(Decision::Restart(RestartState::ResumeFrom(bytes)));
        }
        Ok(match self.verdict.as_str() {
            "restart" => Decision::Restart(RestartState::Reset),
            "resume" => Decision::Restart(RestartState::Resume),
            "stop" => Decision::Stop,
            "escalate" => Decision::Escalate,
            "ignore" => Decision::Ignore,
            "err" => bail!("told not to decide"),
            "panic" => panic!("told to panic"),
            _ => Decision::Policy,
        })
    }
}

impl Events for Warden {
    fn handle_child_event(&mut self, child: &str, event: &ChainEvent) -> Result<()> {
        if self.verdict == "events-err" {
            bail!("told to refuse events");
        }
        let fields = runtime::event_json(&event.data)?;
        self.log.push(format!("event {child} {} {fields}", event.event_type));
        Ok(())
    }
}

theater_actor::export!(Warden: messages, children, resumed, policy, events);
