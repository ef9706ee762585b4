//! The settings of both programs, and what these say about each kind of mistake.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::kit::{Log, Program, Server};

/// A program's keys, and how they are written.
struct Settings {
    name: &'static str,
    program: fn() -> Program,
    variable: fn(&str) -> String,
    flag: fn(&str) -> String,
    /// Each key, values that it does not take, and what is expected instead.
    keys: &'static str,
}

const SERVER: Settings = Settings {
    name: "server",
    program: Program::server,
    variable: str::to_owned,
    flag: |key| format!("--{}", key.to_lowercase().replace('_', "-")),
    keys: "\
        SERVER_PORT | port,65536, | a port from 0 to 65535
        SERVER_IP || a host name or address
        SERVER_BIND | localhost,256.0.0.1 | an IP address
        SERVER_LISTEN_BACKLOG | 0,many | a whole number from 1 to
        LOGGING_LEVEL | LOUD,INFOS | DEBUG, INFO, WARNING, ERROR or CRITICAL
        SERVER_MODE | ech,lottery echo | lottery or echo
        NUM_AGENCIES | -1,4294967296 | a whole number from 0 to
        STORAGE_DIR || a folder
        DURABILITY | never | always, everysec or no
        WINNING_NUMBER | 10000,-1 | a whole number from 0 to 9999
        IDLE_TIMEOUT | 60,-1s | a duration such as 30s
        DRAW_TIMEOUT | 1,1 minute | a duration such as 30s
        MAX_FRAME | 8191,2MiB,64kb | a size from 8KiB to 1MiB
        MAX_CONNECTIONS | 0,all | a whole number from 1 to
        MAX_BETS_PER_AGENCY | -1,many | a whole number from 0 to
        MEMORY_MAX | 1023KiB,17GiB | a size from 1MiB to 16GiB
        SERVER_DIALECT | Frames,json, | one of native, frames, flags, lines, sized
        DIALECT_PORTS | 12346,json:1,lines:65536 | dialects and ports, such as frames:12346
        HTTP_PORT | on,65536 | a port from 0 to 65535, or off
        HTTP_BIND | localhost, | an IP address
        TLS_CERT || a PEM file
        TLS_KEY || a PEM file
        TLS_CLIENT_CA || a PEM file
        TLS_CLIENT_CRL || a PEM file",
};

const CLIENT: Settings = Settings {
    name: "client",
    program: || Program::client().file("id: 1\n"),
    variable: |key| format!("CLI_{}", key.to_uppercase().replace('.', "_")),
    flag: |key| {
        let flag = format!("--{}", key.replace('.', "-"));
        flag.replace("maxA", "max-a").replace("rN", "r-n")
    },
    keys: "\
        id | 0,one,4294967296, | a whole number from 1
        mode | ECHO,single | lottery, single-bet or echo
        log.level | LOUD, | DEBUG, INFO, WARNING, ERROR or CRITICAL
        server.address | server,:12345,server:0,server:65536 | HOST:PORT
        socket.timeout | 0,15,-1s | a duration above 0, such as 15s
        retry.timeout | 60,1 minute | a duration such as 15s, 100ms or 1m30s
        batch.maxAmount | 0,1.5 | a whole number from 1
        batch.window | 0,4097 | a whole number from 1 to 4096
        loop.amount | -1,five | a whole number from 0
        loop.period | 5,-5s | a duration such as 15s, 100ms or 1m30s
        tls.ca || a PEM file
        tls.cert || a PEM file
        tls.key || a PEM file
        tls.serverName || a host name",
};

impl Settings {
    fn keys(&self) -> impl Iterator<Item = [&'static str; 3]> {
        let fields = |line: &'static str| -> Vec<_> { line.split('|').map(str::trim).collect() };
        self.keys
            .lines()
            .map(move |line| fields(line).try_into().unwrap())
    }
}

/// Expects that a program ends with exit code 2 and one line.
fn expect_mistake(program: &Program, complaint: &str) {
    let ended = program.run();
    ended.expect_complaint(2, complaint);
    assert!(ended.log.is_empty(), "{ended:#?}");
}

#[test]
fn a_bad_value_of_each_key_is_named_with_its_place_and_what_was_expected() {
    for settings in [&SERVER, &CLIENT] {
        for [key, values, expected] in settings.keys() {
            let variable = (settings.variable)(key);
            for value in values.split(',') {
                let program = (settings.program)().set(&variable, value);
                expect_mistake(
                    &program,
                    &format!(
                        "{key}: {value:?} (environment {variable}) is not valid; expected {expected}"
                    ),
                );
            }
        }
    }
}

/// The variables of a single bet.
const BET: [&str; 5] = ["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"];

