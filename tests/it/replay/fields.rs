//! Each field of each kind of event in the corpus, changed and the chain hashed again: what the guest
//! made stops the replay at just that event, what follows from it at the latest where it ends. What the
//! guest was given and what the host wrote beside it are facts that a replay takes from the record.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use theater::chain::data::{
    ActorEnding, ActorErrorData, ActorForked, ActorRolledBack, ActorStarted, ActorTerminated, ActorUpgraded, AskedBy,
    Call, CallReturned, Data, DropReason, EventData as _, HostCall, HostCallBegun, InstanceDropped, Lane, Outcome,
    ReasonRecord, RestartStateKind, StateUpdated,
};
use theater::chain::{MemoryStore, Payload, bundle, codec, payload};
use theater::{ChainEvent, ChainStore, Digest, Effect, ErrorType, TheaterId};
use theater_replay::{Part, ReplayError, Replayer};
use theater_tests::Edited;

/// How often the same field is changed, of the same kind and function and bundle.
const TIMES: usize = 2;

/// Where a replay shows that something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// At just this event.
    Here,
    /// At this event or a later one.
    Later,
    /// Perhaps at a later one: a fact that a replay takes from the record.
    Given,
}
use Shows::{Given, Here, Later};

/// A change.
struct Change {
    field: String,
    event: ChainEvent,
    shows: Shows,
}

/// The fields of a kind of event: that none is left out is a matter of compiling.
macro_rules! fields {
    ($kind:ident, $data:expr, { $($field:ident: $value:expr => $shows:expr),* $(,)? }) => {{
        let $kind { $($field: _),* } = $data;
        #[allow(clippy::needless_update, reason = "some kinds have one field")]
        let changes = vec![$((stringify!($field), $kind { $field: $value, ..$data.clone() }.encode(), $shows)),*];
        changes
    }};
}

fn other_digest() -> Digest {
    Digest::of(b"another")
}

fn other_id() -> TheaterId {
    TheaterId::from_bytes([7; 16])
}

/// The fields of the data, with another value each.
fn data_changes(data: &Data, of: &Around<'_>) -> Vec<(&'static str, Vec<u8>, Shows)> {
    let repeated = |error: &ActorErrorData| {
        let overflow = error.trap_code.as_deref() == Some("stack-overflow");
        error.deterministic && error.error != ErrorType::GuestError && !overflow
    };
    match data {
        Data::ActorStarted(data) => started(data, of.first_start),
        Data::Call(data) => fields!(Call, data, {
            lane: if data.lane == Lane::Start { Lane::Mailbox } else { Lane::Start } => Here,
            interface: "acme:other/other".into() => Here,
            function: "other".into() => Here,
            // It is in the event of the end, if that is another state or a failure.
            message_id: Some("other/1".into()) => Given,
            cause: Some(other_digest()) => Given,
        }),
        Data::CallReturned(data) => fields!(CallReturned, data, {
            ok: !data.ok => Here,
            state_hash: other_digest() => Here,
        }),
        Data::StateUpdated(data) => fields!(StateUpdated, data, {
            actor_id: other_id() => Here,
            old_state_hash: other_digest() => Here,
            new_state_hash: other_digest() => Here,
            transition_message: Some("other/1".into()) => Here,
        }),
        Data::HostCallBegun(data) => fields!(HostCallBegun, data, {
            ordinal: data.ordinal + 1 => Here,
            interface: "acme:other/other".into() => Here,
            function: "other".into() => Here,
            effect: Effect::Read => Here,
        }),
        Data::HostCall(data) => fields!(HostCall, data, {
            ordinal: data.ordinal + 1 => Here,
            interface: "acme:other/other".into() => Here,
            function: "other".into() => Here,
            effect: if data.effect == Effect::Read { Effect::Write } else { Effect::Read } => Here,
            // Whether it had an answer, the payload says as well.
            outcome: Outcome::Trap => if of.answered { Here } else { Given },
        }),
        Data::ActorErrorData(data) => fields!(ActorErrorData, data, {
            actor_id: other_id() => Here,
            error: if data.error == ErrorType::InitFailed { ErrorType::StateLimit } else { ErrorType::InitFailed } => Here,
            // Without the code of a trap it may be one that a child failed with, which a supervisor passes on.
            deterministic: !data.deterministic => if data.trap_code.is_some() || !data.deterministic { Here } else { Given },
            state_hash: other_digest() => Here,
            message_id: Some("other/1".into()) => if of.in_call { Here } else { Given },
            trap_code: Some("another".into()) => if data.trap_code.is_none() || repeated(data) { Here } else { Given },
            wasm_offset: Some(3) => if data.trap_code.is_some() && repeated(data) { Here } else { Given },
        }),
        Data::ActorEnding(data) => fields!(ActorEnding, data, {
            actor_id: other_id() => Here,
            reason: ReasonRecord::Declined => if data.reason == ReasonRecord::Declined { Given } else { Later },
            asked_by: AskedBy::Operator => Given,
        }),
        Data::ActorTerminated(data) => fields!(ActorTerminated, data, {
            actor_id: other_id() => Here,
            final_state_hash: other_digest() => Here,
            reason: ReasonRecord::Abnormal(ErrorType::HandlerPanic) => Here,
        }),
        Data::InstanceDropped(data) => fields!(InstanceDropped, data, {
            reason: if data.reason == DropReason::Aged { DropReason::Parked } else { DropReason::Aged } => Given,
        }),
        Data::ActorUpgraded(data) => fields!(ActorUpgraded, data, {
            actor_id: other_id() => Here,
            old_component: other_digest() => Here,
            new_component: other_digest() => Here,
            old_version: "another".into() => Here,
            new_version: "another".into() => Given,
            old_state_hash: other_digest() => Here,
            new_state_hash: other_digest() => Here,
            migrated: !data.migrated => Here,
            previous: Some(0) => Here,
        }),
        Data::ActorRolledBack(data) => fields!(ActorRolledBack, data, {
            actor_id: other_id() => Here,
            upgrade: data.upgrade + 1 => Here,
            old_component: other_digest() => Here,
            new_component: other_digest() => Here,
            old_version: "another".into() => Here,
            new_version: "another".into() => Here,
            old_state_hash: other_digest() => Here,
            new_state_hash: other_digest() => Here,
            previous: Some(0) => Here,
        }),
        Data::ActorForked(data) => fields!(ActorForked, data, {
            actor_id: other_id() => Here,
            of: other_id() => Given,
            at: data.at + 1 => Given,
            head: other_digest() => Given,
            answer: Some(data.at + 1) => Given,
            component: Some(other_digest()) => Given,
        }),
        // What happened around the actor, which no guest of it made: for verification.
        Data::MessageAccepted(_)
        | Data::ChildExited(_)
        | Data::ChildErred(_)
        | Data::SupervisionAction(_)
        | Data::ChildrenAnchored(_)
        | Data::HandlerError(_)
        | Data::PermissionDenied(_)
        | Data::DeadLetter(_)
        | Data::PayloadErased(_)
        | Data::Pruned(_) => Vec::new(),
        _ => panic!("a kind of event that this does not know: {data:?}"),
    }
}

