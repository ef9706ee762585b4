//! The settings of both programs, and what these say about each kind of mistake.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::kit::{Log, Program, Server};

const README: &str = include_str!("../../README.md");

/// A key of each kind and those with bounds of their own, values that they do not take, and what is expected
/// instead.
const KINDS: &str = "
    server SERVER_PORT | port,65536, | a port from 0 to 65535
    server SERVER_BIND | localhost,256.0.0.1 | an IP address
    server LOGGING_LEVEL | LOUD,INFOS | DEBUG, INFO, WARNING, ERROR or CRITICAL
    server SERVER_MODE | ech,lottery echo | lottery or echo
    server NUM_AGENCIES | -1,4294967296 | a whole number from 0 to
    server STORAGE_DIR || a folder
    server SERVER_LISTEN_BACKLOG | 0,many | a whole number from 1 to
    server WINNING_NUMBER | 10000,-1 | a whole number from 0 to 9999
    server MAX_CONNECTIONS | 0,all | a whole number from 1 to
    server MEMORY_MAX | 1023KiB,17GiB | a size from 1MiB to 16GiB
    server DURABILITY | never | always, everysec or no
    server IDLE_TIMEOUT | 60,-1s | a duration such as 30s
    server MAX_FRAME | 8191,2MiB,64kb | a size from 8KiB to 1MiB
    server SERVER_DIALECT | Frames,json, | one of native, frames, flags, lines, sized
    server DIALECT_PORTS | 12346,frames:,Frames:1,frames:1;lines:2,lines:65536 | dialects and ports, such as frames:12346
    server HTTP_PORT | on,65536 | a port from 0 to 65535, or off
    server TLS_CERT || a PEM file
    client id | 0,one,4294967296, | a whole number from 1
    client batch.maxAmount | 0,1.5 | a whole number from 1
    client loop.amount | -1,five | a whole number from 0
    client mode | ECHO,single | lottery, single-bet or echo
    client server.address | server,:12345,server:0,server:65536 | HOST:PORT
    client socket.timeout | 0,15,-1s | a duration above 0, such as 15s
    client retry.timeout | 60,1 minute | a duration such as 15s, 100ms or 1m30s
    client batch.window | 0,4097 | a whole number from 1 to 4096
    client data.path || a readable CSV
    client tls.serverName || a host name";

/// A setting of everything that the client needs.
const BET: &str = "id: 1\nmode: single-bet\nbettor: {nombre: A, apellido: B, documento: 1, \
    nacimiento: 1999-03-17, numero: 1}";

fn program(name: &str) -> Program {
    match name {
        "server" => Program::server(),
        _ => Program::client().file(BET),
    }
}

/// The lines of a table: what is before its first bar, as the program and the rest, and what is behind.
fn table(text: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    text.lines().skip(1).map(|line| {
        let (front, back) = line.trim().split_once(" |").unwrap();
        let (name, rest) = front.split_once(' ').unwrap();
        [name, rest, back.trim_start()]
    })
}

/// The variable and the flag of a key. The server's are in capitals.
fn variable_and_flag(key: &str) -> [String; 2] {
    if key == key.to_uppercase() {
        let flag = format!("--{}", key.to_lowercase().replace('_', "-"));
        return [key.to_owned(), flag];
    }
    let variable = format!("CLI_{}", key.to_uppercase().replace('.', "_"));
    let flag = format!("--{}", key.replace('.', "-"));
    [variable, flag.replace("maxA", "max-a").replace("rN", "r-n")]
}

/// Expects that a program ends with exit code 2 and one line.
fn expect_mistake(program: &Program, complaint: &str) {
    let ended = program.run();
    ended.expect_complaint(2, complaint);
    let mut log = ended.log.iter();
    assert!(
        log.all(|line| line.contains("action: config")),
        "{ended:#?}"
    );
}

#[test]
fn a_bad_value_of_each_kind_is_named_with_its_place_and_what_was_expected() {
    for [name, key, rest] in table(KINDS) {
        let (values, expected) = rest.split_once('|').unwrap();
        let [variable, _] = variable_and_flag(key);
        for value in values.trim().split(',') {
            let program = program(name).set(&variable, value);
            let place = format!("environment {variable}");
            let said = format!("{key}: {value:?} ({place}) is not valid; expected{expected}");
            expect_mistake(&program, &said);
        }
    }
}

