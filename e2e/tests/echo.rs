//! The echo server of the first exercises.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::{Read, Write};
use std::net::Shutdown;

use lottery_e2e::{HandAgency, ServerProcess, ServerSetup, log};

/// Everything that comes back until the server closes.
fn rest(connection: &mut HandAgency) -> Vec<u8> {
    let mut bytes = Vec::new();
    connection.stream().read_to_end(&mut bytes).unwrap();
    bytes
}

fn echo_of(server: &ServerProcess, message: &[u8]) -> Vec<u8> {
    let mut connection = server.connect();
    connection.send(message);
    rest(&mut connection)
}

#[test]
fn a_message_that_ends_in_a_line_feed_comes_back_and_the_connection_is_closed() {
    let server = ServerSetup::echo().start();
    let message = "[CLIENT 1] Message N°1\n".as_bytes();
    assert_eq!(echo_of(&server, message), message);
    let line = server.wait_for_line("action: receive_message");
    assert_eq!(
        log::event(&line),
        "action: receive_message | result: success | ip: 127.0.0.1 | msg: [CLIENT 1] Message N°1"
    );
}

#[test]
fn a_message_that_ends_with_the_stream_comes_back_as_it_is() {
    let server = ServerSetup::echo().start();
    let mut connection = server.connect();
    connection.send(b"no line feed");
    connection.half_close();
    assert_eq!(rest(&mut connection), b"no line feed");
    let line = server.wait_for_line("action: receive_message");
    assert_eq!(log::value(&line, "msg"), "no line feed");
}

#[test]
fn a_connection_closed_without_a_byte_is_no_failure_and_no_message() {
    let server = ServerSetup::echo().start();
    let mut connection = server.connect();
    connection.half_close();
    assert_eq!(rest(&mut connection), b"");
    drop(server.connect());
    assert_eq!(echo_of(&server, b"still here\n"), b"still here\n");
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
    assert_eq!(log::count(&ended.log, "action: receive_message"), 1);
}

#[test]
fn bytes_come_back_unaltered_whatever_they_are() {
    let server = ServerSetup::echo().start();
    let every_byte: Vec<u8> = (0..=255)
        .filter(|byte| *byte != b'\n')
        .chain([b'\n'])
        .collect();
    for message in [
        &every_byte[..],
        b"\xff\xfe\n",
        b"\r\n",
        b"\n",
        b"  two  spaces  \r\n",
    ] {
        assert_eq!(echo_of(&server, message), message);
    }
    let large: Vec<u8> = (0..60_000_u32)
        .map(|number| b'a' + (number % 26) as u8)
        .chain([b'\n'])
        .collect();
    assert_eq!(echo_of(&server, &large), large);
    assert_eq!(server.terminate().code, Some(0));
}

#[test]
fn a_message_cannot_forge_parts_or_lines_of_the_log() {
    let server = ServerSetup::echo().start();
    let forged = b"x | result: fail | ip: 10.0.0.1\raction: sorteo\x1b[2J\n";
    assert_eq!(echo_of(&server, forged), forged);
    let ended = server.terminate();
    let line = &ended.log[log::position(&ended.log, "action: receive_message")];
    assert_eq!(log::event(line).split(" | ").count(), 4, "{line}");
    assert!(
        log::event(line)
            .starts_with("action: receive_message | result: success | ip: 127.0.0.1 | msg: x ")
    );
    assert!(!line.contains(char::is_control), "{line:?}");
    assert_eq!(log::count(&ended.log, "| result: fail"), 0);
}

#[test]
fn a_message_may_come_in_pieces() {
    let server = ServerSetup::echo().start();
    let message = "in pieces: ñandú\n".as_bytes();
    let mut slow = server.connect();
    for byte in message {
        slow.send(&[*byte]);
        assert_eq!(echo_of(&server, b"meanwhile\n"), b"meanwhile\n");
    }
    assert_eq!(rest(&mut slow), message);
}

#[test]
fn only_the_first_of_two_messages_comes_back() {
    let server = ServerSetup::echo().start();
    assert_eq!(echo_of(&server, b"first\nsecond\n"), b"first\n");
    // However much is sent behind it.
    let mut connection = server.connect();
    let mut stream = connection.stream().try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let _ = stream.write_all(&[&b"first\n"[..], &[b'x'; 1 << 20]].concat());
        let _ = stream.shutdown(Shutdown::Write);
    });
    assert_eq!(rest(&mut connection), b"first\n");
    sender.join().unwrap();
    let ended = server.terminate();
    assert_eq!(log::count(&ended.log, "| msg: first"), 2);
    assert_eq!(log::count(&ended.log, "action: receive_message"), 2);
}

#[test]
fn connections_are_served_side_by_side() {
    let server = ServerSetup::echo().start();
    let mut connections: Vec<HandAgency> = (0..50).map(|_| server.connect()).collect();
    for (number, connection) in connections.iter_mut().enumerate().rev() {
        connection.send(format!("number {number}\n").as_bytes());
    }
    for (number, connection) in connections.iter_mut().enumerate() {
        assert_eq!(rest(connection), format!("number {number}\n").as_bytes());
    }
}

#[test]
fn an_echo_server_leaves_no_files() {
    let server = ServerSetup::echo().start();
    echo_of(&server, b"message\n");
    assert!(!server.setup().storage().exists());
}
