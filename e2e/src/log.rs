//! The form of log lines, as other people's tools rely on it:
//! `YYYY-MM-DD HH:MM:SS LEVEL [target] action: NAME | result: RESULT | key: value | …`.

/// Everything from `action:` on, for lines of the agreed form.
///
/// # Panics
///
/// When the line has another form.
pub fn event(line: &str) -> &str {
    parse(line).unwrap_or_else(|| panic!("not a log line of the agreed form: {line:?}"))
}

/// The value of `key` in a line.
///
/// # Panics
///
/// When the line has another form, or no such key.
pub fn value<'a>(line: &'a str, key: &str) -> &'a str {
    let mut parts = event(line)
        .split(" | ")
        .filter_map(|part| part.split_once(": "));
    match parts.find(|(name, _)| *name == key) {
        Some((_, value)) => value,
        None => panic!("no {key:?} in {line:?}"),
    }
}

/// Where the first line with `text` is.
///
/// # Panics
///
/// When there is none.
pub fn position(lines: &[String], text: &str) -> usize {
    lines
        .iter()
        .position(|line| line.contains(text))
        .unwrap_or_else(|| panic!("no {text:?} in {lines:#?}"))
}

/// How many lines have `text`.
pub fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// The sum of the values of `key` in the lines with `text`.
///
/// # Panics
///
/// When a line has no such key, or its value is no number.
pub fn sum(lines: &[String], text: &str, key: &str) -> u64 {
    lines
        .iter()
        .filter(|line| line.contains(text))
        .map(|line| {
            let text = value(line, key);
            text.parse::<u64>()
                .unwrap_or_else(|_| panic!("{key} is no number in {line:?}"))
        })
        .sum()
}

fn parse(line: &str) -> Option<&str> {
    let (timestamp, rest) = line.split_at_checked("YYYY-MM-DD HH:MM:SS".len())?;
    let shape: String = timestamp
        .chars()
        .map(|character| {
            if character.is_ascii_digit() {
                '0'
            } else {
                character
            }
        })
        .collect();
    if shape != "0000-00-00 00:00:00" {
        return None;
    }
    let (level, rest) = rest.strip_prefix(' ')?.split_once(" [")?;
    if !["DEBUG", "INFO", "WARN", "ERROR"].contains(&level.trim_end()) {
        return None;
    }
    let (target, event) = rest.split_once("] ")?;
    if target.is_empty()
        || !event
            .split(" | ")
            .all(|part| part.contains(": ") || part.ends_with(':'))
    {
        return None;
    }
    let mut parts = event.split(" | ");
    parts.next()?.strip_prefix("action: ")?;
    let result = parts.next()?.strip_prefix("result: ")?;
    ["success", "fail", "in_progress"]
        .contains(&result)
        .then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_agreed_form_are_taken_apart_and_others_are_not() {
        let line = "2026-11-21 01:02:03 INFO  [server::journal] action: listen | result: success | port: 80";
        assert_eq!(event(line), "action: listen | result: success | port: 80");
        assert_eq!(value(line, "port"), "80");
        for other in [
            "",
            "action: listen | result: success",
            "2026-11-21 01:02:03 INFO [x] result: success | action: listen",
            "2026-11-21 01:02:03 INFO [x] action: listen | result: maybe",
            "2026-11-21 01:02:03 INFO [x] action: listen | result: success | port 80",
            "2026-11-21T01:02:03 INFO [x] action: listen | result: success",
            "2026-11-21 01:02:03 LOUD [x] action: listen | result: success",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
