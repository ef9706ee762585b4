//! Winners, and the record of the draw.

use super::*;
use crate::store::draw::SLICE_BYTES;
use crate::testing::Operation::{Open, Read, Sync, Truncate, Write};

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
    file.write_at(0, &[b'x'; SLICE_BYTES]).unwrap();
    let error = store.advance_draw(&mut store.begin_draw(57)).unwrap_err();
    assert!(error.to_string().contains("without an end"), "{error}");
    disk.cut(BETS_FILE, 1000);
    let error = store.advance_draw(&mut store.begin_draw(57)).unwrap_err();
    assert!(error.to_string().contains("shorter"), "{error}");
}
