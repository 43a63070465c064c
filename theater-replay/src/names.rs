//! The names that values have in a chain: those of the Rust types that wasmtime's bindings generate,
//! since handlers record their typed values through serde.

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};

/// Rust's keywords; a field that is called so has `_` behind its name.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The key of a record's field: `type` is `type_`, `a-b` is `a_b`.
pub(crate) fn field(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("{name}_") } else { name.to_snake_case() }
}

/// The name of a case of a variant or an enum: `a-b1-c` is `AB1C`, keywords as they are.
pub(crate) fn case(name: &str) -> String {
    name.to_upper_camel_case()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_generated_bindings() {
        for (wit, key) in [("type", "type_"), ("self", "self_"), ("a-b", "a_b"), ("a1-b", "a1_b"), ("x", "x")] {
            assert_eq!(field(wit), key);
        }
        for (wit, name) in [("a-b1-c", "AB1C"), ("type", "Type"), ("http-error", "HttpError"), ("HTTP-x", "HttpX")] {
            assert_eq!(case(wit), name);
        }
    }
}
