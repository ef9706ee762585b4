//! How the server is set up: `config.ini`, the environment, flags.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::ArgMatches;
use ini::{Ini, ParseOption};
use log::LevelFilter;
use lottery_core::bet::NUMBER_MAX;
use lottery_program::settings::{Declaration, Entries, Key, Settings, SettingsError};
use lottery_program::values;

use crate::central::{Durability, Rules};
use crate::event_loop::Limits;

/// The smallest MAX_FRAME: what agencies of ours may send.
const FRAME_BYTES_MIN: usize = lottery_core::protocol::AGENCY_MESSAGE_BYTES_MAX;

/// The largest MAX_FRAME: each connection may make the server keep this much.
const FRAME_BYTES_MAX: usize = 16 << 20;

const SECTION: &str = "DEFAULT";

/// What the server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The lottery.
    Lottery,
    /// One message back for one message.
    Echo,
}

/// The server's configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub address: SocketAddr,
    /// The backlog given to `listen(2)`.
    pub listen_backlog: i32,
    /// The level of the log.
    pub logging_level: LevelFilter,
    /// What to serve.
    pub mode: Mode,
    /// The lottery's rules.
    pub rules: Rules,
    /// Where the files of the store are.
    pub storage_dir: PathBuf,
    /// The largest message accepted, in bytes.
    pub frame_bytes_max: usize,
    /// Bounds of the event loop.
    pub limits: Limits,
    /// Every setting as the user wrote it, for the log.
    pub as_written: Vec<(&'static str, String)>,
}

const fn key(
    name: &'static str,
    variables: &'static [&'static str],
    flag: &'static str,
    default: &'static str,
    group: &'static str,
) -> Key {
    Key {
        name,
        variables,
        flag,
        value_name: "VALUE",
        default: Some(default),
        expected: "",
        help: "",
        group,
    }
}

const NETWORK: &str = "Network";
const LOTTERY: &str = "Lottery";
const STORAGE: &str = "Storage";
const LIMITS: &str = "Limits";
const GENERAL: &str = "General";

/// The server's settings.
pub static DECLARATION: Declaration = Declaration {
    default_file: "config.ini",
    file_expected: "an INI file with a section [DEFAULT] of KEY = VALUE lines",
    keys: &[
        Key {
            expected: "a port from 0 to 65535",
            help: "TCP port; 0 asks the system for one",
            value_name: "PORT",
            ..key(
                "SERVER_PORT",
                &["SERVER_PORT"],
                "server-port",
                "12345",
                NETWORK,
            )
        },
        Key {
            expected: "a host name or address",
            help: "Name that clients use; never bound to",
            value_name: "NAME",
            ..key("SERVER_IP", &["SERVER_IP"], "server-ip", "server", NETWORK)
        },
        Key {
            expected: "an IP address",
            help: "Address to listen on",
            value_name: "ADDRESS",
            ..key(
                "SERVER_BIND",
                &["SERVER_BIND"],
                "server-bind",
                "0.0.0.0",
                NETWORK,
            )
        },
        Key {
            expected: "a whole number from 1 to 65535",
            help: "Backlog given to listen(2)",
            value_name: "N",
            ..key(
                "SERVER_LISTEN_BACKLOG",
                &["SERVER_LISTEN_BACKLOG"],
                "server-listen-backlog",
                "1024",
                NETWORK,
            )
        },
        Key {
            expected: "lottery or echo",
            help: "lottery, or echo",
            value_name: "MODE",
            ..key(
                "SERVER_MODE",
                &["SERVER_MODE"],
                "server-mode",
                "lottery",
                LOTTERY,
            )
        },
        Key {
            expected: "a whole number from 0 to 1000000",
            help: "Agencies 1 to N take part",
            value_name: "N",
            ..key(
                "NUM_AGENCIES",
                &["NUM_AGENCIES"],
                "num-agencies",
                "5",
                LOTTERY,
            )
        },
        Key {
            expected: "a whole number from 0 to 9999",
            help: "The number drawn",
            value_name: "NUMBER",
            ..key(
                "WINNING_NUMBER",
                &["WINNING_NUMBER"],
                "winning-number",
                "7574",
                LOTTERY,
            )
        },
        Key {
            expected: "a duration such as 30s or 1m30s, or 0 for no limit",
            help: "Longest wait for the draw; 0 waits for ever",
            value_name: "DURATION",
            ..key(
                "DRAW_TIMEOUT",
                &["DRAW_TIMEOUT"],
                "draw-timeout",
                "0",
                LOTTERY,
            )
        },
        Key {
            expected: "a folder",
            help: "Folder of bets.csv and closings.csv",
            value_name: "DIR",
            ..key("STORAGE_DIR", &["STORAGE_DIR"], "storage-dir", ".", STORAGE)
        },
        Key {
            expected: "always, everysec or no",
            help: "When bets are fsynced: always, everysec, no",
            value_name: "WHEN",
            ..key(
                "DURABILITY",
                &["DURABILITY"],
                "durability",
                "always",
                STORAGE,
            )
        },
        Key {
            expected: "a duration such as 30s or 1m30s, or 0 for no limit",
            help: "Closes who owes bytes and sends none; 0 is off",
            value_name: "DURATION",
            ..key(
                "IDLE_TIMEOUT",
                &["IDLE_TIMEOUT"],
                "idle-timeout",
                "60s",
                LIMITS,
            )
        },
        Key {
            expected: "a size from 8KiB to 16MiB",
            help: "Largest message accepted",
            value_name: "SIZE",
            ..key("MAX_FRAME", &["MAX_FRAME"], "max-frame", "64KiB", LIMITS)
        },
        Key {
            expected: "a whole number from 1 to 1000000",
            help: "Connections open at once",
            value_name: "N",
            ..key(
                "MAX_CONNECTIONS",
                &["MAX_CONNECTIONS"],
                "max-connections",
                "20000",
                LIMITS,
            )
        },
        Key {
            expected: "DEBUG, INFO, WARNING, ERROR or CRITICAL",
            help: "DEBUG, INFO, WARNING, ERROR, CRITICAL",
            value_name: "LEVEL",
            ..key(
                "LOGGING_LEVEL",
                &["LOGGING_LEVEL"],
                "logging-level",
                "INFO",
                GENERAL,
            )
        },
    ],
    parse_file,
};

