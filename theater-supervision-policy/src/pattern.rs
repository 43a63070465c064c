//! Patterns of texts: `*` stands for any text, `?` for one character, all else for itself.
//!
//! Not the patterns of paths that permissions have: an error message is full of brackets, braces
//! and slashes, and none of them may mean anything here. Matching needs no compiled form and no
//! memory, and takes at most the product of the lengths.

/// Whether `pattern` matches the whole of `text`.
pub fn matches(pattern: &str, text: &str) -> bool {
    walk(pattern, text, |wanted, found| wanted == '?' || wanted == found)
}

/// Whether `pattern` matches all that `other`, a pattern as well, matches. Never wrongly yes; it
/// misses such as `*?` and `?*`.
pub(crate) fn covers(pattern: &str, other: &str) -> bool {
    walk(pattern, other, |wanted, found| found != '*' && (wanted == '?' || (wanted == found && found != '?')))
}

/// Greedy, going back to the last `*` alone: an earlier one never has to be tried again.
fn walk(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                text = rest;
                star = Some((pattern.clone(), text.clone()));
            }
            (Some(wanted), Some(found)) if same(wanted, found) => {}
            (None, None) => return true,
            _ => {
                let Some((after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{covers, matches};

    #[test]
    fn a_pattern_matches_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("?", "é", true),
            ("?", "", false),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*ab", "aab", true),
            ("*a*b", "xaxxbxb", true),
            ("index [3] of {a,b}: *", "index [3] of {a,b}: a/b\nc", true),
            ("[a]", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} and {text:?}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_all_of() {
        for (pattern, other, expected) in [
            ("*", "*", true),
            ("*", "a?b*", true),
            ("a*", "ab*", true),
            ("ab*", "a*", false),
            ("?", "*", false),
            ("?", "?", true),
            ("a", "?", false),
            ("a?", "ab", true),
        ] {
            assert_eq!(covers(pattern, other), expected, "{pattern:?} and {other:?}");
        }
    }
}
