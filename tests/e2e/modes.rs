//! Modes `echo` and `single-bet`.

use rustix::process::Signal;

use crate::kit::{Program, Server};

#[test]
fn a_message_comes_back_unaltered_and_the_connection_is_closed() {
    let mut server = Server::lottery(0).set("SERVER_MODE", "echo").start();
    let large = [vec![b'a'; 60_000], vec![b'\n']].concat();
    // A message, and what is sent behind it.
    for (message, behind) in [
        ("[CLIENT 1] Message N°1\n".as_bytes(), &b""[..]),
        (b"ends with the stream", b""),
        (b"\xff\xfe\x00  two  spaces \r\n", b""),
        (b"first\n", b"second\n"),
        // It cannot forge parts or lines of the log.
        (b"x | result: fail\raction: sorteo\x1b[2J\n", b""),
        (&large, &large.repeat(20)),
        (b"", b""),
    ] {
        let mut peer = server.connect();
        let sender = peer.send_in_background([message, behind].concat());
        if behind.is_empty() {
            sender.join().unwrap().unwrap();
            peer.half_close();
        }
        assert!(peer.rest() == message);
    }
    drop(server.connect());
    let mut too_long = server.connect();
    let sender = too_long.send_in_background(vec![b'a'; 65_536]);
    assert!(too_long.rest().is_empty());
    sender.join().unwrap().unwrap();
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    let refused = "action: receive_message | result: fail | ip: 127.0.0.1 | error: no line feed";
    assert_eq!(ended.log.count(refused), 1);
    assert_eq!(ended.log.count("| result: fail"), 1);
    let received = "action: receive_message | result: success | ip: 127.";
    let said = ended.log.values(received, "msg");
    let expected = ["[CLIENT 1] Message N°1", "ends with the stream", "first"];
    assert_eq!((said.len(), [said[0], said[1], said[3]]), (6, expected));
    assert!(said[2].trim_end().ends_with("two  spaces"));
    assert!(!server.path("").exists(), "an echo server leaves no files");
}

#[test]
fn five_echo_clients_get_each_of_their_five_messages_back() {
    let mut server = Server::lottery(0).set("SERVER_MODE", "echo").start();
    // It is there to the end, which does not wait for the rest.
    let mut half = server.connect();
    half.send(b"half a mess");
    let clients = [1, 2, 3, 4, 5].map(|id| {
        let client = Program::agency_without_data(id, server.address).set("CLI_MODE", "echo");
        (id, client.set("CLI_LOOP_PERIOD", "1ms").start())
    });
    let mut messages = Vec::new();
    for (id, client) in clients {
        let ended = client.wait_for_end();
        ended.expect_success();
        let said = [1, 2, 3, 4, 5].map(|number| format!("[CLIENT {id}] Message N°{number}"));
        let received = format!("receive_message | result: success | client_id: {id}");
        assert_eq!(ended.log.values(&received, "msg"), said);
        messages.extend(said);
        let finished = format!("action: loop_finished | result: success | client_id: {id}");
        assert!(ended.log.last().unwrap().ends_with(&finished));
    }
    let ended = server.end_by(Signal::INT);
    let closed = ended.expect_graceful("SIGINT");
    assert_eq!(closed[0], "action: close_listener | result: success");
    half.expect_closed();
    let mut received = ended.log.values("action: receive_message", "msg");
    received.sort_unstable();
    assert_eq!(received, messages);
}

const VARIABLES: [&str; 5] = ["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"];

/// What stands before the variables of two agencies, and their values.
const BETS: [(&str, &str); 2] = [
    ("", "Santiago Lionel,Lorca,30904465,1999-03-17,7574"),
    ("CLI_BETTOR_", "María,Núñez,1,2000-02-29,0"),
];

#[test]
fn bets_come_from_the_environment_under_both_names_of_each_variable_and_are_sent_once() {
    let mut server = Server::lottery(2).start();
    let clients = [1, 2].map(|agency| {
        let mut client = Program::agency_without_data(agency, server.address);
        let (prefix, bet) = BETS[agency as usize - 1];
        for (name, value) in VARIABLES.iter().zip(bet.split(',')) {
            client = client.set(&format!("{prefix}{name}"), value);
        }
        client.set("CLI_MODE", "single-bet")
    });
    let told = ["dni: 30904465 | numero: 7574", "dni: 1 | numero: 0"];
    for times_sent in [1, 0] {
        let running = clients.each_ref().map(Program::start);
        for ((client, winners), told) in running.into_iter().zip([1, 0]).zip(told) {
            let ended = client.wait_for_end();
            ended.expect_success();
            assert_eq!(ended.winners(), vec![30_904_465; winners]);
            let sent = format!("action: apuesta_enviada | result: success | {told}");
            assert_eq!(ended.log.count(&sent), times_sent);
        }
    }
    let log = server.terminate().log;
    let stored = server.bets();
    for (agency, (_, bet)) in (1..).zip(BETS) {
        let line = format!(
            "action: apuesta_almacenada | result: success | {}",
            told[agency - 1]
        );
        assert_eq!(log.count(&line), 1);
        let row = format!("{agency},{bet}");
        assert!(stored.lines().any(|stored| stored == row), "{stored}");
    }
    assert_eq!(stored.lines().count(), 2);
}
