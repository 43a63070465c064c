//! What is wrong with a policy, or odd, and where.

use std::cell::RefCell;
use std::fmt;

/// A reason why an entry is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {reason}", Steps(key))]
pub struct Fault {
    /// The steps from the entry to the value: keys, and indexes of arrays from 0, such as
    /// `["children", "1", "restart"]`. For a key that is missing, where it should stand.
    pub key: Vec<String>,
    /// What is wrong and what to do: a sentence.
    pub reason: String,
}

/// Something that a policy may say, and that hardly anybody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// As [`Fault::key`].
    pub key: Vec<String>,
    /// What is odd and what to do: a sentence.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", Steps(&self.key), self.reason)
    }
}

struct Steps<'a>(&'a [String]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Where something stands: the way back to the entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Entry,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(super) const ENTRY: Place<'static> = Place { above: None, step: Step::Entry };

    pub(super) fn key(&'a self, key: &'a str) -> Place<'a> {
        Place { above: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'a self, index: usize) -> Place<'a> {
        Place { above: Some(self), step: Step::Index(index) }
    }

    fn steps(&self) -> Vec<String> {
        let mut steps = self.above.map(Place::steps).unwrap_or_default();
        match self.step {
            Step::Entry => {}
            Step::Key(key) => steps.push(key.to_owned()),
            Step::Index(index) => steps.push(index.to_string()),
        }
        steps
    }
}

/// Everything that was found so far. Shared by all that read, so that none stops at the first.
#[derive(Debug, Default)]
pub(super) struct Findings {
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Warning>>,
}

impl Findings {
    pub(super) fn fault(&self, place: Place<'_>, reason: impl Into<String>) {
        self.faults.borrow_mut().push(Fault { key: place.steps(), reason: reason.into() });
    }

    pub(super) fn warn(&self, place: Place<'_>, reason: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { key: place.steps(), reason: reason.into() });
    }

    pub(super) fn into_inner(self) -> (Vec<Fault>, Vec<Warning>) {
        (self.faults.into_inner(), self.warnings.into_inner())
    }
}
