//! The store on a simulated disk that fails when told to, and on a real folder.

use proptest::prelude::*;
use time::macros::date;

use super::row::is_beginning_of_bet;
use super::*;
use crate::bet::Bet;
use crate::date;
use crate::encoding;
use crate::name::Name;
use crate::testing::{Faults, Operation, SECTOR_BYTES, SimDisk};
use Operation::{Open, Read, Stat, Sync, Truncate, Write};

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
    let tallies = [1, 2].map(|agency| store.tally(agency));
    drop(store);
    disk.restart(true);

    let (mut store, recovery) = open(&disk);
    assert_eq!((recovery.bets, recovery.finished), (3, 1));
    assert!(recovery.cut_bytes.iter().all(|(_, bytes)| *bytes == 0));
    assert_eq!([1, 2].map(|agency| store.tally(agency)), tallies);
    assert!(store.finished_agencies().eq([2]));
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
fn a_torn_last_row_is_cut_at_every_byte_it_may_have_been_torn_at() {
    let bets = row(1, 10, 7);
    for (name, whole, torn) in [
        (BETS_FILE, &bets[..], &row(1, 11, 8)[..]),
        (CLOSINGS_FILE, "", "3,0,0\r\n"),
        (DRAW_FILE, "", "7,2,3,2\r\n"),
    ] {
        for (length, zeros) in (0..torn.len()).flat_map(|length| [(length, 0), (length, 5000)]) {
            let torn = [&torn.as_bytes()[..length], &vec![0; zeros]].concat();
            let disk = disk_with(&[(name, &[whole.as_bytes(), &torn].concat())]);
            let (_, recovery) = open(&disk);
            assert!(recovery.cut_bytes.contains(&(name, torn.len() as u64)));
            assert_eq!(disk.synced(name), whole.as_bytes());
            assert_eq!(text(&disk, name), whole);
        }
    }
}

