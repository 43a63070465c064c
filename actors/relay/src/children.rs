//! The orders that are about children: one for each function of `supervisor` and `supervision`.

use theater_actor::prelude::*;
use theater_actor::supervision::{ChildSpec, RestartType, Shutdown};

use crate::{split, text_of, types};

/// None where the order is another's business.
pub(crate) fn obey(verb: &str, rest: &str) -> Option<Result<String>> {
    simple(verb, rest).or_else(|| by_spec(verb, rest))
}

fn simple(verb: &str, rest: &str) -> Option<Result<String>> {
    let (path, bytes) = split(rest);
    Some(match verb {
        "spawn" => supervisor::spawn(path, bytes_of(bytes)),
        "resume" => supervisor::resume(path, bytes_of(bytes)),
        "stop" => supervisor::stop_child(rest).map(|()| "stopped".to_owned()),
        "restart" => supervisor::restart_child(rest).map(|()| "restarted".to_owned()),
        "state" => supervisor::child_state(rest).map(|state| state.map_or("none".to_owned(), text_of)),
        "events" => supervisor::child_events(rest).map(types),
        "list" => Ok(supervisor::list_children().join("\n")),
        _ => return None,
    })
}

fn by_spec(verb: &str, rest: &str) -> Option<Result<String>> {
    let (id, arguments) = split(rest);
    Some(match verb {
        "start" => start(id, arguments),
        "delete" => done(supervision::delete_child(rest)),
        "spec" => supervision::child_spec(rest).map(|spec| format!("{spec:?}")).map_err(Into::into),
        "terminate" => done(supervision::terminate_child(rest)),
        "which" => json(&supervision::which_children()),
        "count" => json(&supervision::count_children()),
        "restart-with" => restart_with(id, arguments),
        "escalate" => {
            supervision::escalate(rest);
            Ok("escalating".to_owned())
        }
        _ => return None,
    })
}

/// `MANIFEST` and then any of `permanent`, `transient`, `temporary`, `significant`, `resume`,
/// `brutal-kill`, `infinity`, `group=NAME`, `init=TEXT` (one word, `+` is a space). An id of `-` is none.
fn start(id: &str, arguments: &str) -> Result<String> {
    let (manifest, options) = split(arguments);
    let mut spec = ChildSpec::new(if id == "-" { "" } else { id }, manifest);
    for option in options.split_whitespace() {
        match option.split_once('=').unwrap_or((option, "")) {
            ("permanent", _) => spec.restart = RestartType::Permanent,
            ("transient", _) => spec.restart = RestartType::Transient,
            ("temporary", _) => spec.restart = RestartType::Temporary,
            ("significant", _) => spec.significant = true,
            ("resume", _) => spec.restart_state = RestartState::Resume,
            ("brutal-kill", _) => spec.shutdown = Shutdown::BrutalKill,
            ("infinity", _) => spec.shutdown = Shutdown::Infinity,
            ("group", group) => spec.group = Some(group.to_owned()),
            ("init", text) => spec.init_bytes = Some(text.replace('+', " ").into_bytes()),
            _ => bail!("unknown option `{option}`"),
        }
    }
    Ok(supervision::start_child(&spec)?.unwrap_or("declined".to_owned()))
}

pub(crate) fn restart_with(id: &str, arguments: &str) -> Result<String> {
    let state = match split(arguments) {
        ("reset", "") => RestartState::Reset,
        ("resume", "") => RestartState::Resume,
        ("custom", state) => RestartState::Custom(state.as_bytes().to_vec()),
        _ => bail!("restart with what? reset, resume or custom STATE"),
    };
    Ok(supervision::restart_child_with(id, &state)?.unwrap_or("declined".to_owned()))
}

/// How a child is listed while its end is handled.
pub(crate) fn seen_of(child: &str) -> String {
    let which = supervision::which_children();
    let status =
        which.iter().find(|info| info.id == child).map_or("none".to_owned(), |info| format!("{:?}", info.status));
    let listed = supervisor::list_children().iter().any(|id| id == child);
    let list = if listed { "listed" } else { "none" };
    format!("which {child} {status}\nlist {list}")
}

fn bytes_of(text: &str) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text.as_bytes())
}

fn done(result: Result<(), supervision::SupervisionError>) -> Result<String> {
    result?;
    Ok("done".to_owned())
}

fn json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
