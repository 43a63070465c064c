//! From an error of the TOML reader to one sentence with file, line, key and what to do.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ManifestError;

/// An error of a value or key of a manifest that is TOML. `fallback` is where to point when the
/// error names no place.
pub(super) fn located(path: &Path, source: &[u8], error: &toml::de::Error, fallback: Option<usize>) -> ManifestError {
    let at = error.span().map(|span| span.start).or(fallback);
    let missing = error.message().strip_prefix("missing field ");
    let reason = match missing {
        Some(key) => missing_key(key),
        None => reason(error.message(), key_at(source, at)),
    };
    // A key that is missing at the top has no place.
    let at = at.filter(|at| missing.is_none() || *at > 0);
    ManifestError::new(path, at.map(|at| line_of(source, at)), &reason)
}

/// The error of a file that is not TOML.
pub(super) fn not_toml(path: &Path, source: &[u8], error: &toml::de::Error) -> ManifestError {
    let span = error.span();
    let reason = match span.as_ref().and_then(|span| source.get(span.clone())) {
        Some(key) if error.message() == "duplicate key" => {
            format!("key `{}` is given twice; keep one", String::from_utf8_lossy(key).trim())
        }
        _ => format!("the manifest cannot be read as TOML: {}", error.message()),
    };
    ManifestError::new(path, span.map(|span| line_of(source, span.start)), &reason)
}

/// The error of a key that nothing reads.
pub(super) fn ignored(path: &Path, source: &[u8], key: &str, at: usize) -> ManifestError {
    ManifestError::new(path, Some(line_of(source, at)), &format!("unknown key `{key}`; remove it"))
}

pub(super) fn line_of(source: &[u8], at: usize) -> usize {
    1 + source[..at.min(source.len())].iter().filter(|byte| **byte == b'\n').count()
}

fn missing_key(key: &str) -> String {
    let example = match key {
        "`name`" => " such as name = \"counter\"",
        "`component`" => " such as component = \"counter.wasm\"",
        _ => "",
    };
    format!("key {key} is missing; add it{example}")
}

fn reason(message: &str, key: Option<String>) -> String {
    match (message.strip_prefix("unknown field "), key) {
        (Some(rest), _) => unknown_key(rest).unwrap_or_else(|| message.to_owned()),
        (None, Some(key)) => format!("`{key}`: {message}"),
        (None, None) => message.to_owned(),
    }
}

/// Turns serde's "unknown field" into a sentence with the key that was probably meant.
fn unknown_key(rest: &str) -> Option<String> {
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let known: Vec<&str> = names.collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(unknown, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 2);
    Some(match (nearest, known.is_empty()) {
        (Some((_, name)), _) => format!("unknown key `{unknown}`; did you mean `{name}`?"),
        (None, false) => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
        (None, true) => format!("unknown key `{unknown}`; nothing can be set here"),
    })
}

/// The key of the value that begins at `at`, such as `limits.memory`.
fn key_at(source: &[u8], at: Option<usize>) -> Option<String> {
    let text = std::str::from_utf8(source).ok()?;
    let path = path_at(DeTable::parse(text).ok()?.get_ref(), at?)?;
    Some(path.join("."))
}

fn path_at(table: &DeTable<'_>, at: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let inner = match value.get_ref() {
            DeValue::Table(table) => path_at(table, at),
            DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
                DeValue::Table(table) => path_at(table, at),
                _ => (item.span().start == at).then(Vec::new),
            }),
            _ => None,
        };
        let mut path = inner.or_else(|| (value.span().start == at).then(Vec::new))?;
        path.insert(0, key.get_ref().to_string());
        Some(path)
    })
}
