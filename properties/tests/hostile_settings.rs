//! Configuration files made to exhaust a parser, as large as files may be. A stack that overflows
//! ends the process, whatever the program would have made of it.

use lottery_properties::settings;

/// As much of the text as fits into a settings file, over and over.
fn endless(text: &str) -> Vec<u8> {
    const FILE_BYTES_MAX: usize = 64 * 1024;
    text.repeat(FILE_BYTES_MAX / text.len()).into_bytes()
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
