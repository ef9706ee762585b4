//! The layers, and the complaint about each kind of mistake.

use std::fs;

use super::*;
use crate::command_line::parse;
use crate::values;

static DECLARATION: Declaration = Declaration {
    default_file: "no-such-file.ini",
    file_expected: "lines of key=value",
    groups: &[Group {
        heading: "Network",
        keys: &[
            Key::new("PORT", "APP_PORT", "port")
                .also_read_as("PORT")
                .or("1")
                .means("Where to listen", "PORT"),
            Key::new("ID", "APP_ID", "id").means("Who we are", "N"),
        ],
    }],
    parse_file: |text| {
        text.lines()
            .map(|line| match line.split_once('=') {
                Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
                None => Err(format!("no '=' in {line:?}")),
            })
            .collect()
    },
};

fn gather(
    file: Option<&str>,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.ini");
    let mut command_line = vec![OsString::from("program")];
    command_line.extend(arguments.iter().map(OsString::from));
    if let Some(text) = file {
        fs::write(&path, text).unwrap();
        command_line.extend(["--config".into(), path.into()]);
    }
    let command = DECLARATION.add_flags(Command::new("program"));
    let flags = parse(command, command_line).unwrap();
    DECLARATION.gather(&flags, |name| {
        let variable = environment.iter().find(|(variable, _)| *variable == name)?;
        Some(variable.1.into())
    })
}

fn port(settings: &Settings) -> u16 {
    settings
        .value("PORT", &values::whole(0..=u16::MAX))
        .unwrap()
}

#[test]
fn each_layer_wins_over_the_ones_below_it() {
    let environment: &[_] = &[("APP_PORT", "3")];
    assert_eq!(port(&gather(None, &[], &[]).unwrap()), 1);
    assert_eq!(port(&gather(Some("PORT=2"), &[], &[]).unwrap()), 2);
    assert_eq!(port(&gather(Some("PORT=2"), environment, &[]).unwrap()), 3);
    assert_eq!(
        port(&gather(Some("PORT=2"), environment, &["--port", "4"]).unwrap()),
        4
    );
}

#[test]
fn the_first_of_a_keys_variables_counts() {
    let settings = gather(None, &[("PORT", "5"), ("APP_PORT", "6")], &[]).unwrap();
    assert_eq!(port(&settings), 6);
    assert_eq!(port(&gather(None, &[("PORT", "5")], &[]).unwrap()), 5);
}

#[test]
fn a_bad_value_is_named_with_its_key_its_place_and_what_was_expected() {
    for (environment, arguments, place) in [
        (&[("APP_PORT", "high")][..], &[][..], "environment APP_PORT"),
        (&[], &["--port", "high"], "--port"),
    ] {
        let settings = gather(None, environment, arguments).unwrap();
        let complaint = settings
            .value("PORT", &values::whole(0..=u16::MAX))
            .unwrap_err()
            .to_string();
        let expected = "expected a whole number from 0 to 65535";
        assert_eq!(
            complaint,
            format!("PORT: \"high\" ({place}) is not valid; {expected}")
        );
    }
}

#[test]
fn a_missing_key_is_named_with_every_place_to_set_it() {
    let settings = gather(None, &[], &[]).unwrap();
    assert_eq!(
        settings
            .value("ID", &values::text("a name"))
            .unwrap_err()
            .to_string(),
        "ID: not set; expected a name, in no-such-file.ini, as APP_ID or with --id"
    );
}

#[test]
fn a_file_with_a_mistake_is_an_error_and_says_which() {
    let complaint = |text| gather(Some(text), &[], &[]).unwrap_err().to_string();
    assert!(complaint("PROT=1").ends_with("unknown key \"PROT\"; did you mean \"PORT\"?"));
    assert!(complaint("COLOUR=1").ends_with("unknown key \"COLOUR\"; --help lists the keys"));
    assert!(complaint("PORT").ends_with("no '=' in \"PORT\"; expected lines of key=value"));
}

#[test]
fn a_complaint_is_one_line_whatever_the_parser_quotes() {
    let declaration = Declaration {
        parse_file: |text| Err(format!("what is {text}?")),
        ..DECLARATION
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.ini");
    fs::write(&path, "one\ntwo\r").unwrap();
    let complaint = declaration.read_file(Some(&path)).unwrap_err().to_string();
    assert!(complaint.contains("what is one\\ntwo\\r?"), "{complaint}");
}

#[test]
fn a_file_is_read_up_to_a_bound() {
    let text = |bytes| format!("PORT=2\nID={}", "x".repeat(bytes - 10));
    let bound = FILE_BYTES_MAX as usize;
    assert_eq!(port(&gather(Some(&text(bound)), &[], &[]).unwrap()), 2);
    let complaint = gather(None, &[], &["--config", "/dev/zero"]).unwrap_err();
    assert!(complaint.to_string().contains("is longer"), "{complaint}");
    let complaint = gather(Some(&text(bound + 1)), &[], &[]).unwrap_err();
    assert!(
        complaint.to_string().ends_with(
            "cannot be read: it is longer than 65536 bytes; expected lines of key=value"
        )
    );
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let complaint = gather(None, &[], &["--config", "missing.ini"])
        .unwrap_err()
        .to_string();
    assert!(
        complaint.starts_with("missing.ini: cannot be read: No such file"),
        "{complaint}"
    );
}
