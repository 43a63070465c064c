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

/// A part of a name: words of letters and digits joined by hyphens, the first letter not a digit.
fn is_label(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_alphanumeric());
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.split('-').all(word)
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
        let parts = name.split_once(':').and_then(|(space, rest)| Some((space, rest.split_once('/')?)));
        let well_formed =
            parts.is_some_and(|(space, (package, interface))| [space, package, interface].into_iter().all(is_label));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> InterfaceName {
        text.parse().unwrap()
    }

    #[test]
    fn versions_serve_each_other_as_cargo_says() {
        for (ours, theirs, serves) in [
            ("1.2.0", "1.0.3", true),
            ("1.2.0", "1.5.0", true),
            ("1.2.0", "2.0.0", false),
            ("0.2.1", "0.2.7", true),
            ("0.2.1", "0.3.0", false),
            ("0.0.1", "0.0.1", true),
            ("0.0.1", "0.0.2", false),
            ("0.1.0", "1.0.0", false),
            ("1.0.0-rc.1", "1.0.0-rc.1", true),
            ("1.0.0-rc.1", "1.0.0", false),
            ("1.0.0", "1.0.0-rc.1", false),
        ] {
            let (ours, theirs) = (name(&format!("a:b/c@{ours}")), name(&format!("a:b/c@{theirs}")));
            assert_eq!(ours.serves(&theirs), serves, "{ours} {theirs}");
            assert!(ours.serves(&name("a:b/c")) && name("a:b/c").serves(&theirs));
            assert!(!ours.serves(&name("a:b/d")));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "a",
            "a:b",
            "a/b",
            "a:/c",
            ":b/c",
            "a:b/",
            "a:b/c/d",
            "a:b:c/d",
            "a:b/c@",
            "a:b/c@1",
            "a:b/c@1.0.0@2",
            " a:b/c",
            "a:b/c ",
            "a:b/-c",
            "a:b/c-",
            "a:b/c--d",
            "a:b/1c",
            "a:b/\u{e9}",
            "a:b/c\n",
        ] {
            let error = text.parse::<InterfaceName>().unwrap_err();
            assert!(error.contains("interface") && !error.contains(char::is_control), "{text:?}: {error}");
        }
    }

    fn version() -> impl Strategy<Value = semver::Version> {
        (0..3_u64, 0..3_u64, 0..3_u64, prop::option::of("(rc|alpha)\\.[1-9]")).prop_map(|(major, minor, patch, pre)| {
            let pre = pre.map_or(semver::Prerelease::EMPTY, |pre| pre.parse().unwrap());
            semver::Version { pre, ..semver::Version::new(major, minor, patch) }
        })
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_is_written(
            name in "[a-z][a-z0-9]{0,5}:[a-z][a-z0-9]{0,3}(-[a-z0-9]{1,3}){0,2}/[a-z][a-z0-9]{0,8}",
            version in prop::option::of(version()),
        ) {
            let interface = InterfaceName { name, version };
            prop_assert_eq!(interface.to_string().parse(), Ok(interface));
        }

        #[test]
        fn any_text_is_a_name_or_an_error(text in "\\PC{0,8}(:|/|@|\\.|\\PC){0,12}") {
            if let Ok(interface) = text.parse::<InterfaceName>() {
                prop_assert_eq!(interface.name.matches(['/', ':']).count(), 2);
            }
        }

        /// What two versions have in common with each other they have with a third.
        #[test]
        fn compatible_versions_are_classes(a in version(), b in version(), c in version()) {
            prop_assert!(compatible(&a, &a));
            prop_assert_eq!(compatible(&a, &b), compatible(&b, &a));
            prop_assert!(!compatible(&a, &b) || !compatible(&b, &c) || compatible(&a, &c));
            let same = semver::Comparator { op: semver::Op::Caret, major: a.major, minor: Some(a.minor), patch: Some(a.patch), pre: a.pre.clone() };
            if a.pre.is_empty() && b.pre.is_empty() && b >= a {
                prop_assert_eq!(compatible(&a, &b), same.matches(&b), "{} {}", a, b);
            }
        }
    }
}
