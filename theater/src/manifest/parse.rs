//! From TOML text to a [`ManifestConfig`], with file and line in every error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use theater_chain::Digest;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::quantity::{Rate, Size, Time};
use super::{Durability, Limits, ManifestConfig, ManifestError};

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
    fn new(table: DeTable<'_>, place: Place) -> Result<Self, toml::de::Error> {
        let value = Spanned::new(0..0, DeValue::Table(table));
        Ok(Self { table: toml::Table::deserialize(ValueDeserializer::from(value))?, place })
    }

    /// Reads the table as `T`; an unknown key is an error with its line.
    pub(super) fn read<T: DeserializeOwned + Default>(&self, manifest: &ManifestConfig) -> Result<T, ManifestError> {
        if self.table.is_empty() {
            return Ok(T::default());
        }
        T::deserialize(toml::Value::Table(self.table.clone())).map_err(|error| {
            // The text is read again to find the line.
            self.locate::<T>(manifest).unwrap_or_else(|| located(&manifest.path, &manifest.source, &error, None))
        })
    }

    fn locate<T: DeserializeOwned>(&self, manifest: &ManifestConfig) -> Option<ManifestError> {
        let text = std::str::from_utf8(&manifest.source).ok()?;
        let mut top = DeTable::parse(text).ok()?.into_inner();
        let (at, table) = match &self.place {
            Place::Config(index) => {
                let mut table = entry_of(&mut top, *index)?;
                table.remove("type");
                table.remove("permissions");
                (None, DeValue::Table(table))
            }
            Place::Permissions(index) => {
                let permissions = entry_of(&mut top, *index)?.remove("permissions")?;
                (Some(permissions.span()), permissions.into_inner())
            }
            Place::Grant(name) => match top.remove("grants")?.into_inner() {
                DeValue::Table(mut grants) => {
                    let grant = grants.remove(name.as_str())?;
                    (Some(grant.span()), grant.into_inner())
                }
                _ => return None,
            },
        };
        let span = at.unwrap_or_else(|| match &self.place {
            Place::Config(index) => manifest.handlers.get(*index).map_or(0..0, |entry| entry.at..entry.at),
            _ => 0..0,
        });
        let error = T::deserialize(ValueDeserializer::from(Spanned::new(span.clone(), table))).err()?;
        Some(located(&manifest.path, &manifest.source, &error, Some(span.start)))
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
    limits: LimitTable,
    #[serde(default, rename = "handlers")]
    _handlers: Option<IgnoredAny>,
    #[serde(default, rename = "grants")]
    _grants: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LimitTable {
    memory: Option<Size>,
    state: Option<Size>,
    init_timeout: Option<Time>,
    call_timeout: Option<Time>,
    mailbox: Option<std::num::NonZeroU32>,
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
            mailbox: self.mailbox.map_or(default.mailbox, |count| count.get() as usize),
            host_call_timeout: self.host_call_timeout.map_or(default.host_call_timeout, |time| time.0),
            host_call_bytes: usize_of(self.host_call_bytes, default.host_call_bytes),
            result: usize_of(self.result, default.result),
            log: self.log.map_or(default.log, |rate| rate.0),
        }
    }
}

pub(super) fn parse(path: &Path, source: &Bytes) -> Result<ManifestConfig, ManifestError> {
    let text = std::str::from_utf8(source)
        .map_err(|error| ManifestError::of_file(path, format!("the manifest is not UTF-8 text: {error}")))?;
    let table = DeTable::parse(text).map_err(|error| located(path, source, &error, None))?;
    let top =
        Top::deserialize(ValueDeserializer::from(Spanned::new(table.span(), DeValue::Table(table.get_ref().clone()))))
            .map_err(|error| located(path, source, &error, None))?;
    let fail = |at: usize, reason: String| ManifestError {
        file: path.display().to_string(),
        line: Some(line_of(text.as_bytes(), at)),
        reason,
    };
    let name_at = table.get_ref().get("name").map_or(0, |value| value.span().start);
    if top.name.is_empty() || top.name.contains(['/', '\n']) {
        return Err(fail(name_at, "`name` is a part of a path in the tree: not empty and without `/`".to_owned()));
    }
    let handlers = table.get_ref().get("handlers").map_or_else(|| Ok(Vec::new()), |value| handlers(value, &fail))?;
    let grants = table.get_ref().get("grants").map_or_else(|| Ok(BTreeMap::new()), |value| grants(value, &fail))?;
    Ok(ManifestConfig {
        name: top.name,
        version: top.version,
        component: top.component,
        init_state: top.init_state,
        durability: top.durability,
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
        let config =
            PlacedTable::new(config, Place::Config(index)).map_err(|error| fail(at, error.message().to_owned()))?;
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
            Ok((name.clone(), placed(value.clone(), "grants", Place::Grant(name), fail)?))
        })
        .collect()
}

fn placed(value: Spanned<DeValue<'_>>, key: &str, place: Place, fail: Fail<'_>) -> Result<PlacedTable, ManifestError> {
    let at = value.span().start;
    match value.into_inner() {
        DeValue::Table(table) => PlacedTable::new(table, place).map_err(|error| fail(at, error.message().to_owned())),
        _ => Err(fail(at, format!("`{key}` is a table of permissions, such as {{ max_children = 10 }}"))),
    }
}

fn located(path: &Path, source: &[u8], error: &toml::de::Error, fallback: Option<usize>) -> ManifestError {
    let at = error.span().map(|span| span.start).or(fallback);
    ManifestError {
        file: path.display().to_string(),
        line: at.map(|at| line_of(source, at)),
        reason: with_suggestion(error.message()),
    }
}

fn line_of(source: &[u8], at: usize) -> usize {
    1 + source[..at.min(source.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// Turns serde's "unknown field" into a sentence with the key that was probably meant.
fn with_suggestion(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else {
        return message.to_owned();
    };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else {
        return message.to_owned();
    };
    let known: Vec<&str> = names.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 2);
    match (nearest, known.is_empty()) {
        (Some((_, name)), _) => format!("unknown key `{unknown}`; did you mean `{name}`?"),
        (None, false) => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
        (None, true) => format!("unknown key `{unknown}`; nothing can be set here"),
    }
}
