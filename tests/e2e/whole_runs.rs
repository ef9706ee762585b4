//! Whole lotteries: what is stored, who is told what and when, and what both sides log.

use crate::kit::Message::{InformWinners, RegisterBets};
use crate::kit::{Bet, Dataset, Program, Server, expect_winners, losing_bets};

#[test]
fn five_agencies_with_the_bundled_data_store_every_row_and_are_told_their_own_winners() {
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let mut server = Server::lottery(5).start();
    let ended = expect_winners(server.start_agencies(&datasets), &datasets);
    let log = server.terminate().log;
    server.expect_stored(&datasets);

    // As .data/README.md says: two people won twice, and the fifth agency has no winner.
    let counts: Vec<usize> = ended.iter().map(|ended| ended.winners().len()).collect();
    assert_eq!(counts, [5, 2, 8, 3, 0]);
    for (ended, dataset) in ended.iter().zip(&datasets) {
        let sent = "action: apuesta_enviada | result: success";
        let bets = dataset.bets.len() as u64;
        assert_eq!(ended.log.sum(sent, "cantidad"), bets);
        // Each tenth of the file is told as soon as it is stored.
        let progress = ended.log.values("action: progreso", "apuestas");
        assert!(progress.len() >= 8, "{ended:#?}");
        for stored in progress {
            let told = ended
                .log
                .position(&format!("apuestas: {stored} | porcentaje"));
            let before = ended.log.before(told);
            assert_eq!(before.sum(sent, "cantidad").to_string(), stored);
        }
        let asked = ended.log.position("action: consulta_ganadores");
        assert_eq!(asked, ended.log.len() - 2, "what comes last: {ended:#?}");
    }
    let received = "action: apuesta_recibida | result: success";
    assert_eq!(log.sum(received, "cantidad"), 78_697);
    let finished = "action: agencia_lista | result: success";
    assert_eq!(log.values(finished, "faltan"), ["4", "3", "2", "1", "0"]);
    let mut agencies = log.values(finished, "agencia");
    agencies.sort_unstable();
    assert_eq!(agencies, ["1", "2", "3", "4", "5"]);
    let draw = "action: sorteo | result: success";
    assert_eq!(log.count(draw), 1);
    assert_eq!(log.position(draw), log.position("faltan: 0") + 1);
    assert_eq!(log.count("result: fail"), 0);
}

#[test]
fn no_agency_sees_winners_before_all_have_finished() {
    let datasets = [1, 2, 3, 4].map(Dataset::with_winner);
    let server = Server::lottery(5).start();
    let agencies = server.start_agencies(&datasets);
    server.wait_for_line("faltan: 1");
    let expect_everybody_waits = || {
        for agency in &agencies {
            assert!(!agency.has_ended());
            assert_eq!(agency.log().count("ganadores"), 0);
        }
        assert_eq!(server.log().count("action: sorteo"), 0);
    };
    expect_everybody_waits();
    // Whatever the last one does before its last word changes nothing.
    let mut last = server.newcomer(5);
    let bets = [Bet::winning(5, 501)];
    last.store(&bets);
    last.hello(5, &bets, 0);
    expect_everybody_waits();
    last.finish();
    last.expect(InformWinners(vec![501]));
    expect_winners(agencies, &datasets);
}

#[test]
fn winners_can_be_asked_for_again_after_restarts() {
    let mut datasets = [1, 2, 3].map(Dataset::with_winner);
    datasets[2] = Dataset::losing(3, 0);
    let mut server = Server::lottery(3).start();
    expect_winners(server.start_agencies(&datasets), &datasets);
    server.kill();
    server.restart();
    server.wait_for_line(
        "action: open_storage | result: success | apuestas: 1002 | agencias_listas: 3",
    );
    let ended = expect_winners(server.start_agencies(&datasets), &datasets);
    for (ended, dataset) in ended.iter().zip(&datasets) {
        let resumed = ended.log.sum("action: reanudar", "apuestas");
        assert_eq!(resumed, dataset.bets.len() as u64);
        assert_eq!(ended.log.count("action: apuesta_enviada"), 0);
    }
    server.expect_stored(&datasets);
    // The closings hold.
    let mut late = server.connect();
    late.say(RegisterBets(losing_bets(1, 1)));
    late.expect_refusal(5);
    drop(late);
    let ended = server.terminate();
    // The server that held the draw has announced it.
    assert_eq!(ended.log.count("action: sorteo"), 0);
}

#[test]
fn a_second_client_of_the_same_agency_takes_over_and_no_bet_is_stored_twice() {
    let datasets = [Dataset::with_winner(1), Dataset::with_winner(2)];
    let server = Server::lottery(2).start();
    let first = Program::agency(&datasets[0], server.address).start();
    server.wait_for_finish(1);
    // While the first waits for the draw, somebody starts it again by mistake.
    let second = Program::agency(&datasets[0], server.address).start();
    server.wait_for_line("action: takeover | result: success | agencia: 1");
    let first = first.wait_for_end();
    first.expect_complaint(1, "another program runs as agency 1");
    assert_eq!(first.log.count("ganadores | result: success"), 0);
    let other = Program::agency(&datasets[1], server.address).start();
    for (agency, dataset) in [second, other].into_iter().zip(&datasets) {
        let ended = agency.wait_for_end();
        ended.expect_success();
        assert_eq!(ended.winners(), dataset.winners());
    }
    server.expect_stored(&datasets);
}