fn started(data: &ActorStarted, first: bool) -> Vec<(&'static str, Vec<u8>, Shows)> {
    fields!(ActorStarted, data, {
        actor_id: other_id() => Here,
        incarnation: data.incarnation + 1 => Here,
        format: 2 => Here,
        parent: Some(other_id()) => if first { Given } else { Here },
        parent_event: Some(other_digest()) => Given,
        component: other_digest() => Here,
        manifest: other_digest() => Here,
        handlers: Vec::new() => Given,
        engine: theater::chain::data::EngineRecord { wasmtime: "0.1".into(), ..data.engine.clone() } => Given,
        host_key: Some("another".into()) => Given,
        // Whether there is an initial state, and whether `init` follows.
        restart_state: match data.restart_state {
            RestartStateKind::Reset => RestartStateKind::Custom,
            _ => RestartStateKind::Reset,
        } => Later,
        state_hash: other_digest() => Here,
    })
}

/// The fields of the payload, with another value each.
fn payload_changes(event: &ChainEvent, data: &Data, of: &Around<'_>) -> Vec<(&'static str, Payload, Shows)> {
    let Some(payload) = &event.payload else { return Vec::new() };
    let names = ["params", "result", "params_digest", "message", "data", "initial_state"];
    let there = |name: &str| payload::field(payload.bytes(), name).unwrap();
    let with = |changed: &str, value: &[u8]| {
        let fields = names.map(|name| (name, if name == changed { Some(value) } else { there(name) }));
        let fields: Vec<_> = fields.into_iter().filter(|(_, value)| value.is_some()).collect();
        Payload::new(*payload.salt(), payload::encode(&fields).unwrap())
    };
    let made = matches!(data, Data::HostCall(_) | Data::HostCallBegun(_));
    let repeated = matches!(data, Data::ActorErrorData(error) if error.deterministic && of.in_call
        && error.trap_code.as_deref() != Some("stack-overflow") && error.error != ErrorType::GuestError);
    let ends = matches!(data, Data::CallReturned(_) | Data::StateUpdated(_));
    let given = |is: bool| if is { Here } else { Given };
    let values = [
        ("params", codec::encode(&("nobody", "nothing")), given(made && there("params_digest").is_none())),
        ("result", codec::encode(&Ok::<_, ()>((Some("other"),))), given(ends)),
        ("params_digest", payload::bin(&[7; 32]), Here),
        ("message", payload::text("something else"), given(repeated)),
        ("data", payload::bin(b"other"), Given),
        ("initial_state", payload::bin(b"other"), Here),
    ];
    let there = values.into_iter().filter(|(name, ..)| there(name).is_some());
    there.map(|(name, value, shows)| (name, with(name, &value), shows)).collect()
}

