//! The codec: what comes out of a stream does not depend on how the network cut it, what is kept is
//! bounded, and what was understood is written back to the same bytes.
//!
//! The input is a bound (two bytes), a number of piece lengths (one), as many lengths (one each),
//! and the stream, which is cut into pieces of these lengths, over and over.

use lottery_core::bet::UncheckedBet;
use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::protocol::request::RequestScanner;
use lottery_core::protocol::{
    FrameAssembler, FrameError, Malformed, Reply, Request, Scanner, bet_encoding,
};

use crate::TODAY;

/// Bytes of the largest message whose length is fixed: Hello, and Welcome.
const HELLO_BYTES: usize = 8;
const WELCOME_BYTES: usize = 15;

/// Bytes of an InformWinners without its winners.
const WINNERS_HEADER_BYTES: usize = 10;

/// What agencies send.
pub fn check_requests(input: &[u8]) {
    let Some(input) = Input::split(input) else {
        return;
    };
    let bytes_max = usize::from(input.bound);
    let kept_max = bytes_max.max(HELLO_BYTES);
    for frame in input.frames(|| RequestScanner::new(bytes_max), kept_max) {
        match Request::parse(frame) {
            Ok(request) => check_request(&request, frame),
            Err(Malformed::OtherVersion(version)) => assert_ne!(version, 1),
            Err(Malformed::Overrun { .. } | Malformed::Excess(_)) => {}
            Err(other) => panic!("{other} in a frame that the scanner knew: {frame:?}"),
        }
    }
}

/// What the central sends.
pub fn check_replies(input: &[u8]) {
    let Some(input) = Input::split(input) else {
        return;
    };
    let winners_max = u64::from(input.bound);
    let kept_max = WELCOME_BYTES.max(WINNERS_HEADER_BYTES + 4 * usize::from(input.bound));
    for frame in input.frames(|| ReplyScanner::new(winners_max), kept_max) {
        match Reply::parse(frame) {
            Ok(reply) => {
                let mut encoded = Vec::new();
                reply.encode(&mut encoded);
                assert_eq!(encoded, frame, "{reply:?}");
            }
            Err(Malformed::UnknownCode(_) | Malformed::UnknownState(_)) => {}
            Err(other) => panic!("{other} in a frame that the scanner found whole: {frame:?}"),
        }
    }
}

fn check_request(request: &Request<'_>, frame: &[u8]) {
    assert_eq!(encode(request), frame, "{request:?}");
    let Request::RegisterBets(bets) = request else {
        return;
    };
    for claim in bets {
        if let Ok(bet) = claim.check(TODAY) {
            let mut encoded = Vec::new();
            bet_encoding::encode(&bet, &mut encoded);
            assert_eq!(encoded, encode_claim(claim), "{bet:?}");
            assert_eq!(encoded.len(), bet_encoding::encoded_bytes(&bet));
            assert!(encoded.len() <= bet_encoding::BET_BYTES_MAX);
        }
    }
}

/// The request as the protocol writes it. Production never writes bets that it has not checked, so
/// this is written a second time, from the protocol's table.
fn encode(request: &Request<'_>) -> Vec<u8> {
    match request {
        Request::RegisterBets(bets) => {
            let mut bytes = [&[0, 1][..], &(bets.len() as u32).to_be_bytes()].concat();
            for bet in bets {
                let bet = encode_claim(bet);
                bytes.extend((bet.len() as u32).to_be_bytes());
                bytes.extend(bet);
            }
            bytes
        }
        Request::Ack => vec![0, 4],
        Request::AllBetsSent => vec![0, 5],
        Request::RequestWinners => vec![0, 6],
        Request::Status => vec![0, 32],
        Request::Hello { agency } => [&[0, 8, 0, 1], &agency.to_be_bytes()[..]].concat(),
    }
}

