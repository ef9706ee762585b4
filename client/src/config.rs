//! How the client is set up: `config.yaml`, the environment, flags.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use log::LevelFilter;
use lottery_core::bet::{Bet, Field};
use lottery_program::Complaint;
use lottery_program::settings::{Entries, Settings, SettingsFile};
use lottery_program::values::{Parsed, duration, level, number, text, timeout, whole};
use serde_yaml::Value;

use crate::agency::Pace;

/// The client's configuration. Fields are named after the settings: `batch_max_amount` is
/// `batch.maxAmount` in the file, and `CLI_BATCH_MAXAMOUNT` in the environment.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// The agency's number, required
    #[arg(value_parser = whole(1..=u32::MAX))]
    pub id: u32,
    /// lottery, single-bet or echo
    #[arg(default_value = "lottery")]
    pub mode: Mode,
    /// DEBUG, INFO, WARNING, ERROR, CRITICAL
    #[arg(default_value = "INFO", value_parser = level)]
    pub log_level: LevelFilter,
    /// How to reach the central
    #[command(flatten)]
    pub network: Network,
    /// The agency's bets; {id} stands for its number
    #[arg(default_value = ".data/agency-{id}.csv")]
    #[arg(value_parser = text::<String>("a readable CSV file of bets"))]
    data_path: String,
    /// Bets in a message
    #[arg(default_value = "125", value_parser = whole(1..=u32::MAX))]
    batch_max_amount: u32,
    /// Unanswered messages, at most (1 to 4096; 4096 take 32 MiB)
    #[arg(default_value = "128", value_parser = whole(1..=4096_usize))]
    batch_window: usize,
    /// First names
    #[arg(long = "nombre", env = "NOMBRE")]
    bettor_nombre: Option<String>,
    /// Last names
    #[arg(long = "apellido", env = "APELLIDO")]
    bettor_apellido: Option<String>,
    /// DNI
    #[arg(long = "documento", env = "DOCUMENTO")]
    bettor_documento: Option<String>,
    /// Birthdate, YYYY-MM-DD
    #[arg(long = "nacimiento", env = "NACIMIENTO")]
    bettor_nacimiento: Option<String>,
    /// Number bet on, 0 to 9999
    #[arg(long = "numero", env = "NUMERO")]
    bettor_numero: Option<String>,
    /// Messages
    #[arg(default_value = "5", value_parser = whole(0..=u32::MAX))]
    pub loop_amount: u32,
    /// Pause after each
    #[arg(default_value = "5s", value_parser = duration)]
    pub loop_period: Duration,
}

/// How to reach the central, and how long to try.
#[derive(Args, Clone, Debug)]
pub struct Network {
    /// The central, host:port
    #[arg(default_value = "server:12345", value_parser = address)]
    pub server_address: String,
    /// For connecting, and for each answer but the wait for the draw
    #[arg(default_value = "15s", value_parser = timeout)]
    pub socket_timeout: Duration,
    /// For reconnecting without progress before giving up
    #[arg(default_value = "60s", value_parser = duration)]
    pub retry_timeout: Duration,
    /// CA of the central's certificate; set with the next two, or not at all
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_ca: Option<PathBuf>,
    /// The agency's certificate
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_cert: Option<PathBuf>,
    /// The agency's key
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_key: Option<PathBuf>,
    /// The central's name in its certificate [default: the host of server.address]
    #[arg(value_parser = text::<String>("a host name"))]
    pub tls_server_name: Option<String>,
}

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Takes part in the lottery with the bets of a file.
    Lottery,
    /// Takes part in the lottery with one bet.
    SingleBet,
    /// Sends messages and logs what comes back.
    Echo,
}

const PEM: &str = "a PEM file";

const FILE: SettingsFile = SettingsFile {
    default_path: "config.yaml",
    expected: "YAML with nested keys, such as server: {address: \"server:12345\"}",
    parse: parse_yaml,
    key: |field| {
        let key = field.replacen('_', ".", 1);
        let key = key.replace("max_amount", "maxAmount");
        key.replace("server_name", "serverName")
    },
    variable: |key| format!("CLI_{}", key.to_uppercase().replace('.', "_")),
    headings: &[
        ("id", "Agency"),
        ("server_address", "Connection"),
        ("data_path", "Bets"),
        ("bettor_nombre", "The bet of mode single-bet"),
        ("loop_amount", "Mode echo"),
    ],
};

/// What the log has first.
const LOGGED_FIRST: [&str; 5] = [
    "id",
    "server_address",
    "loop_amount",
    "loop_period",
    "log_level",
];

