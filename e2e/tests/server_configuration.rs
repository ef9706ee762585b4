//! How the server is set up, and what it says about each kind of mistake.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt;

use lottery_e2e::configuration::{Mistake, expect_mistakes};
use lottery_e2e::{ServerSetup, log};

/// Each key, values that it does not take, and what the complaint says is expected.
const MISTAKES: &[Mistake] = &[
    (
        "SERVER_PORT",
        &["", "port", "-1", "65536", "1.5", "12 34"],
        "a port from 0 to 65535",
    ),
    ("SERVER_IP", &[""], "a host name or address"),
    (
        "SERVER_BIND",
        &["", "localhost", "1.2.3", "256.0.0.1"],
        "an IP address",
    ),
    (
        "SERVER_LISTEN_BACKLOG",
        &["", "0", "-5", "many"],
        "a whole number from 1 to",
    ),
    (
        "LOGGING_LEVEL",
        &["", "LOUD", "INFOS"],
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    ),
    (
        "SERVER_MODE",
        &["", "ech", "lottery echo"],
        "lottery or echo",
    ),
    (
        "NUM_AGENCIES",
        &["", "-1", "five", "4294967296"],
        "a whole number from 0 to",
    ),
    ("STORAGE_DIR", &[""], "a folder"),
    (
        "DURABILITY",
        &["", "never", "sometimes"],
        "always, everysec or no",
    ),
    (
        "WINNING_NUMBER",
        &["", "10000", "-1"],
        "a whole number from 0 to 9999",
    ),
    (
        "IDLE_TIMEOUT",
        &["", "60", "-1s", "soon"],
        "a duration such as 30s",
    ),
    (
        "DRAW_TIMEOUT",
        &["", "1", "1 minute"],
        "a duration such as 30s",
    ),
    (
        "MAX_FRAME",
        &["", "8191", "1KiB", "17MiB", "64kb", "-1"],
        "a size from 8KiB to 16MiB",
    ),
    (
        "MAX_CONNECTIONS",
        &["", "0", "-1", "all"],
        "a whole number from 1 to",
    ),
];

/// A server that is configured in no way but by what the test adds.
fn bare() -> ServerSetup {
    ServerSetup::lottery(1).file("[DEFAULT]\n")
}

fn flag(key: &str) -> String {
    format!("--{}", key.to_lowercase().replace('_', "-"))
}

#[test]
fn a_bad_value_is_named_with_its_key_its_place_and_what_was_expected() {
    let in_file = |key: &str, value: &str| {
        let file = format!("[DEFAULT]\n{key} = {value}\n");
        bare().file(file).run()
    };
    expect_mistakes(MISTAKES, in_file, |_| "config.ini".to_owned());
    let in_environment = |key: &str, value: &str| bare().env(key, value).run();
    expect_mistakes(MISTAKES, in_environment, |key| format!("environment {key}"));
    let in_flag = |key: &str, value: &str| bare().arg(format!("{}={value}", flag(key))).run();
    expect_mistakes(MISTAKES, in_flag, flag);
}

