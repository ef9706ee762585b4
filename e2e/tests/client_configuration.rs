//! How the client is set up, and what it says about each kind of mistake.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use lottery_e2e::configuration::{Mistake, expect_mistakes};
use lottery_e2e::{ClientSetup, log};

/// A client in whose configuration everything is good, and which ends at once.
fn good() -> ClientSetup {
    ClientSetup::bare()
        .env("CLI_ID", "1")
        .env("CLI_MODE", "echo")
        .env("CLI_LOOP_AMOUNT", "0")
}

/// The line in which a client logs its configuration.
fn config_line(setup: &ClientSetup) -> String {
    let ended = setup.start().wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.log[0].clone()
}

const DURATION: &str = "a duration such as 15s, 100ms or 1m30s";

/// Each key, values that it does not take, and what the complaint says is expected.
const MISTAKES: &[Mistake] = &[
    (
        "id",
        &["", "0", "-1", "one", "1.5", "4294967296"],
        "a whole number from 1",
    ),
    (
        "mode",
        &["", "ECHO", "loteria", "single"],
        "lottery, single-bet or echo",
    ),
    (
        "log.level",
        &["", "LOUD", "INFOS"],
        "DEBUG, INFO, WARNING, ERROR or CRITICAL",
    ),
    (
        "server.address",
        &[
            "",
            "server",
            "server:",
            ":12345",
            "server:0",
            "server:65536",
            "server:port",
        ],
        "HOST:PORT",
    ),
    (
        "socket.timeout",
        &["", "0", "0s", "15", "-1s", "soon"],
        "a duration above 0, such as 15s",
    ),
    ("retry.timeout", &["", "60", "-1s", "1 minute"], DURATION),
    (
        "batch.maxAmount",
        &["", "0", "-1", "1.5", "4294967296"],
        "a whole number from 1",
    ),
    (
        "batch.window",
        &["", "0", "4097", "many"],
        "a whole number from 1 to 4096",
    ),
    (
        "loop.amount",
        &["", "-1", "five", "4294967296"],
        "a whole number from 0",
    ),
    ("loop.period", &["", "5", "-5s", "5 s"], DURATION),
];

fn variable(key: &str) -> String {
    format!("CLI_{}", key.to_uppercase().replace('.', "_"))
}

fn flag(key: &str) -> String {
    key.replace('.', "-").replace("maxAmount", "max-amount")
}

/// A file that sets one key.
fn file(key: &str, value: &str) -> String {
    match key.split_once('.') {
        Some((above, below)) => format!("{above}:\n  {below}: {value:?}\n"),
        None => format!("{key}: {value:?}\n"),
    }
}

#[test]
fn a_bad_value_is_named_with_its_key_its_place_and_what_was_expected() {
    let in_file = |key: &str, value: &str| {
        let setup = ClientSetup::bare().file(file(key, value));
        if key == "id" {
            setup.run()
        } else {
            setup.env("CLI_ID", "1").run()
        }
    };
    expect_mistakes(MISTAKES, in_file, |_| "config.yaml".to_owned());
    let in_environment = |key: &str, value: &str| {
        let setup = ClientSetup::bare().file("id: 1\n");
        setup.env(&variable(key), value).run()
    };
    expect_mistakes(MISTAKES, in_environment, |key| {
        format!("environment {}", variable(key))
    });
    let in_flag = |key: &str, value: &str| good().flag(&flag(key), value).run();
    expect_mistakes(MISTAKES, in_flag, |key| format!("--{}", flag(key)));
}

#[test]
fn a_missing_id_is_named_with_every_place_in_which_it_may_be_set() {
    ClientSetup::bare().run().expect_mistake(&[
        "id: not set",
        "a whole number from 1",
        "config.yaml",
        "CLI_ID",
        "--id",
    ]);
}

