//! The store on a simulated disk that fails when told to, and on a real folder.

mod draw;
mod faults;
mod recovery;

use time::macros::date;

use super::*;
use crate::bet::Bet;
use crate::encoding;
use crate::name::Name;
use crate::testing::{Faults, SimDisk};

/// Bets of one agency, by DNI and number.
fn bets(agency: u32, bets: &[(u32, u32)]) -> Bets<'static> {
    let mut made = Bets::default();
    for (document, number) in bets {
        let bet = Bet {
            agency,
            first_name: Name::new("María José".as_bytes()).unwrap(),
            last_name: Name::new("García, hijo".as_bytes()).unwrap(),
            document: *document,
            birthdate: date!(1999 - 03 - 17),
            number: *number,
        };
        encoding::encode(&bet, &mut made.encodings);
        made.bets.push(bet);
    }
    made
}

fn row(agency: u32, document: u32, number: u32) -> String {
    format!("{agency},María José,\"García, hijo\",{document},1999-03-17,{number}\r\n")
}

fn open(disk: &SimDisk) -> (Store<SimDisk>, Recovery) {
    Store::open(disk.clone(), || false).unwrap()
}

/// A disk with these files.
fn disk_with(files: &[(&str, &[u8])]) -> SimDisk {
    let disk = SimDisk::default();
    for (name, content) in files {
        disk.put(name, content);
    }
    disk
}

fn text(disk: &SimDisk, name: &str) -> String {
    String::from_utf8(disk.cached(name)).unwrap()
}

fn draw<D: Disk>(store: &Store<D>, winning_number: u32) -> Winners {
    let mut draw = store.begin_draw(winning_number);
    loop {
        if let Some(winners) = store.advance_draw(&mut draw).unwrap() {
            return winners;
        }
    }
}

const HELD: DrawRecord = DrawRecord {
    winning_number: 7,
    agencies: 2,
    bets: 3,
    winners: 2,
};

#[test]
fn what_is_committed_is_on_the_medium_and_an_opened_store_stands_where_the_last_one_stood() {
    let disk = SimDisk::default();
    let (mut store, recovery) = open(&disk);
    assert_eq!((recovery.bets, recovery.finished), (0, 0));
    store.store_bets(1, &bets(1, &[(10, 7)]));
    store.store_bets(2, &bets(2, &[(20, 7), (21, 8)]));
    store.finish_agency(2);
    assert!(store.has_staged(2) && store.staged_bytes() > 0);
    assert_eq!(text(&disk, BETS_FILE) + &text(&disk, CLOSINGS_FILE), "");
    store.commit(true).unwrap();
    assert!(!store.has_staged(2) && store.staged_bytes() == 0);
    let rows = row(1, 10, 7) + &row(2, 20, 7) + &row(2, 21, 8);
    let closing = format!("2,2,{}\r\n", store.tally(2).crc);
    store.record_draw(HELD).unwrap();
    let files = [
        (BETS_FILE, rows),
        (CLOSINGS_FILE, closing),
        (DRAW_FILE, "7,2,3,2\r\n".into()),
    ];
    for (name, content) in &files {
        assert_eq!(disk.synced(name), content.as_bytes());
        assert_eq!(text(&disk, name), *content);
    }
    let stored: Vec<_> = store.agencies().collect();
    drop(store);
    disk.restart(true);

    let (mut store, recovery) = open(&disk);
    assert_eq!((recovery.bets, recovery.finished), (3, 1));
    assert!(recovery.cut_bytes.iter().all(|(_, bytes)| *bytes == 0));
    assert!(store.agencies().eq(stored));
    let finished = [1, 2].map(|agency| store.has_finished(agency));
    assert_eq!(finished, [false, true]);
    assert_eq!(store.draw(), Some(HELD));
    store.store_bets(1, &bets(1, &[(11, 7)]));
    store.commit(true).unwrap();
    assert_eq!(
        draw(&store, 7),
        Winners::from([(1, vec![10, 11]), (2, vec![20])])
    );
    assert_eq!(draw(&store, 9), Winners::new());
}

#[test]
fn a_folder_is_made_with_its_parents_used_by_one_store_and_watched() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a/b");
    let open = || Store::open(Folder::new(&path), || false);
    let (mut store, _) = open().unwrap();
    let error = open().err().unwrap().to_string();
    assert_eq!(
        error,
        "bets.csv: a server is using this folder; stop it first"
    );
    store.store_bets(1, &bets(1, &[(10, 7)]));
    store.finish_agency(1);
    store.commit(true).unwrap();
    drop(store);
    let (mut store, recovery) = open().unwrap();
    assert_eq!((recovery.bets, recovery.finished), (1, 1));
    assert_eq!(draw(&store, 7), Winners::from([(1, vec![10])]));
    std::fs::remove_file(path.join(BETS_FILE)).unwrap();
    store.store_bets(2, &bets(2, &[(20, 7)]));
    assert!(matches!(
        store.commit(true),
        Err(CommitError::Tampered { .. })
    ));
}
