//! What a program's log line says.

/// A line of the form `… action: NAME | result: RESULT | key: value | …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The line from `action:` on, without time and level.
    pub message: &'a str,
    /// What was done.
    pub action: &'a str,
    /// How it went: `success`, `fail` or `in_progress`.
    pub result: &'a str,
    parts: &'a str,
}

impl<'a> LogLine<'a> {
    /// Reads a line; one of another form is none of ours.
    pub fn parse(line: &'a str) -> Option<LogLine<'a>> {
        let message = &line[line.find("action: ")?..];
        let (action, rest) = message.split_once(" | ")?;
        let (result, parts) = rest.split_once(" | ").unwrap_or((rest, ""));
        Some(LogLine {
            message,
            action: action.strip_prefix("action: ")?,
            result: result.strip_prefix("result: ")?,
            parts,
        })
    }

    /// Whether the line says that `action` succeeded.
    pub fn is_success_of(&self, action: &str) -> bool {
        self.action == action && self.result == "success"
    }

    /// The number that a part of this key holds.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.parts
            .split(" | ")
            .find_map(|part| part.strip_prefix(key)?.strip_prefix(": "))
            .and_then(|value| value.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_behind_its_time_and_level() {
        let text = "2026-11-21 01:40:07 INFO  [server::journal] \
                    action: listen | result: success | ip: 127.0.0.1 | port: 39531";
        let line = LogLine::parse(text).unwrap();
        assert!(line.is_success_of("listen"));
        assert_eq!(line.number::<u16>("port"), Some(39_531));
        assert_eq!(line.number::<u16>("ip"), None);
        assert_eq!(line.number::<u16>("por"), None);
        assert!(line.message.starts_with("action: listen | "));
    }

    #[test]
    fn a_line_may_have_no_further_parts() {
        let line = LogLine::parse("action: sorteo | result: success").unwrap();
        assert!(line.is_success_of("sorteo"));
        assert_eq!(line.number::<u32>("faltan"), None);
    }

    #[test]
    fn another_result_is_no_success() {
        let line = LogLine::parse("action: sorteo | result: fail | error: x").unwrap();
        assert!(!line.is_success_of("sorteo"));
        assert_eq!(line.result, "fail");
    }

    #[test]
    fn other_text_is_no_log_line() {
        for text in [
            "",
            "thread 'main' panicked at …",
            "action: ",
            "action: listen",
            "action: listen | ip: x",
        ] {
            assert_eq!(LogLine::parse(text), None, "{text:?}");
        }
    }
}
