//! Which rule of `[[handlers.errors]]` speaks of an error.

use std::borrow::Cow;

use theater_chain::TheaterId;
use theater_chain::data::{ErrorType, KillCause, ReasonRecord};

use super::Engine;
use super::child::Child;
use super::ring::Ring;
use crate::decision::Exit;
use crate::pattern;
use crate::policy::{ErrorMatch, Policy};

/// An error as rules see it.
pub(super) struct Error<'a> {
    pub(super) child: TheaterId,
    pub(super) name: &'a str,
    pub(super) kind: ErrorType,
    pub(super) message: Cow<'a, str>,
}

impl<'a> Error<'a> {
    /// The error that an incarnation ended with; a kill has the message `killed: <cause>`.
    pub(super) fn of(exit: &'a Exit) -> Option<Self> {
        let (kind, message) = match exit.reason {
            ReasonRecord::Normal | ReasonRecord::Declined | ReasonRecord::Shutdown => return None,
            ReasonRecord::Abnormal(kind) => (kind, Cow::Borrowed(exit.message.as_str())),
            ReasonRecord::Killed(cause) => {
                let cause = match cause {
                    KillCause::Host => "host",
                    KillCause::Deadline => "deadline",
                    KillCause::ParentGone => "parent-gone",
                };
                (ErrorType::Killed, Cow::Owned(format!("killed: {cause}")))
            }
        };
        Some(Self { child: exit.child, name: &exit.name, kind, message })
    }
}

impl Engine {
    /// Whether any rule can speak of a call of this child that answered `err` with this text,
    /// however many there must be.
    pub fn speaks_of(&self, child: TheaterId, name: &str, message: &str) -> bool {
        let error = Error { child, name, kind: ErrorType::GuestError, message: Cow::Borrowed(message) };
        let Some(known) = self.children.get(&child) else { return false };
        self.policy.errors.iter().any(|rule| fits(&rule.matches, known, &error))
    }
}

/// The first rule that matches. Counts the error in those with `times` that it comes to: not in
/// the ones after the first match.
pub(super) fn first(policy: &Policy, child: &mut Child, error: &Error<'_>, at_ms: u64) -> Option<usize> {
    for (index, rule) in policy.errors.iter().enumerate() {
        if !fits(&rule.matches, child, error) {
            continue;
        }
        let times = rule.matches.times;
        let new = || Ring::new(times as usize, rule.matches.within_ms);
        if times <= 1 || child.counts.entry(index).or_insert_with(new).add(at_ms) >= times {
            return Some(index);
        }
    }
    None
}

fn fits(matches: &ErrorMatch, child: &Child, error: &Error<'_>) -> bool {
    (matches.types.is_empty() || matches.types.contains(&error.kind))
        && pattern::matches(&matches.error, &error.message)
        && (matches.children.is_empty() || matches.children.iter().any(|pattern| is(pattern, child, error)))
}

fn is(pattern: &str, child: &Child, error: &Error<'_>) -> bool {
    pattern::matches(pattern, error.name)
        || child.spec().is_some_and(|spec| pattern::matches(pattern, &spec.id))
        || pattern::matches(pattern, &error.child.to_string())
}