/// The variables of a single bet, a value that each does not take, and what is expected.
const BET: [(&str, &str, &str, &str); 5] = [
    ("NOMBRE", "Ana", "", "1 to 255 bytes of UTF-8"),
    ("APELLIDO", "Paz", "P\u{7}z", "without control characters"),
    (
        "DOCUMENTO",
        "101",
        "0",
        "a whole number from 1 to 4294967295",
    ),
    (
        "NACIMIENTO",
        "1999-03-17",
        "1999-02-30",
        "a real date, YYYY-MM-DD",
    ),
    ("NUMERO", "7574", "10000", "a whole number from 0 to 9999"),
];

#[test]
fn a_single_bet_that_is_missing_or_bad_is_named_by_its_variable() {
    for (at_fault, _, bad, expected) in BET {
        for prefix in ["", "CLI_BETTOR_"] {
            let mut setup = ClientSetup::bare()
                .env("CLI_ID", "1")
                .env("CLI_MODE", "single-bet");
            for (name, value, ..) in BET {
                if name != at_fault {
                    setup = setup.env(&format!("{prefix}{name}"), value);
                }
            }
            let key = format!("bettor.{}", at_fault.to_lowercase());
            setup.run().expect_mistake(&[
                &format!("{key}: not set; expected "),
                expected,
                at_fault,
            ]);
            let variable = format!("{prefix}{at_fault}");
            let value = format!("{key}: {bad:?} (environment {variable})");
            setup.env(&variable, bad).run().expect_mistake(&[
                &value,
                "is not valid; expected ",
                expected,
            ]);
        }
    }
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_probably_meant() {
    for (text, key, meant) in [
        (
            "batch: {maxamount: 5}",
            "batch.maxamount",
            "batch.maxAmount",
        ),
        ("server: {adress: s:1}", "server.adress", "server.address"),
        ("sever: {address: s:1}", "sever.address", "server.address"),
        ("log: {levle: INFO}", "log.levle", "log.level"),
        ("ID: 1", "ID", "id"),
    ] {
        let advice = format!("did you mean {meant:?}?");
        good().file(text).run().expect_mistake(&[
            "config.yaml: unknown key",
            &format!("{key:?}"),
            &advice,
        ]);
    }
    good()
        .file("zzz: 1")
        .run()
        .expect_mistake(&["unknown key \"zzz\"", "--help lists the keys"]);
}

#[test]
fn an_unknown_flag_is_named_with_the_likely_one() {
    for (argument, parts) in [
        (
            "--identity=1",
            ["'--identity'", "a similar argument exists: '--id'"],
        ),
        ("lottery", ["'lottery'", "--help"]),
        ("-i", ["'-i'", "--help"]),
    ] {
        good().arg(argument).run().expect_mistake(&parts);
    }
    good()
        .arg(OsString::from_vec(vec![b'-', b'-', 0xff]))
        .run()
        .expect_mistake(&[]);
}

#[test]
fn a_file_of_another_form_is_named_with_the_form_that_was_expected() {
    for text in [
        "server: [",
        "server: {address: s:1",
        "- id\n- mode\n",
        "just text",
        "server:\n\taddress: s:1\n",
        "server: {address: [s:1, s:2]}",
        "1: 2",
        "id: 1\nid: 2\n",
        "[DEFAULT]\nid = 1\n",
    ] {
        good()
            .file(text)
            .run()
            .expect_mistake(&["config.yaml: ", "expected YAML with nested keys"]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = good();
    fs::create_dir(folder.folder().join("config.yaml")).unwrap();
    for (setup, name) in [
        (folder, "config.yaml"),
        (good().file(b"id: \xff\n"), "config.yaml"),
        (good().flag("config", "missing.yaml"), "missing.yaml"),
    ] {
        setup
            .run()
            .expect_mistake(&[name, "cannot be read", "expected YAML"]);
    }
}

#[test]
fn another_file_may_be_named_and_the_usual_one_is_not_read_then() {
    let setup = good().file("not: [YAML").flag("config", "other.yaml");
    fs::write(setup.folder().join("other.yaml"), "loop: {period: 7s}\n").unwrap();
    assert_eq!(log::value(&config_line(&setup), "loop_period"), "7s");
}

#[test]
fn an_empty_file_and_no_file_leave_the_defaults() {
    for setup in [good(), good().file(""), good().file("# nothing\n")] {
        let line = config_line(&setup);
        for (key, default) in [
            ("server_address", "server:12345"),
            ("loop_period", "5s"),
            ("log_level", "INFO"),
            ("batch_max_amount", "125"),
            ("data_path", ".data/agency-{id}.csv"),
            ("socket_timeout", "15s"),
            ("retry_timeout", "60s"),
        ] {
            assert_eq!(log::value(&line, key), default, "{key}");
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    let setup = good()
        .file("server: {address: \"file:1\"}\nloop: {period: 1s}\nbatch: {maxAmount: 1}\n")
        .env("CLI_LOOP_PERIOD", "2s")
        .env("CLI_BATCH_MAXAMOUNT", "2")
        .flag("batch-max-amount", "3");
    let line = config_line(&setup);
    assert_eq!(log::value(&line, "server_address"), "file:1");
    assert_eq!(log::value(&line, "loop_period"), "2s");
    assert_eq!(log::value(&line, "batch_max_amount"), "3");
    // A bad value that is overruled is nobody's mistake.
    config_line(
        &good()
            .file("loop: {period: soon}\nlog: {level: LOUD}\n")
            .env("CLI_LOOP_PERIOD", "1s")
            .flag("log-level", "INFO"),
    );
}

#[test]
fn the_line_of_the_configuration_comes_first_and_has_the_values_as_the_user_wrote_them() {
    let setup = ClientSetup::bare().file(
        "id: 12\nmode: echo\nserver:\n  address: \"Central:12345\"\nloop:\n  amount: 0\n  \
         period: \"1m30s\"\nlog:\n  level: \"debug\"\nretry: {timeout: 1500ms}\n",
    );
    let line = config_line(&setup);
    let event = log::event(&line);
    let expected = "action: config | result: success | client_id: 12 | \
                    server_address: Central:12345 | loop_amount: 0 | loop_period: 1m30s | \
                    log_level: debug | ";
    assert!(event.starts_with(expected), "{event}");
    assert_eq!(log::value(&line, "retry_timeout"), "1500ms");
}

#[test]
fn a_higher_level_leaves_lesser_lines_out() {
    for (level, is_said) in [
        ("DEBUG", true),
        ("info", true),
        ("WARNING", false),
        ("Error", false),
        ("CRITICAL", false),
    ] {
        let ended = good().env("CLI_LOG_LEVEL", level).start().wait_for_end();
        assert_eq!(ended.code, Some(0));
        assert_eq!(
            log::count(&ended.log, "loop_finished") == 1,
            is_said,
            "{level}"
        );
    }
}

#[test]
fn help_lists_every_key_and_version_says_it() {
    let help = ClientSetup::bare().arg("--help").run();
    assert_eq!(help.code, Some(0));
    assert_eq!(help.complaints, [""; 0]);
    let bet = BET.map(|(name, ..)| (name.to_owned(), format!("--{}", name.to_lowercase())));
    let others = MISTAKES
        .iter()
        .map(|(key, ..)| (variable(key), format!("--{}", flag(key))));
    for (variable, flag) in others.chain(bet) {
        for name in [variable, flag] {
            assert!(help.log.iter().any(|line| line.contains(&name)), "{name}");
        }
    }
    let version = ClientSetup::bare().arg("--version").run();
    assert_eq!(version.code, Some(0));
    assert!(version.log[0].starts_with(concat!("client ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn help_and_version_need_no_good_configuration() {
    let setup = ClientSetup::bare().file("not: [YAML").env("CLI_ID", "bad");
    assert_eq!(setup.clone().arg("--help").run().code, Some(0));
    assert_eq!(setup.arg("--version").run().code, Some(0));
}