#[test]
fn a_value_of_several_lines_makes_a_complaint_of_one() {
    bare()
        .env("SERVER_PORT", "1\n2\r3")
        .run()
        .expect_mistake(&["SERVER_PORT", "1\\n2\\r3"]);
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_probably_meant() {
    bare()
        .file("[DEFAULT]\nSERVER_PROT = 1\n")
        .run()
        .expect_mistake(&["config.ini", "SERVER_PROT", "did you mean \"SERVER_PORT\"?"]);
    bare()
        .file("[DEFAULT]\nCOLOUR = blue\n")
        .run()
        .expect_mistake(&["config.ini", "COLOUR", "--help"]);
}

#[test]
fn an_unknown_flag_is_named() {
    for (argument, part) in [
        ("--server-prot=1", "--server-prot"),
        ("--verbose", "--verbose"),
        ("extra", "extra"),
        ("--server-port", "--server-port"),
    ] {
        bare().arg(argument).run().expect_mistake(&[part]);
    }
}

#[test]
fn arguments_that_are_no_text_are_complained_of_in_one_line() {
    let argument = OsString::from_vec(b"--storage-dir=\xff".to_vec());
    bare().arg(argument).run().expect_mistake(&["UTF-8"]);
}

#[test]
fn a_file_from_windows_is_read() {
    let file =
        "[DEFAULT]\r\nSERVER_PORT = 0\r\nSERVER_BIND = 127.0.0.1\r\nLOGGING_LEVEL = DEBUG\r\n";
    bare().file(file).start().wait_for_line("action: config");
}

#[test]
fn a_file_of_another_form_is_named_with_the_form_that_was_expected() {
    for file in [
        &b"SERVER_PORT = 1\n"[..],
        b"[DEFAULT]\nSERVER_PORT\n",
        b"[DEFAULT\nSERVER_PORT = 1\n",
        b"[SERVER]\nSERVER_PORT = 1\n",
        b"{\"SERVER_PORT\": 1}\n",
        b"server:\n  port: 1\n",
        b"[DEFAULT]\nSERVER_IP = \xff\xfe\n",
    ] {
        bare().file(file).run().expect_mistake(&[
            "config.ini",
            "expected an INI file with a section [DEFAULT]",
        ]);
    }
    bare()
        .file("[SERVER]\nSERVER_PORT = 1\n")
        .run()
        .expect_mistake(&["unknown section [SERVER]"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = bare();
    fs::create_dir(folder.folder().join("a-folder.ini")).unwrap();
    for name in ["missing.ini", "a-folder.ini"] {
        folder
            .clone()
            .arg(format!("--config={name}"))
            .run()
            .expect_mistake(&[name, "cannot be read", "expected an INI file"]);
    }
}

#[test]
fn another_file_may_be_named_and_the_usual_one_is_not_read_then() {
    let setup = bare()
        .file("[DEFAULT]\nSERVER_PORT = bad\n")
        .arg("--config=other.ini");
    fs::write(
        setup.folder().join("other.ini"),
        "[DEFAULT]\nSERVER_PORT = 0\nSERVER_BIND = 127.0.0.1\n",
    )
    .unwrap();
    setup.start();
}

#[test]
fn without_a_file_the_defaults_hold() {
    let setup = bare();
    let setup = setup
        .arg("--server-port=0")
        .arg("--server-bind=127.0.0.1")
        .arg("--logging-level=debug")
        .arg("--config=empty.ini");
    fs::write(setup.folder().join("empty.ini"), "").unwrap();
    let server = setup.start();
    let line = server.wait_for_line("action: config");
    for (key, default) in [
        ("mode", "lottery"),
        ("num_agencies", "5"),
        ("winning_number", "7574"),
        ("storage_dir", "."),
        ("durability", "always"),
        ("idle_timeout", "60s"),
        ("draw_timeout", "0"),
        ("max_frame", "64KiB"),
    ] {
        assert_eq!(log::value(&line, key), default, "{key}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    let setup = ServerSetup::lottery(1)
        .setting("WINNING_NUMBER", "1")
        .setting("NUM_AGENCIES", "11")
        .setting("MAX_FRAME", "10KiB")
        .env("NUM_AGENCIES", "22")
        .env("MAX_FRAME", "20KiB")
        .arg("--max-frame=30KiB");
    let line = setup.start().wait_for_line("action: config");
    assert_eq!(log::value(&line, "winning_number"), "1");
    assert_eq!(log::value(&line, "num_agencies"), "22");
    assert_eq!(log::value(&line, "max_frame"), "30KiB");
    // A bad value that is overruled is nobody's mistake.
    let overruled = ServerSetup::lottery(1)
        .setting("DURABILITY", "never")
        .env("DURABILITY", "no");
    overruled.start();
}

/// A port of loopback, and who listens there.
fn port_in_use() -> (TcpListener, String) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    (taken, port)
}

#[test]
fn a_port_in_use_is_complained_of_in_one_line() {
    let (_taken, port) = port_in_use();
    let setup = ServerSetup::lottery(1).setting("SERVER_PORT", &port);
    let ended = setup.run();
    ended.expect_complaint(1, &[&port, "SERVER_PORT", "in use"]);
}

#[test]
fn an_address_of_another_machine_is_complained_of_in_one_line() {
    // Of the range that documents use.
    let setup = ServerSetup::lottery(1).setting("SERVER_BIND", "192.0.2.1");
    setup
        .run()
        .expect_complaint(1, &["192.0.2.1", "SERVER_BIND"]);
}

#[test]
fn a_storage_folder_that_cannot_be_is_complained_of_in_one_line() {
    let setup = ServerSetup::lottery(1).setting("STORAGE_DIR", "config.ini/storage");
    setup.run().expect_complaint(1, &["config.ini/storage"]);
}

#[test]
fn help_lists_every_key_and_version_says_it() {
    let help = bare().arg("--help").run();
    assert_eq!(help.code, Some(0));
    assert_eq!(help.complaints, [""; 0]);
    for (key, _, _) in MISTAKES {
        assert!(
            help.log.iter().any(|line| line.contains(&flag(key))),
            "{key}"
        );
        assert!(help.log.iter().any(|line| line.contains(key)), "{key}");
    }
    let version = bare().arg("--version").run();
    assert_eq!(version.code, Some(0));
    let [line] = &version.log[..] else {
        panic!("{version:?}")
    };
    let number = concat!("server ", env!("CARGO_PKG_VERSION"), " (");
    let commit = line
        .strip_prefix(number)
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    assert!(!commit.is_empty());
}

#[test]
fn help_and_version_need_no_good_configuration() {
    let setup = bare().file("not an INI file").env("SERVER_PORT", "bad");
    assert_eq!(setup.clone().arg("--help").run().code, Some(0));
    assert_eq!(setup.arg("--version").run().code, Some(0));
}

#[test]
fn a_level_in_any_case_leaves_lesser_lines_out() {
    for (level, says_config, says_listen) in [("debug", true, true), ("Info", false, true)] {
        let ended = ServerSetup::lottery(1)
            .setting("LOGGING_LEVEL", level)
            .start()
            .terminate();
        assert_eq!(
            log::count(&ended.log, "action: config") == 1,
            says_config,
            "{level}"
        );
        assert_eq!(
            log::count(&ended.log, "action: listen") == 1,
            says_listen,
            "{level}"
        );
    }
    // These levels leave nothing to wait for but the end, so the port is in use.
    let (_taken, port) = port_in_use();
    for level in ["WARNING", "warning", "Error", "critical", "CRITICAL"] {
        let setup = ServerSetup::lottery(1)
            .setting("LOGGING_LEVEL", level)
            .setting("SERVER_PORT", &port);
        let ended = setup.run();
        assert_eq!(ended.log, [""; 0], "{level}");
        ended.expect_complaint(1, &[]);
    }
}

#[test]
fn the_line_of_the_configuration_has_the_values_as_the_user_wrote_them() {
    let setup = ServerSetup::lottery(3)
        .setting("SERVER_LISTEN_BACKLOG", "5")
        .setting("LOGGING_LEVEL", "DEBUG")
        .setting("IDLE_TIMEOUT", "1m30s");
    let line = setup.start().wait_for_line("action: config");
    let event = log::event(&line);
    let expected =
        "action: config | result: success | port: 0 | listen_backlog: 5 | logging_level: DEBUG | ";
    assert!(event.starts_with(expected), "{event}");
    assert_eq!(log::value(&line, "idle_timeout"), "1m30s");
    assert!(line.contains(" DEBUG "), "{line}");
}

#[test]
fn keys_of_the_file_may_be_written_in_any_case_as_pythons_configparser_reads_them() {
    let file = "[DEFAULT]\nserver_port = 0\nServer_Bind = 127.0.0.1\nlogging_level = DEBUG\nnum_agencies=9\n";
    let line = bare().file(file).start().wait_for_line("action: config");
    assert_eq!(log::value(&line, "num_agencies"), "9");
}
