//! Messages of both directions: what comes out of a stream does not depend on how the network cut it,
//! what is kept is bounded, and what was understood is what was sent.
//!
//! The input is a bound (two bytes), the length of the pieces that the stream comes in (one), and the
//! stream.

use lottery_core::bet::Bet;
use lottery_core::codec::native::{encode_reply, parse_reply, scan_reply};
use lottery_core::codec::{Codec, Dialect, Inbox, Scan};
use lottery_core::encoding;
use lottery_core::message::{Batch, Code, Message, Refusal, Request};

/// Bytes of the longest front of a message whose length it tells: Welcome has as many.
const FRONT_BYTES_MAX: usize = 15;

/// The longest reason that a log line or an answer is to carry.
const REASON_BYTES_MAX: usize = 400;

/// What agencies send in a dialect.
pub fn check_requests(dialect: &str, input: &[u8]) {
    let Some(input) = Input::split(input) else {
        return;
    };
    let dialect = Dialect::named(dialect).unwrap();
    let bytes_max = usize::from(input.bound);
    // A reader of lines knows no lengths, and keeps what comes behind a message along with it.
    let kept_max = match dialect.name {
        "lines" => usize::MAX,
        _ => bytes_max.max(FRONT_BYTES_MAX),
    };
    input.check_every_cut(kept_max, || Requests {
        codec: (dialect.codec)(bytes_max),
        is_native: dialect.name == "native",
    });
}

/// What the central sends in the native dialect.
pub fn check_replies(input: &[u8]) {
    let Some(input) = Input::split(input) else {
        return;
    };
    let winners_max = u64::from(input.bound);
    let kept_max = FRONT_BYTES_MAX + 4 * usize::from(input.bound);
    input.check_every_cut(kept_max, || Replies { winners_max });
}

/// Something that reads messages, and tells what they say.
trait Reader {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal>;
    fn parse(&mut self, message: &[u8]) -> Result<String, Refusal>;
}

struct Requests {
    codec: Box<dyn Codec>,
    is_native: bool,
}

impl Reader for Requests {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        self.codec.scan(bytes)
    }

    fn parse(&mut self, message: &[u8]) -> Result<String, Refusal> {
        let read = self.codec.parse(message)?;
        let told = format!("{read:?}");
        if let Request::Bets(batch) = &read.request {
            check_batch(batch);
        }
        if self.is_native
            && let Some(encoded) = encode(&read)
        {
            assert_eq!(encoded, message, "{told}");
        }
        Ok(told)
    }
}

struct Replies {
    winners_max: u64,
}

impl Reader for Replies {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        scan_reply(bytes, self.winners_max)
    }

    fn parse(&mut self, message: &[u8]) -> Result<String, Refusal> {
        let reply = parse_reply(message)?;
        let mut encoded = Vec::new();
        encode_reply(&reply, &mut encoded);
        assert_eq!(encoded, message, "{reply:?}");
        Ok(format!("{reply:?}"))
    }
}

/// The bets of a batch are valid, of its agency, and encoded as they travel and are hashed.
fn check_batch(batch: &Batch<'_>) {
    let Ok(bets) = &batch.bets else { return };
    assert_eq!(bets.bets.len(), batch.count);
    let mut encodings = Vec::new();
    for bet in &bets.bets {
        assert_eq!(Some(bet.agency), batch.agency);
        let encoding = encode_bet(bet);
        assert_eq!(encoding.len(), encoding::encoded_bytes(bet));
        assert_eq!(encoding::decode(&encoding).unwrap().1.unwrap(), *bet);
        encodings.extend(encoding);
    }
    assert_eq!(bets.encodings, encodings);
}

fn encode_bet(bet: &Bet<'_>) -> Vec<u8> {
    let mut encoding = Vec::new();
    encoding::encode(bet, &mut encoding);
    encoding
}

/// The message as the native dialect writes it, from its table; none of a batch with a bad bet.
fn encode(message: &Message<'_>) -> Option<Vec<u8>> {
    Some(match &message.request {
        Request::Bets(batch) => {
            let mut bytes = [&[0, 1][..], &(batch.count as u32).to_be_bytes()].concat();
            for bet in &batch.bets.as_ref().ok()?.bets {
                let bet = encode_bet(bet);
                bytes.extend((bet.len() as u64).to_be_bytes());
                bytes.extend(bet);
            }
            bytes
        }
        Request::Nothing => vec![0, 4],
        Request::Finish { .. } => vec![0, 5],
        Request::Winners => vec![0, 6],
        Request::Hello => [&[0, 8, 0, 1], &message.agency?.to_be_bytes()[..]].concat(),
        Request::Status => vec![0, 32],
    })
}

struct Input<'a> {
    bound: u16,
    piece_bytes: usize,
    stream: &'a [u8],
}

/// Bytes that were taken for messages, what those say, and the refusal behind them.
type Outcome = (usize, Vec<String>, Option<Code>);

impl<'a> Input<'a> {
    fn split(input: &'a [u8]) -> Option<Input<'a>> {
        let ([high, low, length], stream) = input.split_first_chunk()?;
        Some(Input {
            bound: u16::from_be_bytes([*high, *low]),
            piece_bytes: usize::from(*length).max(1),
            stream,
        })
    }

    /// Checks that the stream says the same however it is cut, and that no more than `kept_max` bytes are
    /// ever kept of it.
    fn check_every_cut<R: Reader>(&self, kept_max: usize, reader: impl Fn() -> R) {
        let whole = read(reader(), [self.stream], kept_max);
        let pieces = self.stream.chunks(self.piece_bytes);
        assert_eq!(read(reader(), pieces, kept_max), whole);
        assert_eq!(read(reader(), self.stream.chunks(1), kept_max), whole);
        let mut put_aside = Inbox::default();
        put_aside.keep(self.stream);
        let mut outcome = Outcome::default();
        read_piece(&mut reader(), &mut put_aside, &mut &[][..], &mut outcome);
        assert_eq!(outcome, whole);
    }
}

fn read<'a>(
    mut reader: impl Reader,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    kept_max: usize,
) -> Outcome {
    let mut inbox = Inbox::default();
    let mut outcome = Outcome::default();
    for mut piece in pieces {
        if !read_piece(&mut reader, &mut inbox, &mut piece, &mut outcome) {
            break;
        }
        let kept = inbox.kept_bytes();
        assert!(piece.is_empty() && kept < kept_max, "{kept} bytes kept");
    }
    outcome
}

/// Reads the messages that a piece completes; says whether more may come.
fn read_piece(
    reader: &mut impl Reader,
    inbox: &mut Inbox,
    piece: &mut &[u8],
    (taken, told, refused): &mut Outcome,
) -> bool {
    loop {
        let message = match inbox.next_message(piece, |bytes| reader.scan(bytes)) {
            Ok(Some(message)) => {
                *taken += message.len();
                reader.parse(message)
            }
            Ok(None) => return true,
            Err(refusal) => Err(refusal),
        };
        match message {
            Ok(message) => told.push(message),
            Err(refusal) => {
                assert!(refusal.reason.len() < REASON_BYTES_MAX, "{refusal}");
                *refused = Some(refusal.code);
                return false;
            }
        }
    }
}
