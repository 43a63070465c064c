//! From TOML text to a [`ManifestConfig`], with file and line in every error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use theater_chain::Digest;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::fault::{self, line_of, located};
use super::quantity::{Count, Rate, Size, Time};
use crate::handler::ConfigFault;

use super::{Durability, Limits, MAX_MANIFEST, ManifestConfig, ManifestError};

/// A `[[handlers]]` entry.
#[derive(Debug, Clone)]
pub struct HandlerEntry {
    /// Its `type`: a handler's name.
    pub name: String,
    /// The line where it stands, from 1.
    pub line: usize,
    at: usize,
    pub(super) config: ConfigTable,
    pub(super) permissions: Option<PermissionTable>,
}

/// A table of the manifest, read when the handler's type is known.
#[derive(Debug, Clone)]
pub(crate) struct PlacedTable {
    table: toml::Table,
    place: Place,
    /// The line where it stands, from 1.
    pub(crate) line: usize,
}

/// Where it stands in the file.
#[derive(Debug, Clone)]
enum Place {
    Config(usize),
    Permissions(usize),
    Grant(String),
}

pub(super) type ConfigTable = PlacedTable;
pub(crate) type PermissionTable = PlacedTable;

impl PlacedTable {
    fn new(table: DeTable<'_>, place: Place, line: usize) -> Result<Self, toml::de::Error> {
        let value = Spanned::new(0..0, DeValue::Table(table));
        Ok(Self { table: toml::Table::deserialize(ValueDeserializer::from(value))?, place, line })
    }

    /// Reads the table as `T`; an unknown key is an error with its line, also where `T` ignores it.
    pub(super) fn read<T: DeserializeOwned + Default>(&self, manifest: &ManifestConfig) -> Result<T, ManifestError> {
        if self.table.is_empty() {
            return Ok(T::default());
        }
        let mut ignored = None;
        let read = serde_ignored::deserialize(toml::Value::Table(self.table.clone()), |path| {
            ignored.get_or_insert_with(|| path.to_string());
        });
        match (read, ignored) {
            (Ok(value), None) => Ok(value),
            (Ok(_), Some(key)) => Err(self.unread(manifest, &key)),
            // The text is read again to find the line.
            (Err(error), _) => Err(self
                .locate::<T>(manifest)
                .unwrap_or_else(|| located(&manifest.path, &manifest.source, &error, None))),
        }
    }

    fn locate<T: DeserializeOwned>(&self, manifest: &ManifestConfig) -> Option<ManifestError> {
        let (at, value) = self.reparse(manifest)?;
        let error = T::deserialize(ValueDeserializer::from(Spanned::new(at..at, value))).err()?;
        Some(located(&manifest.path, &manifest.source, &error, Some(at)))
    }

    /// A fault that a handler found.
    pub(super) fn fault(&self, manifest: &ManifestConfig, fault: &ConfigFault) -> ManifestError {
        let line = self.reparse(manifest).map(|(at, table)| {
            // Where the key is missing its table is to be looked at.
            let found = (0..=fault.key.len()).rev().find_map(|steps| key_at(&table, &fault.key[..steps]));
            line_of(&manifest.source, found.unwrap_or(at))
        });
        let reason = match fault.key.join(".") {
            key if key.is_empty() => fault.reason.clone(),
            key => format!("`{key}`: {}", fault.reason),
        };
        ManifestError::new(&manifest.path, line, &reason)
    }

    fn unread(&self, manifest: &ManifestConfig, key: &str) -> ManifestError {
        // Steps into an optional value are written as `?`.
        let steps: Vec<&str> = key.split('.').filter(|step| *step != "?").collect();
        let (at, found) = match self.reparse(manifest) {
            Some((at, table)) => (at, key_at(&table, &steps)),
            None => (0, None),
        };
        fault::ignored(&manifest.path, &manifest.source, &steps.join("."), found.unwrap_or(at))
    }

    /// The table as it stands in the text, and where it begins.
    fn reparse<'m>(&self, manifest: &'m ManifestConfig) -> Option<(usize, DeValue<'m>)> {
        let text = std::str::from_utf8(&manifest.source).ok()?;
        let mut top = DeTable::parse(text).ok()?.into_inner();
        let found = match &self.place {
            Place::Config(index) => {
                let mut table = entry_of(&mut top, *index)?;
                table.remove("type");
                table.remove("permissions");
                return Some((manifest.handlers.get(*index)?.at, DeValue::Table(table)));
            }
            Place::Permissions(index) => entry_of(&mut top, *index)?.remove("permissions")?,
            Place::Grant(name) => match top.remove("grants")?.into_inner() {
                DeValue::Table(mut grants) => grants.remove(name.as_str())?,
                _ => return None,
            },
        };
        Some((found.span().start, found.into_inner()))
    }
}

