//! The store on a real folder, and on a disk that fails when told to.

use std::cell::Cell;
use std::fs::{self, File};
use std::rc::Rc;

use tempfile::TempDir;
use time::macros::date;

use super::*;
use crate::name::Name;

fn bet(agency: u32, document: u32, number: u32) -> Bet<'static> {
    Bet {
        agency,
        first_name: Name::new("María José".as_bytes()).unwrap(),
        last_name: Name::new(b"Garc\xc3\xada, hijo").unwrap(),
        document,
        birthdate: date!(1999 - 03 - 17),
        number,
    }
}

fn row(agency: u32, document: u32, number: u32) -> String {
    format!("{agency},María José,\"García, hijo\",{document},1999-03-17,{number}\r\n")
}

fn open(folder: &TempDir) -> (Store<File>, Recovery) {
    Store::open(&Folder::new(folder.path())).unwrap()
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn draw<F: DiskFile>(store: &Store<F>, winning_number: u32) -> Winners {
    let mut draw = store.begin_draw(winning_number);
    loop {
        if let Some(winners) = store.advance_draw(&mut draw).unwrap() {
            return winners;
        }
    }
}

#[test]
fn bets_and_closings_reach_the_files_at_the_commit_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, recovery) = open(&folder);
    assert_eq!(recovery, Recovery::default());
    store.store_bets(2, &[bet(2, 10, 7574), bet(2, 11, 1)]);
    store.close_agency(2);
    assert!(store.has_staged(2));
    assert_eq!(read(&folder, BETS_FILE), "");
    store.commit(true).unwrap();
    assert!(!store.has_staged(2));
    assert_eq!(read(&folder, BETS_FILE), row(2, 10, 7574) + &row(2, 11, 1));
    let tally = store.tally(2);
    assert_eq!(
        read(&folder, CLOSINGS_FILE),
        format!("2,2,{}\r\n", tally.crc)
    );
    assert_eq!(tally.bets, 2);
}

#[test]
fn a_store_opened_again_stands_where_the_last_one_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = open(&folder);
    store.store_bets(1, &[bet(1, 10, 7)]);
    store.store_bets(2, &[bet(2, 20, 7), bet(2, 21, 8)]);
    store.close_agency(2);
    store.commit(false).unwrap();
    let tallies = [store.tally(1), store.tally(2)];
    drop(store);
    let (mut store, recovery) = open(&folder);
    assert_eq!(
        recovery,
        Recovery {
            bets: 3,
            closed: 1,
            ..Recovery::default()
        }
    );
    assert_eq!([store.tally(1), store.tally(2)], tallies);
    assert!(!store.is_closed(1));
    assert!(store.is_closed(2));
    store.store_bets(1, &[bet(1, 11, 7)]);
    store.commit(true).unwrap();
    assert_eq!(
        draw(&store, 7),
        Winners::from([(1, vec![10, 11]), (2, vec![20])])
    );
}

#[test]
fn a_torn_last_record_is_cut_at_every_byte_it_may_have_been_torn_at() {
    let whole = row(1, 10, 7);
    let torn = row(1, 11, 8);
    for torn_bytes in 1..torn.len() {
        for zeros in [0, 5000] {
            let folder = tempfile::tempdir().unwrap();
            let bytes = [
                whole.as_bytes(),
                &torn.as_bytes()[..torn_bytes],
                &vec![0; zeros],
            ]
            .concat();
            fs::write(folder.path().join(BETS_FILE), bytes).unwrap();
            fs::write(folder.path().join(CLOSINGS_FILE), "1,1,4").unwrap();
            let (store, recovery) = open(&folder);
            assert_eq!(recovery.bets_cut_bytes, (torn_bytes + zeros) as u64);
            assert_eq!(recovery.closings_cut_bytes, 5);
            assert_eq!(store.tally(1).bets, 1);
            assert!(!store.is_closed(1));
            assert_eq!(read(&folder, BETS_FILE), whole);
            assert_eq!(read(&folder, CLOSINGS_FILE), "");
        }
    }
}