#[test]
fn a_sector_missing_within_the_last_append_takes_what_is_behind_it_along_and_nothing_before() {
    let rows = (0..60).map(|document| row(1, 10_000 + document, 7));
    let whole = rows.collect::<String>().into_bytes();
    for sector in 0..whole.len() / SECTOR_BYTES {
        let mut content = whole.clone();
        content[sector * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
        let disk = disk_with(&[(BETS_FILE, &content)]);
        open(&disk);
        let kept = &whole[..sector * SECTOR_BYTES];
        let rows_end = kept
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        assert_eq!(disk.cached(BETS_FILE), &whole[..rows_end]);
    }
    // What no append can have left is corruption; zeros alone may be the room made for one.
    let row = row(1, 10, 7);
    let append_bytes_max = APPEND_BYTES_MAX as usize;
    for (behind, last, length, is_torn) in [
        (b'x', b'x', append_bytes_max, true),
        (b'x', b'x', append_bytes_max + 1, false),
        (0, 0, append_bytes_max + 1, true),
        (0, b'x', append_bytes_max + 1, false),
    ] {
        let mut torn = vec![behind; length];
        torn[..2].copy_from_slice(b"1\0");
        torn[length - 1] = last;
        let disk = disk_with(&[(BETS_FILE, &[row.as_bytes(), &torn].concat())]);
        let opened = Store::open(disk.clone(), || false);
        assert_eq!(opened.is_ok(), is_torn, "{:?}", opened.err());
        let kept = row.len() + if is_torn { 0 } else { length };
        assert_eq!(disk.cached(BETS_FILE).len(), kept);
        let stopped = Store::open(disk_with(&[(BETS_FILE, &torn)]), || true).err();
        assert_eq!(
            length > append_bytes_max,
            matches!(stopped, Some(OpenError::Stopped))
        );
    }
}

/// A file, its contents, where ¶ ends a row, and what is said of it.
const CORRUPTION: &str = r#"
bets.csv | {good}1,Ana,Paz¶{good} | line 2: 3 fields, expected 6
bets.csv | {good}1,Ana,Paz¶ | line 2: 3 fields, expected 6
bets.csv | 3,Ana,Paz,1,1999-03-17,7,8¶ | line 1: 7 fields, expected 6
bets.csv | 3,"Ana",Paz,1,1999-03-17,7,8¶ | line 1: 7 fields, expected 6
bets.csv | 3,"Ana",Paz,1,1999-03-17¶ | line 1: 5 fields, expected 6
bets.csv | 3,"Ana,Paz,1,1999-03-17,7¶ | line 1: 2 fields, expected 6
bets.csv | {good}¶{good} | line 2: 1 fields, expected 6
bets.csv | {good of Unix}{good} | line 1: expected a row
bets.csv | {good}{long}¶ | line 2: expected a row
bets.csv | {good}{long} | line 2: expected a row
bets.csv | 0,Ana,Paz,1,1999-03-17,7¶ | line 1: agency "0" is not valid
bets.csv | x,Ana,Paz,1,1999-03-17,7¶ | line 1: agency "x" is not valid
bets.csv | 1,Ana,Paz,1,1999-02-30,7¶ | line 1: birthdate "1999-02-30"
bets.csv | 03,Ana,Paz,1,1999-03-17,7¶ | line 1: not written as expected
bets.csv | 3,Ana,Paz,01,1999-03-17,7¶ | line 1: not written as expected
bets.csv | 3,Ana,Paz,1,1999-03-17,07¶ | line 1: not written as expected
bets.csv | 3,"Ana",Paz,1,1999-03-17,7¶ | line 1: not written as expected
bets.csv | 3,Ju"an,Paz,1,1999-03-17,7¶ | line 1: not written as expected
bets.csv | A note that somebody left by mistake. | line 1: expected a row
bets.csv | {good}1,Ana,Paz,0 | line 2: expected a row
closings.csv | 1,2,3¶ | line 1: agency 1 finished with 2 bets of CRC 3, but
closings.csv | 1,1,3¶ | line 1: agency 1 finished with 1 bets of CRC 3, but
closings.csv | 1,1,{crc}¶1,1,{crc}¶ | line 2: a second row for the same
closings.csv | 3,0¶ | line 1: 2 fields, expected 3
closings.csv | 1,1,{crc}¶note | line 2: expected a row
closings.csv | 1,1,1,1 | line 1: expected a row
closings.csv | 1,1,{crc},¶ | line 1: 4 fields, expected 3
closings.csv | x,1,2¶ | line 1: agency "x" is not valid
closings.csv | 0,0,0¶ | line 1: agency "0" is not valid
closings.csv | 1,-1,2¶ | line 1: bets "-1" is not valid
closings.csv | 1,1,4294967296¶ | line 1: crc32 "4294967296" is not valid
closings.csv | 01,1,{crc}¶ | line 1: not written as expected
draw.csv | 7,2,3,2¶7,2,3,2¶ | line 2: a second row for the same
draw.csv | 7,2,3¶ | line 1: 3 fields, expected 4
draw.csv | 7,2,3,x¶ | line 1: winners "x" is not valid
draw.csv | , | line 1: expected a row"#;

#[test]
fn corruption_is_refused_by_file_and_line_and_left_as_it_is() {
    let good = row(1, 10, 7);
    let (store, _) = open(&disk_with(&[(BETS_FILE, good.as_bytes())]));
    let crc = store.tally(1).crc.to_string();
    for case in CORRUPTION.trim_start().lines() {
        let [name, content, complaint] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{case}")
        };
        let content = content
            .replace('¶', "\r\n")
            .replace("{good}", &good)
            .replace("{good of Unix}", &good.replace("\r\n", "\n"))
            .replace("{long}", &"x".repeat(3000))
            .replace("{crc}", &crc);
        let disk = disk_with(&[(BETS_FILE, good.as_bytes()), (name, content.as_bytes())]);
        let error = Store::open(disk.clone(), || false).err().unwrap();
        let complaint = format!("{name} {complaint}");
        assert!(error.to_string().starts_with(&complaint), "{error}");
        assert_eq!(text(&disk, name), content);
    }
}

