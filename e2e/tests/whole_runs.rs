//! Whole lotteries of the real programs: what is stored, who is told what and when, and what both
//! sides log.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{self, HandBet, WINNING_NUMBER, losing_bets};
use lottery_e2e::{
    Answer, ClientProcess, ClientSetup, Dataset, Ended, ServerProcess, ServerSetup, log,
};

/// The bets in the bundled files.
const BUNDLED_BETS: u64 = 78_697;

fn bundled() -> Vec<Dataset> {
    (1..=5).map(Dataset::bundled).collect()
}

/// A file of losing bets and, in the middle of them, this winner's.
fn dataset_with_winner(agency: u32, winner: u32) -> Dataset {
    let mut bets = losing_bets(agency, 500);
    bets.insert(250, HandBet::new(agency, winner, WINNING_NUMBER));
    Dataset::of(agency, &bets)
}

/// Such files of the agencies 1 to `last`.
fn datasets_with_winners(last: u32) -> Vec<Dataset> {
    let agencies = 1..=last;
    let datasets = agencies.map(|agency| dataset_with_winner(agency, 100 + agency));
    datasets.collect()
}

/// A server that logs what it does at its usual level.
fn usual_server(agencies: u32) -> ServerSetup {
    ServerSetup::lottery(agencies).setting("LOGGING_LEVEL", "INFO")
}

fn start_all(server: &ServerProcess, datasets: &[Dataset]) -> Vec<ClientProcess> {
    let setups = datasets
        .iter()
        .map(|dataset| ClientSetup::with(dataset, server.address()));
    setups.map(|setup| setup.start()).collect()
}

/// Waits until the agencies end, each of them well and with its own winners.
fn expect_winners(clients: Vec<ClientProcess>, datasets: &[Dataset]) -> Vec<Ended> {
    assert_eq!(clients.len(), datasets.len());
    clients
        .into_iter()
        .zip(datasets)
        .map(|(client, dataset)| {
            let ended = client.wait_for_end();
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            assert_eq!(ended.complaints, [""; 0]);
            assert_eq!(ended.winners(), dataset.winners());
            ended
        })
        .collect()
}

#[test]
fn five_agencies_with_the_bundled_data_store_every_row_and_are_told_their_own_winners() {
    let datasets = bundled();
    let server = usual_server(5).start();
    let clients = start_all(&server, &datasets);
    let ended = expect_winners(clients, &datasets);

    // As .data/README.md says: two people won twice, and the fifth agency has no winner.
    let counts: Vec<usize> = ended.iter().map(|ended| ended.winners().len()).collect();
    assert_eq!(counts, [5, 2, 8, 3, 0]);

    for (ended, dataset) in ended.iter().zip(&datasets) {
        let sent = "action: apuesta_enviada | result: success";
        let bets = dataset.bets() as u64;
        assert_eq!(log::sum(&ended.log, sent, "cantidad"), bets);
        assert_eq!(log::count(&ended.log, "result: fail"), 0);
        let asked = log::position(&ended.log, "action: consulta_ganadores");
        assert_eq!(asked, ended.log.len() - 2, "what comes last: {ended:#?}");
    }

    let setup = server.setup().clone();
    let ended = server.terminate();
    let received = "action: apuesta_recibida | result: success";
    assert_eq!(log::sum(&ended.log, received, "cantidad"), BUNDLED_BETS);
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
    expect_one_draw_after_all_closings(&ended.log, 5);
    assert_eq!(setup.bets_file().lines().count() as u64, BUNDLED_BETS);
    expect_all_stored(&setup, &datasets);
}

/// The agencies finish one after the other, which the log counts down; then, once, is the draw.
fn expect_one_draw_after_all_closings(lines: &[String], agencies: usize) {
    let closing = "action: agencia_lista | result: success";
    let closings: Vec<&String> = lines.iter().filter(|line| line.contains(closing)).collect();
    let missing: Vec<usize> = closings
        .iter()
        .map(|line| log::value(line, "faltan").parse().unwrap())
        .collect();
    let countdown: Vec<usize> = (0..agencies).rev().collect();
    assert_eq!(missing, countdown);
    let mut finished: Vec<usize> = closings
        .iter()
        .map(|line| log::value(line, "agencia").parse().unwrap())
        .collect();
    finished.sort_unstable();
    assert_eq!(finished, (1..=agencies).collect::<Vec<_>>());
    let draw = "action: sorteo | result: success";
    assert_eq!(log::count(lines, draw), 1);
    assert!(log::position(lines, "faltan: 0") < log::position(lines, draw));
}

#[test]
fn nobody_is_told_winners_before_the_last_agency_has_sent_everything() {
    let datasets = datasets_with_winners(4);
    let server = usual_server(5).start();
    let clients = start_all(&server, &datasets);
    server.wait_for_line("action: agencia_lista | result: success | agencia: ");
    server.wait_for_line("faltan: 1");
    let expect_everybody_waits = || {
        for client in &clients {
            assert!(!client.has_ended());
            assert_eq!(log::count(&client.log(), "ganadores"), 0);
        }
        assert_eq!(log::count(&server.log(), "action: sorteo"), 0);
    };
    expect_everybody_waits();
    // The last one takes its time, and nothing that it does before its last word changes this.
    let mut last = server.newcomer(5);
    let bets = [HandBet::new(5, 501, WINNING_NUMBER)];
    for stored in 1..=3 {
        last.store(&bets);
        expect_everybody_waits();
        let stored = vec![bets[0].clone(); stored];
        assert_eq!(last.hello(5), Answer::welcome(&stored, 0));
        expect_everybody_waits();
    }
    last.finish();
    last.expect(Answer::Winners(vec![501; 3]));
    expect_winners(clients, &datasets);
}

