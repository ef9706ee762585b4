//! How the client is set up: `config.yaml`, the environment, flags.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use log::LevelFilter;
use lottery_core::bet::{BetText, Field};
use lottery_core::date::Date;
use lottery_program::settings::{Declaration, Entries, Group, Key, Settings, SettingsError};
use lottery_program::values::{self, Kind, one_of, text, whole};
use serde_yaml::Value;

use crate::agency::Pace;
use crate::bet_source::SingleBet;

/// The largest `batch.window`: so many messages are 32 MiB under way.
const WINDOW_MAX: usize = 4096;

/// What stands for the client's id in `data.path`.
const ID_PLACEHOLDER: &str = "{id}";

/// The client's configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agency's number, from 1.
    pub id: u32,
    /// How to reach the central.
    pub network: Network,
    /// The level of the log.
    pub log_level: LevelFilter,
    /// What to do.
    pub mode: Mode,
    /// Every setting as the user wrote it, for the log.
    pub as_written: Vec<(&'static str, String)>,
}

/// How to reach the central, and how long to try.
#[derive(Clone, Debug)]
pub struct Network {
    /// `host:port`.
    pub server_address: String,
    /// For connecting, and for each answer but the wait for the draw.
    pub socket_timeout: Duration,
    /// For reconnecting before giving up.
    pub retry_timeout: Duration,
}

/// What the client does, with what it needs for that.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Sends messages and logs what comes back.
    Echo {
        /// How many.
        amount: u32,
        /// The pause after each.
        period: Duration,
    },
    /// Takes part in the lottery with one bet.
    SingleBet {
        /// The bet.
        bet: Box<SingleBet>,
        /// How it is sent.
        pace: Pace,
    },
    /// Takes part in the lottery with the bets of a file.
    Lottery {
        /// The file.
        path: PathBuf,
        /// How they are sent.
        pace: Pace,
    },
}

/// The client's settings.
pub static DECLARATION: Declaration = Declaration {
    default_file: "config.yaml",
    file_expected: "YAML with nested keys, such as server: {address: \"server:12345\"}",
    groups: &[
        Group {
            heading: "Agency",
            keys: &[
                Key::new("id", "CLI_ID", "id").means("The agency's number, required", "N"),
                Key::new("mode", "CLI_MODE", "mode")
                    .or("lottery")
                    .means("lottery, single-bet or echo", "MODE"),
                Key::new("log.level", "CLI_LOG_LEVEL", "log-level")
                    .or("INFO")
                    .means("DEBUG, INFO, WARNING, ERROR, CRITICAL", "LEVEL"),
            ],
        },
        Group {
            heading: "Connection",
            keys: &[
                Key::new("server.address", "CLI_SERVER_ADDRESS", "server-address")
                    .or("server:12345")
                    .means("The central", "HOST:PORT"),
                Key::new("socket.timeout", "CLI_SOCKET_TIMEOUT", "socket-timeout")
                    .or("15s")
                    .means("For each answer but the draw", "TIME"),
                Key::new("retry.timeout", "CLI_RETRY_TIMEOUT", "retry-timeout")
                    .or("60s")
                    .means("For reconnecting", "TIME"),
            ],
        },
        Group {
            heading: "Bets",
            keys: &[
                Key::new("data.path", "CLI_DATA_PATH", "data-path")
                    .or(".data/agency-{id}.csv")
                    .means("The agency's bets", "FILE"),
                Key::new("batch.maxAmount", "CLI_BATCH_MAXAMOUNT", "batch-max-amount")
                    .or("125")
                    .means("Bets in a message", "N"),
                Key::new("batch.window", "CLI_BATCH_WINDOW", "batch-window")
                    .or("128")
                    .means("Messages unanswered at once", "N"),
            ],
        },
        Group {
            heading: "The bet of mode single-bet",
            keys: &[
                Key::new("bettor.nombre", "NOMBRE", "nombre")
                    .also_read_as("CLI_BETTOR_NOMBRE")
                    .means("First names", "NAMES"),
                Key::new("bettor.apellido", "APELLIDO", "apellido")
                    .also_read_as("CLI_BETTOR_APELLIDO")
                    .means("Last names", "NAMES"),
                Key::new("bettor.documento", "DOCUMENTO", "documento")
                    .also_read_as("CLI_BETTOR_DOCUMENTO")
                    .means("DNI", "N"),
                Key::new("bettor.nacimiento", "NACIMIENTO", "nacimiento")
                    .also_read_as("CLI_BETTOR_NACIMIENTO")
                    .means("Birthdate", "YYYY-MM-DD"),
                Key::new("bettor.numero", "NUMERO", "numero")
                    .also_read_as("CLI_BETTOR_NUMERO")
                    .means("Number bet on, 0 to 9999", "N"),
            ],
        },
        Group {
            heading: "Mode echo",
            keys: &[
                Key::new("loop.amount", "CLI_LOOP_AMOUNT", "loop-amount")
                    .or("5")
                    .means("Messages", "N"),
                Key::new("loop.period", "CLI_LOOP_PERIOD", "loop-period")
                    .or("5s")
                    .means("Pause after each", "TIME"),
            ],
        },
    ],
    parse_file,
};