#[test]
fn a_failing_disk_takes_a_commit_back_as_far_as_it_can_and_says_how_far() {
    const SYNC_FAILED: &str = "bets.csv: sync failed: simulated failure; restart the server";
    // Room for the bets and a part of a closing, and for a part of the bets.
    let rows = row(1, 11, 7).len() + row(2, 20, 7).len() + 3;
    let (part, all) = (70, usize::MAX);
    let [sync, cut] = [(Sync, BETS_FILE), (Truncate, BETS_FILE)];
    let [sync_closings, cut_closings] = [(Sync, CLOSINGS_FILE), (Truncate, CLOSINGS_FILE)];
    let stat_closings = (Stat, CLOSINGS_FILE);
    let cases: [(_, &[_], _, _); 8] = [
        // Room; operations that fail; the error; bets that are stored when the store is opened again.
        (part, &[], "bets.csv: no storage space", 1),
        (all, &[stat_closings], "closings.csv: simulated failure", 1),
        (rows, &[], "closings.csv: no storage space", 3),
        (part, &[cut], "bets.csv: undoing a", 2),
        (rows, &[cut_closings], "closings.csv: undoing", 3),
        (all, &[sync], SYNC_FAILED, 1),
        (all, &[sync_closings], "closings.csv: sync failed", 3),
        (all, &[sync, cut], SYNC_FAILED, 3),
    ];
    for (room, failing, error, stored) in cases {
        let disk = SimDisk::default();
        let (mut store, _) = open(&disk);
        store.store_bets(1, &bets(1, &[(10, 7)]));
        store.commit(true).unwrap();
        let stage = |store: &mut Store<SimDisk>| {
            store.store_bets(1, &bets(1, &[(11, 7)]));
            store.store_bets(2, &bets(2, &[(20, 7)]));
            store.finish_agency(2);
        };
        stage(&mut store);
        disk.set_faults(Faults {
            room: Some(room),
            ..Faults::failing(failing)
        });
        let found = store.commit(true).unwrap_err();
        assert!(found.to_string().starts_with(error), "{found}");
        let is_fatal = !failing.is_empty() && failing != [stat_closings];
        assert_eq!(found.is_fatal(), is_fatal, "{error}");
        disk.set_faults(Faults::default());
        if !found.is_fatal() {
            assert_eq!(store.tally(1).bets + store.tally(2).bets, stored, "{error}");
            assert!(!store.has_finished(2));
        }
        drop(store);
        // What an opening finds in the cache outlasts the power from there on.
        for _ in 0..2 {
            let (_, recovery) = open(&disk);
            assert_eq!((recovery.bets, recovery.finished), (stored, 0), "{error}");
            disk.restart(true);
        }
        let (mut store, _) = open(&disk);
        stage(&mut store);
        store.commit(true).unwrap();
        drop(store);
        disk.restart(true);
        let (_, recovery) = open(&disk);
        let found = (recovery.bets, recovery.finished);
        assert_eq!(found, (stored + 2, 1), "{error}");
    }
}

#[test]
fn without_syncing_only_closings_sync_and_a_failed_one_takes_back_all_since_the_last() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    store.store_bets(1, &bets(1, &[(10, 7)]));
    store.commit(false).unwrap();
    assert!(store.is_unsynced());
    assert_eq!(disk.syncs(BETS_FILE), 1);
    store.sync().unwrap();
    assert!(!store.is_unsynced());
    store.store_bets(1, &bets(1, &[(11, 7)]));
    store.commit(false).unwrap();
    store.finish_agency(1);
    disk.set_faults(Faults::failing(&[(Sync, BETS_FILE)]));
    assert!(matches!(
        store.commit(false),
        Err(CommitError::InDoubt { .. })
    ));
    assert_eq!(text(&disk, BETS_FILE), row(1, 10, 7));
    assert_eq!(text(&disk, CLOSINGS_FILE), "");
}

#[test]
fn what_was_undone_is_undone_on_the_medium_before_anything_rests_on_it() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    store.store_bets(1, &bets(1, &[(10, 7)]));
    disk.set_faults(Faults::full_after(3));
    store.commit(true).unwrap_err();
    disk.set_faults(Faults::default());
    store.finish_agency(1);
    store.commit(true).unwrap();
    assert_eq!(disk.syncs(BETS_FILE), 2);
    store.finish_agency(2);
    disk.set_faults(Faults::full_after(3));
    store.commit(true).unwrap_err();
    disk.set_faults(Faults::default());
    let syncs = disk.syncs(CLOSINGS_FILE);
    store.store_bets(2, &bets(2, &[(20, 7)]));
    store.commit(true).unwrap();
    assert_eq!(disk.syncs(CLOSINGS_FILE), syncs + 1);
}

