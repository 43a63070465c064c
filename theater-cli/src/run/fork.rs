//! `theater fork`: a new root that begins where another actor stood.

use std::pin::pin;
use std::sync::Arc;

use serde_json::{Value, json};
use theater::chain::data::{ActorErrorData, Call, CallReturned, EventData as _, HostCall, StateUpdated};
use theater::chain::{Standing, payload};
use theater::{
    ActorError, ActorHandle, ChainEvent, ChainStore, Fork, ForkAnswer, ForkComponent, ForkError, SpawnError, TheaterId,
    TheaterRuntime, TheaterRuntimeBuilder,
};
use theater_replay::{Part, Replayer};
use theater_store_sqlite::SqliteStore;

use super::feed::{Feed, How};
use super::input::Input;
use super::signals::Signals;
use super::socket::Socket;
use super::{EXIT, conclude, live, source, stop};
use crate::args::ForkArgs;
use crate::client::Client;
use crate::failure::{Failure, Outcome, Status};
use crate::look::find::Actors;
use crate::look::record;
use crate::output::{Output, say};
use crate::travel::show;

pub(crate) fn fork(args: &ForkArgs, builder: TheaterRuntimeBuilder) -> Outcome {
    let dir = &args.data.data;
    if !dir.is_dir() || Client::connect(dir).is_some() {
        return Err(refused(args));
    }
    let store: Arc<dyn ChainStore> = Arc::new(record::open(dir)?);
    let (fork, name) = record::block_on(plan(args, &store))?;
    drop(store);
    let input = args.send.as_deref().map(Input::open).transpose()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let tokio = tokio.map_err(|error| Failure::new("the system refuses what a runtime needs").because(&error))?;
    let outcome = tokio.block_on(run(args, fork, &name, builder, input));
    tokio.shutdown_timeout(EXIT);
    outcome
}

/// Why there is no fork in that folder.
fn refused(args: &ForkArgs) -> Failure {
    let dir = args.data.data.display();
    if args.data.data.is_dir() {
        return Failure::new(format!("a tree runs in {dir}, and messages of a fork would reach it"))
            .help("stop it first, or take the actor elsewhere with `theater export` and `theater import`");
    }
    Failure::new(format!("{dir} is no folder of a run, so nothing can be written to it"))
        .help("a bundle is forked after `theater import` brought it into a folder")
}

/// What is to be forked, and its name for people.
async fn plan(args: &ForkArgs, store: &Arc<dyn ChainStore>) -> Result<(Fork, String), Failure> {
    let actors = Actors::read(&**store).await?;
    let entry = actors.find(&args.actor)?;
    let name = format!("{} {}", actors.path(entry), &entry.id.to_string()[..8]);
    let written = args.answer.as_deref().map(parse).transpose()?;
    let at = args.at.or(written.as_ref().map(|(seq, _)| *seq)).unwrap_or(entry.head.seq);
    let component = args.component.as_ref().map(|file| {
        let failed = |error| Failure::new(format!("{} cannot be read", file.display())).because(&error);
        let bytes = std::fs::read(file).map_err(failed)?;
        Ok::<_, Failure>(ForkComponent { file: file.clone(), bytes: bytes.into() })
    });
    let component = component.transpose()?;
    let mut fork = Fork { of: entry.id, at, answer: None, component, state: None };
    let Some(standing) = Standing::read(&**store, entry.id, at).await? else { return Ok((fork, name)) };
    if !standing.state.is_zero() && store.state(standing.state).await?.is_none() {
        // A large state that was superseded is not kept, and is made again: that from before a call that
        // is open there.
        let replayer = Replayer::new().map_err(|error| Failure::of(&error))?;
        let until = standing.parts_at().saturating_sub(1);
        let replay = replayer.replay(store.clone(), entry.id, Part::whole().until(until)).await;
        let state = replay.map_err(|error| Failure::of(&error))?.state;
        fork.state = state.filter(|state| state.hash == standing.state).and_then(|state| state.bytes);
    }
    if let Some((seq, json)) = written {
        fork.answer = Some(answer(&**store, &fork, &standing, seq, &json).await?);
    }
    Ok((fork, name))
}

