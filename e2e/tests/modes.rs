//! The client's other modes: a single bet, and the echo of the first exercises.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::{ClientSetup, HandCentral, ServerSetup, log};

/// The single bets of two agencies: the variables without their prefix, and the stored row.
const BETS: [([&str; 5], &str); 2] = [
    (
        ["Santiago Lionel", "Lorca", "30904465", "1999-03-17", "7574"],
        "Santiago Lionel,Lorca,30904465,1999-03-17,7574\r\n",
    ),
    (
        ["María", "Núñez, hija", "1", "2000-02-29", "0"],
        "María,\"Núñez, hija\",1,2000-02-29,0\r\n",
    ),
];

const VARIABLES: [&str; 5] = ["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"];

#[test]
fn single_bets_come_from_the_environment_under_both_names_of_each_variable() {
    for prefix in ["", "CLI_BETTOR_"] {
        let server = ServerSetup::lottery(2)
            .setting("LOGGING_LEVEL", "INFO")
            .start();
        let clients: Vec<_> = (1..)
            .zip(BETS)
            .map(|(agency, (values, _))| {
                let mut setup = ClientSetup::bare()
                    .env("CLI_ID", &format!("{agency}"))
                    .env("CLI_MODE", "single-bet")
                    .env("CLI_SERVER_ADDRESS", &server.address().to_string());
                for (variable, value) in VARIABLES.iter().zip(values) {
                    setup = setup.env(&format!("{prefix}{variable}"), value);
                }
                setup.start()
            })
            .collect();
        for (client, winners) in clients.into_iter().zip([vec![30_904_465], vec![]]) {
            let ended = client.wait_for_end();
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            assert_eq!(ended.winners(), winners);
            assert_eq!(log::count(&ended.log, "result: fail"), 0);
            assert_eq!(log::count(&ended.log, "action: apuesta_enviada"), 1);
            let [_, _, document, _, number] = BETS[usize::from(winners.is_empty())].0;
            let sent = format!(
                "action: apuesta_enviada | result: success | dni: {document} | numero: {number}"
            );
            log::position(&ended.log, &sent);
        }
        let stored = server.setup().bets_file();
        let log = server.terminate().log;
        for (agency, (values, row)) in (1..).zip(BETS) {
            let [_, _, document, _, number] = values;
            let received = format!(
                "action: apuesta_almacenada | result: success | dni: {document} | numero: {number}"
            );
            log::position(&log, &received);
            assert!(stored.contains(&format!("{agency},{row}")), "{stored}");
        }
        assert_eq!(stored.lines().count(), BETS.len());
        assert_eq!(log::count(&log, "action: sorteo | result: success"), 1);
    }
}

#[test]
fn a_single_bet_that_was_sent_before_is_not_sent_again() {
    let server = ServerSetup::lottery(1).start();
    let mut setup = ClientSetup::agency(1, server.address()).flag("mode", "single-bet");
    for (variable, value) in VARIABLES.iter().zip(BETS[0].0) {
        setup = setup.env(variable, value);
    }
    for runs in 1..=3 {
        let ended = setup.start().wait_for_end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.winners(), [30_904_465]);
        let sent = log::count(&ended.log, "action: apuesta_enviada");
        assert_eq!(sent, usize::from(runs == 1));
    }
    assert_eq!(server.setup().bets_file(), format!("1,{}", BETS[0].1));
}

/// A client that sends this many messages.
fn echo_client(id: u32, server: std::net::SocketAddr, messages: u32, period: &str) -> ClientSetup {
    ClientSetup::agency(id, server)
        .flag("mode", "echo")
        .flag("loop-amount", &messages.to_string())
        .flag("loop-period", period)
}

#[test]
fn five_echo_clients_get_each_of_their_five_messages_back() {
    let server = ServerSetup::echo().start();
    let clients: Vec<_> = (1..=5)
        .map(|id| echo_client(id, server.address(), 5, "1ms").start())
        .collect();
    for (id, client) in (1..).zip(clients) {
        let ended = client.wait_for_end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let events: Vec<&str> = ended.log.iter().map(|line| log::event(line)).collect();
        let messages = (1..=5).map(|number| {
            format!(
                "action: receive_message | result: success | client_id: {id} | \
                 msg: [CLIENT {id}] Message N°{number}"
            )
        });
        let finished = format!("action: loop_finished | result: success | client_id: {id}");
        let expected: Vec<String> = messages.chain([finished]).collect();
        assert_eq!(events[1..], expected);
    }
    let log = server.terminate().log;
    for id in 1..=5 {
        for number in 1..=5 {
            let received = format!(
                "action: receive_message | result: success | ip: 127.0.0.1 | \
                 msg: [CLIENT {id}] Message N°{number}"
            );
            assert_eq!(log::count(&log, &received), 1);
        }
    }
    assert_eq!(log::count(&log, "result: fail"), 0);
}

#[test]
fn an_echo_client_closes_its_connection_before_it_pauses() {
    let server = HandCentral::listen();
    let client = echo_client(3, server.address(), 2, "1h").start();
    let mut connection = server.accept();
    let message = "[CLIENT 3] Message N°1\n";
    assert_eq!(connection.take_many(message.len()), message.as_bytes());
    connection.send(message.as_bytes());
    client.wait_for_line("action: receive_message | result: success");
    connection.expect_closed();
    assert!(!client.has_ended());
}

#[test]
fn an_echo_client_without_messages_has_finished_at_once() {
    let ended = echo_client(1, HandCentral::listen().address(), 0, "1h")
        .start()
        .wait_for_end();
    assert_eq!(ended.code, Some(0));
    log::position(&ended.log, "action: loop_finished | result: success");
}
