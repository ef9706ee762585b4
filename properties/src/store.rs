//! The store's opening: files of any contents are refused and left alone, or opened, cut to whole
//! rows at most, and from then on as good as files that never crashed.
//!
//! The input is the contents of `bets.csv` and, behind the first ASCII record separator (byte 30),
//! those of `closings.csv`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use csv::ReaderBuilder;
use fastrand::Rng;
use lottery_core::bet::{Bet, BetText};
use lottery_core::date::Date;
use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Reply, bet_encoding, request};
use lottery_core::store::{
    BETS_FILE, CLOSINGS_FILE, Disk, DiskFile, Recovery, Store, Tally, Winners,
};
use lottery_simulation::disk::{SimDisk, SimFile};
use lottery_simulation::statistics::Statistics;
use server::central::{Central, Durability, Rules};
use server::layers::{ConnectionId, Moment};
use server::service::Service;
use server::switchboard::Switchboard;
use time::macros::date;

use crate::{TODAY, name};

const SEPARATOR: u8 = 30;

const WINNING_NUMBER: u32 = 7;

/// Two files of any contents.
pub fn check(input: &[u8]) {
    let mut files = input.splitn(2, |byte| *byte == SEPARATOR);
    let files = [BETS_FILE, CLOSINGS_FILE].map(|name| (name, files.next().unwrap_or_default()));
    let disk = disk_with(&files);
    let Ok((store, recovery)) = Store::open(&disk) else {
        for (name, contents) in files {
            assert_eq!(
                disk.cached(name),
                contents,
                "{name} was refused and changed"
            );
        }
        return;
    };
    let cut_bytes = [recovery.bets_cut_bytes, recovery.closings_cut_bytes];
    for ((name, contents), cut_bytes) in files.into_iter().zip(cut_bytes) {
        let kept = contents.len() - cut_bytes as usize;
        assert_eq!(disk.cached(name), contents[..kept], "{name}");
        assert_eq!(disk.synced(name), contents[..kept], "{name}");
    }
    let rows = Rows::read(&disk);
    rows.expect_in(&store, recovery);
    drop(store);

    let (mut store, again) = Store::open(&disk).unwrap();
    let nothing_cut = Recovery {
        bets_cut_bytes: 0,
        closings_cut_bytes: 0,
        ..recovery
    };
    assert_eq!(again, nothing_cut);
    rows.expect_in(&store, again);
    expect_room_for_more(&mut store, &disk);
    drop(store);
    expect_service(&disk, &rows);
}

fn disk_with(files: &[(&str, &[u8])]) -> SimDisk {
    let disk = SimDisk::new(Rng::with_seed(0), Statistics::default());
    for (name, contents) in files {
        disk.open(name).unwrap().write_at(0, contents).unwrap();
    }
    disk
}

/// What the files say, read without the store.
#[derive(Default)]
struct Rows {
    tallies: BTreeMap<u32, Tally>,
    winners: Winners,
    closed: Vec<u32>,
}

impl Rows {
    fn read(disk: &SimDisk) -> Rows {
        let mut rows = Rows::default();
        for [agency, first_name, last_name, document, birthdate, number] in
            records(&disk.cached(BETS_FILE))
        {
            let text = BetText {
                first_name: first_name.as_bytes(),
                last_name: last_name.as_bytes(),
                document: document.as_bytes(),
                birthdate: birthdate.as_bytes(),
                number: number.as_bytes(),
            };
            let bet = Bet::from_text(agency.parse().unwrap(), &text, Date::MAX).unwrap();
            let mut encoding = Vec::new();
            bet_encoding::encode(&bet, &mut encoding);
            rows.tallies
                .entry(bet.agency)
                .or_default()
                .add(1, &encoding);
            if bet.number == WINNING_NUMBER {
                rows.winners
                    .entry(bet.agency)
                    .or_default()
                    .push(bet.document);
            }
        }
        for [agency, _, _] in records(&disk.cached(CLOSINGS_FILE)) {
            rows.closed.push(agency.parse().unwrap());
        }
        rows.closed.sort_unstable();
        rows
    }

    fn expect_in(&self, store: &Store<SimFile>, recovery: Recovery) {
        for (agency, tally) in &self.tallies {
            assert_eq!(store.tally(*agency), *tally, "agency {agency}");
        }
        let bets: u64 = self.tallies.values().map(|tally| tally.bets).sum();
        assert_eq!(recovery.bets, bets);
        assert!(store.closed_agencies().eq(self.closed.iter().copied()));
        assert_eq!(recovery.closed, self.closed.len());
        let mut draw = store.begin_draw(WINNING_NUMBER);
        let winners = loop {
            if let Some(winners) = store.advance_draw(&mut draw).unwrap() {
                break winners;
            }
        };
        assert_eq!(winners, self.winners);
    }
}

fn records<const N: usize>(contents: &[u8]) -> Vec<[String; N]> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .from_reader(contents);
    let records = reader.records().map(|record| {
        let fields: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        fields.try_into().unwrap()
    });
    records.collect()
}

/// The store takes bets behind the ones that it found.
fn expect_room_for_more(store: &mut Store<SimFile>, disk: &SimDisk) {
    let open = (1..).find(|agency| !store.is_closed(*agency));
    let agency = open.expect("an agency that has not closed");
    let before = disk.cached(BETS_FILE);
    let bet = Bet {
        agency,
        first_name: name("Ana"),
        last_name: name("Paz"),
        document: 1,
        birthdate: date!(1999 - 03 - 17),
        number: 1,
    };
    store.store_bets(agency, &[bet]);
    store.commit(true).unwrap();
    let row = format!("{agency},Ana,Paz,1,1999-03-17,1\r\n");
    assert_eq!(disk.cached(BETS_FILE), [before, row.into_bytes()].concat());
    let file = disk.open(BETS_FILE).unwrap();
    assert!(lottery_core::store::load_bets(&file, |_| ()).unwrap().1 == 0);
}

/// A central that begins with these files serves, and holds the draw if all have closed and not
/// otherwise.
fn expect_service(disk: &SimDisk, rows: &Rows) {
    for agencies in 0..=4 {
        let (store, _) = Store::open(disk).unwrap();
        let rules = Rules {
            agencies,
            winning_number: WINNING_NUMBER,
            durability: Durability::Always,
            draw_timeout: None,
        };
        let mut board = Switchboard::new(Central::new(rules, store), 8192);
        let now = Moment {
            elapsed: Duration::ZERO,
            today: TODAY,
        };
        board.end_turn(now).unwrap();
        let all_closed = (1..=agencies).all(|agency| rows.closed.contains(&agency));
        for agency in 1..=agencies {
            let id = ConnectionId(agency as usize);
            board.connected(id, IpAddr::V4(Ipv4Addr::LOCALHOST));
            let mut hello = Vec::new();
            request::encode_hello(agency, &mut hello);
            board.receive(id, &hello, now);
            board.end_turn(now).unwrap();
            let answer = board.outgoing(id).unwrap().unsent().to_vec();
            let Ok(Reply::Welcome(welcome)) = Reply::parse(&answer) else {
                panic!("{answer:?}")
            };
            let state = match rows.closed.contains(&agency) {
                true if all_closed => AgencyState::Drawn,
                true => AgencyState::Closed,
                false => AgencyState::Betting,
            };
            assert_eq!(welcome.state, state, "agency {agency} of {agencies}");
        }
    }
}