/// Makes nested keys into dotted ones.
fn parse_file(text: &str) -> Result<Entries, String> {
    let mut entries = Entries::new();
    let root = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    flatten("", &root, &mut entries)?;
    Ok(entries)
}

fn flatten(path: &str, value: &Value, entries: &mut Entries) -> Result<(), String> {
    let text = match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                let key = key
                    .as_str()
                    .ok_or_else(|| format!("a key under {path:?} is no text"))?;
                let path = if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, entries)?;
            }
            return Ok(());
        }
        Value::Null if path.is_empty() => return Ok(()),
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        Value::Sequence(_) | Value::Tagged(_) => {
            return Err(format!("{path:?} has no single value"));
        }
    };
    if path.is_empty() {
        return Err("no keys".to_owned());
    }
    entries.push((path.to_owned(), text));
    Ok(())
}

impl Config {
    /// The configuration of this run; `today` is the day on which a single bet must be valid.
    ///
    /// # Errors
    ///
    /// The first mistake, as one line for the user.
    pub fn load(
        flags: &ArgMatches,
        environment: impl Fn(&str) -> Option<OsString>,
        today: Date,
    ) -> Result<Config, SettingsError> {
        let settings = DECLARATION.gather(flags, environment)?;
        let id = settings.value("id", &whole(1..=u32::MAX))?;
        let pace = Pace {
            batch_bets_max: settings.value("batch.maxAmount", &whole(1..=u32::MAX))?,
            window: settings.value("batch.window", &whole(1..=WINDOW_MAX))?,
        };
        let amount = settings.value("loop.amount", &whole(0..=u32::MAX))?;
        let period = settings.value("loop.period", &values::duration())?;
        let mode = match settings.value("mode", &one_of(MODES))? {
            ModeName::Echo => Mode::Echo { amount, period },
            ModeName::Lottery => {
                let path = settings.value("data.path", &text("a readable CSV file of bets"))?;
                let path = path.replace(ID_PLACEHOLDER, &id.to_string()).into();
                Mode::Lottery { path, pace }
            }
            ModeName::SingleBet => {
                let bet = Box::new(single_bet(&settings, id, today)?);
                Mode::SingleBet { bet, pace }
            }
        };
        Ok(Config {
            id,
            network: Network {
                server_address: settings
                    .value("server.address", &Kind::new("HOST:PORT", address))?,
                socket_timeout: settings.value("socket.timeout", &values::timeout())?,
                retry_timeout: settings.value("retry.timeout", &values::duration())?,
            },
            log_level: settings.value("log.level", &values::level())?,
            mode,
            as_written: settings.as_written(AS_LOGGED),
        })
    }
}

/// The modes as the user names them.
#[derive(Clone, Copy)]
enum ModeName {
    Lottery,
    SingleBet,
    Echo,
}

const MODES: &[(&str, ModeName)] = &[
    ("lottery", ModeName::Lottery),
    ("single-bet", ModeName::SingleBet),
    ("echo", ModeName::Echo),
];

/// The keys that the log tells of, under the names that it gives them.
const AS_LOGGED: &[(&str, &str)] = &[
    ("client_id", "id"),
    ("server_address", "server.address"),
    ("loop_amount", "loop.amount"),
    ("loop_period", "loop.period"),
    ("log_level", "log.level"),
    ("mode", "mode"),
    ("batch_max_amount", "batch.maxAmount"),
    ("batch_window", "batch.window"),
    ("data_path", "data.path"),
    ("socket_timeout", "socket.timeout"),
    ("retry_timeout", "retry.timeout"),
];

fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = values::number(port)?;
    (!host.is_empty() && port > 0).then(|| text.to_owned())
}

/// The fields of the one bet, and the keys that set them.
const BET: [(Field, &str); 5] = [
    (Field::FirstName, "bettor.nombre"),
    (Field::LastName, "bettor.apellido"),
    (Field::Document, "bettor.documento"),
    (Field::Birthdate, "bettor.nacimiento"),
    (Field::Number, "bettor.numero"),
];

fn single_bet(settings: &Settings, id: u32, today: Date) -> Result<SingleBet, SettingsError> {
    let mut texts = Vec::with_capacity(BET.len());
    for (field, key) in BET {
        let any_text = Kind::new(field.expected(), |text| Some(text.to_owned()));
        texts.push(settings.value(key, &any_text)?);
    }
    let [first_name, last_name, document, birthdate, number] =
        std::array::from_fn(|field| texts[field].as_bytes());
    let text = BetText {
        first_name,
        last_name,
        document,
        birthdate,
        number,
    };
    SingleBet::new(id, &text, today).map_err(|invalid| {
        let at_fault = BET.iter().find(|(field, _)| *field == invalid.field);
        let key = at_fault.map_or("id", |(_, key)| key);
        settings.bad_value(key, invalid.field.expected())
    })
}