/// A mistake in the file, the environment or the arguments, and what is said of it.
const MISTAKES: &str = r#"
    client file # nothing | id: not set…config.yaml…CLI_ID…--id
    server environment SERVER_PORT=1\n2 | SERVER_PORT: "1\n2"
    client file id: 1\nlog: {level: x} | log.level: "x" (config.yaml) is not valid; expected
    server file [DEFAULT]\nSERVER_PROT = 1 | config.ini…did you mean "SERVER_PORT"?
    server file [DEFAULT]\nSERVER_PORT | config.ini: line 2: no '='…expected an INI file
    client file batch: {maxamount: 5} | config.yaml…did you mean "batch.maxAmount"?
    client file server: [ | config.yaml…expected YAML with nested keys
    client environment NOMBRE= | bettor.nombre: "" (environment NOMBRE)…expected 1 to 255 bytes
    client environment DOCUMENTO=0 | bettor.documento: "0"…a whole number from 1 to 4294967295
    client environment NACIMIENTO=1/1/1999 | bettor.nacimiento: "1/1/1999"…a real date
    client environment NUMERO=10000 | bettor.numero: "10000"…a whole number from 0 to 9999
    server environment TLS_CERT=file.pem | TLS_KEY: not set; expected a PEM file…TLS_CLIENT_CA or for none
    server environment TLS_CLIENT_CRL=file.pem | TLS_CERT: not set; expected a PEM file
    client environment CLI_TLS_CA=file.pem | tls.cert: not set; expected a PEM file…tls.key or for none
    server argument --port=1 | '--server-port'
    client argument --config=. | .: cannot be read…expected YAML
    server argument --config=/dev/zero | /dev/zero: cannot be read…expected an INI file
    server argument --config=none.ini | none.ini: cannot be read…expected an INI file"#;

#[test]
fn other_mistakes_are_told_in_one_line_too() {
    let bet = "id: 1\nmode: single-bet\nbettor: {nombre: A, apellido: B, documento: 1, \
        nacimiento: 1999-03-17, numero: 1}";
    for line in MISTAKES.lines().skip(1) {
        let (mistake, complaint) = line.trim().split_once(" | ").unwrap();
        let (name, mistake) = mistake.split_once(' ').unwrap();
        let (place, text) = mistake.split_once(' ').unwrap();
        let text = text.replace("\\n", "\n");
        let program = match name {
            "server" => Program::server(),
            _ => Program::client().file(bet),
        };
        let program = match (place, text.split_once('=')) {
            ("file", _) => program.file(text),
            ("environment", Some((variable, value))) => program.set(variable, value),
            _ => program.arg(text),
        };
        expect_mistake(&program, complaint);
    }
    for program in [Program::server(), Program::client()] {
        let not_utf_8 = OsString::from_vec(b"--config=\xff".to_vec());
        expect_mistake(&program.arg(not_utf_8), "UTF-8");
    }
    let client = Program::client();
    let without_bet = client.clone().file("id: 1\nmode: single-bet");
    expect_mistake(&without_bet, "bettor.nombre: not set; expected…NOMBRE");
    let not_utf_8 = client.file(b"id: \xff\n");
    expect_mistake(&not_utf_8, "config.yaml: cannot be read…expected YAML");
}

#[test]
fn what_the_system_refuses_is_told_in_one_line_with_exit_code_1() {
    let server = || Server::lottery(1).program;
    // An address of the range that documents use.
    let foreign = server().set("SERVER_BIND", "192.0.2.1").run();
    foreign.expect_complaint(1, "192.0.2.1…SERVER_BIND");
    let nowhere = server().set("STORAGE_DIR", "/proc/storage").run();
    nowhere.expect_complaint(1, "/proc/storage");
    let first = Server::lottery(1).start();
    let second = first.program.clone().set("STORAGE_DIR", "another").run();
    second.expect_complaint(1, "in use…another program listens there…another port");
}

/// The log of a server that listens.
fn log_of(server: &Program) -> Log {
    let process = server.start();
    process.wait_for_line("action: listen");
    process.log()
}

/// A client that ends at once.
fn idle_client() -> Program {
    Program::client()
        .set("CLI_ID", 12)
        .set("CLI_MODE", "echo")
        .set("CLI_LOOP_AMOUNT", 0)
}

#[test]
fn the_defaults_and_what_the_user_wrote_stand_in_the_first_line() {
    // As Windows ends lines, and in any case, as Python's configparser reads keys.
    let file = "[DEFAULT]\r\nserver_port = 0\r\nLogging_Level=debug\r\n";
    let server = Program::server().file(file);
    let log = log_of(&server);
    let config = "action: config | result: success | port: 0 | listen_backlog: 1024 | \
        logging_level: debug | mode: lottery | ip: server | bind: 127.0.0.1 | dialect: native | \
        num_agencies: 5 | winning_number: 7574 | draw_timeout: 0 | storage_dir: . | \
        durability: always | idle_timeout: 60s | max_frame: 64KiB | max_connections: 20000 | \
        max_bets_per_agency: 0 | memory_max: 64MiB | http_port: off";
    assert_eq!(log.events()[0], config);
    let folder = server.folder().canonicalize().unwrap();
    let start =
        "action: start | result: success | mode: lottery | agencies: 5 | durability: always";
    let start = format!("{start} | storage_dir: {}", folder.display());
    assert_eq!(log.events()[1], start);
    // The port that the system gave.
    let [port] = log.values("action: listen | result: success | ip: 127.0.0.1", "port")[..] else {
        panic!("{log:#?}");
    };
    assert_ne!(port, "0");

    let client = idle_client().set("CLI_SERVER_ADDRESS", "Central:1");
    let log = client.set("CLI_LOOP_PERIOD", "1m30s").run().log;
    let config = "action: config | result: success | client_id: 12 | server_address: Central:1 | \
        loop_amount: 0 | loop_period: 1m30s | log_level: INFO | mode: echo | socket_timeout: 15s | \
        retry_timeout: 60s | data_path: .data/agency-12.csv | batch_max_amount: 125 | \
        batch_window: 128";
    assert_eq!(log.events()[0], config);
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    // A bad value that is overruled is no mistake, and a file that is not the one named is not read.
    let server = Server::lottery(22).program;
    let file = "[DEFAULT]\nWINNING_NUMBER = 1\nNUM_AGENCIES = 11\nMAX_FRAME = 1\n";
    server.write("other.ini", file);
    let server = server.file("no INI file").set("MAX_FRAME", "20KiB");
    let flags = [
        "--config=other.ini",
        "--max-frame=30KiB",
        "--logging-level=debug",
    ];
    let server = server.set("SERVER_PROT", 1);
    let log = log_of(&flags.into_iter().fold(server, Program::arg));
    let misspelt = "result: success | ignored: SERVER_PROT | did_you_mean: SERVER_PORT";
    assert_eq!(log.count(&format!("action: environment | {misspelt}")), 1);
    for (key, value) in [
        ("winning_number", "1"),
        ("num_agencies", "22"),
        ("max_frame", "30KiB"),
    ] {
        assert_eq!(log.values("action: config", key), [value]);
    }
    let client = idle_client().file("server: {address: \"file:1\"}\nloop: {period: soon}\n");
    let client = client.set("CLI_LOOP_PERIOD", "2s").arg("--loop-amount=0");
    let log = client.set("CLI_LOOP_AMOUNT", 3).run().log;
    let config = "server_address: file:1 | loop_amount: 0 | loop_period: 2s |";
    assert_eq!(log.count(config), 1, "{log:#?}");
}

#[test]
fn a_level_leaves_lesser_lines_out() {
    for (level, is_said) in [("info", true), ("WARNING", false)] {
        let ended = idle_client().set("CLI_LOG_LEVEL", level).run();
        assert_eq!(ended.log.count("loop_finished") == 1, is_said, "{level}");
        // A server that says nothing cannot be waited for, so this one ends by itself.
        let server = Server::lottery(1).set("SERVER_BIND", "192.0.2.1");
        let log = server.set("LOGGING_LEVEL", level).program.run().log;
        assert_eq!(log.count("action: start") == 1, is_said, "{level}");
        assert_eq!(log.count("action: config"), 0, "it is DEBUG");
    }
}

#[test]
fn help_lists_every_key_and_version_says_it_whatever_the_settings() {
    for settings in [SERVER, CLIENT] {
        let program = || {
            let program = (settings.program)().file("not: [YAML");
            program.set("SERVER_PORT", "bad").set("CLI_ID", "bad")
        };
        let help = program().arg("--help").run();
        help.expect_success();
        for [key, ..] in settings.keys() {
            for name in [(settings.variable)(key), (settings.flag)(key)] {
                assert!(help.log.count(&name) > 0, "{name}");
            }
        }
        for variable in BET {
            let is_listed = help.log.count(&format!("--{}", variable.to_lowercase())) > 0;
            assert_eq!(is_listed, settings.name == "client", "{variable}");
        }
        let version = program().arg("--version").run();
        version.expect_success();
        let expected = format!("{} {} (", settings.name, env!("CARGO_PKG_VERSION"));
        assert!(version.log[0].starts_with(&expected), "{:?}", version.log);
    }
}
