//! Chains of a few actors, written event by event as the core writes them.

use theater_chain::data::{
    ActorErrorData, Call, CallReturned, DeadLetter, Effect, ErrorType, HostCall, HostCallBegun, KillCause, Lane,
    Outcome, ReasonRecord, RestartStateKind,
};
use theater_chain::testing::Story;
use theater_chain::{ChainStore, Digest, MemoryStore, Payload, PendingMessage, StoreError, TheaterId, payload};
use theater_supervision_policy::cut::{self, Cut, Member, NoCut};

pub(crate) const CLIENT: &str = "theater:simple/message-server-client";
pub(crate) const HOST: &str = "theater:simple/message-server-host";

/// What a host call answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Ok,
    Err,
    /// A permission forbade it.
    Denied,
    /// The call was dropped while it ran.
    Abandoned,
}

/// How a guest call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A new state, with an answer or without one.
    State {
        answer: bool,
    },
    /// The state as it was, with an answer or without one.
    Unchanged {
        answer: bool,
    },
    Refused,
    Trap,
    Killed,
    /// The record ends within the call.
    Open,
}

/// An actor whose chain is being written.
pub(crate) struct Actor {
    pub(crate) story: Story,
    /// How it writes the names of interfaces.
    version: &'static str,
    states: u32,
    /// The seqs of the open call.
    pub(crate) call: u64,
    message: Option<String>,
}

impl Actor {
    pub(crate) fn new(id: u8) -> Self {
        // Some components import with a version, others without.
        let version = if id.is_multiple_of(2) { "@0.1.0" } else { "" };
        Self { story: Story::new(id), version, states: 0, call: 0, message: None }
    }

    /// One whose incarnations were all started by one decision of `parent`.
    pub(crate) fn child_of(id: u8, parent: u8) -> Self {
        Self { story: Story::child_of(id, TheaterId::from_bytes([parent; 16])), ..Self::new(id) }
    }

    pub(crate) fn id(&self) -> TheaterId {
        self.story.id
    }

    /// The seq of the newest event and the hash of the state.
    pub(crate) fn now(&self) -> (TheaterId, u64, Digest) {
        (self.id(), self.story.head.map_or(0, |head| head.seq), self.story.index.state)
    }

    pub(crate) fn resume(&mut self) {
        self.story.start(RestartStateKind::Resume, Some(format!("resumed {}", self.states).as_bytes()));
    }

    /// A start, and `init` up to its end.
    pub(crate) fn reset(&mut self) {
        self.story.start(RestartStateKind::Reset, Some(b"initial"));
        self.begin_as(Lane::Start, "theater:simple/actor", "init", None);
    }

    fn begin_as(&mut self, lane: Lane, interface: &str, function: &str, message: Option<String>) {
        let interface = format!("{interface}{}", self.version);
        let call = Call { lane, interface, function: function.into(), message_id: message.clone(), cause: None };
        self.call = self.story.append(&call, &[("params", Some(&payload::bin(b"params")))]).seq;
        self.message = message;
    }

    pub(crate) fn begin(&mut self, function: &str, message: &str) {
        self.begin_as(Lane::Mailbox, CLIENT, function, Some(message.to_owned()));
    }

    pub(crate) fn begin_send(&mut self, message: &str) {
        self.begin("handle-send", message);
    }

    pub(crate) fn begin_request(&mut self, message: &str) {
        self.begin("handle-request", message);
    }

    pub(crate) fn begin_callback(&mut self) {
        self.begin_as(Lane::Mailbox, "theater:simple/supervisor-handlers", "handle-child-error", None);
    }

