//! What a manifest may say of the handler, and who may ask for how much.

use std::path::Path;

use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Deserializer, Serialize, de};
use theater::{ConfigFault, Denied};
use theater_supervision_policy::{Fault, Policy, Warning};

use crate::manifests;

/// The composer's configuration of the handler. It has no fields yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupervisorHostConfig {}

/// What a `[[handlers]]` entry configures: the declared policy, see
/// [`Policy`](theater_supervision_policy::Policy). It is read as a whole, so that every fault in it
/// is told at once.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct SupervisorConfig {
    entry: toml::Table,
}

impl SupervisorConfig {
    /// The policy, and what is odd about it; or every fault.
    pub(crate) fn policy(&self) -> Result<(Policy, Vec<Warning>), Vec<Fault>> {
        theater_supervision_policy::read(&self.entry)
    }

    /// Every fault of the entry of a manifest in `folder`, that of the children's manifests included.
    pub(crate) fn faults(&self, folder: &Path) -> Vec<ConfigFault> {
        let fault = |Fault { key, reason }: Fault| ConfigFault { key, reason };
        let mut faults: Vec<_> = self.policy().err().into_iter().flatten().map(fault).collect();
        // Where the policy has faults the manifests that it names are looked at all the same.
        for (place, manifest) in self.named() {
            if let Err(reason) = manifests::readable(folder, manifest) {
                let key = vec!["children".to_owned(), place.to_string(), "manifest".to_owned()];
                faults.push(ConfigFault { key, reason });
            }
        }
        faults
    }

    /// The manifests of children, by the places of these.
    fn named(&self) -> impl Iterator<Item = (usize, &str)> {
        let children = self.entry.get("children").and_then(toml::Value::as_array);
        let named = children.into_iter().flatten().map(|child| child.get("manifest")?.as_str());
        named.enumerate().filter_map(|(place, manifest)| Some((place, manifest.filter(|path| !path.is_empty())?)))
    }
}

/// What a supervising actor may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisorPermissions {
    /// Children that may be alive at once (100).
    pub max_children: u32,
    /// How deep children may stand in the tree, a root's being 1 (128).
    pub max_depth: u32,
    /// Which manifests may be started: patterns of paths relative to the folder of the actor's own
    /// manifest and below it (`["**/*.toml"]`). `*` stays within a folder, `**` does not.
    #[serde(deserialize_with = "patterns")]
    pub manifests: Vec<String>,
}

/// Every manifest below the folder.
const ANY: &str = "**/*.toml";

impl Default for SupervisorPermissions {
    fn default() -> Self {
        Self { max_children: 100, max_depth: 128, manifests: vec![ANY.to_owned()] }
    }
}

impl SupervisorPermissions {
    /// What an actor gets that asks for `asked` below one that holds `self`.
    pub(crate) fn narrow(&self, asked: Self) -> Result<Self, Denied> {
        for (key, held, asked) in
            [("max_children", self.max_children, asked.max_children), ("max_depth", self.max_depth, asked.max_depth)]
        {
            if asked > held {
                return Err(Denied::new(format!(
                    "{key} = {asked} is asked for and {held} is held; write `permissions = {{ {key} = {held} }}`"
                )));
            }
        }
        for pattern in &asked.manifests {
            compile(std::slice::from_ref(pattern)).map_err(|error| Denied::new(error.to_string()))?;
            if !self.manifests.iter().any(|held| covers(held, pattern)) {
                let held: Vec<String> = self.manifests.iter().map(|held| format!("\"{held}\"")).collect();
                return Err(Denied::new(format!(
                    "manifests = [\"{pattern}\"] is asked for and [{held}] is held; write `permissions = {{ manifests = [{held}] }}`",
                    held = held.join(", ")
                )));
            }
        }
        Ok(asked)
    }

    pub(crate) fn patterns(&self) -> Result<GlobSet, globset::Error> {
        compile(&self.manifests)
    }
}

/// Reads patterns; one that can match nothing below the folder is an error, too.
fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let patterns = Vec::<String>::deserialize(deserializer)?;
    for pattern in &patterns {
        if pattern.starts_with('/') || pattern.split('/').any(|part| part == "..") {
            return Err(de::Error::custom(format!(
                "pattern {pattern:?} leads out of the folder; patterns are relative to the manifest's folder, such as \"workers/*.toml\""
            )));
        }
        compile(std::slice::from_ref(pattern)).map_err(de::Error::custom)?;
    }
    Ok(patterns)
}

fn compile(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(globset::GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

/// Whether everything that `asked` matches is matched by `held`. Said of patterns in general this
/// is hard; what is not the same pattern, a plain path or a manifest of any folder is refused.
fn covers(held: &str, asked: &str) -> bool {
    let plain = !asked.contains(['*', '?', '[', '{', '\\']);
    held == asked
        || (held == ANY && asked.ends_with(".toml"))
        || (plain && Glob::new(held).is_ok_and(|_| compile(&[held.to_owned()]).is_ok_and(|set| set.is_match(asked))))
}
