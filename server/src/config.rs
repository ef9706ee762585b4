//! How the server is set up: `config.ini`, the environment, flags.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use log::LevelFilter;
use lottery_core::bet::NUMBER_MAX;
use lottery_core::codec::native::AGENCY_MESSAGE_BYTES_MAX;
use lottery_core::codec::{DIALECTS, Dialect};
use lottery_program::Complaint;
use lottery_program::settings::{Entries, Settings, SettingsFile};
use lottery_program::values::{Limit, Parsed, bytes, level, limit, number, text, whole};

use crate::central::{Durability, Rules};
use crate::limits::{DESCRIPTORS_RESERVED, FRAME_BYTES_MAX, VIEWERS_MAX};
use crate::reactor::Limits;
use crate::tls::TlsFiles;

/// At least what our agencies may send.
const FRAME_BYTES: RangeInclusive<usize> = AGENCY_MESSAGE_BYTES_MAX..=FRAME_BYTES_MAX;

/// The server's configuration. Fields are named after the settings.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// TCP port; 0 asks the system for one
    #[arg(default_value = "12345", value_parser = port)]
    pub server_port: u16,
    /// Backlog given to listen(2)
    #[arg(default_value = "1024", value_parser = whole(1..=65_535_i32))]
    pub server_listen_backlog: i32,
    /// DEBUG, INFO, WARNING, ERROR, CRITICAL
    #[arg(default_value = "INFO", value_parser = level)]
    pub logging_level: LevelFilter,
    /// lottery or echo
    #[arg(default_value = "lottery")]
    pub server_mode: Mode,
    /// Name that clients use; never bound to
    #[arg(default_value = "server", value_parser = text::<String>("a host name or address"))]
    pub server_ip: String,
    /// Address to listen on
    #[arg(default_value = "127.0.0.1", value_parser = address)]
    pub server_bind: IpAddr,
    /// What SERVER_PORT speaks: native, frames, flags, lines, sized
    #[arg(default_value = "native", value_parser = dialect)]
    pub server_dialect: &'static Dialect,
    /// Further ports and what they speak, such as frames:12346,lines:12348
    #[arg(default_value = "", value_parser = dialect_ports)]
    pub dialect_ports: DialectPorts,
    /// Agencies 1 to N take part
    #[arg(default_value = "5", value_parser = whole(0..=1_000_000_u32))]
    pub num_agencies: u32,
    /// The number drawn
    #[arg(default_value = "7574", value_parser = whole(0..=NUMBER_MAX), global = true)]
    pub winning_number: u32,
    /// Longest wait for the draw; 0: for ever
    #[arg(default_value = "0", value_parser = limit)]
    pub draw_timeout: Limit,
    /// Folder of bets.csv, closings.csv and draw.csv
    #[arg(default_value = ".", value_parser = text::<PathBuf>("a folder"), global = true)]
    pub storage_dir: PathBuf,
    /// When bets are fsynced: always, everysec, no
    #[arg(default_value = "always", value_parser = durability)]
    pub durability: Durability,
    /// Closes a connection that is silent, stuck in a message, or not identified for so long; 0: never
    #[arg(default_value = "60s", value_parser = limit)]
    pub idle_timeout: Limit,
    /// Largest message accepted
    #[arg(default_value = "64KiB")]
    #[arg(value_parser = bytes("a size from 8KiB to 1MiB", FRAME_BYTES))]
    pub max_frame: usize,
    /// Connections open at once
    #[arg(default_value = "20000", value_parser = whole(1..=1_000_000_usize))]
    pub max_connections: usize,
    /// Most bets of one agency; 0: any number
    #[arg(default_value = "0", value_parser = whole(0..=u64::MAX))]
    pub max_bets_per_agency: u64,
    /// Memory for all unfinished messages and unsent answers
    #[arg(default_value = "64MiB")]
    #[arg(value_parser = bytes("a size from 1MiB to 16GiB", 1 << 20..=16 << 30))]
    pub memory_max: usize,
    /// Port of the board, /metrics, /healthz, /readyz and /status.json
    #[arg(default_value = "off", value_parser = port_or_off)]
    pub http_port: PortOrOff,
    /// Address for HTTP_PORT [default: that of SERVER_BIND]
    #[arg(value_parser = address)]
    pub http_bind: Option<IpAddr>,
    /// Our certificate; set with TLS_KEY and TLS_CLIENT_CA, or not at all
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_cert: Option<PathBuf>,
    /// Its key
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_key: Option<PathBuf>,
    /// Who signs the agencies' certificates
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_client_ca: Option<PathBuf>,
    /// The certificates that they revoked
    #[arg(value_parser = text::<PathBuf>(PEM))]
    pub tls_client_crl: Option<PathBuf>,
}

/// What the server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The lottery.
    Lottery,
    /// One message back for one message.
    Echo,
}

/// Ports beside the first, and what each speaks.
pub type DialectPorts = Vec<(&'static Dialect, u16)>;

/// A port, or none.
pub type PortOrOff = Option<u16>;

const PEM: &str = "a PEM file";

fn durability(text: &str) -> Parsed<Durability> {
    match text {
        "always" => Ok(Durability::Always),
        "everysec" => Ok(Durability::EverySecond),
        "no" => Ok(Durability::No),
        _ => Err("always, everysec or no".to_owned()),
    }
}

fn port(text: &str) -> Parsed<u16> {
    number(text).ok_or("a port from 0 to 65535".to_owned())
}

fn port_or_off(text: &str) -> Parsed<PortOrOff> {
    match text {
        "off" => Ok(None),
        port => number(port)
            .map(Some)
            .ok_or("a port from 0 to 65535, or off".to_owned()),
    }
}

fn address(text: &str) -> Parsed<IpAddr> {
    text.parse().map_err(|_| "an IP address".to_owned())
}

fn dialect(text: &str) -> Parsed<&'static Dialect> {
    let names = DIALECTS.each_ref().map(|dialect| dialect.name).join(", ");
    Dialect::named(text).ok_or(format!("one of {names}"))
}