impl Config {
    /// The configuration of this run, and how it was written. `command` gets its flags.
    ///
    /// # Errors
    ///
    /// The first mistake, as one line for the user.
    pub fn load(
        command: Command,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<(Config, Settings), Complaint> {
        let (config, settings) = FILE.load::<Config>(command, arguments)?;
        let expected = "a PEM file, as for all of tls.ca, tls.cert and tls.key or for none";
        settings.expect_together(&["tls_ca", "tls_cert", "tls_key"], expected)?;
        Ok((config, settings))
    }

    /// The file of bets.
    pub fn data_path(&self) -> PathBuf {
        self.data_path.replace("{id}", &self.id.to_string()).into()
    }

    /// How bets are sent.
    pub fn pace(&self) -> Pace {
        Pace {
            batch_bets_max: self.batch_max_amount,
            window: self.batch_window,
        }
    }

    /// The settings under the names that the log gives them.
    pub fn as_logged(&self, settings: &Settings) -> Vec<(String, String)> {
        let position = |field: &str| LOGGED_FIRST.iter().position(|first| *first == field);
        let mut written: Vec<_> = settings.as_written().collect();
        written.retain(|(field, _)| !field.starts_with("bettor_"));
        written.sort_by_key(|(field, _)| position(field).unwrap_or(LOGGED_FIRST.len()));
        let logged = written.into_iter().map(|(field, text)| match field {
            "id" => ("client_id".to_owned(), text.to_owned()),
            "data_path" => (field.to_owned(), self.data_path().display().to_string()),
            _ => (field.to_owned(), text.to_owned()),
        });
        logged.collect()
    }

    /// The bet of mode single-bet, or the complaint about the first field that is not valid.
    pub(crate) fn single_bet<'a>(
        &self,
        settings: &'a Settings,
    ) -> Result<Option<Bet<'a>>, Complaint> {
        if self.mode != Mode::SingleBet {
            return Ok(None);
        }
        let keys = [
            "bettor_nombre",
            "bettor_apellido",
            "bettor_documento",
            "bettor_nacimiento",
            "bettor_numero",
        ];
        let fields = keys.map(|key| settings.text(key).unwrap_or_default().as_bytes());
        let bet = Bet::from_text(self.id, fields).map_err(|invalid| {
            let at_fault = match invalid.field {
                Field::Agency => "id",
                field => keys[field as usize - 1],
            };
            settings.complaint(at_fault, invalid.field.expected())
        })?;
        Ok(Some(bet))
    }
}

fn address(text: &str) -> Parsed<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    match number::<u16>(port) {
        Some(1..) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("HOST:PORT".to_owned()),
    }
}

/// Makes nested keys into dotted ones.
fn parse_yaml(text: &str) -> Result<Entries, String> {
    let mut entries = Entries::new();
    let root = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    flatten("", &root, &mut entries)?;
    Ok(entries)
}

fn flatten(path: &str, value: &Value, entries: &mut Entries) -> Result<(), String> {
    let text = match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                let key = key.as_str();
                let key = key.ok_or_else(|| format!("a key under {path:?} is not a string"))?;
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, entries)?;
            }
            return Ok(());
        }
        Value::Null if path.is_empty() => return Ok(()),
        _ if path.is_empty() => return Err("not a mapping".to_owned()),
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        _ => return Err(format!("{path:?} must be a single value")),
    };
    entries.insert(path.to_owned(), text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_made_to_exhaust_the_parser_are_complained_about() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let deep = ["[", "{a: ", "- ", "? ", "!t ", "&a ", "a:\n ", "\"", "'"];
        let deep = deep.map(|text| text.repeat(16 * 1024 / text.len()));
        let circular = ["a: &a {b: *a}".to_owned(), "a: &a [*a]".to_owned()];
        for text in deep.iter().chain(&circular).chain([&bomb]) {
            assert!(parse_yaml(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn nested_keys_become_dotted_ones() {
        let entries = parse_yaml("id: 7\nbatch: {maxAmount: 5}\nlog:\n  level:\n");
        let expected = [("id", "7"), ("batch.maxAmount", "5"), ("log.level", "")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(entries, Ok(expected.into()));
        assert_eq!(parse_yaml("# nothing\n"), Ok(Entries::new()));
        let twice = parse_yaml("log:\n  level: A\n  level: B\n").unwrap_err();
        assert!(twice.contains("duplicate entry"), "{twice}");
    }
}