/// What is around an event.
struct Around<'a> {
    first_start: bool,
    in_call: bool,
    answered: bool,
    /// The function of the host call or the call, else nothing.
    function: &'a str,
}

fn changes(event: &ChainEvent, data: &Data, of: &Around<'_>) -> Vec<Change> {
    let mut found = Vec::new();
    for (field, data, shows) in data_changes(data, of) {
        let event = ChainEvent { data: data.into(), ..event.clone() };
        found.push(Change { field: field.to_owned(), event, shows });
    }
    for (field, payload, shows) in payload_changes(event, data, of) {
        let event = ChainEvent { payload: Some(payload), ..event.clone() };
        found.push(Change { field: format!("payload {field}"), event, shows });
    }
    let later = ChainEvent { timestamp: event.timestamp + 1, ..event.clone() };
    found.push(Change { field: "timestamp".into(), event: later, shows: Given });
    found.retain(|change| change.event.data != event.data || change.event.payload != event.payload);
    found
}

/// The first event at which a replay shows that something is not as it was.
async fn first_sign(replayer: &Replayer, store: Arc<dyn ChainStore>, actor: TheaterId) -> (Option<u64>, String) {
    match replayer.replay(store, actor, Part::whole()).await {
        Err(ReplayError::Missing { seq, what, .. }) => (Some(seq), format!("no {what}")),
        Err(error) => panic!("{error}"),
        Ok(replay) => {
            let gap = replay.unreplayed.first().map(|gap| gap.seq);
            let said = format!("{:?} {:?}", replay.diverged, replay.unreplayed);
            (gap.into_iter().chain(replay.diverged.map(|diverged| diverged.seq)).min(), said)
        }
    }
}

#[tokio::test]
async fn each_field_of_each_event_that_the_guest_made_is_compared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let replayer = Replayer::new().unwrap();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bundle = path.file_stem().unwrap().to_string_lossy().into_owned();
        let store = Arc::new(MemoryStore::new());
        bundle::import(&*store, File::open(&path).unwrap()).await.unwrap();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for entry in store.actors(None, usize::MAX).await.unwrap() {
            let events = store.events(entry.id, 0, usize::MAX).await.unwrap();
            let data: Vec<Data> =
                events.iter().map(|event| Data::decode(&event.event_type, &event.data).unwrap().unwrap()).collect();
            for at in 0..events.len() {
                let around = around(&events, &data, at);
                for change in changes(&events[at], &data[at], &around) {
                    let key = format!("{} {} {}", events[at].event_type, around.function, change.field);
                    let times = times.entry(key.clone()).or_default();
                    *times += 1;
                    if *times > TIMES {
                        continue;
                    }
                    tried += 1;
                    let mut changed = events.clone();
                    changed[at] = change.event;
                    let edited = Arc::new(Edited::rewritten(store.clone(), entry.id, changed));
                    let (sign, said) = first_sign(&replayer, edited, entry.id).await;
                    let at = at as u64;
                    let right = match change.shows {
                        Here => sign == Some(at),
                        Later => sign.is_some_and(|sign| sign >= at),
                        Given => sign.is_none_or(|sign| sign >= at),
                    };
                    if !right {
                        let shows = change.shows;
                        faults
                            .push(format!("{bundle} {} {at} {key}: {shows:?}, but {sign:?} {said}", entry.index.name));
                    }
                }
            }
        }
    }
    assert!(tried > 500, "{tried} changes");
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
}

fn around<'a>(events: &[ChainEvent], data: &'a [Data], at: usize) -> Around<'a> {
    let decides = |data: &&Data| {
        matches!(data, Data::Call(_) | Data::CallReturned(_) | Data::StateUpdated(_) | Data::ActorErrorData(_))
    };
    let result = |event: &ChainEvent| {
        let payload = event.payload.as_ref();
        payload.is_some_and(|payload| payload::field(payload.bytes(), "result").unwrap().is_some())
    };
    Around {
        first_start: !data[..at].iter().any(|data| matches!(data, Data::ActorStarted(_))),
        in_call: matches!(data[..at].iter().rfind(decides), Some(Data::Call(_))),
        answered: result(&events[at]),
        function: match &data[at] {
            Data::Call(call) => &call.function,
            Data::HostCall(call) => &call.function,
            Data::HostCallBegun(call) => &call.function,
            _ => "",
        },
    }
}