#[test]
fn a_file_that_somebody_touched_is_missed_at_the_next_commit() {
    let tamper: [fn(&SimDisk, &'static str); 4] = [
        |disk, name| disk.remove(name),
        |disk, name| disk.rename(name, "elsewhere"),
        |disk, name| disk.cut(name, 3),
        |disk, name| disk.put(name, &disk.cached(name)),
    ];
    for (name, tamper) in [BETS_FILE, CLOSINGS_FILE]
        .iter()
        .flat_map(|name| tamper.map(|tamper| (*name, tamper)))
    {
        let disk = SimDisk::default();
        let (mut store, _) = open(&disk);
        store.store_bets(1, &bets(1, &[(10, 7)]));
        store.finish_agency(1);
        store.commit(true).unwrap();
        tamper(&disk, name);
        store.commit(true).unwrap();
        let error = store.record_draw(HELD).unwrap_err();
        assert!(matches!(error, CommitError::Tampered { file } if file == name));
        assert!(error.is_fatal() && !disk.has(DRAW_FILE));
        store.store_bets(2, &bets(2, &[(20, 7)]));
        let error = store.commit(true).unwrap_err();
        assert!(matches!(error, CommitError::Tampered { file } if file == name));
    }
}

#[test]
fn a_draw_that_the_disk_does_not_take_is_not_held_and_may_be_tried_again_unless_in_doubt() {
    for (faults, is_fatal) in [
        (Faults::failing(&[(Open, DRAW_FILE)]), false),
        (Faults::failing(&[(Write, DRAW_FILE)]), false),
        (Faults::full_after(3), false),
        (Faults::failing(&[(Sync, DRAW_FILE)]), true),
        (
            Faults::failing(&[(Write, DRAW_FILE), (Truncate, DRAW_FILE)]),
            true,
        ),
    ] {
        let disk = SimDisk::default();
        let (mut store, _) = open(&disk);
        disk.set_faults(faults);
        assert_eq!(store.record_draw(HELD).unwrap_err().is_fatal(), is_fatal);
        assert_eq!(store.draw(), None);
        disk.set_faults(Faults::default());
        if is_fatal {
            store = open(&disk).0;
            assert_eq!(store.draw(), None);
        }
        store.record_draw(HELD).unwrap();
        assert_eq!(disk.synced(DRAW_FILE), b"7,2,3,2\r\n");
    }
}

#[test]
fn a_draw_that_somebody_else_wrote_meanwhile_is_left_alone_and_the_draw_waits_for_its_place() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    disk.put(DRAW_FILE, b"1,1,0,0\r\n1,1,0,0\r\n");
    let error = store.record_draw(HELD).unwrap_err();
    assert!(!error.is_fatal() && error.to_string().contains("move it away"));
    assert_eq!(text(&disk, DRAW_FILE), "1,1,0,0\r\n1,1,0,0\r\n");
    disk.put(DRAW_FILE, b"");
    store.record_draw(HELD).unwrap();
    assert_eq!(disk.synced(DRAW_FILE), b"7,2,3,2\r\n");
}

#[test]
fn the_draw_finds_winners_across_slices_and_only_in_the_last_field() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    let mut expected = Winners::new();
    for agency in 1..=7 {
        let documents = (1..=6_000).map(|index| 10_000 * agency + index);
        let placed: Vec<_> = documents
            .map(|document| (document, if document % 1000 == 0 { 57 } else { 7 }))
            .collect();
        let won = placed.iter().filter(|bet| bet.1 == 57);
        expected.insert(agency, won.map(|bet| bet.0).collect());
        store.store_bets(agency, &bets(agency, &placed));
    }
    // A DNI that reads like a winning number, and numbers that end or begin like it.
    store.store_bets(9, &bets(9, &[(57, 0), (1, 757), (2, 570)]));
    store.commit(false).unwrap();
    let mut slices = store.begin_draw(57);
    assert_eq!(store.advance_draw(&mut slices).unwrap(), None);
    disk.set_faults(Faults::failing(&[(Read, BETS_FILE)]));
    store.advance_draw(&mut slices).unwrap_err();
    disk.set_faults(Faults::default());
    let winners = loop {
        if let Some(winners) = store.advance_draw(&mut slices).unwrap() {
            break winners;
        }
    };
    assert_eq!(winners, expected);
    assert_eq!(draw(&store, 9999), Winners::new());
    let mut file = disk.open(BETS_FILE).unwrap();
    file.write_at(0, &[b'x'; draw::SLICE_BYTES]).unwrap();
    let error = store.advance_draw(&mut store.begin_draw(57)).unwrap_err();
    assert!(error.to_string().contains("without an end"), "{error}");
    disk.cut(BETS_FILE, 1000);
    let error = store.advance_draw(&mut store.begin_draw(57)).unwrap_err();
    assert!(error.to_string().contains("shorter"), "{error}");
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

fn name() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "Ñ", ",", "\"", "😀", " "]);
    let long = (prop::sample::select(vec!["x", "Ñ", "\""]), 240..256_usize);
    let long = long.prop_map(|(piece, bytes)| piece.repeat(bytes / piece.len()));
    let pieces = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let front = prop_oneof![2 => Just(String::new()), 1 => long];
    (front, pieces).prop_map(|(mut front, pieces)| {
        front += &pieces;
        front.truncate(front.floor_char_boundary(255));
        if front.is_empty() { "a".into() } else { front }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_beginning_of_every_row_is_one(
        agency in 1..=u32::MAX,
        names in [name(), name()],
        document in 1..=u32::MAX,
        day in 2_415_021..3_000_000_i32,
        number in 0..=9999_u32,
    ) {
        let [first_name, last_name] = names.each_ref().map(|name| Name::new(name.as_bytes()).unwrap());
        let birthdate = date::Date::from_julian_day(day).unwrap();
        let bet = Bet { agency, first_name, last_name, document, birthdate, number };
        let mut row = Vec::new();
        write_bet(&bet, &mut row);
        for length in 0..row.len() {
            let beginning = &row[..length];
            prop_assert!(is_beginning_of_bet(beginning), "{}", String::from_utf8_lossy(beginning));
        }
    }
}
