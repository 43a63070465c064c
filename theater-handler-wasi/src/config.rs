//! What a manifest may say of the handler: the program's environment and arguments.

use std::collections::BTreeMap;

use serde::Deserialize;
use theater::ConfigFault;

/// What a `[[handlers]]` entry may configure. Nothing of the host's own environment is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WasiConfig {
    /// Environment variables (`{ LANG = "C" }`), given in the order of their names.
    pub env: BTreeMap<String, String>,
    /// Arguments. The first is the program's name, as C and Rust have it; left out, there are none.
    pub args: Vec<String>,
}

impl WasiConfig {
    /// What C could not hold: guests take both for strings that end with a zero byte.
    pub(crate) fn faults(&self) -> Vec<ConfigFault> {
        let fault = |key: &str, step: String, reason: &str| ConfigFault {
            key: vec![key.to_owned(), step],
            reason: reason.to_owned(),
        };
        let mut faults = Vec::new();
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                faults.push(fault(
                    "env",
                    name.clone(),
                    "is not the name of a variable; it is empty or has a `=` or NUL in it",
                ));
            }
            if value.contains('\0') {
                faults.push(fault("env", name.clone(), "has a NUL in its value; leave it out"));
            }
        }
        for (place, arg) in self.args.iter().enumerate() {
            if arg.contains('\0') {
                faults.push(fault("args", place.to_string(), "has a NUL in it; leave it out"));
            }
        }
        faults
    }
}
