//! The central behind several connections that do anything, on a disk that fails: what it says and
//! what it stores agree, and agencies that behave well are served in the end.

mod files;
mod peer;
mod world;

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use lottery_core::protocol::request;
use lottery_simulation::disk::Faults;
use server::central::{Durability, Rules};

use self::world::{READ_BYTES, World};

const WINNING_NUMBER: u32 = 7;

/// The largest message accepted.
const FRAME_BYTES_MAX: usize = 8 * 1024;

/// Requests of which many fit into little: Status, Ack, AllBetsSent, an empty batch, Hello.
const FLOODS: [&[u8]; 5] = [
    &[0, 32],
    &[0, 4],
    &[0, 5],
    &[0, 1, 0, 0, 0, 0],
    &[0, 8, 0, 1, 0, 0, 0, 1],
];

/// What happens.
#[derive(Arbitrary, Debug)]
struct Play<'a> {
    agencies: u8,
    durability: u8,
    has_draw_timeout: bool,
    actions: Vec<Action<'a>>,
}

/// Which of the connections that there are.
type Line = u8;

#[derive(Arbitrary, Debug)]
enum Action<'a> {
    Connect,
    Hello(Line, u8),
    /// Of an agency, so many bets on a number.
    Bets(Line, u8, u8, u8),
    AllBetsSent(Line),
    RequestWinners(Line),
    Bytes(Line, &'a [u8]),
    /// The same request, as often as one read of the event loop takes.
    Flood(Line, u8),
    /// The peer will send no more.
    End(Line),
    Disconnect(Line),
    /// The peer reads so many bytes.
    Flush(Line, u16),
    /// A turn ends, so many seconds later.
    Turn(u8),
    /// So many bytes still fit.
    DiskIsFull(u8),
    SyncWillFail,
    CutWillFail,
    DiskIsGood,
    /// The central dies and another one begins; unless `power_cut`, the system lives on.
    Crash {
        power_cut: bool,
    },
}

/// A play of any kind.
pub fn check(input: &[u8]) {
    if let Ok(play) = Play::arbitrary_take_rest(Unstructured::new(input)) {
        let mut world = World::new(play.rules());
        world.connect();
        world.connect();
        for action in &play.actions {
            world.act(action);
        }
        world.end_well();
    }
}

impl Play<'_> {
    fn rules(&self) -> Rules {
        Rules {
            agencies: u32::from(self.agencies % 3) + 1,
            winning_number: WINNING_NUMBER,
            durability: match self.durability % 4 {
                0 => Durability::No,
                1 => Durability::EverySecond,
                _ => Durability::Always,
            },
            draw_timeout: self.has_draw_timeout.then_some(Duration::from_secs(60)),
        }
    }
}

impl World {
    fn act(&mut self, action: &Action<'_>) {
        let faults = self.disk.faults();
        match *action {
            Action::Connect => {
                self.connect();
            }
            Action::Hello(line, agency) => self.send(line, &hello(self.agency(agency))),
            Action::Bets(line, agency, count, number) => {
                let bets = self.new_bets(self.agency(agency), count, u32::from(number));
                self.send(line, &bets);
            }
            Action::AllBetsSent(line) => self.send(line, &[0, 5]),
            Action::RequestWinners(line) => self.send(line, &[0, 6]),
            Action::Bytes(line, bytes) => self.send(line, bytes),
            Action::Flood(line, request) => {
                let request = &FLOODS[usize::from(request) % FLOODS.len()];
                self.send(line, &request.repeat(READ_BYTES / request.len()));
            }
            Action::End(line) => self.on(line, World::end),
            Action::Disconnect(line) => self.on(line, World::disconnect),
            Action::Flush(line, bytes) => {
                self.on(line, |world, id| world.flush(id, usize::from(bytes)));
            }
            Action::Turn(seconds) => {
                self.elapsed += Duration::from_secs(u64::from(seconds));
                self.turn();
            }
            Action::DiskIsFull(room) => self.disk.set_faults(Faults {
                room: Some(usize::from(room)),
                ..faults
            }),
            Action::SyncWillFail => self.disk.set_faults(Faults {
                failing_sync: true,
                ..faults
            }),
            Action::CutWillFail => self.disk.set_faults(Faults {
                failing_truncate: true,
                ..faults
            }),
            Action::DiskIsGood => self.disk.set_faults(Faults::default()),
            // With less durability a power cut may take what was acknowledged.
            Action::Crash { power_cut } => {
                let power_cut = power_cut && self.rules.durability == Durability::Always;
                self.restart(power_cut);
            }
        }
    }
}

fn hello(agency: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    request::encode_hello(agency, &mut bytes);
    bytes
}
