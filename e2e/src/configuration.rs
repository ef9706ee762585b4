//! What both programs must say of values that they do not take.

use crate::Ended;

/// A key, values that it does not take, and what the complaint says is expected.
pub type Mistake = (&'static str, &'static [&'static str], &'static str);

/// Expects that each mistake, in a program that `run` makes it in, is complained about with its key
/// and its value, as being in its `place`.
pub fn expect_mistakes(
    mistakes: &[Mistake],
    run: impl Fn(&str, &str) -> Ended,
    place: impl Fn(&str) -> String,
) {
    for (key, values, expected) in mistakes {
        for value in *values {
            let quoted = format!("{key}: {value:?} ({})", place(key));
            let reason = format!("is not valid; expected {expected}");
            run(key, value).expect_mistake(&[&quoted, &reason]);
        }
    }
}
