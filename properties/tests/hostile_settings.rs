//! Configuration files made to exhaust a parser. A stack that overflows ends the process, whatever
//! the program would have made of it.

use lottery_properties::settings;

/// The text, over and over: deeper than a test's stack, were each level a call. A file of the
/// largest size accepted would only take longer, as the parser's work grows with the square.
fn endless(text: &str) -> Vec<u8> {
    text.repeat(16 * 1024 / text.len()).into_bytes()
}

#[test]
fn nesting_without_end_is_a_complaint() {
    for opening in [
        "[", "{a: ", "- ", "? ", "!t ", "&a ", "a:\n ", "[DEFAULT", "\"", "'",
    ] {
        settings::check_client(&endless(opening));
        settings::check_server(&endless(opening));
    }
    let steps = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth)));
    settings::check_client(steps.collect::<String>().as_bytes());
}

#[test]
fn aliases_that_multiply_are_a_complaint() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let alias = format!("*a{}", level - 1);
        let aliases = [alias.as_str(); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    settings::check_client(bomb.as_bytes());
    settings::check_client(b"a: &a {b: *a}\n");
    settings::check_client(b"a: &a [*a]\n");
}
