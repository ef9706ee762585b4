//! The conversation, reply by reply.

use lottery_core::date::Date;
use lottery_core::name::Name;
use lottery_core::protocol::Request;
use time::macros::date;

use super::*;

const BIRTHDATE: Date = date!(1999 - 03 - 17);

fn bet(document: u32) -> Bet<'static> {
    Bet {
        agency: 3,
        first_name: Name::new(b"Ana").unwrap(),
        last_name: Name::new(b"Paz").unwrap(),
        document,
        birthdate: BIRTHDATE,
        number: 7,
    }
}

/// Bets with the documents 1 to `last`.
struct Documents {
    last: u32,
    next: u32,
}

impl BetSource for Documents {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.next = 1;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        if self.next > self.last {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(take(&bet(self.next - 1))))
    }

    fn rejected(&self) -> u64 {
        0
    }
}

const PACE: Pace = Pace {
    batch_bets_max: 2,
    window: 2,
};

fn agency(bets: u32) -> Agency<Documents> {
    Agency::new(
        3,
        Documents {
            last: bets,
            next: 1,
        },
        PACE,
    )
}

fn tally(bets: u32) -> Tally {
    let mut tally = Tally::default();
    for document in 1..=bets {
        let mut encoding = Vec::new();
        bet_encoding::encode(&bet(document), &mut encoding);
        tally.add(1, &encoding);
    }
    tally
}

fn welcome(bets: u32, state: AgencyState) -> Reply {
    let Tally { bets, crc } = tally(bets);
    Reply::Welcome(Welcome { bets, crc, state })
}

/// What one step adds: the documents of a batch, or the name of another message.
fn step(agency: &mut Agency<Documents>) -> (Step, String) {
    let mut out = Vec::new();
    let step = agency.advance(&mut out).unwrap();
    let mut said = Vec::new();
    let mut rest = &out[..];
    while !rest.is_empty() {
        let length = (1..=rest.len())
            .find(|length| Request::parse(&rest[..*length]).is_ok())
            .unwrap();
        said.push(match Request::parse(&rest[..length]).unwrap() {
            Request::RegisterBets(bets) => {
                let documents: Vec<_> = bets.iter().map(|bet| bet.document).collect();
                format!("{documents:?}")
            }
            Request::AllBetsSent => "all".to_owned(),
            Request::RequestWinners => "winners?".to_owned(),
            Request::Hello { agency: 3 } => "hello".to_owned(),
            other => format!("{other:?}"),
        });
        rest = &rest[length..];
    }
    (step, said.join(" "))
}

/// Steps until there is nothing more to send; what was said, and what is awaited.
fn say(agency: &mut Agency<Documents>) -> (String, Step) {
    let mut all = Vec::new();
    loop {
        let (step, said) = step(agency);
        if !said.is_empty() {
            all.push(said);
        }
        if step != Step::Send {
            return (all.join(" "), step);
        }
    }
}

fn expect(agency: &mut Agency<Documents>, said: &str, step: Step) {
    assert_eq!(say(agency), (said.to_owned(), step));
}

fn greeted(bets: u32, stored: u32, state: AgencyState) -> Agency<Documents> {
    let mut agency = agency(bets);
    agency.connected();
    expect(&mut agency, "hello", Step::AwaitReply);
    let news = agency.receive(welcome(stored, state)).unwrap();
    assert_eq!(
        news,
        News::Welcomed {
            bets: stored.into()
        }
    );
    agency
}

#[test]
fn a_run_keeps_the_window_full_and_never_forgets_the_last_partial_batch() {
    let mut agency = greeted(7, 0, AgencyState::Betting);
    expect(&mut agency, "[1, 2] [3, 4]", Step::AwaitReply);
    assert_eq!(
        agency.receive(Reply::RegisterBetOk).unwrap(),
        News::Registered { bets: 2 }
    );
    expect(&mut agency, "[5, 6]", Step::AwaitReply);
    agency.receive(Reply::RegisterBetOk).unwrap();
    expect(&mut agency, "[7] all winners?", Step::AwaitReply);
    agency.receive(Reply::RegisterBetOk).unwrap();
    expect(&mut agency, "", Step::AwaitReply);
    assert_eq!(
        agency.receive(Reply::RegisterBetOk).unwrap(),
        News::Registered { bets: 1 }
    );
    expect(&mut agency, "", Step::AwaitDraw);
    assert_eq!(agency.registered(), 7);
    assert_eq!(
        agency.receive(Reply::InformWinners(vec![1, 1])).unwrap(),
        News::Winners
    );
    expect(&mut agency, "", Step::Done(vec![1, 1]));
}

#[test]
fn an_agency_without_bets_says_that_it_has_sent_all() {
    let mut agency = greeted(0, 0, AgencyState::Betting);
    expect(&mut agency, "all winners?", Step::AwaitDraw);
}

#[test]
fn after_a_broken_connection_it_goes_on_behind_what_is_stored() {
    let mut agency = greeted(7, 0, AgencyState::Betting);
    expect(&mut agency, "[1, 2] [3, 4]", Step::AwaitReply);
    agency.connected();
    expect(&mut agency, "hello", Step::AwaitReply);
    agency.receive(welcome(3, AgencyState::Betting)).unwrap();
    assert_eq!(agency.registered(), 3);
    expect(&mut agency, "[4, 5] [6, 7] all winners?", Step::AwaitReply);
}

#[test]
fn an_agency_that_had_finished_asks_for_its_winners_only() {
    for state in [AgencyState::Closed, AgencyState::Drawn] {
        let mut agency = greeted(3, 3, state);
        expect(&mut agency, "winners?", Step::AwaitDraw);
    }
}

#[test]
fn a_refusal_names_the_batch_and_only_a_full_disk_is_worth_another_try() {
    for code in [Code::InvalidBet, Code::NotStored] {
        let mut agency = greeted(7, 0, AgencyState::Betting);
        say(&mut agency);
        let error = agency.receive(Reply::RegisterBetFailed(code)).unwrap_err();
        assert!(matches!(error, AgencyError::Refused { bets: Some(2), .. }));
        assert_eq!(error.is_passing(), code == Code::NotStored);
    }
}

#[test]
fn no_more_winners_are_believed_than_bets_were_sent() {
    let mut agency = greeted(7, 3, AgencyState::Betting);
    assert_eq!(agency.winners_max(), 3);
    say(&mut agency);
    assert_eq!(agency.winners_max(), 7);
}