#[test]
fn agencies_that_start_before_the_server_wait_for_it() {
    let datasets = datasets_with_winners(3);
    let setup = usual_server(3).with_own_address();
    let clients: Vec<ClientProcess> = datasets
        .iter()
        .map(|dataset| ClientSetup::with(dataset, setup.own_address()).start())
        .collect();
    for client in &clients {
        let line = client.wait_for_line("action: connect | result: in_progress");
        assert!(log::value(&line, "retry_in").ends_with("ms"), "{line}");
    }
    let server = setup.start();
    for ended in expect_winners(clients, &datasets) {
        assert_eq!(log::count(&ended.log, "result: fail"), 0);
    }
    assert_eq!(server.terminate().code, Some(0));
    expect_all_stored(&setup, &datasets);
}

#[test]
fn winners_are_told_again_to_who_asks_again_also_after_a_restart() {
    let datasets = datasets_with_winners(3);
    let setup = usual_server(3);
    let server = setup.start();
    expect_winners(start_all(&server, &datasets), &datasets);
    let expect_the_same_again = |server: &ServerProcess| {
        for ended in expect_winners(start_all(server, &datasets), &datasets) {
            let resumed = log::position(&ended.log, "action: reanudar | result: success");
            assert_eq!(log::value(&ended.log[resumed], "apuestas"), "501");
            assert_eq!(log::count(&ended.log, "action: apuesta_enviada"), 0);
        }
        expect_all_stored(&setup, &datasets);
    };
    expect_the_same_again(&server);
    expect_the_same_again(&server);
    assert_eq!(server.terminate().code, Some(0));
    let server = setup.start();
    expect_the_same_again(&server);
    server.kill();
    let server = setup.start();
    expect_the_same_again(&server);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
    assert_eq!(log::count(&ended.log, "action: apuesta_recibida"), 0);
}

#[test]
fn an_agency_without_bets_takes_part() {
    let datasets = [Dataset::of(1, &[]), dataset_with_winner(2, 102)];
    let server = usual_server(2).start();
    expect_winners(start_all(&server, &datasets), &datasets);
    expect_all_stored(server.setup(), &datasets);
}

#[test]
fn an_agency_that_was_interrupted_goes_on_where_it_was() {
    let dataset = dataset_with_winner(1, 101);
    let server = usual_server(1).start();
    // One bet at a time, so that there is a middle in which to interrupt it.
    let slow = ClientSetup::with(&dataset, server.address())
        .flag("batch-max-amount", "1")
        .flag("batch-window", "1");
    let client = slow.start();
    client.wait_for_lines("action: apuesta_enviada", 20);
    let ended = client.terminate();
    assert_eq!(ended.code, Some(0));
    let sent = log::count(&ended.log, "action: apuesta_enviada");
    let ended = expect_winners(vec![slow.start()], std::slice::from_ref(&dataset));
    let resumed = log::position(&ended[0].log, "action: reanudar | result: success");
    let resumed: usize = log::value(&ended[0].log[resumed], "apuestas")
        .parse()
        .unwrap();
    // The last one may have been stored without the answer being read.
    assert!((sent..=sent + 1).contains(&resumed), "{sent} {resumed}");
    assert_eq!(
        log::count(&ended[0].log, "action: apuesta_enviada"),
        dataset.bets() - resumed
    );
    expect_all_stored(server.setup(), &[dataset]);
}

#[test]
fn a_second_agency_of_the_same_number_is_served_and_no_bet_is_stored_twice() {
    let datasets = [dataset_with_winner(1, 101), dataset_with_winner(2, 102)];
    let server = usual_server(2).start();
    let first = ClientSetup::with(&datasets[0], server.address()).start();
    server.wait_for_closing(1);
    // While the first waits for the draw, somebody starts it again by mistake.
    let second = ClientSetup::with(&datasets[0], server.address()).start();
    server.wait_for_line("action: takeover | result: success | agencia: 1");
    let ended = first.kill();
    assert_eq!(log::count(&ended.log, "ganadores"), 0);
    let other = ClientSetup::with(&datasets[1], server.address()).start();
    expect_winners(vec![second, other], &datasets);
    expect_all_stored(server.setup(), &datasets);
}

#[test]
fn an_agency_whose_file_has_changed_is_told_so_and_stores_nothing() {
    let dataset = dataset_with_winner(1, 101);
    let server = usual_server(2).start();
    let client = ClientSetup::with(&dataset, server.address()).start();
    server.wait_for_closing(1);
    client.kill();
    let bets = losing_bets(1, 501);
    let ended = ClientSetup::with(&Dataset::of(1, &bets), server.address())
        .start()
        .wait_for_end();
    let crc = wire::crc(&bets).to_string();
    ended.expect_complaint(1, &["expected the same bets as before", &crc]);
    assert_eq!(log::count(&ended.log, "result: fail"), 1);
    expect_all_stored(server.setup(), &[dataset]);
}
