//! What the central's files say.

use lottery_core::bet::Bet;
use lottery_core::store::{
    BETS_FILE, CLOSINGS_FILE, Disk, Examination, examine, load_bets, write_bet,
};
use lottery_simulation::disk::SimDisk;

use super::WINNING_NUMBER;

/// What the files say, which never have a torn record while the central lives.
pub fn examine_files(disk: &SimDisk) -> Examination {
    let found = examine(
        &disk.open(BETS_FILE).unwrap(),
        &disk.open(CLOSINGS_FILE).unwrap(),
    )
    .unwrap();
    assert_eq!((found.bets_torn_bytes, found.closings_torn_bytes), (0, 0));
    found
}

pub fn winners(disk: &SimDisk, agency: u32) -> Vec<u32> {
    let mut documents = Vec::new();
    load_bets(&disk.open(BETS_FILE).unwrap(), |bet| {
        if bet.agency == agency && bet.number == WINNING_NUMBER {
            documents.push(bet.document);
        }
    })
    .unwrap();
    documents
}

pub fn row_of(bet: &Bet<'_>) -> Vec<u8> {
    let mut row = Vec::new();
    write_bet(bet, &mut row);
    row
}