/// Where the key stands to which the steps lead.
fn key_at<S: AsRef<str>>(value: &DeValue<'_>, steps: &[S]) -> Option<usize> {
    let (step, rest) = steps.split_first()?;
    match value {
        DeValue::Table(table) => {
            let (key, value) = table.get_key_value(step.as_ref())?;
            if rest.is_empty() { Some(key.span().start) } else { key_at(value.get_ref(), rest) }
        }
        DeValue::Array(items) => {
            let item = items.get(step.as_ref().parse::<usize>().ok()?)?;
            if rest.is_empty() { Some(item.span().start) } else { key_at(item.get_ref(), rest) }
        }
        _ => None,
    }
}

/// Takes a `[[handlers]]` entry out of a manifest.
fn entry_of<'i>(top: &mut DeTable<'i>, index: usize) -> Option<DeTable<'i>> {
    let DeValue::Array(entries) = top.get_mut("handlers")?.get_mut() else {
        return None;
    };
    match entries.get_mut(index)?.get_mut() {
        DeValue::Table(table) => Some(std::mem::take(table)),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    name: String,
    #[serde(default)]
    version: String,
    component: PathBuf,
    init_state: Option<PathBuf>,
    #[serde(default)]
    durability: Durability,
    #[serde(default)]
    pinned: bool,
    #[serde(default)]
    limits: LimitTable,
    #[serde(default, rename = "handlers")]
    _handlers: Option<IgnoredAny>,
    #[serde(default, rename = "grants")]
    _grants: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table of limits")]
struct LimitTable {
    memory: Option<Size>,
    state: Option<Size>,
    init_timeout: Option<Time>,
    call_timeout: Option<Time>,
    mailbox: Option<Count>,
    host_call_timeout: Option<Time>,
    host_call_bytes: Option<Size>,
    result: Option<Size>,
    log: Option<Rate>,
}

impl LimitTable {
    fn limits(self) -> Limits {
        let usize_of = |size: Option<Size>, default: usize| {
            size.map_or(default, |size| usize::try_from(size.0).unwrap_or(usize::MAX))
        };
        let default = Limits::default();
        Limits {
            memory: usize_of(self.memory, default.memory),
            state: usize_of(self.state, default.state),
            init_timeout: self.init_timeout.map_or(default.init_timeout, |time| time.0),
            call_timeout: self.call_timeout.map_or(default.call_timeout, |time| time.0),
            mailbox: self.mailbox.map_or(default.mailbox, |count| count.0 as usize),
            host_call_timeout: self.host_call_timeout.map_or(default.host_call_timeout, |time| time.0),
            host_call_bytes: usize_of(self.host_call_bytes, default.host_call_bytes),
            result: usize_of(self.result, default.result),
            log: self.log.map_or(default.log, |rate| rate.0),
        }
    }
}

pub(super) fn parse(path: &Path, source: &Bytes) -> Result<ManifestConfig, ManifestError> {
    if source.len() as u64 > MAX_MANIFEST {
        let reason = format!("the manifest is larger than {MAX_MANIFEST} bytes; is this a manifest?");
        return Err(ManifestError::new(path, None, &reason));
    }
    let fail = |at: usize, reason: String| ManifestError::new(path, Some(line_of(source, at)), &reason);
    let text = std::str::from_utf8(source)
        .map_err(|error| fail(error.valid_up_to(), "the manifest is not UTF-8 text; save it as UTF-8".to_owned()))?;
    let table = DeTable::parse(text).map_err(|error| fault::not_toml(path, source, &error))?;
    let top =
        Top::deserialize(ValueDeserializer::from(Spanned::new(table.span(), DeValue::Table(table.get_ref().clone()))))
            .map_err(|error| located(path, source, &error, None))?;
    let at = |key: &str| table.get_ref().get(key).map_or(0, |value| value.span().start);
    if top.name.is_empty() || top.name.contains(|letter: char| letter == '/' || letter.is_control()) {
        let reason = "`name` is a part of a path in the tree: not empty, without `/` and without control characters";
        return Err(fail(at("name"), reason.to_owned()));
    }
    for (key, file) in [("component", Some(&top.component)), ("init_state", top.init_state.as_ref())] {
        if file.is_some_and(|file| file.as_os_str().is_empty() || file.to_string_lossy().contains(char::is_control)) {
            return Err(fail(at(key), format!("`{key}` is not the name of a file; name one in the manifest's folder")));
        }
    }
    let handlers = table.get_ref().get("handlers").map_or_else(|| Ok(Vec::new()), |value| handlers(value, &fail))?;
    let grants = table.get_ref().get("grants").map_or_else(|| Ok(BTreeMap::new()), |value| grants(value, &fail))?;
    if let Some((name, grant)) = grants.iter().find(|(name, _)| handlers.iter().any(|entry| entry.name == **name)) {
        let reason = format!(
            "handler `{name}` is listed and granted; what is listed is held for children too, so remove [grants.{name}]"
        );
        return Err(ManifestError::new(path, Some(grant.line), &reason));
    }
    Ok(ManifestConfig {
        name: top.name,
        version: top.version,
        component: top.component,
        init_state: top.init_state,
        durability: top.durability,
        pinned: top.pinned,
        limits: top.limits.limits(),
        handlers,
        grants,
        path: path.to_owned(),
        digest: Digest::of(source),
        source: source.clone(),
    })
}

type Fail<'a> = &'a dyn Fn(usize, String) -> ManifestError;

fn handlers(value: &Spanned<DeValue<'_>>, fail: Fail<'_>) -> Result<Vec<HandlerEntry>, ManifestError> {
    const SHAPE: &str = "handlers are listed one by one, each as a [[handlers]] table with a `type`";
    let DeValue::Array(entries) = value.get_ref() else {
        return Err(fail(value.span().start, SHAPE.to_owned()));
    };
    let mut out: Vec<HandlerEntry> = Vec::new();
    for entry in entries.iter() {
        let at = entry.span().start;
        let DeValue::Table(table) = entry.get_ref() else {
            return Err(fail(at, SHAPE.to_owned()));
        };
        let mut config = table.clone();
        let Some(name) = config.remove("type") else {
            return Err(fail(
                at,
                "this [[handlers]] entry has no `type`; add one such as type = \"runtime\"".to_owned(),
            ));
        };
        let Some(name) = name.get_ref().as_str().map(str::to_owned) else {
            return Err(fail(name.span().start, "`type` is the name of a handler, a string".to_owned()));
        };
        if out.iter().any(|other| other.name == name) {
            return Err(fail(at, format!("handler `{name}` is listed twice; keep one [[handlers]] entry for it")));
        }
        let index = out.len();
        let permissions = config
            .remove("permissions")
            .map(|value| placed(value, "permissions", Place::Permissions(index), fail))
            .transpose()?;
        let line = fail(at, String::new()).line.unwrap_or(1);
        let config = PlacedTable::new(config, Place::Config(index), line)
            .map_err(|error| fail(at, error.message().to_owned()))?;
        out.push(HandlerEntry { name, line, at, config, permissions });
    }
    Ok(out)
}

fn grants(value: &Spanned<DeValue<'_>>, fail: Fail<'_>) -> Result<BTreeMap<String, PermissionTable>, ManifestError> {
    let DeValue::Table(table) = value.get_ref() else {
        return Err(fail(value.span().start, "grants are tables: [grants.<handler>]".to_owned()));
    };
    table
        .iter()
        .map(|(name, value)| {
            let name = name.get_ref().to_string();
            Ok((name.clone(), placed(value.clone(), &format!("grants.{name}"), Place::Grant(name), fail)?))
        })
        .collect()
}

fn placed(value: Spanned<DeValue<'_>>, key: &str, place: Place, fail: Fail<'_>) -> Result<PlacedTable, ManifestError> {
    let at = value.span().start;
    match value.into_inner() {
        DeValue::Table(table) => {
            let line = fail(at, String::new()).line.unwrap_or(1);
            PlacedTable::new(table, place, line).map_err(|error| fail(at, error.message().to_owned()))
        }
        _ => Err(fail(at, format!("`{key}` is a table of permissions, such as {{ max_children = 10 }}"))),
    }
}