/// `SEQ=JSON`.
fn parse(text: &str) -> Result<(u64, Value), Failure> {
    let wrong = || {
        Failure::new(format!("{text:?} is no answer of the form SEQ=JSON"))
            .help("write the seq of a `host_call` and its result as JSON, such as --answer '17={\"ok\":\"text\"}'")
    };
    let (seq, json) = text.split_once('=').ok_or_else(wrong)?;
    let seq = seq.trim().parse().map_err(|_| wrong())?;
    let json = serde_json::from_str(json).map_err(|error| wrong().because(&error))?;
    Ok((seq, json))
}

/// The answer, by the type of the function that the host call was of. Whether it is the last one of the
/// call is for the runtime to say.
async fn answer(
    store: &dyn ChainStore,
    fork: &Fork,
    standing: &Standing,
    seq: u64,
    json: &Value,
) -> Result<ForkAnswer, Failure> {
    let event = store.events(fork.of, seq, 1).await?.pop().filter(|event| event.seq == seq);
    let Some(call) = event.filter(|event| event.event_type == HostCall::TYPE) else {
        // Said with what the event is.
        return Ok(ForkAnswer { seq, results: Vec::new().into() });
    };
    let call = HostCall::decode(&call.data)?;
    let component = match &fork.component {
        Some(component) => component.bytes.clone(),
        None => store
            .component(standing.component)
            .await?
            .ok_or_else(|| Failure::new(format!("the component {} is not in the record", standing.component)))?,
    };
    let replayer = Replayer::new().map_err(|error| Failure::of(&error))?;
    let results = replayer
        .answer_from_json(&component, &call.interface, &call.function, json)
        .map_err(|error| Failure::of(&error))?;
    Ok(ForkAnswer { seq, results: results.into() })
}

async fn run(args: &ForkArgs, fork: Fork, name: &str, builder: TheaterRuntimeBuilder, input: Option<Input>) -> Outcome {
    let mut signals = Signals::listen()?;
    let dir = &args.data.data;
    let runtime = builder.store(SqliteStore::open(dir)?).build()?;
    let socket = Socket::serve(dir, &runtime);
    let (of, at) = (fork.of, fork.at);
    let forked = match runtime.fork_actor(fork).await {
        Ok(root) => Ok(root),
        // It was made, and its start went wrong.
        Err(ForkError::Spawn(SpawnError::Failed { id, .. } | SpawnError::Ended { id, .. })) => Err(id),
        Err(error) => {
            runtime.shutdown().await?;
            return Err(refusal(&error));
        }
    };
    let (Ok(id) | Err(id)) = forked.as_ref().map(ActorHandle::id).map_err(|id| *id);
    let mut ending = pin!(first_call(&runtime, id));
    let call = tokio::select! {
        call = &mut ending => call?,
        () = signals.next() => {
            stop(&runtime, &mut signals, runtime.shutdown()).await??;
            return Err(Failure::new(format!("fork {id} was stopped in its open call")).no());
        }
    };
    let told = Told { args, name, id, of, at };
    told.tell(&runtime, call.as_ref()).await?;
    let outcome = match forked {
        Ok(root) if input.is_some() || args.keep => {
            let how = How { as_send: args.as_send, keep: args.keep, base64: false };
            let feed = input.map(|input| Feed::new(how, input, &runtime, &root, source()));
            let ended = live(&runtime, &root, &mut signals, feed, args.keep).await?;
            conclude(&runtime, &root, ended, dir).await
        }
        _ => {
            let failed = call.is_some_and(|call| call.error.is_some()) || forked.is_err();
            stop(&runtime, &mut signals, runtime.shutdown()).await??;
            Ok(if failed { Status::No } else { Status::Yes })
        }
    };
    drop(socket);
    outcome
}

fn refusal(error: &ForkError) -> Failure {
    let failure = Failure::of(error);
    match error {
        ForkError::Answer { .. } | ForkError::NoSuchEvent { .. } => {
            failure.help("`theater events ACTOR` shows the events with their seqs")
        }
        ForkError::NoState { .. } => {
            failure.help("large states are kept where an instance was dropped; fork the actor at such an event")
        }
        _ => failure,
    }
}

