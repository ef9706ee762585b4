//! Settings in three layers: a file, the environment, which wins over it, and flags, which win over
//! both.
//!
//! A program declares its keys in one table, a [`Declaration`], which makes the flags and the help.
//! Every complaint names the key, the value with the place it came from, and what was expected.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use clap::{Arg, ArgMatches, Command};
use thiserror::Error;

use crate::log_line::Value;
use crate::values::Kind;

const CONFIG_FLAG: &str = "config";

/// The longest settings file. Some keys and comments have a few thousand bytes; what is longer is
/// another kind of file, or one made to keep the parser busy.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A setting.
#[derive(Debug)]
pub struct Key {
    name: &'static str,
    variable: &'static str,
    other_variable: Option<&'static str>,
    flag: &'static str,
    value_name: &'static str,
    default: Option<&'static str>,
    help: &'static str,
}

impl Key {
    /// A setting that must be set: its name in the file and in complaints, its variable in the
    /// environment, and its flag without the dashes.
    pub const fn new(name: &'static str, variable: &'static str, flag: &'static str) -> Key {
        Key {
            name,
            variable,
            other_variable: None,
            flag,
            value_name: "VALUE",
            default: None,
            help: "",
        }
    }

    /// What it means, and the placeholder for its value, for the help.
    pub const fn means(self, help: &'static str, value_name: &'static str) -> Key {
        Key {
            help,
            value_name,
            ..self
        }
    }

    /// What holds when nobody sets it.
    pub const fn or(self, default: &'static str) -> Key {
        Key {
            default: Some(default),
            ..self
        }
    }

    /// Another variable, which counts when the first is not set.
    pub const fn also_read_as(self, variable: &'static str) -> Key {
        Key {
            other_variable: Some(variable),
            ..self
        }
    }

    fn variables(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.variable), self.other_variable]
            .into_iter()
            .flatten()
    }
}

/// Settings that the help lists under one heading.
#[derive(Debug)]
pub struct Group {
    /// The heading.
    pub heading: &'static str,
    /// The settings.
    pub keys: &'static [Key],
}

/// Keys and their values, in a file's order.
pub type Entries = Vec<(String, String)>;

/// A program's settings as declared.
#[derive(Debug)]
pub struct Declaration {
    /// The file that is read when it is there and no other is named.
    pub default_file: &'static str,
    /// What such a file is, for complaints.
    pub file_expected: &'static str,
    /// All settings.
    pub groups: &'static [Group],
    /// Makes the file's text into keys and values.
    pub parse_file: fn(&str) -> Result<Entries, String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file at this path.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(&'static str),
    /// The flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => formatter.write_str("the default"),
            Source::File(path) => write!(formatter, "{}", path.display()),
            Source::Environment(variable) => write!(formatter, "environment {variable}"),
            Source::Flag(flag) => write!(formatter, "--{flag}"),
        }
    }
}

/// Why a program cannot begin: one line that names the key, the value and what was expected.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}; expected {expected}", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// What a good file is.
        expected: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The file's text has another form.
    #[error("{}: {reason}; expected {expected}", path.display())]
    UnparsableFile {
        /// The file.
        path: PathBuf,
        /// What a good file is.
        expected: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The file sets a key that the program does not have.
    #[error("{}: unknown key {key:?}; {advice}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that was probably meant, or where to find them all.
        advice: String,
    },
    /// A value is not good.
    #[error("{key}: {value:?} ({source_name}) is not valid; expected {expected}")]
    BadValue {
        /// The key's name.
        key: &'static str,
        /// The value as written.
        value: String,
        /// Where it was written.
        source_name: Source,
        /// What a good value is.
        expected: String,
    },
    /// A key that must be set is not.
    #[error("{key}: not set; expected {expected}, in {file}, as {variable} or with --{flag}")]
    Missing {
        /// The key's name.
        key: &'static str,
        /// What a good value is.
        expected: String,
        /// The file in which it may be set.
        file: &'static str,
        /// The variable in which it may be set.
        variable: &'static str,
        /// The flag with which it may be set.
        flag: &'static str,
    },
}

/// The settings of one run: for each key the text that won, and where it came from.
#[derive(Debug)]
pub struct Settings {
    declaration: &'static Declaration,
    values: HashMap<&'static str, (String, Source)>,
}

impl Declaration {
    /// Adds a flag for each key to `command`, and `--config` for the file.
    pub fn add_flags(&self, command: Command) -> Command {
        self.add_flags_for_all(command, |_| false)
    }

    /// As [`Declaration::add_flags`]; the subcommands have `--config` too, and the flags of the keys
    /// whose names `is_for_all` takes, before or behind their own names.
    pub fn add_flags_for_all(
        &self,
        command: Command,
        is_for_all: impl Fn(&str) -> bool,
    ) -> Command {
        let file = Arg::new(CONFIG_FLAG)
            .long(CONFIG_FLAG)
            .value_name("FILE")
            .global(true)
            .help(format!(
                "Settings file [default: {}, if there]",
                self.default_file
            ));
        let mut command = command.arg(file);
        for Group { heading, keys } in self.groups {
            for key in *keys {
                let place = match key.default {
                    Some(default) => format!("[{}={default}]", key.variable),
                    None => format!("[{}]", key.variable),
                };
                command = command.arg(
                    Arg::new(key.name)
                        .long(key.flag)
                        .value_name(key.value_name)
                        .global(is_for_all(key.name))
                        .allow_hyphen_values(true)
                        .help(format!("{} {place}", key.help))
                        .help_heading(*heading),
                );
            }
        }
        command
    }

    fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.keys)
    }

    /// Gathers the three layers.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or sets an unknown key. Values are not looked at yet.
    pub fn gather(
        &'static self,
        flags: &ArgMatches,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, SettingsError> {
        let mut values = HashMap::new();
        for key in self.keys() {
            if let Some(default) = key.default {
                values.insert(key.name, (default.to_owned(), Source::Default));
            }
        }
        let path = flag(flags, CONFIG_FLAG);
        for (key, value, source) in self.read_file(path.map(Path::new))? {
            values.insert(key, (value, source));
        }
        for key in self.keys() {
            let variable = |name| environment(name).map(|value| (value, name));
            if let Some((value, name)) = key.variables().find_map(variable) {
                let value = value.to_string_lossy().into_owned();
                values.insert(key.name, (value, Source::Environment(name)));
            }
            if let Some(value) = flag(flags, key.name) {
                values.insert(key.name, (value.clone(), Source::Flag(key.flag)));
            }
        }
        Ok(Settings {
            declaration: self,
            values,
        })
    }

    fn read_file(
        &self,
        path: Option<&Path>,
    ) -> Result<Vec<(&'static str, String, Source)>, SettingsError> {
        let is_optional = path.is_none();
        let path = path.unwrap_or(Path::new(self.default_file));
        let expected = self.file_expected;
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) if is_optional && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            Err(error) => {
                let path = path.to_owned();
                return Err(SettingsError::UnreadableFile {
                    path,
                    expected,
                    error,
                });
            }
        };
        let entries = (self.parse_file)(&text).map_err(|reason| SettingsError::UnparsableFile {
            path: path.to_owned(),
            expected,
            // A parser may quote the file, line breaks and all.
            reason: Value(&reason).to_string(),
        })?;
        entries
            .into_iter()
            .map(
                |(name, value)| match self.keys().find(|key| key.name == name) {
                    Some(key) => Ok((key.name, value, Source::File(path.to_owned()))),
                    None => Err(self.unknown_key(path, name)),
                },
            )
            .collect()
    }

    fn unknown_key(&self, path: &Path, name: String) -> SettingsError {
        const LIKENESS_MIN: f64 = 0.8;
        let likeness =
            |key: &Key| strsim::jaro_winkler(&key.name.to_lowercase(), &name.to_lowercase());
        let likest = self
            .keys()
            .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
            .filter(|key| likeness(key) >= LIKENESS_MIN);
        let advice = match likest {
            Some(key) => format!("did you mean {:?}?", key.name),
            None => "--help lists the keys".to_owned(),
        };
        SettingsError::UnknownKey {
            path: path.to_owned(),
            key: name,
            advice,
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut bounded = File::open(path)?.take(FILE_BYTES_MAX + 1);
    if bounded.read_to_string(&mut text)? as u64 > FILE_BYTES_MAX {
        let reason = format!("it is longer than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(text)
}

impl Settings {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// When the key is not set and has no default, or its value is not of this kind.
    pub fn value<T>(&self, name: &'static str, kind: &Kind<T>) -> Result<T, SettingsError> {
        let Some((text, _)) = self.values.get(name) else {
            let key = self.key(name);
            return Err(SettingsError::Missing {
                key: key.name,
                expected: kind.expected.clone(),
                file: self.declaration.default_file,
                variable: key.variable,
                flag: key.flag,
            });
        };
        kind.read(text)
            .ok_or_else(|| self.bad_value(name, &*kind.expected))
    }

    /// The complaint about a key's value, where what is wrong with it shows only later.
    pub fn bad_value(&self, name: &'static str, expected: impl Into<String>) -> SettingsError {
        let (value, source_name) = self
            .values
            .get(name)
            .cloned()
            .unwrap_or((String::new(), Source::Default));
        SettingsError::BadValue {
            key: name,
            value,
            source_name,
            expected: expected.into(),
        }
    }

    /// Keys as they were written, each under the label that comes with it, for the log.
    pub fn as_written(&self, keys: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
        let text = |name| self.values.get(name).map(|(text, _)| text.clone());
        keys.iter()
            .map(|(label, name)| (*label, text(self.key(name).name).unwrap_or_default()))
            .collect()
    }

    fn key(&self, name: &'static str) -> &'static Key {
        self.declaration
            .keys()
            .find(|key| key.name == name)
            .expect("programs ask for keys of their own table, which their tests read in full")
    }
}

/// The value of a flag, if the command has that flag and it was given.
fn flag<'a>(flags: &'a ArgMatches, name: &str) -> Option<&'a String> {
    flags.try_get_one(name).ok().flatten()
}

#[cfg(test)]
mod tests;
