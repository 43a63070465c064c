//! Names of interfaces, with and without a version.

use std::fmt;
use std::str::FromStr;

/// `namespace:package/interface[@version]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceName {
    /// Without the version.
    pub(crate) name: String,
    pub(crate) version: Option<semver::Version>,
}

impl InterfaceName {
    /// Whether a host's `self` serves what a component calls `other`: the same name, and versions
    /// that are compatible or absent on either side.
    pub(crate) fn serves(&self, other: &InterfaceName) -> bool {
        self.name == other.name
            && match (&self.version, &other.version) {
                (Some(ours), Some(theirs)) => compatible(ours, theirs),
                _ => true,
            }
    }
}

/// As cargo and wasmtime do: the leftmost part that is not zero must agree, a prerelease matches
/// only itself.
fn compatible(ours: &semver::Version, theirs: &semver::Version) -> bool {
    if !ours.pre.is_empty() || !theirs.pre.is_empty() {
        return ours == theirs;
    }
    ours.major == theirs.major
        && (ours.major != 0 || (ours.minor == theirs.minor && (ours.minor != 0 || ours.patch == theirs.patch)))
}

impl FromStr for InterfaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => {
                let version = version.parse().map_err(|error| format!("interface {text:?}: {error}"))?;
                (name, Some(version))
            }
            None => (text, None),
        };
        let well_formed = name
            .split_once(':')
            .and_then(|(_, rest)| rest.split_once('/'))
            .is_some_and(|(package, interface)| !package.is_empty() && !interface.is_empty());
        if !well_formed {
            return Err(format!("{text:?} is not the name of an interface: namespace:package/interface[@version]"));
        }
        Ok(Self { name: name.to_owned(), version })
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