    /// A send that the host accepted or not; the id of the message.
    pub(crate) fn send(&mut self, ordinal: u32, to: TheaterId, told: Told) -> String {
        let result = told_as(told, &[0xc0]);
        let fields = [("params", Some(message_to(to))), ("result", result)];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_deref())).collect();
        self.host_call(ordinal, HOST, "send", Effect::Read, told, &fields);
        self.message_id(ordinal)
    }

    /// A request begins; the id of the message.
    pub(crate) fn request(&mut self, ordinal: u32, to: TheaterId) -> String {
        let (interface, function) = (format!("{HOST}{}", self.version), "request".into());
        let begun = HostCallBegun { ordinal, interface, function, effect: Effect::WriteIdempotent };
        self.story.append(&begun, &[("params", Some(&message_to(to)))]);
        self.message_id(ordinal)
    }

    /// The request that has begun ends.
    pub(crate) fn told(&mut self, ordinal: u32, told: Told) {
        let result = told_as(told, &payload::bin(b"answer"));
        self.host_call(ordinal, HOST, "request", Effect::WriteIdempotent, told, &[("result", result.as_deref())]);
    }

    /// A host call with an effect outside.
    pub(crate) fn write(&mut self, ordinal: u32, effect: Effect, told: Told) {
        let begun = HostCallBegun { ordinal, interface: "acme:mail/mail".into(), function: "post".into(), effect };
        self.story.append(&begun, &[("params", Some(&payload::text("a letter")))]);
        self.host_call(ordinal, "acme:mail/mail", "post", effect, told, &[]);
    }

    pub(crate) fn read(&mut self, ordinal: u32) {
        self.host_call(ordinal, "acme:clock/clock", "now", Effect::Read, Told::Ok, &[]);
    }

    fn host_call(
        &mut self,
        ordinal: u32,
        interface: &str,
        function: &str,
        effect: Effect,
        told: Told,
        fields: &[(&str, Option<&[u8]>)],
    ) {
        let outcome = match told {
            Told::Ok | Told::Err => Outcome::Ok,
            Told::Denied => Outcome::Denied("a rule".into()),
            Told::Abandoned => Outcome::Abandoned,
        };
        let interface = match interface {
            HOST => format!("{HOST}{}", self.version),
            other => other.to_owned(),
        };
        self.story.append(&HostCall { ordinal, interface, function: function.into(), effect, outcome }, fields);
    }

    fn message_id(&self, ordinal: u32) -> String {
        format!("{}/{}/{ordinal}", self.id(), self.call)
    }

    /// The open call ends; the seq of its last event.
    pub(crate) fn end(&mut self, ending: Ending) -> u64 {
        let message = self.message.take();
        match ending {
            Ending::State { answer } => {
                self.states += 1;
                let state = format!("state {}", self.states);
                let old = self.story.index.state;
                self.story.index.state = Digest::of_state(Some(state.as_bytes()));
                let data = theater_chain::data::StateUpdated {
                    actor_id: self.id(),
                    old_state_hash: old,
                    new_state_hash: self.story.index.state,
                    transition_message: message,
                };
                self.story.append(&data, &[("result", Some(&result_of(answer)))]);
            }
            Ending::Unchanged { answer } => {
                let data = CallReturned { ok: true, state_hash: self.story.index.state };
                self.story.append(&data, &[("result", Some(&result_of(answer)))]);
            }
            Ending::Refused => {
                let data = CallReturned { ok: false, state_hash: self.story.index.state };
                self.story.append(
                    &data,
                    &[("result", Some(&[&[0x81], &payload::text("Err")[..], &payload::text("no")].concat()))],
                );
            }
            Ending::Trap => self.fail(ErrorType::Trap, message),
            Ending::Killed => self.fail(ErrorType::Killed, message),
            Ending::Open => {}
        }
        self.story.head.map_or(0, |head| head.seq)
    }

    fn fail(&mut self, error: ErrorType, message_id: Option<String>) {
        let data = ActorErrorData {
            actor_id: self.id(),
            error,
            deterministic: error == ErrorType::Trap,
            state_hash: self.story.index.state,
            message_id,
            trap_code: None,
            wasm_offset: None,
        };
        self.story.append(&data, &[("message", Some(&payload::text("it broke")))]);
        let reason = match error {
            ErrorType::Killed => ReasonRecord::Killed(KillCause::Deadline),
            other => ReasonRecord::Abnormal(other),
        };
        self.story.end(reason);
    }

    /// It obeyed a stop.
    pub(crate) fn stopped(&mut self) {
        self.story.end(ReasonRecord::Shutdown);
    }

    /// A whole call of `handle-send` that changes the state; the seqs of its first and last events.
    pub(crate) fn handles(&mut self, message: &str) -> (u64, u64) {
        self.begin_send(message);
        (self.call, self.end(Ending::State { answer: false }))
    }

    pub(crate) fn dead_letter(&mut self, message: &str) {
        let data = DeadLetter {
            message_id: message.into(),
            interface: CLIENT.into(),
            function: "handle-send".into(),
            reason: "the requester has given up".into(),
            cause: None,
        };
        self.story.append(&data, &[]);
    }

    /// A message waits for it in the store.
    pub(crate) fn waits(&mut self, message: &str) {
        let bytes = payload::encode(&[("params", Some(&payload::text(message)))]).unwrap();
        let payload = Payload::new([7; 16], bytes);
        let message = PendingMessage {
            message_id: message.into(),
            receiver: self.id(),
            interface: CLIENT.into(),
            function: "handle-send".into(),
            payload_commit: payload.commit(),
            payload: Some(payload),
            cause: None,
        };
        self.story.batch().pending_added.push(message);
    }
}