/// A mistake in the file, the environment or the arguments, and what is said of it.
const MISTAKES: &str = r#"
    server file [DEFAULT]\nSERVER_PORT | config.ini: line 2: no '='…expected an INI file
    client file id: 1\nmode: single-bet | bettor.nombre: not set; expected…NOMBRE
    client file id: 1\ndata:\n  path: of-{id}/{id}.csv | data.path: "of-1/1.csv"…No such file…a readable CSV…`make datasets AGENCIES=1`
    client file id: 1\ndata:\n  path: . | data.path: "."…is a directory…a readable CSV
    client file server: [ | config.yaml…expected YAML with nested keys
    client environment NOMBRE= | bettor.nombre: "" (environment NOMBRE)…expected 1 to 255 bytes
    client environment DOCUMENTO=0 | bettor.documento: "0"…a whole number from 1 to 4294967295
    client environment NACIMIENTO=1/1/1999 | bettor.nacimiento: "1/1/1999"…a real date
    client environment NUMERO=10000 | bettor.numero: "10000"…a whole number from 0 to 9999
    server environment TLS_CERT=file.pem | TLS_KEY: not set; expected a PEM file…TLS_CLIENT_CA or for none
    server environment TLS_CLIENT_CRL=file.pem | TLS_CERT: not set; expected a PEM file
    client environment CLI_TLS_CA=file.pem | tls.cert: not set; expected a PEM file…tls.key or for none
    server file [DEFAULT]\nTLS_CERT = a\nTLS_KEY = b\nTLS_CLIENT_CA = c | TLS_CLIENT_CA: c…No such file
    client file id: 1\ntls: {ca: a, cert: b, key: c} | tls.ca: a…No such file"#;

#[test]
fn other_mistakes_are_one_line_too() {
    for [name, mistake, complaint] in table(MISTAKES) {
        let (place, text) = mistake.split_once(' ').unwrap();
        let program = match text.split_once('=') {
            Some((variable, value)) if place == "environment" => program(name).set(variable, value),
            _ => program(name).file(text.replace("\\n", "\n")),
        };
        expect_mistake(&program, complaint);
    }
    for program in [Program::server(), Program::client()] {
        let not_utf_8 = OsString::from_vec(b"--config=\xff".to_vec());
        expect_mistake(&program.arg(not_utf_8), "UTF-8");
    }
    let not_utf_8 = Program::client().file(b"id: \xff\n");
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

/// The log of a server that listens and is ended.
fn log_of(server: &Program) -> Log {
    let process = server.start();
    process.wait_for_line("action: listen");
    process.terminate().log
}

/// A client that ends at once.
fn idle_client() -> Program {
    let client = Program::client().set("CLI_ID", 12).set("CLI_MODE", "echo");
    client.set("CLI_LOOP_AMOUNT", 0)
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
    let folder = server.folder().canonicalize().unwrap();
    let start = "action: start | result: success | mode: lottery | agencies: 5 | \
        durability: always | storage_dir: ";
    let start = format!("{start}{}", folder.display());
    assert_eq!(log.events()[..2], [config, &start]);
    // The port that the system gave.
    let ports = log.values("action: listen | result: success | ip: 127.0.0.1", "port");
    assert!(ports.len() == 1 && ports[0] != "0", "{log:#?}");
    assert_eq!(log.count("WARN"), 0, "{log:#?}");

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
    let file = "[DEFAULT]\nWINNING_NUMBER = 1\nNUM_AGENCIES = 11\nMAX_FRAME = 1\n";
    let server = Server::lottery(22).program.file("no INI file");
    server.write("other.ini", file);
    let server = server.set("MAX_FRAME", "20KiB").set("SERVER_PROT", 1);
    let server = server.arg("--config=other.ini").arg("--max-frame=30KiB");
    let server = server.set("SERVER_PORT", 0).set("SERVER_BIND", "0.0.0.0");
    let log = log_of(&server.arg("--logging-level=debug"));
    let misspelt = "result: success | ignored: SERVER_PROT | did_you_mean: SERVER_PORT";
    assert_eq!(log.count(&format!("action: environment | {misspelt}")), 1);
    let advice = "anybody who reaches this port may speak for any agency, see docs/SECURITY.md";
    let listens = "WARN  [server::log_lines] action: listen";
    assert_eq!(log.values(listens, "advice"), [advice]);
    let keys = ["winning_number", "num_agencies", "max_frame"];
    let values = keys.map(|key| log.values("action: config", key));
    assert_eq!(values, [["1"], ["22"], ["30KiB"]]);
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
fn help_lists_every_key_of_the_readme_and_version_says_it_whatever_the_settings() {
    for name in ["server", "client"] {
        let wrong = program(name).file("not: [YAML").set("SERVER_PORT", "bad");
        let wrong = wrong.set("CLI_ID", "bad");
        let help = wrong.clone().arg("--help").run();
        help.expect_success();
        let (_, behind) = README.split_once(&format!("\nThe {name} reads `")).unwrap();
        let rows = behind.split("\n\n").nth(1).unwrap().lines().skip(2);
        let cells = rows.map(|row| row.split('|').nth(1).unwrap());
        let keys = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        // Those of a bet are named otherwise in the environment.
        let keys: Vec<&str> = keys.filter(|key| !key.starts_with("bettor.")).collect();
        assert!(keys.len() > 10, "{keys:?}");
        for listed in keys.into_iter().flat_map(variable_and_flag) {
            assert!(help.log.count(&listed) > 0, "{listed}");
        }
        for flag in ["nombre", "apellido", "documento", "nacimiento", "numero"] {
            let is_listed = help.log.count(&format!("--{flag}")) > 0;
            assert_eq!(is_listed, name == "client", "{flag}");
        }
        let version = wrong.arg("--version").run();
        version.expect_success();
        let expected = format!("{name} {} (", env!("CARGO_PKG_VERSION"));
        assert!(version.log[0].starts_with(&expected), "{:?}", version.log);
    }
}
