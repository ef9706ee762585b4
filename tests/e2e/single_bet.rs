//! Mode `single-bet`.

use crate::kit::{Program, Server};

const VARIABLES: [&str; 5] = ["NOMBRE", "APELLIDO", "DOCUMENTO", "NACIMIENTO", "NUMERO"];

/// What stands before the variables of two agencies, their values, and the rows that are stored.
const BETS: [(&str, [&str; 5], &str); 2] = [
    (
        "",
        ["Santiago Lionel", "Lorca", "30904465", "1999-03-17", "7574"],
        "1,Santiago Lionel,Lorca,30904465,1999-03-17,7574\r\n",
    ),
    (
        "CLI_BETTOR_",
        ["María", "Núñez, hija", "1", "2000-02-29", "0"],
        "2,María,\"Núñez, hija\",1,2000-02-29,0\r\n",
    ),
];

#[test]
fn bets_come_from_the_environment_under_both_names_of_each_variable_and_are_sent_once() {
    let mut server = Server::lottery(2).start();
    let clients = [1, 2].map(|agency| {
        let mut client = Program::agency_without_data(agency, server.address);
        let (prefix, values, _) = BETS[agency as usize - 1];
        for (name, value) in VARIABLES.iter().zip(values) {
            client = client.set(&format!("{prefix}{name}"), value);
        }
        client.set("CLI_MODE", "single-bet")
    });
    let told = |values: [&str; 5]| format!("dni: {} | numero: {}", values[2], values[4]);
    for runs in 1..=2 {
        let running = clients.each_ref().map(Program::start);
        for ((client, winners), (_, values, _)) in running.into_iter().zip([1, 0]).zip(BETS) {
            let ended = client.wait_for_end();
            ended.expect_success();
            assert_eq!(ended.winners(), vec![30_904_465; winners]);
            let sent = "action: apuesta_enviada | result: success | ";
            let sent = ended.log.count(&format!("{sent}{}", told(values)));
            assert_eq!(sent, usize::from(runs == 1));
        }
    }
    let log = server.terminate().log;
    for (_, values, row) in BETS {
        let stored = "action: apuesta_almacenada | result: success | ";
        assert_eq!(log.count(&format!("{stored}{}", told(values))), 1);
        assert!(server.bets().contains(row), "{}", server.bets());
    }
    assert_eq!(server.bets().lines().count(), 2);
}
