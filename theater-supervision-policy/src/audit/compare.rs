//! The comparison of a recorded decision with the one that follows.

use std::fmt::Display;

use serde::Serialize;
use theater_chain::data::SupervisionAction;

use super::Seen;

/// What of the recorded decision is not as it follows; nothing if all is.
pub(super) fn compare(recorded: &SupervisionAction, due: &SupervisionAction) -> Option<Seen> {
    let of = |what: &str, recorded: &dyn Display, due: &dyn Display| {
        Some(Seen::wrong(format!("its {what} is {recorded}, and {due} follows from the facts")))
    };
    if recorded.action != due.action {
        return of("action", &named(&recorded.action), &named(&due.action));
    }
    if recorded.rule != due.rule {
        return of("rule", &recorded.rule, &due.rule);
    }
    if recorded.class != due.class {
        return of("class", &named(&recorded.class), &named(&due.class));
    }
    for (what, recorded, due) in [
        ("attempt", u64::from(recorded.attempt), u64::from(due.attempt)),
        ("window", u64::from(recorded.window), u64::from(due.window)),
        ("delay_ms", recorded.delay_ms, due.delay_ms),
        ("at_ms", recorded.at_ms, due.at_ms),
    ] {
        if recorded != due {
            return of(what, &recorded, &due);
        }
    }
    if recorded.actor_id != due.actor_id {
        return of("actor", &recorded.actor_id, &due.actor_id);
    }
    if recorded.error_hash != due.error_hash {
        return of("error hash", &named(&recorded.error_hash), &named(&due.error_hash));
    }
    if recorded.cut != due.cut {
        return of("cut", &named(&recorded.cut), &named(&due.cut));
    }
    if recorded.new_state_hash != due.new_state_hash {
        return of("new state", &named(&recorded.new_state_hash), &named(&due.new_state_hash));
    }
    None
}

/// A value as a document shows it.
fn named(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) | Err(_) => "none".to_owned(),
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
    }
}
