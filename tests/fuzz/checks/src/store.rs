//! The store's opening: files of any contents are refused and left alone, or opened, cut to whole rows
//! at most, and from then on as good as files that never crashed.
//!
//! The input is the contents of `bets.csv` and, behind ASCII record separators (byte 30), those of
//! `closings.csv` and `draw.csv`.

use std::collections::BTreeMap;

use lottery_core::bet::Bet;
use lottery_core::encoding::{self, Tally};
use lottery_core::message::Bets;
use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE, Store, load_bets, write_bet};
use lottery_core::store::{Disk, Winners};
use lottery_core::testing::SimDisk;

const SEPARATOR: u8 = 30;

const WINNING_NUMBER: u32 = 7;

/// Three files of any contents.
pub fn check(input: &[u8]) {
    let mut contents = input.splitn(3, |byte| *byte == SEPARATOR);
    let files = [BETS_FILE, CLOSINGS_FILE, DRAW_FILE];
    let files = files.map(|name| (name, contents.next().unwrap_or_default()));
    let disk = SimDisk::default();
    for (name, content) in files {
        disk.put(name, content);
    }
    let Ok((store, recovery)) = Store::open(disk.clone(), || false) else {
        for (name, content) in files {
            assert_eq!(disk.cached(name), content, "{name} was refused and changed");
        }
        return;
    };
    for ((name, content), (cut, cut_bytes)) in files.into_iter().zip(recovery.cut_bytes) {
        assert_eq!(name, cut);
        let kept = &content[..content.len() - cut_bytes as usize];
        assert!(kept.is_empty() || kept.ends_with(b"\r\n"), "{name}");
        assert_eq!(disk.cached(name), kept, "{name}");
        assert_eq!(disk.synced(name), kept, "{name}");
    }
    expect_what_the_rows_say(&store, &disk);
    let agencies: Vec<_> = store.agencies().collect();
    let draw = store.draw();
    drop(store);

    let (store, again) = Store::open(disk.clone(), || false).unwrap();
    assert_eq!(
        (again.bets, again.finished),
        (recovery.bets, recovery.finished)
    );
    assert!(again.cut_bytes.iter().all(|(_, bytes)| *bytes == 0));
    assert!(store.agencies().eq(agencies));
    assert_eq!(store.draw(), draw);
    expect_what_the_rows_say(&store, &disk);
    expect_room_for_more(store, &disk);
}

fn expect_what_the_rows_say(store: &Store<SimDisk>, disk: &SimDisk) {
    let mut rows = Vec::new();
    let mut tallies = BTreeMap::<u32, Tally>::new();
    let mut expected = Winners::new();
    let file = disk.open(BETS_FILE).unwrap();
    let visit = |bet: &Bet<'_>| {
        write_bet(bet, &mut rows);
        let mut encoding = Vec::new();
        encoding::encode(bet, &mut encoding);
        tallies.entry(bet.agency).or_default().add(1, &encoding);
        if bet.number == WINNING_NUMBER {
            expected.entry(bet.agency).or_default().push(bet.document);
        }
    };
    load_bets(&file, || false, visit).unwrap();
    assert_eq!(disk.cached(BETS_FILE), rows);
    for (agency, tally) in tallies {
        assert_eq!(store.tally(agency), tally, "agency {agency}");
    }
    let mut draw = store.begin_draw(WINNING_NUMBER);
    let winners = loop {
        if let Some(winners) = store.advance_draw(&mut draw).unwrap() {
            break winners;
        }
    };
    assert_eq!(winners, expected);
}

/// The store takes bets behind the ones that it found.
fn expect_room_for_more(mut store: Store<SimDisk>, disk: &SimDisk) {
    let open = (1..).find(|agency| !store.has_finished(*agency));
    let agency = open.expect("an agency that has not finished");
    let before = disk.cached(BETS_FILE);
    let fields = ["Ana", "Paz", "1", "1999-03-17", "1"].map(str::as_bytes);
    let bet = Bet::from_text(agency, fields).unwrap();
    let mut bets = Bets::default();
    encoding::encode(&bet, &mut bets.encodings);
    bets.bets.push(bet);
    store.store_bets(agency, &bets);
    store.commit(true).unwrap();
    let row = format!("{agency},Ana,Paz,1,1999-03-17,1\r\n");
    let expected = [before, row.into_bytes()].concat();
    assert_eq!(disk.synced(BETS_FILE), expected);
    drop(store);
    Store::open(disk.clone(), || false).unwrap();
}
