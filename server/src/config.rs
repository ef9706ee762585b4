//! How the server is set up: `config.ini`, the environment, flags.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::ArgMatches;
use ini::{Ini, ParseOption};
use log::LevelFilter;
use lottery_core::bet::NUMBER_MAX;
use lottery_core::protocol::AGENCY_MESSAGE_BYTES_MAX;
use lottery_program::settings::{Declaration, Entries, Group, Key, SettingsError};
use lottery_program::values::{self, Kind, number, one_of, text, whole};

use crate::central::{Durability, Rules};
use crate::event_loop::Limits;

/// What MAX_FRAME may be: at least what agencies of ours may send, and at most what each connection
/// may make the server keep.
const FRAME_BYTES: RangeInclusive<usize> = AGENCY_MESSAGE_BYTES_MAX..=16 << 20;

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

/// A key of the file; its variable in the environment has the same name.
const fn key(name: &'static str, flag: &'static str, default: &'static str) -> Key {
    Key::new(name, name, flag).or(default)
}

/// The server's settings.
pub static DECLARATION: Declaration = Declaration {
    default_file: "config.ini",
    file_expected: "an INI file with a section [DEFAULT] of KEY = VALUE lines",
    groups: &[
        Group {
            heading: "Network",
            keys: &[
                key("SERVER_PORT", "server-port", "12345")
                    .means("TCP port; 0 asks the system for one", "PORT"),
                key("SERVER_IP", "server-ip", "server")
                    .means("Name that clients use; never bound to", "NAME"),
                key("SERVER_BIND", "server-bind", "0.0.0.0")
                    .means("Address to listen on", "ADDRESS"),
                key("SERVER_LISTEN_BACKLOG", "server-listen-backlog", "1024")
                    .means("Backlog given to listen(2)", "N"),
                key("MAX_CONNECTIONS", "max-connections", "20000")
                    .means("Connections open at once", "N"),
                key("IDLE_TIMEOUT", "idle-timeout", "60s")
                    .means("Closes who owes bytes and sends none; 0: never", "TIME"),
                key("MAX_FRAME", "max-frame", "64KiB").means("Largest message accepted", "SIZE"),
            ],
        },
        Group {
            heading: "Lottery",
            keys: &[
                key("SERVER_MODE", "server-mode", "lottery").means("lottery or echo", "MODE"),
                key("NUM_AGENCIES", "num-agencies", "5").means("Agencies 1 to N take part", "N"),
                key("WINNING_NUMBER", "winning-number", "7574").means("The number drawn", "N"),
                key("DRAW_TIMEOUT", "draw-timeout", "0")
                    .means("Longest wait for the draw; 0: for ever", "TIME"),
            ],
        },
        Group {
            heading: "Storage and log",
            keys: &[
                key("STORAGE_DIR", "storage-dir", ".")
                    .means("Folder of bets.csv and closings.csv", "DIR"),
                key("DURABILITY", "durability", "always")
                    .means("When bets are fsynced: always, everysec, no", "WHEN"),
                key("LOGGING_LEVEL", "logging-level", "INFO")
                    .means("DEBUG, INFO, WARNING, ERROR, CRITICAL", "LEVEL"),
            ],
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
        let backlog = settings.value("SERVER_LISTEN_BACKLOG", &whole(1..=65_535))?;
        let port = Kind::new("a port from 0 to 65535", number);
        let bind = Kind::new("an IP address", |text| text.parse::<IpAddr>().ok());
        settings.value("SERVER_IP", &text("a host name or address"))?;
        Ok(Config {
            address: SocketAddr::new(
                settings.value("SERVER_BIND", &bind)?,
                settings.value("SERVER_PORT", &port)?,
            ),
            listen_backlog: backlog,
            logging_level: settings.value("LOGGING_LEVEL", &values::level())?,
            mode: settings.value("SERVER_MODE", &one_of(MODES))?,
            rules: Rules {
                agencies: settings.value("NUM_AGENCIES", &whole(0..=1_000_000))?,
                winning_number: settings.value("WINNING_NUMBER", &whole(0..=NUMBER_MAX))?,
                durability: settings.value("DURABILITY", &one_of(DURABILITIES))?,
                draw_timeout: settings.value("DRAW_TIMEOUT", &values::limit())?,
            },
            storage_dir: settings.value("STORAGE_DIR", &text("a folder"))?.into(),
            frame_bytes_max: settings.value("MAX_FRAME", &values::bytes(FRAME_BYTES))?,
            limits: Limits {
                idle_timeout: settings.value("IDLE_TIMEOUT", &values::limit())?,
                connections_max: settings.value("MAX_CONNECTIONS", &whole(1..=1_000_000))?,
            },
            as_written: settings.as_written(AS_LOGGED),
        })
    }
}

/// The keys that the log tells of, under the names that it gives them.
const AS_LOGGED: &[(&str, &str)] = &[
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
];

const MODES: &[(&str, Mode)] = &[("lottery", Mode::Lottery), ("echo", Mode::Echo)];

const DURABILITIES: &[(&str, Durability)] = &[
    ("always", Durability::Always),
    ("everysec", Durability::EverySecond),
    ("no", Durability::No),
];
