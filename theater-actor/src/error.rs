//! The error type of actors' functions and how it becomes the `err` string that leaves the actor.
//!
//! An `err` is an answer, not a crash: it is recorded, changes no state and drops the messages that
//! the call had sent.

use std::error::Error as StdError;

/// The error of an actor's functions: any error type, a `String` or a `&str` becomes one by `?` or
/// `.into()`, and [`bail!`](crate::bail) formats one.
pub type Error = Box<dyn StdError>;

/// The result of an actor's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Returns from the function with an error, formatted as by `format!`.
///
/// ```
/// fn positive(n: i64) -> theater_actor::Result<i64> {
///     if n <= 0 {
///         theater_actor::bail!("{n} is not a positive number");
///     }
///     Ok(n)
/// }
/// assert_eq!(positive(-1).unwrap_err().to_string(), "-1 is not a positive number");
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err(::std::format!($($message)+).into())
    };
}

/// The `err` string: the error, then each cause that its text does not already end with.
pub(crate) fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the account")]
    struct Outer(#[source] std::num::ParseIntError);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the account: {0}")]
    struct Naming(#[source] std::num::ParseIntError);

    #[test]
    fn the_err_string_holds_each_cause_once() {
        let inner = || "x".parse::<u8>().unwrap_err();
        let expected = "cannot read the account: invalid digit found in string";
        assert_eq!(message(&Outer(inner()).into()), expected);
        assert_eq!(message(&Naming(inner()).into()), expected);
        assert_eq!(message(&"plain".into()), "plain");
    }
}
