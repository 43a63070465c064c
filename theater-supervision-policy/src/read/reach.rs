//! Budgets and delays that are never reached.
//!
//! Asked of the worst child, one that fails at once each time: if its delays alone last longer
//! than the window, it is restarted for ever, and what was declared as a limit is none.

use super::fields::Fields;
use crate::engine::delay::delay_ms;
use crate::policy::{Backoff, Policy};

pub(super) fn check(entry: &Fields<'_>, policy: &Policy) {
    let place = &entry.place;
    if let Some(max) = policy.max_restarts
        && let Some(why) = too_late(policy, max)
    {
        entry.findings.fault(
            place.key("max_restarts"),
            format!(
                "a child that always fails never uses up the budget: {why}; write a larger `within`, shorter delays, or \
                 max_restarts = \"infinity\" for no budget"
            ),
        );
    }
    let groups = place.key("groups");
    for (name, group) in &policy.groups {
        if let Some(why) = unreachable(policy, group.max_restarts) {
            entry
                .findings
                .warn(groups.key(name).key("max_restarts"), format!("the group's budget is never used up: {why}"));
        }
    }
    let children = place.key("children");
    for (index, child) in policy.children.iter().enumerate() {
        if let Some(why) = unreachable(policy, child.max_restarts) {
            let place = children.index(index);
            entry.findings.warn(place.key("max_restarts"), format!("the child's budget is never used up: {why}"));
        }
    }
    let spawned = policy.spawned.as_ref().and_then(|spawned| spawned.max_restarts);
    if let Some(why) = unreachable(policy, spawned) {
        let place = place.key("spawned");
        entry.findings.warn(place.key("max_restarts"), format!("a spawned child's budget is never used up: {why}"));
    }
    longest_delay(entry, policy);
}

/// Why a child's or a group's budget is never used up.
fn unreachable(policy: &Policy, max: Option<u32>) -> Option<String> {
    let max = max?;
    match policy.max_restarts {
        Some(all) if max > all => {
            Some(format!("the supervisor's, {all}, is used up before; write at most {all}, or a larger one there"))
        }
        _ => too_late(policy, max).map(|why| format!("{why}; write a larger `within` or shorter delays")),
    }
}

/// Why one attempt more than `max` does not come within the window.
fn too_late(policy: &Policy, max: u32) -> Option<String> {
    let backoff = policy.backoff.as_ref()?;
    let mut total_ms = 0_u64;
    for attempt in 1..=max {
        let delay_ms = delay_ms(Some(backoff), attempt);
        total_ms = total_ms.saturating_add(delay_ms);
        if total_ms > policy.within_ms {
            return Some(format!(
                "with the delay before attempt {attempt}, {}, the delays last {}, and `within` is {}",
                time(delay_ms),
                time(total_ms),
                time(policy.within_ms)
            ));
        }
    }
    None
}

/// Warns of a longest delay that a budget ends before.
fn longest_delay(entry: &Fields<'_>, policy: &Policy) {
    let (Some(backoff), Some(max)) = (&policy.backoff, policy.max_restarts) else { return };
    let place = entry.place.key("backoff");
    if is_given(entry) && max > 0 && !reaches_max(backoff, max) {
        entry.findings.warn(
            place.key("max"),
            format!(
                "the longest delay of a child that always fails is {}, before the budget of {max} is used up; write \
                 that as `max`, or a larger max_restarts",
                time(delay_ms(Some(backoff), max))
            ),
        );
    }
}

fn is_given(entry: &Fields<'_>) -> bool {
    entry.peek("backoff").and_then(|backoff| backoff.get("max")).is_some()
}

fn reaches_max(backoff: &Backoff, attempt: u32) -> bool {
    delay_ms(Some(backoff), attempt) >= backoff.max_ms
}

fn time(ms: u64) -> String {
    humantime::format_duration(std::time::Duration::from_millis(ms)).to_string()
}
