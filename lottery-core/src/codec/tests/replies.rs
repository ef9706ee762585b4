//! What the central sends in every dialect, and the other side of the native one.

use super::*;
use crate::encoding::Tally;
use crate::message::{Code, Stage, StatusReport, Welcome};

/// Replies by the names of [`replies`], and their bytes.
const REPLIES: &str = r"
native
stored | \0\x02
refused | \0\x03\0\x07
no winners | \0\x07\0\0\0\0\0\0\0\0
winners | \0\x07\0\0\0\0\0\0\0\x02\0\0\0\x09\x01\xd7\x90\x91
welcome | \0\x09\0\0\0\0\0\0\x01\x02\xcb\xf4\x39\x26\x01
not drawn | \0\x21\0\0\0\x05\0\0\x01\x02\0
drawn | \0\x21\0\0\0\x05\0\0\x01\x02\x02
frames
stored | \0\x01\0\0\0\0
finished | \0\x01\0\0\0\0
refused | \0\x01\0\0\0\x01
draw held | \x01\0\0\0\0
winners | \x02\x0a\0\0\09,30904465
no winners | \x02\0\0\0\0
flags
winners | \0\0\0\x02\0\0\0\x09\x01\xd7\x90\x91
no winners | \0\0\0\0
lines
stored | R:1\nOK\n
refused | R:1\nFAIL\n
winners | W:2\n9~30904465\n
no winners | W:0\nN\n
sized
stored | 00000034success;Batch stored successfully.
refused | 00000015error;disk full
winners | 000000109;30904465
no winners | 00000010NO_WINNERS";

/// One reply of each kind.
fn replies() -> Vec<(&'static str, Reply)> {
    let refusal = Refusal::new(Code::NotStored, "disk full");
    let status = |is_drawn| StatusReport {
        agencies: 5,
        missing: 258,
        is_drawn,
    };
    let welcome = Welcome {
        tally: Tally {
            bets: 258,
            crc: 0xcbf4_3926,
        },
        stage: Stage::Finished,
    };
    vec![
        ("stored", Reply::Stored),
        ("finished", Reply::Finished),
        ("draw held", Reply::DrawHeld),
        ("winners", Reply::Winners(vec![9, 30_904_465])),
        ("no winners", Reply::Winners(vec![])),
        ("welcome", Reply::Welcome(welcome)),
        ("not drawn", Reply::Status(status(false))),
        ("drawn", Reply::Status(status(true))),
        ("refused", Reply::Refused(refusal)),
    ]
}

#[test]
fn every_reply_has_the_bytes_of_its_dialect_or_none() {
    for (dialect, rows) in rows(REPLIES) {
        for (name, reply) in replies() {
            let row = rows.iter().find(|row| row.0 == name);
            let mut codec = (dialect.codec)(200);
            let mut out = Vec::new();
            codec.encode(&reply, &mut out);
            let expected = row.map(|row| bytes(row.1)).unwrap_or_default();
            assert_eq!(out, expected, "{dialect:?} {name}");
            let is_last = matches!(reply, Reply::Refused(_))
                || dialect.name == "flags" && matches!(reply, Reply::Winners(_));
            assert_eq!(codec.ends_with(&reply), is_last, "{dialect:?} {name}");
        }
    }
}

#[test]
fn an_agency_of_ours_reads_every_reply_once_it_is_whole() {
    for (name, bytes_of_reply) in &rows(REPLIES)[0].1 {
        let sent = bytes(bytes_of_reply);
        for length in 0..sent.len() {
            let scan = native::scan_reply(&sent[..length], 2).unwrap();
            let Scan::Incomplete {
                at_least: Some(at_least),
            } = scan
            else {
                panic!("{name}: {scan:?} of {length} bytes")
            };
            assert!(length < at_least && at_least <= sent.len());
        }
        assert_eq!(native::scan_reply(&sent, 2), Ok(Scan::Whole(sent.len())));
        let mut kinds = replies().into_iter();
        let (_, mut expected) = kinds.find(|reply| reply.0 == *name).unwrap();
        if let Reply::Refused(refusal) = &mut expected {
            *refusal = refusal.code.into();
        }
        assert_eq!(native::parse_reply(&sent), Ok(expected));
    }
}

#[test]
fn an_agency_of_ours_writes_what_the_central_reads_and_distrusts_its_lengths() {
    let bet = ["Ana", "Paz", "7", "1970-01-02", "7574"].map(str::as_bytes);
    let bet = Bet::from_text(5, bet).unwrap();
    let mut built = Vec::new();
    native::encode_batch_header(0, &mut built);
    native::encode_batch_header(2, &mut built);
    native::encode_counted_bet(&bet, &mut built);
    native::encode_counted_bet(&bet, &mut built);
    native::encode_ack(&mut built);
    native::encode_all_bets_sent(&mut built);
    native::encode_request_winners(&mut built);
    native::encode_hello(258, &mut built);
    native::encode_status(&mut built);
    let (_, native) = &rows(CONVERSATIONS)[0];
    let sent: Vec<u8> = native.iter().flat_map(|(sent, _)| bytes(sent)).collect();
    assert_eq!(built, sent);

    for (reply, is_message) in [
        (r"\0\x07\0\0\0\0\0\0\0\x02", true),
        (r"\0\x07\0\0\0\0\0\0\0\x03", false),
        (r"\0\x07\xff\xff\xff\xff\xff\xff\xff\xff", false),
        (r"\0\x01", false),
        (r"\0\x08", false),
        (r"\0\x20", false),
        (r"\0\x03\0\0", false),
        (r"\0\x03\0\x0a", false),
        (r"\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\x03", false),
        (r"\0\x21\0\0\0\x05\0\0\0\0\x01", false),
    ] {
        let reply = bytes(reply);
        let scan = native::scan_reply(&reply, 2);
        let read = scan.and_then(|scan| match scan {
            Scan::Whole(_) => native::parse_reply(&reply).map(|_| ()),
            Scan::Incomplete { .. } => Ok(()),
        });
        assert_eq!(read.is_ok(), is_message, "{reply:?}");
    }
}
