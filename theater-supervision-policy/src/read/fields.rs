//! A table whose keys are read one by one; those that nobody asked for are faults.

use toml::{Table, Value};

use super::fault::{Findings, Place};
use super::value;

/// A table, where it stands, and which of its keys were asked for.
pub(super) struct Fields<'a> {
    table: &'a Table,
    pub(super) place: Place<'a>,
    pub(super) findings: &'a Findings,
    known: Vec<&'static str>,
}

/// A value and where it stands.
pub(super) struct Found<'a> {
    pub(super) value: &'a Value,
    pub(super) place: Place<'a>,
    pub(super) findings: &'a Findings,
}

/// A key's value: whether it was there at all, and what it says, where that could be read.
pub(super) enum Read<T> {
    Absent,
    Faulty,
    Given(T),
}

impl<T> Read<T> {
    /// What to go on with: the value, or the default for it.
    pub(super) fn or(self, default: T) -> T {
        match self {
            Self::Given(value) => value,
            Self::Absent | Self::Faulty => default,
        }
    }

    pub(super) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Faulty => None,
        }
    }

    /// The value or its default; `None` where it is not known, so that nothing can be said of it.
    pub(super) fn known(&self) -> Option<T>
    where
        T: Clone + Default,
    {
        match self {
            Self::Given(value) => Some(value.clone()),
            Self::Absent => Some(T::default()),
            Self::Faulty => None,
        }
    }

    pub(super) fn is_faulty(&self) -> bool {
        matches!(self, Self::Faulty)
    }

    pub(super) fn or_default(self) -> T
    where
        T: Default,
    {
        self.or(T::default())
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(table: &'a Table, place: Place<'a>, findings: &'a Findings) -> Self {
        Self { table, place, findings, known: Vec::new() }
    }

    /// The value at a key, read by `read`, which reports what is wrong.
    pub(super) fn read<T>(&mut self, key: &'static str, read: impl FnOnce(&Found<'_>) -> Option<T>) -> Read<T> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else { return Read::Absent };
        let found = Found { value, place: self.place.key(key), findings: self.findings };
        read(&found).map_or(Read::Faulty, Read::Given)
    }

    /// As [`Fields::read`], of a key that has to be there.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Found<'_>) -> Option<T>,
    ) -> Read<T> {
        let found = self.read(key, read);
        if matches!(found, Read::Absent) {
            self.findings.fault(self.place.key(key), format!("key `{key}` is missing; add it, such as {example}"));
        }
        found
    }

    /// Each table of an array of tables, with its index.
    pub(super) fn tables<T>(&mut self, key: &'static str, read: impl Fn(Fields<'_>) -> T) -> Vec<(usize, T)> {
        let tables = self.read(key, |found| {
            let Value::Array(items) = found.value else {
                return found.wrong(&format!("a list of tables; write each as [[handlers.{key}]]"));
            };
            let mut all = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let found = Found { value: item, place: found.place.index(index), findings: found.findings };
                let table = found.table();
                all.extend(table.map(|table| (index, read(Fields::new(table, found.place, found.findings)))));
            }
            Some(all)
        });
        tables.or(Vec::new())
    }

    /// The value at a key, for a look at whether it was written.
    pub(super) fn peek(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key)
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.table.keys().filter(|key| !self.known.contains(&key.as_str())) {
            let reason = match value::nearest(key, self.known.iter().copied()) {
                Some(name) => format!("unknown key `{key}`; did you mean `{name}`?"),
                None => format!("unknown key `{key}`; known here: {}", self.known.join(", ")),
            };
            self.findings.fault(self.place.key(key), reason);
        }
    }
}
