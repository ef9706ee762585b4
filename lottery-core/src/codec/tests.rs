//! Every dialect, byte for byte. The tables are written by hand from `docs/DIALECTS.md`; their bytes are
//! in the escapes of Rust's byte strings.

mod replies;

use super::*;
use crate::bet::Bet;
use crate::encoding;
use crate::message::{Batch, Request};

/// A connection in each dialect, message by message, and what each says. `{bet}` is [`NATIVE_BET`] and
/// `{ana}` is [`ANA`].
const CONVERSATIONS: &str = r"
native
\0\x01\0\0\0\0 | 0 bets
\0\x01\0\0\0\x02{bet}{bet} | 2 bets{ana}{ana}
\0\x04 | nothing
\0\x05 | finish for Nothing
\0\x06 | winners
\0\x08\0\x01\0\0\x01\x02 | agency 258: hello
\0\x20 | status
frames
\0\x19\0\0\0\x05\0\0\0Ana,Paz,7,1970-01-02,7574 | agency 5: 1 bets{ana}
\x01\x1d\0\0\0\x05\0\0\0\x19\0\0\0Ana,Paz,7,1970-01-02,7574 | agency 5: 1 bets{ana}
\x01\0\0\0\0\x05\0\0\0 | agency 5: 0 bets
\x02\0\0\0\0\x05\0\0\0 | agency 5: finish for Draw
\x03\0\0\0\0\x05\x01\0\0 | agency 261: winners
flags
\xff | agency 255: nothing
\x01\0\0\0\x02 | nothing
\0\0\0\x1b5,Ana,Paz,7,1970-01-02,7574 | 1 bets{ana}
\0\0\0\x375,Ana,Paz,7,1970-01-02,7574\n5,Ana,Paz,7,1970-01-02,7574 | 2 bets{ana}{ana}
\x01\0\0\0\0 | nothing
\x01\0\0\0\x01 | nothing
\0\0\0\0 | 0 bets
\x02 | finish for Winners
\x02 | finish for Winners
lines
S:1\n5;Ana;Paz;7;1970-01-02;7574\n | 1 bets{ana}
 S:2 \r\n\t5; Ana ;Paz;7;1970-01-02;7574 ~ 5;Ana;Paz;7 ;1970-01-02; 7574\r\n | 2 bets{ana}{ana}
S:0\n\n | 0 bets
F:1\nFINISHED\n | finish for Winners
F:1 \r\n FINISHED\r\n | finish for Winners
sized
000000305;1\nAna;Paz;7;1970-01-02;7574\n | agency 5: 1 bets{ana}
000000555;2\nAna;Paz;7;1970-01-02;7574\nAna;Paz;7;1970-01-02;7574 | agency 5: 2 bets{ana}{ana}
000000045;0\n | agency 5: 0 bets
00000003END | finish for Winners";

/// Bytes that are no message of at most 100 bytes, or a batch that cannot be stored, and a part of what
/// is said of it.
const REFUSALS: &str = r#"
native
\0\0 | UnknownMessage: message type 0 is
\0\x02 | UnknownMessage: message type 2 is
\0\x21 | UnknownMessage: message type 33 is
\xff\xff | UnknownMessage: message type 65535 is
\0\x08\0\x02\0\0\0\x05 | UnknownMessage: Hello of version 2
\0\x01\xff\xff\xff\xff | Malformed: a message of at least
\0\x01\0\0\0\x03 | Malformed: a message of at least 114
\0\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff | Malformed: a message of at least
\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x57 | Malformed: a message of at least 101
\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x1c5555555555555555555555555555 | Malformed: a field of 892679477 bytes where 20 are left
\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x1d\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\x01\x51\x80\0\0\0\x07\0 | Malformed: 1 bytes too many
\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x1c\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\x01\x51\x80\0\0\0\x07 | 1 bets, InvalidBet: bet 1: first_name
\0\x01\0\0\0\x02{bet}\0\0\0\0\0\0\0\x1c\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0 | WrongAgency: bet 2 is of agency 6, and the first of agency 5
frames
\x04 | UnknownMessage: frame kind 4
\x01\x5c\0\0\0 | Malformed: a message of at least 101
\x02\x01\0\0\0\x05\0\0\0x | Malformed: 1 bytes too many
\x03\x01\0\0\0\x05\0\0\0x | Malformed: 1 bytes too many
\0\x03\0\0\0\x05\0\0\0a,b | Malformed: a bet of 2 fields
\x01\x02\0\0\0\x05\0\0\0\0\0 | Malformed: a field of 4 bytes
\x01\x05\0\0\0\x05\0\0\0\x02\0\0\0x | Malformed: a field of 2 bytes
\0\x0e\0\0\0\x05\0\0\0A,P,7,1-1-1,70 | 1 bets, InvalidBet: bet 1: birthdate
flags
\x05\0 | UnknownMessage: flag 0
\x05\x01\0\0\0\x01\0\0\0\x61 | Malformed: a message of at least 101
\x05\x01\0\0\0\x01\0\0\0\x03a,b | Malformed: a bet of 2 fields
\x05\x01\0\0\0\x01\0\0\0\x0bx,a,b,c,d,e | Malformed: agency "x"
\x05\x01\0\0\0\x01\0\0\0\x295,A,P,7,1970-01-02,1\n6,A,P,7,1970-01-02,x | WrongAgency: bet 2
lines
S:x\n | Malformed: the number of bets "x"
S:-1\n | Malformed: the number of bets "-1"
GET / HTTP/1.1\r\n | UnknownMessage: line "GET
F:2\n | UnknownMessage: line "F:2"
F:1\nDONE\n | Malformed: F:1 without FINISHED
S:2\n5;A;P;7;1970-01-02;1\n | Malformed: 1 bets, announced as 2
S:1\n\n | Malformed: 0 bets, announced as 1
S:1\n5;A;P;7;1970-01-02\n | Malformed: a bet of 5 fields
S:1\n0;A;P;7;1970-01-02;1\n | Malformed: agency "0"
S:2\n5;A;P;7;1970-01-02;1~6;A;P;7;1970-01-02;1\n | WrongAgency: bet 2
S:1\n5;A;P;7;1970-01-02;70000\n | 1 bets, InvalidBet: bet 1: number "70000"
S:1\n----------------------------------------------------------------------------------------------------- | Malformed: a message of at least 101
sized
000x | Malformed: a size that is no number
0000000x | Malformed: the size "0000000x"
00000093 | Malformed: a message of at least 101
00000000 | Malformed: a body that is neither
00000004END\n | Malformed: a body that is neither
00000004x;1\n | Malformed: agency "x"
000000045;x\n | Malformed: the number of bets "x"
000000045;1\n | Malformed: 0 bets, announced as 1
000000275;1\nA;b;Paz;7;1970-01-02;1\n | Malformed: a bet of 6 fields
000000235;1\nA;;7;1970-01-02;10\n | 1 bets, InvalidBet: bet 1: last_name"#;

