//! Mode `echo`.

use rustix::process::Signal;

use crate::kit::{Program, Server};

#[test]
fn a_message_comes_back_unaltered_and_the_connection_is_closed() {
    let mut server = Server::echo().start();
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
    let mut server = Server::echo().start();
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
