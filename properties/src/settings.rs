//! The configuration files: whatever is in them, the program begins or complains in one line.

use std::ffi::OsString;

use clap::{ArgMatches, Command};
use lottery_program::command_line::parse;
use lottery_program::settings::{Declaration, SettingsError};

use crate::TODAY;
use crate::scratch::with_file;

/// The server's INI.
pub fn check_server(contents: &[u8]) {
    let config = load(contents, &server::config::DECLARATION, |flags| {
        server::config::Config::load(flags, |_| None)
    });
    if let Some(config) = config {
        assert!(config.frame_bytes_max >= 8192 && config.limits.connections_max > 0);
        assert!(!config.storage_dir.as_os_str().is_empty());
    }
}

/// The client's YAML.
pub fn check_client(contents: &[u8]) {
    // The one key that is required comes from the file, or from elsewhere.
    for id in [None, Some("7")] {
        let config = load(contents, &client::config::DECLARATION, |flags| {
            let environment = |name: &str| id.filter(|_| name == "CLI_ID").map(OsString::from);
            client::config::Config::load(flags, environment, TODAY)
        });
        if let Some(config) = config {
            assert!(config.id > 0);
            assert!(!config.network.socket_timeout.is_zero());
        }
    }
}

fn load<T>(
    contents: &[u8],
    declaration: &'static Declaration,
    load: impl FnOnce(&ArgMatches) -> Result<T, SettingsError>,
) -> Option<T> {
    with_file(contents, |path| {
        let command = declaration.add_flags(Command::new("program"));
        let arguments = ["program".into(), "--config".into(), path.into()];
        let flags = parse(command, arguments).unwrap();
        match load(&flags) {
            Ok(config) => Some(config),
            Err(error) => {
                let complaint = error.to_string();
                let is_line = !complaint.contains(char::is_control);
                assert!(is_line, "not one line: {complaint:?}");
                None
            }
        }
    })
}
