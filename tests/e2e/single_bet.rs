//! Mode `single-bet`.

use crate::kit::{Program, Server};

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
