//! Log lines, in the form that other people's tools rely on:
//! `YYYY-MM-DD HH:MM:SS LEVEL [target] action: NAME | result: RESULT | key: value | …`.

use std::ops::Deref;

#[derive(Clone, Debug, Default)]
pub struct Log(pub Vec<String>);

impl Log {
    pub fn count(&self, text: &str) -> usize {
        self.having(text).len()
    }

    /// Where the first line with `text` is. Panics when there is none.
    pub fn position(&self, text: &str) -> usize {
        let found = self.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} in {self:#?}"))
    }

    /// The value of `key` in each line with `text`. Panics when one has no such key.
    pub fn values(&self, text: &str, key: &str) -> Vec<&str> {
        let lines = self.having(text).into_iter();
        lines.map(|line| value(line, key)).collect()
    }

    /// The sum of the values of `key` in the lines with `text`.
    pub fn sum(&self, text: &str, key: &str) -> u64 {
        let values = self.values(text, key).into_iter();
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    }

    /// What is logged, without times, levels and targets. Panics when a line has another form.
    pub fn events(&self) -> Vec<&str> {
        self.iter().map(|line| event(line)).collect()
    }

    fn having(&self, text: &str) -> Vec<&String> {
        self.iter().filter(|line| line.contains(text)).collect()
    }
}

impl Deref for Log {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

fn value<'a>(line: &'a str, key: &str) -> &'a str {
    let mut parts = event(line).split(" | ");
    let found = parts.find_map(|part| part.strip_prefix(key)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {key:?} in {line:?}"))
}

/// The part from `action:` on. Panics when the line has not the agreed form.
fn event(line: &str) -> &str {
    let parse = || {
        let (timestamp, rest) = line.split_at_checked("YYYY-MM-DD HH:MM:SS".len())?;
        let shape = timestamp.replace(|character: char| character.is_ascii_digit(), "0");
        let (level, rest) = rest.strip_prefix(' ')?.split_once(" [")?;
        let (_target, event) = rest.split_once("] ")?;
        let mut parts = event.split(" | ");
        parts.next()?.strip_prefix("action: ")?;
        let result = parts.next()?.strip_prefix("result: ")?;
        let is_well_formed = shape == "0000-00-00 00:00:00"
            && ["DEBUG", "INFO", "WARN", "ERROR"].contains(&level.trim_end())
            && ["success", "fail", "in_progress"].contains(&result)
            && parts.all(|part| part.contains(": "))
            && !event.contains(char::is_control);
        is_well_formed.then_some(event)
    };
    parse().unwrap_or_else(|| panic!("not a log line of the agreed form: {line:?}"))
}
