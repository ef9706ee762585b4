//! The checks on random bytes, and on random mixtures of familiar pieces.

use lottery_properties::{agency, bet_source, central, codec, settings, store};
use proptest::prelude::*;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// Bytes that the pieces, each perhaps shortened, make in any order: more often nearly right than
/// random ones.
fn pieces(of: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(of).prop_map(<[u8]>::to_vec),
        1 => (prop::sample::select(of), any::<prop::sample::Index>())
            .prop_map(|(piece, cut)| piece[..cut.index(piece.len())].to_vec()),
        1 => bytes(12),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A bound of 300, three piece lengths, and a stream.
fn cut(stream: Vec<u8>, lengths: [u8; 3]) -> Vec<u8> {
    [&[1, 44, 3][..], &lengths, &stream].concat()
}

const BET: &[u8] =
    b"\0\0\0\x22\0\0\0\x03\0\0\0\x03Ana\0\0\0\x03Paz\0\0\0\x07\0\0\0\0\0\x01\x51\x80\0\0\x1d\x96";

const REQUESTS: &[&[u8]] = &[
    b"\0\x01\0\0\0\0",
    b"\0\x01\0\0\0\x01",
    b"\0\x01\0\0\0\x02",
    BET,
    b"\0\x04",
    b"\0\x05",
    b"\0\x06",
    b"\0\x08\0\x01\0\0\0\x03",
    b"\0\x20",
];

const REPLIES: &[&[u8]] = &[
    b"\0\x02",
    b"\0\x03\0\x07",
    b"\0\x07\0\0\0\0\0\0\0\0",
    b"\0\x07\0\0\0\0\0\0\0\x01\0\0\0\x09",
    b"\0\x09\0\0\0\0\0\0\0\x01\0\0\0\0\x01",
    b"\0\x21\0\0\0\x05\0\0\0\x02\0",
];

const STORED: &[&[u8]] = &[
    b"1,Ana,Paz,10,1999-03-17,7\r\n",
    "2,Ana,\"Paz, de la \"\"Ñ\"\"\",11,1999-03-17,8\r\n".as_bytes(),
    b"\0\0\0\0",
    b"\x1e",
    b"0,0,0\r\n",
    b"1,0,0\r\n",
    b"3,0,0\r\n",
    b"\r\n",
];

const INI: &[&[u8]] = &[
    b"[DEFAULT]\n",
    b"[",
    b"]",
    b"\n",
    b"SERVER_PORT",
    b" = ",
    b"12345",
    b"IDLE_TIMEOUT = 1m30s\n",
    b"MAX_FRAME = 64KiB\n",
    b";",
    b"\"",
    b"\\",
];

const YAML: &[&[u8]] = &[
    b"id: 3\n",
    b"server:\n",
    b"  address: server:12345\n",
    b"a: &a [*b, *b, *b, *b, *b, *b]\n",
    b"b: &b {x: y}\n",
    b"<<: *a\n",
    b"[",
    b"{",
    b"- ",
    b"? ",
    b"!tag ",
    b"\"",
    b"|\n",
    b"batch: {maxAmount: 5, window: 1}\n",
];

const ROWS: &[&[u8]] = &[
    b"Ana,Paz,1,1999-03-17,7",
    b"\"Ana\",Paz,1,1999-03-17,7",
    "\"Ana, la \"\"Ñ\"\"\",Paz,1,1999-03-17,7".as_bytes(),
    b"\n",
    b"\r\n",
    b"\r",
    b"\xef\xbb\xbf",
    b"\"",
    b",",
    b"\xc3",
    b"1999-02-30",
];

proptest! {
    #[test]
    fn requests(stream in prop_oneof![bytes(600), pieces(REQUESTS)], lengths: [u8; 3]) {
        codec::check_requests(&cut(stream, lengths));
    }

    #[test]
    fn replies(stream in prop_oneof![bytes(600), pieces(REPLIES)], lengths: [u8; 3]) {
        codec::check_replies(&cut(stream, lengths));
    }

    #[test]
    fn the_central(input in bytes(1500)) {
        central::check(&input);
    }

    #[test]
    fn an_agency(input in bytes(600)) {
        agency::check(&input);
    }

    #[test]
    fn the_stores_opening(input in prop_oneof![bytes(600), pieces(STORED)]) {
        store::check(&input);
    }

    #[test]
    fn the_servers_settings(contents in prop_oneof![bytes(300), pieces(INI)]) {
        settings::check_server(&contents);
    }

    #[test]
    fn the_clients_settings(contents in prop_oneof![bytes(300), pieces(YAML)]) {
        settings::check_client(&contents);
    }

    #[test]
    fn a_bet_source(contents in prop_oneof![bytes(300), pieces(ROWS)]) {
        bet_source::check(&contents);
    }
}