/// Files with these contents are refused with a complaint that begins so, and left as they are.
fn expect_refusal(bets: &str, closings: &str, complaint: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(BETS_FILE), bets).unwrap();
    fs::write(folder.path().join(CLOSINGS_FILE), closings).unwrap();
    let error = Store::open(&Folder::new(folder.path())).unwrap_err();
    assert!(error.to_string().starts_with(complaint), "{error}");
    assert_eq!(read(&folder, BETS_FILE), bets);
    assert_eq!(read(&folder, CLOSINGS_FILE), closings);
}

#[test]
fn a_file_damaged_elsewhere_is_refused_with_the_line_and_left_alone() {
    let good = row(1, 10, 7);
    for (bets, complaint) in [
        ("{good}1,Ana,Paz\r\n{good}", "line 2: 3 fields, expected 6"),
        ("{good}1,Ana,Paz\r\n", "line 2: 3 fields, expected 6"),
        ("{good}\r\n{good}", "line 2: 1 fields, expected 6"),
        ("{good, of Unix}{good}", "line 1: expected a row"),
        ("{good}{long}\r\n", "line 2: expected a row"),
        ("{good}{long}", "line 2: expected a row"),
        ("{good}{zeros}{good}", "line 2: expected a row"),
        (
            "1,Ana,Paz,1,1999-02-30,7\r\n",
            "line 1: birthdate \"1999-02-30\"",
        ),
    ] {
        let bets = bets.replace("{good}", &good);
        let bets = bets.replace("{good, of Unix}", &good.replace("\r\n", "\n"));
        let bets = bets.replace("{long}", &"x".repeat(3000));
        let bets = bets.replace("{zeros}", &"\0".repeat(3000));
        expect_refusal(&bets, "", &format!("bets.csv {complaint}"));
    }
    let mut encoding = Vec::new();
    bet_encoding::encode(&bet(1, 10, 7), &mut encoding);
    let mut tally = Tally::default();
    tally.add(1, &encoding);
    let closing = format!("1,1,{}\r\n", tally.crc);
    let wrong_crc = format!("1,1,{}\r\n", tally.crc ^ 1);
    for (closings, complaint) in [
        ("1,2,3\r\n", "line 1: agency 1 closed with 2 bets"),
        (&wrong_crc, "line 1: agency 1 closed with 1 bets"),
        ("3,0\r\n", "line 1: 2 fields, expected 3"),
        (&closing.repeat(2), "line 2: agency 1 closed already"),
    ] {
        expect_refusal(&good, closings, &format!("closings.csv {complaint}"));
    }
}

#[test]
fn the_draw_finds_winners_across_slices_and_only_in_the_last_field() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = open(&folder);
    let mut expected = Winners::new();
    for document in 1..=60_000 {
        let agency = document % 7 + 1;
        let wins = document % 1000 == 0;
        store.store_bets(agency, &[bet(agency, document, if wins { 57 } else { 7 })]);
        if wins {
            expected.entry(agency).or_default().push(document);
        }
    }
    // A document that reads like a winning ending, and numbers that end or begin like it.
    store.store_bets(9, &[bet(9, 57, 0), bet(9, 1, 757), bet(9, 2, 570)]);
    store.commit(false).unwrap();
    assert!(store.bets_bytes > 2 * draw::SLICE_BYTES as u64);
    assert_eq!(draw(&store, 57), expected);
    assert_eq!(draw(&store, 9999), Winners::new());
}

#[test]
fn a_draw_over_no_bets_has_no_winners() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(draw(&open(&folder).0, 7574), Winners::new());
}

/// Which operations on the disk fail.
#[derive(Clone, Copy, Default)]
struct Faults {
    /// Bytes that the next writes still take.
    room: Option<usize>,
    truncate: bool,
    sync: bool,
}

struct FaultyFolder(Folder, Rc<Cell<Faults>>);

struct FaultyFile(File, Rc<Cell<Faults>>);

impl Disk for FaultyFolder {
    type File = FaultyFile;

    fn open(&self, name: &str) -> io::Result<FaultyFile> {
        Ok(FaultyFile(self.0.open(name)?, self.1.clone()))
    }
}

