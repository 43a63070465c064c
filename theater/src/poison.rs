//! Poison: a message that fails its receiver again, in the same state, with the same answers from
//! host calls and with the same deterministic error. It would do so for ever.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Mutex;

use theater_chain::Digest;

use crate::actor::lock;
use crate::error::ActorError;

/// What the host calls of one guest call answered, in short. Nobody gains by two answers that look
/// the same: the one who could make them can send poison as it is.
#[derive(Default)]
pub(crate) struct Answers(DefaultHasher);

impl Answers {
    pub(crate) fn add(&mut self, result: &[u8]) {
        result.hash(&mut self.0);
    }
}

/// How a message failed its receiver.
#[derive(PartialEq, Eq)]
struct Crash {
    message: String,
    state: Digest,
    answers: u64,
    /// Without the trap's offset: the compiler places a trap that a function's entry leads to at once
    /// at the entry, or, where a tick was due just there, at itself.
    error: ActorError,
}

/// The failure before this one, over all incarnations.
#[derive(Default)]
pub(crate) struct Poison(Mutex<Option<Box<Crash>>>);

impl Poison {
    /// Notes a failure, and says whether it is the one before again.
    pub(crate) fn is_repeated(&self, message: &str, state: Digest, answers: &Answers, error: &ActorError) -> bool {
        if !error.deterministic {
            *lock(&self.0) = None;
            return false;
        }
        let (message, error) = (message.to_owned(), ActorError { wasm_offset: None, ..error.clone() });
        let crash = Box::new(Crash { message, state, answers: answers.0.finish(), error });
        let before = lock(&self.0).replace(crash);
        before.is_some() && before == *lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use theater_chain::data::ErrorType;

    use super::*;

    #[test]
    fn a_trap_that_is_placed_elsewhere_in_the_same_function_is_a_repeat() {
        let trap = |code: &str, offset| {
            let mut error = ActorError::new(ErrorType::Trap, "unreachable (in abort)".to_owned());
            (error.trap_code, error.wasm_offset) = (Some(code.to_owned()), Some(offset));
            error
        };
        let (poison, answers) = (Poison::default(), Answers::default());
        let is_repeated = |error: &ActorError| poison.is_repeated("a/1", Digest::ZERO, &answers, error);
        assert!(!is_repeated(&trap("unreachable-code-reached", 39)));
        assert!(is_repeated(&trap("unreachable-code-reached", 40)));
        assert!(!is_repeated(&trap("integer-overflow", 40)));
    }
}
