//! Whole lotteries: what is stored, who is told what and when, and what both sides log.

use rustix::process::Signal;

use crate::kit::Message::RegisterBets;
use crate::kit::{Bet, Dataset, Log, Program, Server, expect_winners, losing_bets};

#[test]
fn five_agencies_with_the_bundled_data_store_every_row_and_are_told_their_own_winners_and_again() {
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let mut server = Server::lottery(5).start();
    let ended = expect_winners(server.start_agencies(&datasets), &datasets);
    let log = server.end_by(Signal::KILL).log;
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
            let told = format!("apuestas: {stored} | porcentaje");
            let before = Log(ended.log[..ended.log.position(&told)].to_vec());
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

    // A server that is started again knows the draw, and has announced it.
    server.restart();
    let opened = "open_storage | result: success | apuestas: 78697 | agencias_listas: 5";
    server.wait_for_line(opened);
    let ended = expect_winners(server.start_agencies(&datasets), &datasets);
    for (ended, dataset) in ended.iter().zip(&datasets) {
        let resumed = ended.log.sum("action: reanudar", "apuestas");
        assert_eq!(resumed, dataset.bets.len() as u64);
        assert_eq!(ended.log.count("action: apuesta_enviada"), 0);
    }
    let mut late = server.connect();
    late.say(RegisterBets(losing_bets(1, 1)));
    late.expect_refusal(5);
    server.expect_stored(&datasets);
    assert_eq!(server.terminate().log.count("action: sorteo"), 0);
}

#[test]
fn no_agency_sees_winners_before_all_have_finished_though_one_is_started_twice_by_mistake() {
    let datasets = [1, 2].map(Dataset::with_winner);
    let server = Server::lottery(3).start();
    let first = Program::agency(&datasets[0], server.address).start();
    server.wait_for_finish(1);
    // While the first waits for the draw, another takes over.
    let agencies = server.start_agencies(&datasets);
    server.wait_for_line("action: takeover | result: success | agencia: 1");
    let first = first.wait_for_end();
    // They take over from each other. Three times it is suspected, then certain.
    let another = "another program runs as agency 1";
    first.expect_complaint(1, another);
    let suspected = format!("error: the central closed the connection; it stopped, or {another}");
    assert_eq!(first.log.count(&suspected), 3, "{first:#?}");
    assert_eq!(first.log.count("result: fail"), 1, "{first:#?}");
    assert_eq!(first.log.count("ganadores | result: success"), 0);
    server.wait_for_line("faltan: 1");
    // Whatever the last one does before its last word changes nothing.
    let mut last = server.newcomer(3);
    let bets = [Bet::winning(3, 301)];
    last.store(&bets);
    last.hello(3, &bets, 0);
    for agency in &agencies {
        assert_eq!(agency.log().count("ganadores | result: success"), 0);
    }
    assert_eq!(server.log().count("action: sorteo"), 0);
    last.finish();
    last.expect_winners(&[301]);
    for (agency, dataset) in agencies.into_iter().zip(&datasets) {
        agency.wait_for_end().expect_winners(dataset);
    }
    server.expect_stored(&[&datasets[..], &[Dataset::of(3, bets.to_vec())]].concat());
}
