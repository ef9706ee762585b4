//! Settings in three layers: a file, the environment, which wins over it, and flags, which win over
//! both.
//!
//! A program declares its settings as a clap [`Args`] struct. The names of the fields give the keys of
//! the file, the variables and the flags. clap reads flags, environment and defaults; ours are the
//! file between them, and the complaint.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::{env, io};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, value_parser};

use crate::Complaint;
use crate::files::open_regular;

const CONFIG: &str = "config";

/// The longest settings file; real ones have a few thousand bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Keys and their values.
pub type Entries = HashMap<String, String>;

/// A program's settings file.
#[derive(Debug)]
pub struct SettingsFile {
    /// The file that is read if it exists and no other is named.
    pub default_path: &'static str,
    /// What such a file is, for complaints.
    pub expected: &'static str,
    /// Makes the file's text into keys and values, or says what is wrong with it.
    pub parse: fn(&str) -> Result<Entries, String>,
    /// The key for a field.
    pub key: fn(&str) -> String,
    /// The variable for a key. One that the field itself declares (`env`) comes first.
    pub variable: fn(&str) -> String,
    /// Fields above which the help has a heading.
    pub headings: &'static [(&'static str, &'static str)],
}

/// The settings of one run as they were written.
#[derive(Debug)]
pub struct Settings {
    /// The command line, for what is no setting.
    pub flags: ArgMatches,
    settings: Vec<Setting>,
    /// The names of all variables that are settings.
    variables: Vec<String>,
}

#[derive(Debug)]
struct Setting {
    arg: Arg,
    key: String,
    text: Option<String>,
    /// Where the text came from, or where to set it.
    place: String,
}

/// The defaults. No field of `T` may be required.
pub fn defaults<T: Args>() -> T {
    let command = T::augment_args(Command::new(CONFIG).no_binary_name(true));
    let matches = command.try_get_matches_from::<_, OsString>([]);
    let defaults = matches.and_then(|matches| T::from_arg_matches(&matches));
    defaults.expect("defaults are valid, and no field is required")
}