impl DiskFile for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        DiskFile::read_at(&self.0, offset, buffer)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(room) = self.1.get().room else {
            return DiskFile::write_at(&mut self.0, offset, bytes);
        };
        let fits = room.min(bytes.len());
        self.1.set(Faults {
            room: Some(room - fits),
            ..self.1.get()
        });
        DiskFile::write_at(&mut self.0, offset, &bytes[..fits])?;
        if fits < bytes.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        if self.1.get().truncate {
            Err(io::ErrorKind::Other.into())
        } else {
            self.0.truncate(bytes)
        }
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.1.get().sync {
            Err(io::ErrorKind::Other.into())
        } else {
            DiskFile::sync(&mut self.0)
        }
    }
}

fn faulty(folder: &TempDir) -> (Store<FaultyFile>, Rc<Cell<Faults>>) {
    let faults = Rc::new(Cell::new(Faults::default()));
    let disk = FaultyFolder(Folder::new(folder.path()), faults.clone());
    (Store::open(&disk).unwrap().0, faults)
}

#[test]
fn a_full_disk_stores_nothing_of_the_turn_and_serves_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(&folder);
    store.store_bets(1, &[bet(1, 10, 7)]);
    store.commit(true).unwrap();
    let before = store.tally(1);
    store.store_bets(1, &[bet(1, 11, 7)]);
    store.store_bets(2, &[bet(2, 20, 7)]);
    store.close_agency(2);
    faults.set(Faults {
        room: Some(70),
        ..Faults::default()
    });
    assert!(matches!(
        store.commit(true),
        Err(CommitError::NothingStored(_))
    ));
    assert_eq!(read(&folder, BETS_FILE), row(1, 10, 7));
    assert_eq!(read(&folder, CLOSINGS_FILE), "");
    assert_eq!(store.tally(1), before);
    assert_eq!(store.tally(2), Tally::default());
    assert!(!store.is_closed(2));
    faults.set(Faults::default());
    store.store_bets(2, &[bet(2, 20, 7)]);
    store.close_agency(2);
    store.commit(true).unwrap();
    assert_eq!(read(&folder, BETS_FILE), row(1, 10, 7) + &row(2, 20, 7));
    drop(store);
    assert!(open(&folder).0.is_closed(2));
}

#[test]
fn a_disk_too_full_for_the_closing_keeps_the_bets_and_leaves_the_agency_open() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(&folder);
    store.store_bets(1, &[bet(1, 10, 7)]);
    store.close_agency(1);
    faults.set(Faults {
        room: Some(row(1, 10, 7).len() + 3),
        ..Faults::default()
    });
    assert!(matches!(
        store.commit(true),
        Err(CommitError::ClosingsNotStored(_))
    ));
    assert_eq!(store.tally(1).bets, 1);
    assert!(!store.is_closed(1));
    assert_eq!(read(&folder, CLOSINGS_FILE), "");
    faults.set(Faults::default());
    store.close_agency(1);
    store.commit(true).unwrap();
    drop(store);
    assert!(open(&folder).0.is_closed(1));
}

#[test]
fn a_failed_sync_or_a_cut_that_fails_leaves_the_store_in_doubt() {
    for faults_then in [
        Faults {
            sync: true,
            ..Faults::default()
        },
        Faults {
            room: Some(1),
            truncate: true,
            ..Faults::default()
        },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, faults) = faulty(&folder);
        store.store_bets(1, &[bet(1, 10, 7)]);
        faults.set(faults_then);
        assert!(matches!(
            store.commit(true),
            Err(CommitError::InDoubt { .. })
        ));
    }
}

#[test]
fn without_syncing_only_closings_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, faults) = faulty(&folder);
    faults.set(Faults {
        sync: true,
        ..Faults::default()
    });
    store.store_bets(1, &[bet(1, 10, 7)]);
    store.commit(false).unwrap();
    assert!(store.is_unsynced());
    store.close_agency(1);
    assert!(matches!(
        store.commit(false),
        Err(CommitError::InDoubt { .. })
    ));
    assert_eq!(read(&folder, CLOSINGS_FILE), "");
}
