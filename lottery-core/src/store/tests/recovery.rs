//! What an opening cuts off, what it refuses, and what it leaves alone.

use memchr::memrchr;
use proptest::prelude::*;

use super::*;
use crate::date;
use crate::store::row::is_beginning_of_bet;
use crate::testing::SECTOR_BYTES;

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
fn a_sector_missing_within_the_last_append_takes_what_follows_it_along_and_nothing_before() {
    let rows = (0..60).map(|document| row(1, 10_000 + document, 7));
    let whole = rows.collect::<String>().into_bytes();
    for sector in 0..whole.len() / SECTOR_BYTES {
        let mut content = whole.clone();
        content[sector * SECTOR_BYTES..][..SECTOR_BYTES].fill(0);
        let disk = disk_with(&[(BETS_FILE, &content)]);
        open(&disk);
        let kept = &whole[..sector * SECTOR_BYTES];
        let rows_end = memrchr(b'\n', kept).map_or(0, |at| at + 1);
        assert_eq!(disk.cached(BETS_FILE), &whole[..rows_end]);
    }
    // What no append can have left is corruption; zeros alone may be the room made for one.
    let row = row(1, 10, 7);
    let append_bytes_max = APPEND_BYTES_MAX as usize;
    for (next, last, length, is_torn) in [
        (b'x', b'x', append_bytes_max, true),
        (b'x', b'x', append_bytes_max + 1, false),
        (0, 0, append_bytes_max + 1, true),
        (0, b'x', append_bytes_max + 1, false),
    ] {
        let mut torn = vec![next; length];
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
bets.csv | 3,"Ana,Paz,1,1999-03-17,7¶ | line 1: unclosed quote
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