fn encode_claim(bet: &UncheckedBet<'_>) -> Vec<u8> {
    [
        &bet.agency.to_be_bytes()[..],
        &(bet.first_name.len() as u32).to_be_bytes(),
        bet.first_name,
        &(bet.last_name.len() as u32).to_be_bytes(),
        bet.last_name,
        &bet.document.to_be_bytes(),
        &bet.birthdate.to_be_bytes(),
        &bet.number.to_be_bytes(),
    ]
    .concat()
}

struct Input<'a> {
    bound: u16,
    piece_lengths: &'a [u8],
    stream: &'a [u8],
}

impl<'a> Input<'a> {
    fn split(input: &'a [u8]) -> Option<Input<'a>> {
        let (bound, rest) = input.split_first_chunk()?;
        let (lengths, rest) = rest.split_first()?;
        let (piece_lengths, stream) = rest.split_at_checked(usize::from(*lengths))?;
        Some(Input {
            bound: u16::from_be_bytes(*bound),
            piece_lengths,
            stream,
        })
    }

    /// The frames of the stream, after checking that they are the same however it is cut and that no
    /// more than `kept_max` bytes were ever kept.
    fn frames<S: Scanner>(&self, scanner: impl Fn() -> S, kept_max: usize) -> Vec<&'a [u8]> {
        let whole = read(scanner(), [self.stream], kept_max);
        assert_eq!(read(scanner(), self.pieces(), kept_max), whole);
        assert_eq!(read(scanner(), self.stream.chunks(1), kept_max), whole);
        assert_eq!(read_put_aside(scanner(), self.stream), whole);
        let mut rest = self.stream;
        let cut = |frame: &Vec<u8>| {
            let (front, behind) = rest.split_at(frame.len());
            assert_eq!(front, frame, "a frame is not what was sent");
            rest = behind;
            front
        };
        whole.0.iter().map(cut).collect()
    }

    fn pieces(&self) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let mut rest = self.stream;
        let mut lengths = self.piece_lengths.iter().cycle();
        let are_all_empty = self.piece_lengths.iter().all(|length| *length == 0);
        while !rest.is_empty() {
            let length = match lengths.next() {
                Some(length) if !are_all_empty => usize::from(*length).min(rest.len()),
                _ => rest.len(),
            };
            let (piece, behind) = rest.split_at(length);
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}

/// Frames, and the error behind them if there was one.
type Outcome = (Vec<Vec<u8>>, Option<FrameError>);

fn read<'a, S: Scanner>(
    scanner: S,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    kept_max: usize,
) -> Outcome {
    let mut assembler = FrameAssembler::new(scanner);
    let mut frames = Vec::new();
    for piece in pieces {
        let mut input = piece;
        if let Err(error) = read_frames(&mut assembler, &mut input, &mut frames) {
            return (frames, Some(error));
        }
        assert!(input.is_empty());
        assert!(
            assembler.kept_bytes() < kept_max,
            "{} bytes kept where a message has at most {kept_max}",
            assembler.kept_bytes()
        );
    }
    (frames, None)
}

/// As [`read`], for a stream that was put aside before anything was looked at.
fn read_put_aside<S: Scanner>(scanner: S, stream: &[u8]) -> Outcome {
    let mut assembler = FrameAssembler::new(scanner);
    assembler.keep(stream);
    let mut frames = Vec::new();
    let error = read_frames(&mut assembler, &mut &[][..], &mut frames).err();
    let taken: usize = frames.iter().map(Vec::len).sum();
    assert_eq!(assembler.kept_bytes(), stream.len() - taken);
    (frames, error)
}

fn read_frames<S: Scanner>(
    assembler: &mut FrameAssembler<S>,
    input: &mut &[u8],
    frames: &mut Vec<Vec<u8>>,
) -> Result<(), FrameError> {
    while let Some(frame) = assembler.next_frame(input)? {
        frames.push(frame.to_vec());
    }
    Ok(())
}