/// How the call ended with which the fork began.
struct Ended {
    function: String,
    event_type: String,
    result: Option<Value>,
    error: Option<String>,
}

/// Waits for the end of the first call, if the fork begins with one.
async fn first_call(runtime: &TheaterRuntime, id: TheaterId) -> Result<Option<Ended>, Failure> {
    // After `actor_forked` and `actor_started` it comes, once the handlers have started.
    let mut cursor = runtime.subscribe(id, 0).await?;
    let forked = cursor.next().await?;
    let Some(forked) = forked else { return Ok(None) };
    if !begins_with_a_call(runtime, &forked).await? {
        return Ok(None);
    }
    let mut function = String::new();
    while let Some(event) = cursor.next().await? {
        let read = |error| Failure::from(error);
        match &*event.event_type {
            Call::TYPE => {
                let call = Call::decode(&event.data).map_err(read)?;
                function = format!("{}#{}", call.interface, call.function);
            }
            StateUpdated::TYPE | CallReturned::TYPE => {
                let result = event.payload.as_ref().map(|payload| payload::field(payload.bytes(), "result"));
                let result = result.transpose().map_err(read)?.flatten().map(show::json);
                return Ok(Some(Ended { function, event_type: event.event_type.to_string(), result, error: None }));
            }
            ActorErrorData::TYPE => {
                let error = ActorError::recorded(&event.data, event.payload.as_ref());
                let error = Some(error.map_or_else(|| "it failed".to_owned(), |error| error.to_string()));
                return Ok(Some(Ended { function, event_type: event.event_type.to_string(), result: None, error }));
            }
            _ => {}
        }
    }
    Ok(None)
}

async fn begins_with_a_call(runtime: &TheaterRuntime, forked: &ChainEvent) -> Result<bool, Failure> {
    let Ok(data) = theater::chain::data::ActorForked::decode(&forked.data) else { return Ok(false) };
    let standing = Standing::read(&**runtime.store(), data.of, data.at).await?;
    Ok(standing.is_some_and(|standing| standing.doing != theater::chain::Doing::Nothing))
}

/// What is told of a fork.
struct Told<'a> {
    args: &'a ForkArgs,
    name: &'a str,
    id: TheaterId,
    of: TheaterId,
    at: u64,
}

impl Told<'_> {
    async fn tell(&self, runtime: &TheaterRuntime, call: Option<&Ended>) -> Result<(), Failure> {
        runtime.flush().await?;
        let entry = runtime.store().actor(self.id).await?;
        let entry = entry.ok_or_else(|| Failure::new(format!("fork {} is not in the record", self.id)))?;
        let hash = entry.index.state;
        let state = if hash.is_zero() { None } else { runtime.store().state(hash).await? };
        let state = state.map(|state| show::bytes(&state));
        if self.args.json {
            let mut out = Output::new();
            out.json(&json!({
                "id": self.id,
                "of": self.of,
                "at": self.at,
                "call": call.map(|call| json!({
                    "function": call.function,
                    "ended": call.event_type,
                    "result": call.result,
                    "error": call.error,
                })),
                "state_hash": hash.to_string(),
                "state": state,
            }))?;
            return Ok(out.flush()?);
        }
        let mut lines = vec![format!("{} is a fork of {} at event {}", self.id, self.name, self.at)];
        lines.extend(call.map(|call| match (&call.error, &call.result) {
            (Some(error), _) => format!("{} failed: {error}", call.function),
            (None, Some(result)) => format!("{} ended with {}: {}", call.function, call.event_type, show::one(result)),
            (None, None) => format!("{} ended with {}", call.function, call.event_type),
        }));
        lines.push(state.map_or_else(|| "it has no state".to_owned(), |state| format!("state: {}", show::one(&state))));
        if self.args.send.is_some() {
            lines.iter().for_each(|line| say(format_args!("{line}")));
            return Ok(());
        }
        let mut out = Output::new();
        lines.iter().try_for_each(|line| out.line(format_args!("{line}")))?;
        Ok(out.flush()?)
    }
}