/// Takes the keys of the one section; Python's `configparser` folds their case, and so does this.
fn parse_file(text: &str) -> Result<Entries, String> {
    let options = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        ..Default::default()
    };
    let ini = Ini::load_from_str_opt(text, options).map_err(|error| error.to_string())?;
    let mut entries = Entries::new();
    for (section, properties) in &ini {
        match section {
            Some(SECTION) => {}
            None if properties.is_empty() => {}
            Some(other) => return Err(format!("unknown section [{other}]")),
            None => return Err("keys before the first section".to_owned()),
        }
        for (key, value) in properties {
            entries.push((key.to_uppercase(), value.to_owned()));
        }
    }
    Ok(entries)
}

impl Config {
    /// The configuration of this run.
    ///
    /// # Errors
    ///
    /// The first mistake, as one line for the user.
    pub fn load(
        flags: &ArgMatches,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, SettingsError> {
        let settings = DECLARATION.gather(flags, environment)?;
        let limit = |name| {
            let limit = settings.value(name, values::duration)?;
            Ok::<_, SettingsError>((!limit.is_zero()).then_some(limit))
        };
        let whole = |name, range: std::ops::RangeInclusive<u32>| {
            settings.value(name, |text| {
                values::number(text).filter(|number| range.contains(number))
            })
        };
        let bind: IpAddr = settings.value("SERVER_BIND", |text| text.parse().ok())?;
        let port = settings.value("SERVER_PORT", values::number)?;
        settings.value("SERVER_IP", non_empty)?;
        Ok(Config {
            address: SocketAddr::new(bind, port),
            listen_backlog: whole("SERVER_LISTEN_BACKLOG", 1..=65_535)? as i32,
            logging_level: settings.value("LOGGING_LEVEL", values::level)?,
            mode: settings.value("SERVER_MODE", mode)?,
            rules: Rules {
                agencies: whole("NUM_AGENCIES", 0..=1_000_000)?,
                winning_number: whole("WINNING_NUMBER", 0..=NUMBER_MAX)?,
                durability: settings.value("DURABILITY", durability)?,
                draw_timeout: limit("DRAW_TIMEOUT")?,
            },
            storage_dir: settings.value("STORAGE_DIR", non_empty)?.into(),
            frame_bytes_max: settings.value("MAX_FRAME", frame_bytes)?,
            limits: Limits {
                idle_timeout: limit("IDLE_TIMEOUT")?,
                connections_max: whole("MAX_CONNECTIONS", 1..=1_000_000)? as usize,
            },
            as_written: as_written(&settings)?,
        })
    }
}

/// All settings under the names that the log line gives them.
fn as_written(settings: &Settings) -> Result<Vec<(&'static str, String)>, SettingsError> {
    [
        ("port", "SERVER_PORT"),
        ("listen_backlog", "SERVER_LISTEN_BACKLOG"),
        ("logging_level", "LOGGING_LEVEL"),
        ("bind", "SERVER_BIND"),
        ("mode", "SERVER_MODE"),
        ("num_agencies", "NUM_AGENCIES"),
        ("winning_number", "WINNING_NUMBER"),
        ("storage_dir", "STORAGE_DIR"),
        ("durability", "DURABILITY"),
        ("idle_timeout", "IDLE_TIMEOUT"),
        ("draw_timeout", "DRAW_TIMEOUT"),
        ("max_frame", "MAX_FRAME"),
        ("max_connections", "MAX_CONNECTIONS"),
    ]
    .into_iter()
    .map(|(label, key)| Ok((label, settings.text(key)?.to_owned())))
    .collect()
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "lottery" => Some(Mode::Lottery),
        "echo" => Some(Mode::Echo),
        _ => None,
    }
}

fn durability(text: &str) -> Option<Durability> {
    match text {
        "always" => Some(Durability::Always),
        "everysec" => Some(Durability::EverySecond),
        "no" => Some(Durability::No),
        _ => None,
    }
}

fn frame_bytes(text: &str) -> Option<usize> {
    values::bytes(text).filter(|bytes| (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(bytes))
}
