//! How the client is set up: `config.yaml`, the environment, flags.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use log::LevelFilter;
use lottery_core::bet::{BetText, Field};
use lottery_core::date::Date;
use lottery_program::settings::{Declaration, Entries, Key, Settings, SettingsError};
use lottery_program::values;
use serde_yaml::Value;

use crate::agency::Pace;
use crate::bet_source::SingleBet;

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

const CONNECTION: &str = "Connection";
const BETS: &str = "Bets";
const SINGLE_BET: &str = "The bet of mode single-bet";
const ECHO: &str = "Mode echo";
const GENERAL: &str = "General";

const fn key(
    name: &'static str,
    variables: &'static [&'static str],
    flag: &'static str,
    default: Option<&'static str>,
    group: &'static str,
) -> Key {
    Key {
        name,
        variables,
        flag,
        value_name: "VALUE",
        default,
        expected: "",
        help: "",
        group,
    }
}

const DURATION: &str = "a duration such as 15s, 100ms or 1m30s";

/// The client's settings.
pub static DECLARATION: Declaration = Declaration {
    default_file: "config.yaml",
    file_expected: "YAML with nested keys, such as server: {address: \"server:12345\"}",
    keys: &[
        Key {
            expected: "a whole number from 1",
            help: "The agency's number, required",
            value_name: "N",
            ..key("id", &["CLI_ID"], "id", None, GENERAL)
        },
        Key {
            expected: "lottery, single-bet or echo",
            help: "lottery, single-bet or echo",
            value_name: "MODE",
            ..key("mode", &["CLI_MODE"], "mode", Some("lottery"), GENERAL)
        },
        Key {
            expected: "DEBUG, INFO, WARNING, ERROR or CRITICAL",
            help: "DEBUG, INFO, WARNING, ERROR, CRITICAL",
            value_name: "LEVEL",
            ..key(
                "log.level",
                &["CLI_LOG_LEVEL"],
                "log-level",
                Some("INFO"),
                GENERAL,
            )
        },
        Key {
            expected: "HOST:PORT",
            help: "The central's address",
            value_name: "HOST:PORT",
            ..key(
                "server.address",
                &["CLI_SERVER_ADDRESS"],
                "server-address",
                Some("server:12345"),
                CONNECTION,
            )
        },
        Key {
            expected: DURATION,
            help: "For connecting and for each answer but the draw",
            value_name: "DURATION",
            ..key(
                "socket.timeout",
                &["CLI_SOCKET_TIMEOUT"],
                "socket-timeout",
                Some("15s"),
                CONNECTION,
            )
        },
        Key {
            expected: DURATION,
            help: "For reconnecting before giving up",
            value_name: "DURATION",
            ..key(
                "retry.timeout",
                &["CLI_RETRY_TIMEOUT"],
                "retry-timeout",
                Some("60s"),
                CONNECTION,
            )
        },
        Key {
            expected: "a readable CSV file; {id} stands for the agency's number",
            help: "The agency's bets",
            value_name: "FILE",
            ..key(
                "data.path",
                &["CLI_DATA_PATH"],
                "data-path",
                Some(".data/agency-{id}.csv"),
                BETS,
            )
        },
        Key {
            expected: "a whole number from 1",
            help: "Bets in a message, of at most 8192 bytes",
            value_name: "N",
            ..key(
                "batch.maxAmount",
                &["CLI_BATCH_MAXAMOUNT"],
                "batch-max-amount",
                Some("125"),
                BETS,
            )
        },
        Key {
            expected: "a whole number from 1 to 4096",
            help: "Messages unanswered at once",
            value_name: "N",
            ..key(
                "batch.window",
                &["CLI_BATCH_WINDOW"],
                "batch-window",
                Some("128"),
                BETS,
            )
        },
        Key {
            expected: Field::FirstName.expected(),
            help: "First names",
            ..key(
                "bettor.nombre",
                &["NOMBRE", "CLI_BETTOR_NOMBRE"],
                "nombre",
                None,
                SINGLE_BET,
            )
        },
        Key {
            expected: Field::LastName.expected(),
            help: "Last names",
            ..key(
                "bettor.apellido",
                &["APELLIDO", "CLI_BETTOR_APELLIDO"],
                "apellido",
                None,
                SINGLE_BET,
            )
        },
        Key {
            expected: Field::Document.expected(),
            help: "DNI",
            ..key(
                "bettor.documento",
                &["DOCUMENTO", "CLI_BETTOR_DOCUMENTO"],
                "documento",
                None,
                SINGLE_BET,
            )
        },
        Key {
            expected: Field::Birthdate.expected(),
            help: "Birthdate, YYYY-MM-DD",
            ..key(
                "bettor.nacimiento",
                &["NACIMIENTO", "CLI_BETTOR_NACIMIENTO"],
                "nacimiento",
                None,
                SINGLE_BET,
            )
        },
        Key {
            expected: Field::Number.expected(),
            help: "Number bet on, 0 to 9999",
            ..key(
                "bettor.numero",
                &["NUMERO", "CLI_BETTOR_NUMERO"],
                "numero",
                None,
                SINGLE_BET,
            )
        },
        Key {
            expected: "a whole number from 0",
            help: "Messages",
            value_name: "N",
            ..key(
                "loop.amount",
                &["CLI_LOOP_AMOUNT"],
                "loop-amount",
                Some("5"),
                ECHO,
            )
        },
        Key {
            expected: DURATION,
            help: "Pause after each",
            value_name: "DURATION",
            ..key(
                "loop.period",
                &["CLI_LOOP_PERIOD"],
                "loop-period",
                Some("5s"),
                ECHO,
            )
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
        let id = settings.value("id", positive)?;
        let pace = Pace {
            batch_bets_max: settings.value("batch.maxAmount", positive)?,
            window: settings.value("batch.window", |text| {
                values::number(text).filter(|window| (1..=4096).contains(window))
            })?,
        };
        let amount = settings.value("loop.amount", values::number)?;
        let period = settings.value("loop.period", values::duration)?;
        let mode = match settings.text("mode")? {
            "echo" => Mode::Echo { amount, period },
            "lottery" => Mode::Lottery {
                path: data_path(&settings, id)?,
                pace,
            },
            "single-bet" => {
                let bet = Box::new(single_bet(&settings, id, today)?);
                Mode::SingleBet { bet, pace }
            }
            _ => return Err(settings.bad_value("mode", "lottery, single-bet or echo")),
        };
        Ok(Config {
            id,
            network: Network {
                server_address: settings.value("server.address", address)?,
                socket_timeout: settings.value("socket.timeout", |text| {
                    values::duration(text).filter(|timeout| !timeout.is_zero())
                })?,
                retry_timeout: settings.value("retry.timeout", values::duration)?,
            },
            log_level: settings.value("log.level", values::level)?,
            mode,
            as_written: as_written(&settings)?,
        })
    }

    /// The complaint about a file of bets that cannot be read.
    pub fn unreadable_data(path: &std::path::Path, error: &std::io::Error) -> String {
        let path = path.display();
        format!("data.path: {path:?} cannot be read: {error}; expected a readable CSV file of bets")
    }
}

fn as_written(settings: &Settings) -> Result<Vec<(&'static str, String)>, SettingsError> {
    [
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
    ]
    .into_iter()
    .map(|(label, key)| Ok((label, settings.text(key)?.to_owned())))
    .collect()
}

fn positive(text: &str) -> Option<u32> {
    values::number(text).filter(|number| *number >= 1)
}

fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = values::number(port)?;
    (!host.is_empty() && port > 0).then(|| text.to_owned())
}

fn data_path(settings: &Settings, id: u32) -> Result<PathBuf, SettingsError> {
    let path = settings.text("data.path")?;
    Ok(path.replace(ID_PLACEHOLDER, &id.to_string()).into())
}

fn single_bet(settings: &Settings, id: u32, today: Date) -> Result<SingleBet, SettingsError> {
    let text = BetText {
        first_name: settings.text("bettor.nombre")?.as_bytes(),
        last_name: settings.text("bettor.apellido")?.as_bytes(),
        document: settings.text("bettor.documento")?.as_bytes(),
        birthdate: settings.text("bettor.nacimiento")?.as_bytes(),
        number: settings.text("bettor.numero")?.as_bytes(),
    };
    SingleBet::new(id, &text, today).map_err(|invalid| {
        let key = match invalid.field {
            Field::Agency => "id",
            Field::FirstName => "bettor.nombre",
            Field::LastName => "bettor.apellido",
            Field::Document => "bettor.documento",
            Field::Birthdate => "bettor.nacimiento",
            Field::Number => "bettor.numero",
        };
        settings.bad_value(key, invalid.field.expected())
    })
}
