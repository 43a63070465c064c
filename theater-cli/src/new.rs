//! `theater new`: a guest project that builds and runs as it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::{NewArgs, Template};
use crate::failure::{Failure, Outcome, Status};
use crate::output::say;

/// A file of a template: where it goes, and its text.
type File = (&'static str, &'static str);

const BASIC: &[File] = &[
    ("Cargo.toml", include_str!("../templates/basic/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/basic/lib.rs.in")),
    ("{{name}}.toml", include_str!("../templates/basic/manifest.toml.in")),
    ("README.md", include_str!("../templates/basic/README.md.in")),
    (".gitignore", include_str!("../templates/gitignore")),
];

const SUPERVISOR: &[File] = &[
    ("Cargo.toml", include_str!("../templates/supervisor/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/supervisor/lib.rs.in")),
    ("{{name}}.toml", include_str!("../templates/supervisor/manifest.toml.in")),
    ("worker/Cargo.toml", include_str!("../templates/supervisor/worker/Cargo.toml.in")),
    ("worker/src/lib.rs", include_str!("../templates/supervisor/worker/lib.rs.in")),
    ("worker/worker.toml", include_str!("../templates/supervisor/worker/manifest.toml.in")),
    ("README.md", include_str!("../templates/supervisor/README.md.in")),
    (".gitignore", include_str!("../templates/gitignore")),
];

pub(crate) fn new(args: &NewArgs) -> Outcome {
    let dir = &args.name;
    let name = checked_name(dir, args.template)?;
    let sdk = Sdk::find(args.sdk.as_deref())?;
    if dir.exists() {
        return Err(Failure::new(format!("{} is there already", dir.display())).help("choose another name"));
    }
    let files = match args.template {
        Template::Basic => BASIC,
        Template::Supervisor => SUPERVISOR,
    };
    let filled = |text: &str| text.replace("{{name}}", name).replace("{{sdk}}", &sdk.dependency());
    for (path, text) in files {
        write(&dir.join(filled(path)), &filled(text))?;
    }
    say(format_args!("made {}, which uses {sdk}", dir.display()));
    say(format_args!(
        "next: cd {}, then `theater build`, then `theater run {name}.toml --send -`: each line you type is a request",
        dir.display()
    ));
    Ok(Status::Yes)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |error| Failure::new(format!("{} cannot be written", path.display())).because(&error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    fs::write(path, text).map_err(cannot)
}

/// The name of the package: one that cargo takes too.
fn checked_name(dir: &Path, template: Template) -> Result<&str, Failure> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let refused = |why: &str| {
        Err(Failure::new(format!("{:?} cannot be the name of a project: {why}", dir.display().to_string()))
            .help("use letters, digits, `-` and `_`, a letter first, such as `hello`"))
    };
    // What a Rust crate cannot be named, or what its own dependencies are named.
    const TAKEN: &[&str] = &[
        "abstract",
        "alloc",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "build",
        "const",
        "continue",
        "core",
        "crate",
        "deps",
        "do",
        "dyn",
        "else",
        "enum",
        "examples",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "incremental",
        "let",
        "loop",
        "macro",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "proc-macro",
        "proc_macro",
        "pub",
        "ref",
        "return",
        "self",
        "serde",
        "static",
        "std",
        "struct",
        "super",
        "test",
        "theater-actor",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
        "yield",
    ];
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return refused("it is not a plain word");
    }
    if name.eq_ignore_ascii_case("cargo") {
        return refused("its manifest would be Cargo.toml");
    }
    if TAKEN.contains(&name) || (template == Template::Supervisor && name == "worker") {
        return refused("that name is taken");
    }
    Ok(name)
}

/// Where the project finds the crate `theater-actor`.
enum Sdk {
    Path(PathBuf),
    Version(&'static str),
}

impl Sdk {
    /// The folder that was asked for, else the one beside this crate's sources where it is there.
    fn find(asked: Option<&Path>) -> Result<Self, Failure> {
        let is_sdk = |dir: &Path| dir.join("Cargo.toml").is_file() && dir.join("src").is_dir();
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../theater-actor");
        match asked {
            None if is_sdk(&beside) => Self::path(&beside),
            None => Ok(Self::Version(env!("CARGO_PKG_VERSION"))),
            Some(dir) if is_sdk(dir) => Self::path(dir),
            Some(dir) => Err(Failure::new(format!("{} is not the folder of a crate", dir.display()))
                .help("--sdk names the folder `theater-actor` of Theater's sources")),
        }
    }

    fn path(dir: &Path) -> Result<Self, Failure> {
        let dir = dir
            .canonicalize()
            .map_err(|error| Failure::new(format!("{} cannot be used", dir.display())).because(&error))?;
        Ok(Self::Path(dir))
    }

    /// The right-hand side in Cargo.toml.
    fn dependency(&self) -> String {
        match self {
            Self::Path(dir) => format!("{{ path = {} }}", toml::Value::from(dir.display().to_string())),
            Self::Version(version) => format!("\"{version}\""),
        }
    }
}

impl std::fmt::Display for Sdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(dir) => write!(f, "the crate theater-actor in {}", dir.display()),
            Self::Version(version) => write!(f, "the published crate theater-actor {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names_that_cargo_would_refuse_are_refused() {
        for name in ["", "..", "9lives", "a b", "-x", "fn", "self", "Cargo", "ü", "test"] {
            assert!(checked_name(Path::new(name), Template::Basic).is_err(), "{name}");
        }
        assert!(checked_name(Path::new("worker"), Template::Supervisor).is_err());
        for name in ["hello", "a/b/hello-2", "worker", "A_b"] {
            checked_name(Path::new(name), Template::Basic).unwrap();
        }
    }

    #[test]
    fn a_path_is_quoted_for_toml() {
        let sdk = Sdk::Path("/a \"b\"\\c".into());
        let text = format!("theater-actor = {}", sdk.dependency());
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["theater-actor"]["path"].as_str(), Some("/a \"b\"\\c"));
    }
}