fn dialect_ports(text: &str) -> Parsed<DialectPorts> {
    let entry = |entry: &str| {
        let (dialect, port) = entry.trim().split_once(':')?;
        Some((Dialect::named(dialect)?, number(port)?))
    };
    let entries = text.split(',').filter(|_| !text.is_empty());
    let ports: Option<_> = entries.map(entry).collect();
    ports.ok_or("dialects and ports, such as frames:12346,lines:12348".to_owned())
}

const FILE: SettingsFile = SettingsFile {
    default_path: "config.ini",
    headings: &[
        ("server_port", "Server"),
        ("num_agencies", "Lottery"),
        ("storage_dir", "Storage"),
        ("idle_timeout", "Limits"),
        ("http_port", "HTTP"),
        ("tls_cert", "Mutual TLS"),
    ],
    expected: "an INI file with a section [DEFAULT] of KEY = VALUE lines",
    parse: parse_ini,
    key: |field| field.to_uppercase(),
    variable: |key| key.to_owned(),
};

/// Takes the keys of the one section; Python's `configparser` folds their case, and so does this.
fn parse_ini(text: &str) -> Result<Entries, String> {
    let mut entries = Entries::new();
    let mut is_in_section = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let wrong = |what: String| Err(format!("line {number}: {what}"));
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        } else if line == "[DEFAULT]" {
            is_in_section = true;
        } else if line.starts_with('[') {
            return wrong(format!("unknown section {line}"));
        } else if !is_in_section {
            return wrong(format!("{line:?} stands before the section"));
        } else if let Some((key, value)) = line.split_once(['=', ':']) {
            let (key, value) = (key.trim_end().to_uppercase(), value.trim_start());
            if entries.insert(key.clone(), value.to_owned()).is_some() {
                return wrong(format!("{key} is set a second time"));
            }
        } else {
            return wrong(format!("no '=' in {line:?}"));
        }
    }
    Ok(entries)
}

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
        let mut tls = vec!["tls_cert", "tls_key", "tls_client_ca"];
        let expected = "a PEM file, as for all of TLS_CERT, TLS_KEY and TLS_CLIENT_CA or for none";
        tls.extend(config.tls_client_crl.is_some().then_some("tls_client_crl"));
        settings.expect_together(&tls, expected)?;
        Ok((config, settings))
    }

    /// The settings under the names that the log gives them.
    pub fn as_logged(settings: &Settings) -> Vec<(String, String)> {
        let name = |field: &str| field.trim_start_matches("server_").to_owned();
        let written = settings.as_written();
        written
            .map(|(field, text)| (name(field), text.to_owned()))
            .collect()
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        (self.server_bind, self.server_port).into()
    }

    /// Where HTTP listens, if it does.
    pub fn http_address(&self) -> Option<SocketAddr> {
        let port = self.http_port?;
        Some((self.http_bind.unwrap_or(self.server_bind), port).into())
    }

    /// Where certificates and keys are, if SERVER_PORT takes TLS.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            client_authorities: self.tls_client_ca.clone()?,
            revoked: self.tls_client_crl.clone(),
        })
    }

    /// The lottery's rules.
    pub fn rules(&self) -> Rules {
        Rules {
            agencies: self.num_agencies,
            winning_number: self.winning_number,
            durability: self.durability,
            draw_timeout: self.draw_timeout,
            agency_bets_max: (self.max_bets_per_agency > 0).then_some(self.max_bets_per_agency),
        }
    }

    /// Bounds of the event loop, for a program that may have so many descriptors. When they are few,
    /// viewers get a quarter of them.
    pub fn limits(&self, descriptors: usize) -> Limits {
        let descriptors = descriptors - DESCRIPTORS_RESERVED.min(descriptors / 2);
        let viewers_max = VIEWERS_MAX.min(descriptors / 4);
        Limits {
            idle_timeout: self.idle_timeout,
            connections_max: self.max_connections.min(descriptors - viewers_max),
            viewers_max,
            memory_bytes_max: self.memory_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_of_the_file_is_told_with_its_number() {
        for (text, complaint) in [
            ("[DEFAULT]\n\n# note\nB\nA = 1\n", "line 4: no '=' in \"B\""),
            (
                "A = 1\n[DEFAULT]",
                "line 1: \"A = 1\" stands before the section",
            ),
            (
                "[DEFAULT]\r\n[SERVER]\r\n",
                "line 2: unknown section [SERVER]",
            ),
            ("[DEFAULT\nA = 1\n", "line 1: unknown section [DEFAULT"),
            ("[DEFAULT]\nA = 1\na: 2\n", "line 3: A is set a second time"),
        ] {
            assert_eq!(parse_ini(text), Err(complaint.to_owned()), "{text:?}");
        }
        let entries = parse_ini("; note\n[DEFAULT]\n a =  x = y \nB:\n").unwrap();
        let expected = [("A", "x = y"), ("B", "")];
        assert_eq!(
            entries,
            expected
                .map(|(key, value)| (key.into(), value.into()))
                .into()
        );
    }

    #[test]
    fn dialects_and_their_ports_are_read() {
        let ports = dialect_ports("frames:12346, native:0").unwrap();
        let ports = ports.iter().map(|(dialect, port)| (dialect.name, *port));
        assert!(ports.eq([("frames", 12346), ("native", 0)]));
    }
}