impl SettingsFile {
    /// Gathers the layers. `command` gets a flag for each field of `T`.
    ///
    /// # Errors
    ///
    /// The text of `--help` or `--version`, or the first mistake in one line: the key, the value,
    /// where it came from and what was expected.
    pub fn load<T: Args>(
        &self,
        command: Command,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<(T, Settings), Complaint> {
        let (typed, variables) = self.declare::<T>();
        // Texts first: only the value of the layer that wins is parsed and checked.
        let as_text = |arg: &Arg| {
            let arg = arg.clone().required(false).allow_hyphen_values(true);
            arg.value_parser(value_parser!(String))
        };
        let help = format!("Settings file [default: {}, if there]", self.default_path);
        let config = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(help);
        let command = command
            .args(typed.get_arguments().map(as_text))
            .arg(config.global(true));
        #[cfg(feature = "documents")]
        if let Some(folder) = env::var_os(crate::documents::FOLDER) {
            return Err(crate::documents::write(command, folder.as_ref()));
        }
        let flags = command
            .try_get_matches_from(arguments)
            .map_err(|error| suggest(error, &typed))?;
        let settings = Settings {
            settings: self.gather(&typed, &flags)?,
            flags,
            variables,
        };
        let written = settings.settings.iter().filter_map(Setting::as_argument);
        let matches = typed.try_get_matches_from(written);
        match matches.and_then(|matches| T::from_arg_matches(&matches)) {
            Ok(values) => Ok((values, settings)),
            Err(error) => Err(settings.explain(error)),
        }
    }

    /// The fields of `T` with their flags, headings and variables, and the names of all variables.
    fn declare<T: Args>(&self) -> (Command, Vec<String>) {
        let (mut variables, mut heading) = (Vec::new(), None);
        let fields = T::augment_args(Command::new(CONFIG).no_binary_name(true));
        let declared = fields.mut_args(|arg| {
            let field = arg.get_id().as_str();
            let next = self.headings.iter().find(|(first, _)| *first == field);
            heading = next.map(|(_, heading)| *heading).or(heading);
            let flag = field.replace('_', "-");
            let flag = arg.get_long().map_or(flag, str::to_owned);
            let variable = (self.variable)(&(self.key)(field));
            let names: Vec<_> = variable_of(&arg).into_iter().chain([variable]).collect();
            let is_set = |name: &&String| env::var_os(name).is_some();
            let used = names.iter().find(is_set).unwrap_or(&names[0]).clone();
            variables.extend(names);
            let arg = arg.long(flag).env(used);
            arg.value_name("VALUE").help_heading(heading)
        });
        (declared, variables)
    }

    fn gather(&self, typed: &Command, flags: &ArgMatches) -> Result<Vec<Setting>, Complaint> {
        let named = flags.get_one::<String>(CONFIG).map(Path::new);
        let path = named.unwrap_or(Path::new(self.default_path));
        let mut entries = self.read(path, named.is_none())?;
        let setting = |arg: &Arg| {
            let field = arg.get_id().as_str();
            let (flag, variable) = (arg.get_long()?, variable_of(arg)?);
            let key = (self.key)(field);
            let text = flags.get_one::<String>(field).cloned();
            let (text, place) = match (flags.value_source(field), entries.remove(&key)) {
                (Some(ValueSource::CommandLine), _) => (text, format!("--{flag}")),
                (Some(ValueSource::EnvVariable), _) => (text, format!("environment {variable}")),
                (_, Some(in_file)) => (Some(in_file), path.display().to_string()),
                (_, None) => {
                    let file = self.default_path;
                    (text, format!("in {file}, as {variable} or with --{flag}"))
                }
            };
            let arg = arg.clone();
            Some(Setting {
                arg,
                key,
                text,
                place,
            })
        };
        let settings: Vec<_> = typed.get_arguments().filter_map(setting).collect();
        let Some(unknown) = entries.keys().min() else {
            return Ok(settings);
        };
        let advice = match likest(unknown, settings.iter().map(|setting| &setting.key)) {
            Some(key) => format!("did you mean {key:?}?"),
            None => "--help lists the keys".to_owned(),
        };
        let line = format!("{}: unknown key {unknown:?}; {advice}", path.display());
        Err(Complaint::of_configuration(line))
    }

    fn read(&self, path: &Path, is_optional: bool) -> Result<Entries, Complaint> {
        let entries = match read_text(path) {
            Ok(text) => (self.parse)(&text),
            Err(error) if is_optional && error.kind() == io::ErrorKind::NotFound => {
                Ok(Entries::new())
            }
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        entries.map_err(|reason| {
            let (path, expected) = (path.display(), self.expected);
            Complaint::of_configuration(format!("{path}: {reason}; expected {expected}"))
        })
    }
}

fn variable_of(arg: &Arg) -> Option<String> {
    Some(arg.get_env()?.to_string_lossy().into_owned())
}

fn read_text(path: &Path) -> io::Result<String> {
    let file = open_regular(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    io::read_to_string(file)
}

impl Settings {
    fn of(&self, field: &str) -> &Setting {
        let mut settings = self.settings.iter();
        let setting = settings.find(|setting| setting.arg.get_id() == field);
        setting.expect("programs ask for fields of their own")
    }

    /// A field as it was written, if it is set.
    ///
    /// # Panics
    ///
    /// As all that take a field: when there is no such field.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.of(field).text.as_deref()
    }

    /// The complaint about a value that turns out wrong after parsing.
    pub fn complaint(&self, field: &str, expected: &str) -> Complaint {
        self.of(field).complaint(expected)
    }

    /// Expects that these fields are set together or not at all.
    ///
    /// # Errors
    ///
    /// The complaint about the first that is not set.
    pub fn expect_together(&self, fields: &[&str], expected: &str) -> Result<(), Complaint> {
        let is_missing = |field: &&&str| self.text(field).is_none();
        match fields.iter().find(is_missing) {
            Some(first) if !fields.iter().all(|field| is_missing(&field)) => {
                Err(self.complaint(first, expected))
            }
            _ => Ok(()),
        }
    }

    /// The fields that are set to something, as they were written, for the log.
    pub fn as_written(&self) -> impl Iterator<Item = (&str, &str)> {
        let written = self.settings.iter().filter_map(|setting| {
            let field = setting.arg.get_id().as_str();
            Some((field, setting.text.as_deref()?))
        });
        written.filter(|(_, text)| !text.is_empty())
    }

    /// Logs which variables of the environment were probably meant as settings.
    pub fn warn_of_misspelt(&self) {
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| !self.variables.contains(name)) {
            if let Some(meant) = likest(&name, &self.variables) {
                log::warn!(
                    "action: environment | result: success | ignored: {name} | did_you_mean: {meant}"
                );
            }
        }
    }

    /// The complaint about a value that clap rejected.
    fn explain(&self, error: clap::Error) -> Complaint {
        let flag = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(usage)) => usage.trim_start_matches("--").split(' ').next(),
            _ => None,
        };
        let expected = match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) => match &words[..] {
                [others @ .., last] => format!("{} or {last}", others.join(", ")),
                [] => String::new(),
            },
            _ => error.source().map(ToString::to_string).unwrap_or_default(),
        };
        let mut settings = self.settings.iter();
        match settings.find(|setting| setting.arg.get_long() == flag) {
            Some(setting) => setting.complaint(&expected),
            None => error.into(),
        }
    }
}

impl Setting {
    fn as_argument(&self) -> Option<String> {
        // No value of a required setting is empty, so its parser says what it expects.
        let missing = self.arg.is_required_set().then_some("");
        let text = self.text.as_deref().or(missing)?;
        Some(format!("--{}={text}", self.arg.get_long()?))
    }

    fn complaint(&self, expected: &str) -> Complaint {
        let (key, place) = (&self.key, &self.place);
        Complaint::of_configuration(match &self.text {
            Some(text) => format!("{key}: {text:?} ({place}) is not valid; expected {expected}"),
            None => format!("{key}: not set; expected {expected}, {place}"),
        })
    }
}

/// Suggests `--server-port` for `--port`; clap only catches typos.
fn suggest(mut error: clap::Error, command: &Command) -> clap::Error {
    if let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) {
        let end = unknown.replacen("--", "-", 1);
        let mut flags = command.get_arguments().filter_map(Arg::get_long);
        if let Some(meant) = flags.find(|flag| flag.ends_with(&end)) {
            let meant = ContextValue::String(format!("--{meant}"));
            error.insert(ContextKind::SuggestedArg, meant);
        }
    }
    error
}

/// The closest name, if at most a quarter of its characters differ.
fn likest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<&'a String> {
    let edits = |known: &str| strsim::osa_distance(&known.to_lowercase(), &name.to_lowercase());
    let likest = known.into_iter().min_by_key(|known| edits(known))?;
    (edits(likest) * 4 <= name.len()).then_some(likest)
}

#[cfg(test)]
mod tests;