/// Agency 5's bet of Ana Paz in the native dialect, its length in front.
const NATIVE_BET: &str = r"\0\0\0\0\0\0\0\x22\0\0\0\x05\0\0\0\x03Ana\0\0\0\x03Paz\0\0\0\x07\0\0\0\0\0\x01\x51\x80\0\0\x1d\x96";

/// The same in words.
const ANA: &str = ", 5 Ana Paz 7 1970-01-02 7574";

/// The rows of a table, by dialect.
fn rows(table: &'static str) -> Vec<(&'static Dialect, Vec<(&'static str, &'static str)>)> {
    let mut sections: Vec<(_, Vec<_>)> = Vec::new();
    for line in table.trim_start().lines() {
        match line.split_once(" | ") {
            None => sections.push((Dialect::named(line).unwrap(), Vec::new())),
            Some(row) => sections.last_mut().unwrap().1.push(row),
        }
    }
    assert_eq!(sections.len(), DIALECTS.len());
    sections
}

fn bytes(text: &str) -> Vec<u8> {
    let text = text.replace("{bet}", NATIVE_BET);
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = match piece.split_at(1) {
            ("x", rest) => (u8::from_str_radix(&rest[..2], 16).unwrap(), &rest[2..]),
            ("0", rest) => (0, rest),
            ("n", rest) => (b'\n', rest),
            ("r", rest) => (b'\r', rest),
            (_, rest) => (b'\t', rest),
        };
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// The message in words.
fn said(message: &Message<'_>) -> String {
    let asked = match &message.request {
        Request::Hello => "hello".to_owned(),
        Request::Finish(awaits) => format!("finish for {awaits:?}"),
        Request::Winners => "winners".to_owned(),
        Request::Status => "status".to_owned(),
        Request::Nothing => "nothing".to_owned(),
        Request::Bets(batch) => said_of_batch(batch),
    };
    match message.agency {
        Some(agency) => format!("agency {agency}: {asked}"),
        None => asked,
    }
}

fn said_of_batch(batch: &Batch<'_>) -> String {
    let mut text = format!("{} bets", batch.count);
    let bets = match &batch.bets {
        Ok(bets) => bets,
        Err(fault) => return format!("{text}, {:?}: {fault}", fault.code),
    };
    let mut encodings = Vec::new();
    for bet in &bets.bets {
        encoding::encode(bet, &mut encodings);
        text += &format!(", {} {} {}", bet.agency, bet.first_name, bet.last_name);
        text += &format!(" {} {} {}", bet.document, bet.birthdate, bet.number);
    }
    assert_eq!(bets.encodings, encodings);
    assert_eq!(batch.count, bets.bets.len());
    let first = bets.bets.first().map(|bet| bet.agency);
    assert_eq!(batch.agency, first.or(batch.agency));
    text
}

/// What the pieces say, one after the other, and the refusal that ends them. The beginning of a message
/// takes no more memory than has come of it.
fn read<'a>(
    dialect: &Dialect,
    bytes_max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<String> {
    let mut codec = (dialect.codec)(bytes_max);
    let mut inbox = Inbox::default();
    let mut told = Vec::new();
    let mut came = 0;
    for mut input in pieces {
        came += input.len();
        loop {
            let message = match inbox.next_message(&mut input, |bytes| codec.scan(bytes)) {
                Ok(Some(message)) => codec.parse(message),
                Ok(None) => break,
                Err(refusal) => Err(refusal),
            };
            match message {
                Ok(message) => told.push(said(&message)),
                Err(refusal) => {
                    told.push(format!("{:?}: {refusal}", refusal.code));
                    return told;
                }
            }
        }
        assert!(input.is_empty() && inbox.memory_bytes() <= (2 * came).max(8));
    }
    told.extend((inbox.kept_bytes() > 0).then(|| "a piece".to_owned()));
    told
}

#[test]
fn every_message_means_the_same_wherever_the_network_cuts_it() {
    for (dialect, rows) in rows(CONVERSATIONS) {
        let stream: Vec<u8> = rows.iter().flat_map(|(sent, _)| bytes(sent)).collect();
        let meant = rows.iter().map(|(_, meant)| meant.replace("{ana}", ANA));
        let expected: Vec<String> = meant.collect();
        for cut in 0..=stream.len() {
            let (front, back) = stream.split_at(cut);
            assert_eq!(read(dialect, 200, [front, back]), expected, "cut at {cut}");
            let told = read(dialect, 200, [front]);
            let whole = told.iter().filter(|said| *said != "a piece").count();
            assert_eq!(told[..whole], expected[..whole], "{dialect:?} cut at {cut}");
        }
        assert_eq!(read(dialect, 200, stream.chunks(1)), expected);
    }
}

#[test]
fn a_message_of_the_bound_is_accepted_and_one_byte_more_is_refused() {
    for (dialect, rows) in rows(CONVERSATIONS) {
        let messages: Vec<_> = rows.iter().map(|(sent, _)| bytes(sent)).collect();
        let lengths = messages.iter().map(Vec::len);
        let longest = match dialect.name {
            // The bound is on each of the two lines.
            "lines" => messages[1].len() - bytes(r" S:2 \r\n\n").len(),
            _ => lengths.max().unwrap(),
        };
        let last = |bound| {
            read(dialect, bound, [&messages.concat()[..]])
                .pop()
                .unwrap()
        };
        assert_eq!(last(longest), rows.last().unwrap().1);
        let refusal = last(longest - 1);
        assert!(refusal.starts_with("Malformed: a message of"), "{refusal}");
    }
}

#[test]
fn what_is_no_message_or_no_good_batch_is_refused_with_its_code_as_soon_as_that_is_certain() {
    for (dialect, rows) in rows(REFUSALS) {
        for (sent, expected) in rows {
            let bytes = bytes(sent);
            for chunk in [1, bytes.len()] {
                let told = read(dialect, 100, bytes.chunks(chunk)).pop().unwrap();
                assert!(told.contains(expected), "{sent}: {told}");
            }
        }
    }
}

#[test]
fn a_message_of_hundreds_of_batches_streams_through_the_memory_of_one() {
    let [batch, bets] = [
        r"\0\0\0\x375,Ana,Paz,7,1970-01-02,7574\n5,Ana,Paz,7,1970-01-02,7574",
        r"\x05\x01\0\0\x01\x2c",
    ]
    .map(bytes);
    let stream = [&bets[..], &batch.repeat(300), b"\x02"].concat();
    let mut codec = flags::Flags::new(batch.len());
    let mut inbox = Inbox::default();
    let mut messages = 0;
    for mut piece in stream.chunks(97) {
        while let Some(message) = inbox
            .next_message(&mut piece, |bytes| codec.scan(bytes))
            .unwrap()
        {
            codec.parse(message).unwrap();
            messages += 1;
        }
        assert!(inbox.memory_bytes() <= 2 * batch.len());
    }
    assert_eq!(messages, 1 + 1 + 300 + 1);
}

#[test]
fn bytes_put_aside_come_out_later_and_in_order_and_give_their_memory_back() {
    let mut codec = native::Native::new(200);
    let mut inbox = Inbox::default();
    let stream = bytes(r"\0\x06\0\x04\0\x01\0\0\0\x01{bet}");
    let mut input = &stream[..];
    let taken = inbox.next_message(&mut input, |bytes| codec.scan(bytes));
    assert_eq!(taken.unwrap(), Some(&stream[..2]));
    inbox.keep(input);
    assert_eq!(inbox.kept(), &stream[2..]);
    let mut rest = &[0, 5][..];
    for expected in [Some(&stream[2..4]), Some(&stream[4..]), Some(&[0, 5]), None] {
        let taken = inbox.next_message(&mut rest, |bytes| codec.scan(bytes));
        assert_eq!(taken.unwrap(), expected);
    }
    assert_eq!((inbox.kept_bytes(), inbox.memory_bytes()), (0, 0));
}
