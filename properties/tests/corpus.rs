//! The checks on what the fuzzers have found worth keeping: inputs that reach everything that any
//! input is known to reach.

#![allow(clippy::unwrap_used)] // A test says what went wrong by panicking.

use std::fs;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::Path;

use lottery_properties::{agency, bet_source, central, codec, settings, store};

fn replay(target: &str, check: impl Fn(&[u8]) + RefUnwindSafe) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut inputs = 0;
    for entry in fs::read_dir(corpus.join(target)).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(catch_unwind(|| check(&input)).is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 0, "no corpus for {target}");
}

#[test]
fn requests() {
    replay("requests", codec::check_requests);
}

#[test]
fn replies() {
    replay("replies", codec::check_replies);
}

#[test]
fn the_central() {
    replay("central", central::check);
}

#[test]
fn an_agency() {
    replay("agency", agency::check);
}

#[test]
fn the_stores_opening() {
    replay("store", store::check);
}

#[test]
fn the_servers_settings() {
    replay("server_settings", settings::check_server);
}

#[test]
fn the_clients_settings() {
    replay("client_settings", settings::check_client);
}

#[test]
fn a_bet_source() {
    replay("bet_source", bet_source::check);
}
