//! Single values: texts, choices, numbers and times.

use toml::{Table, Value};

use super::fields::Found;
use crate::policy::Shutdown;

/// The longest time that can be written; what is longer is a slip, and would not fit a chain's
/// milliseconds for ever.
const LONGEST_MS: u128 = 100 * 366 * 24 * 3_600_000;

/// The most restarts that are counted: a budget keeps the time of each.
pub(super) const MOST: u32 = 100_000;

impl<'a> Found<'a> {
    pub(super) fn fault<T>(&self, reason: impl Into<String>) -> Option<T> {
        self.findings.fault(self.place, reason);
        None
    }

    /// Reports a value of another kind.
    pub(super) fn wrong<T>(&self, expected: &str) -> Option<T> {
        let kind = match self.value {
            Value::String(_) => "a text",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        };
        self.fault(format!("this is {kind}, and not {expected}"))
    }

    pub(super) fn table(&self) -> Option<&'a Table> {
        match self.value {
            Value::Table(table) => Some(table),
            _ => self.wrong("a table; write one such as { key = \"value\" }"),
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong("a text; put it in quotes"))
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false; write one of them, without quotes"))
    }

    /// A text, or a list of them that is not empty.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let items = match self.value {
            Value::String(text) => return Some(vec![text.clone()]),
            Value::Array(items) => items,
            _ => return self.wrong("a text or a list of texts; write one such as [\"a\", \"b\"]"),
        };
        if items.is_empty() {
            return self.fault("the list is empty, so that nothing would match; remove it, or name something");
        }
        let texts: Vec<Option<String>> = items
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let found = Found { value, place: self.place.index(index), findings: self.findings };
                found.text().map(str::to_owned)
            })
            .collect();
        texts.into_iter().collect()
    }

    /// One of a few names.
    pub(super) fn choice<T: Copy>(&self, names: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).or_else(|| {
            let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            let meant = nearest(text, all.iter().copied()).map(|name| format!("; did you mean \"{name}\"?"));
            let meant = meant.unwrap_or_else(|| "; write one of those".to_owned());
            self.fault(format!("{text:?} is not known here, there are {}{meant}", all.join(", ")))
        })
    }

    /// A time above zero, in ms.
    pub(super) fn time_ms(&self) -> Option<u64> {
        let Value::String(text) = self.value else {
            return self.wrong("a time; write one with its unit, such as \"500ms\" or \"5s\"");
        };
        let ms = humantime::parse_duration(text).map(|time| time.as_millis());
        match ms {
            Ok(ms) if ms > LONGEST_MS => self.fault(format!("{text:?} is too long; write at most \"100years\"")),
            Ok(ms) if ms > 0 => u64::try_from(ms).ok(),
            _ => self.fault(format!(
                "{text:?} is not a time of a millisecond or more; write one such as \"500ms\", \"5s\" or \"2m\""
            )),
        }
    }

    pub(super) fn shutdown(&self) -> Option<Shutdown> {
        let Value::String(text) = self.value else {
            return self.wrong("a time; write one such as \"5s\", or \"infinity\", or \"brutal-kill\"");
        };
        match text.as_str() {
            "infinity" => Some(Shutdown::Infinity),
            "brutal-kill" => Some(Shutdown::BrutalKill),
            text if humantime::parse_duration(text).is_err() => self.fault(format!(
                "{text:?} is no way to stop a child; write a time such as \"5s\", or \"infinity\", or \"brutal-kill\""
            )),
            _ => self.time_ms().map(Shutdown::WithinMs),
        }
    }

    /// A budget: a number, or "infinity" for none.
    pub(super) fn budget(&self) -> Option<Option<u32>> {
        if self.value.as_str() == Some("infinity") {
            return Some(None);
        }
        self.whole(0, MOST, " or \"infinity\"").map(Some)
    }

    pub(super) fn whole(&self, least: u32, most: u32, or: &str) -> Option<u32> {
        let Value::Integer(number) = self.value else {
            return self.wrong(&format!("a whole number; write one from {least} to {most}{or}"));
        };
        let fits = u32::try_from(*number).ok().filter(|number| (least..=most).contains(number));
        fits.or_else(|| self.fault(format!("{number} is out of range; write a number from {least} to {most}{or}")))
    }

    /// A number for which `fits` holds; `range` says which do.
    pub(super) fn number(&self, range: &str, fits: impl Fn(f64) -> bool) -> Option<f64> {
        let number = match self.value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            _ => return self.wrong(&format!("a number; write one {range}")),
        };
        if number.is_finite() && fits(number) {
            return Some(number);
        }
        self.fault(format!("{number} is out of range; write a number {range}"))
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .map(|(_, name)| name)
}