/// The params of `send` and `request`.
fn message_to(to: TheaterId) -> Vec<u8> {
    [&[0x92], &payload::text(&to.to_string())[..], &payload::bin(b"a message")].concat()
}

/// `[{"Ok": value}]`, or `[{"Err": text}]`.
fn told_as(told: Told, value: &[u8]) -> Option<Vec<u8>> {
    match told {
        Told::Ok => Some([&[0x91, 0x81], &payload::text("Ok")[..], value].concat()),
        Told::Err | Told::Denied => Some([&[0x91, 0x81], &payload::text("Err")[..], &payload::text("not so")].concat()),
        Told::Abandoned => None,
    }
}

/// The result of `handle-request`; that of `handle-send` has no answer either way.
fn result_of(answer: bool) -> Vec<u8> {
    let value = if answer { [&[0x91][..], &payload::bin(b"answer")].concat() } else { vec![0x91, 0xc0] };
    [&[0x81], &payload::text("Ok")[..], &value].concat()
}

/// Brings what was written since into the store.
pub(crate) async fn keep(store: &dyn ChainStore, actors: &mut [&mut Actor]) {
    for actor in actors {
        store.commit(actor.story.commit()).await.unwrap();
    }
}

/// The cut of these actors, which must not depend on how it is read, nor on when.
pub(crate) async fn cut_of(actors: &mut [&mut Actor]) -> Result<Cut, NoCut> {
    let store = MemoryStore::new();
    keep(&store, actors).await;
    let members: Vec<Member> = actors.iter().map(|actor| actor.id().into()).collect();
    cut_in(&store, &members).await.unwrap()
}

/// As [`cut_of`], of chains in a store.
pub(crate) async fn cut_in(store: &dyn ChainStore, members: &[Member]) -> Result<Result<Cut, NoCut>, StoreError> {
    let cut = cut::greatest(store, members).await?;
    for window in [1, 2, 3, 5, 100] {
        assert_eq!(cut::greatest_by_windows(store, members, window).await?, cut, "windows of {window}");
    }
    let mut limited = Vec::new();
    for member in members {
        let end = store.actor(member.id).await?.map(|entry| entry.head.seq + 1);
        limited.push(Member { id: member.id, until: member.until.or(end) });
    }
    for window in [1, 4, 256] {
        assert_eq!(cut::greatest_by_windows(store, &limited, window).await?, cut, "looked at later, {window}");
    }
    Ok(cut)
}
