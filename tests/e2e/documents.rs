//! The sessions in `docs/PROTOCOL.md` and `docs/DIALECTS.md`, byte for byte.
//!
//! A session is a block that begins with `=`. In it `=` says what happens to connections, `>` are
//! bytes of the agency, `<` bytes of the central, as two digits each or as text in quotes, and `#`
//! begins a remark.

use crate::kit::dialects::Dialect;
use crate::kit::{Peer, Server};

const PROTOCOL: &str = include_str!("../../docs/PROTOCOL.md");
const DIALECTS: &str = include_str!("../../docs/DIALECTS.md");

/// A step: what stands before the bytes, and these.
type Step = (&'static str, Vec<u8>);

fn sessions(document: &'static str) -> Vec<Vec<Step>> {
    let blocks = document.split("```text\n= ").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let steps = |block: &'static str| block.lines().map(step).collect();
    blocks.map(steps).collect()
}

fn step(line: &'static str) -> Step {
    let (mark, rest) = match line.split_at_checked(2) {
        Some((mark @ ("> " | "< "), rest)) => (mark, rest),
        _ => return (line.trim_start_matches("= "), vec![]),
    };
    let mut bytes = Vec::new();
    // Every second part is within quotes.
    for (number, part) in rest.split('"').enumerate() {
        if number % 2 == 1 {
            bytes.extend(part.replace("\\n", "\n").bytes());
            continue;
        }
        let digits = part.split('#').next().unwrap();
        let digits = digits.split_whitespace();
        bytes.extend(digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        if part.contains('#') {
            break;
        }
    }
    (mark, bytes)
}

/// Plays a session, in which the agency sends at most so many bytes at once.
fn play(server: &Server, steps: &[Step], bytes_max: usize) {
    let mut agency = None;
    for step in steps {
        if let Some(name) = step.0.strip_suffix(" connects") {
            let mut dialects = Dialect::ALL.into_iter();
            let dialect = dialects.find(|dialect| name.ends_with(dialect.name()));
            // What no dialect is named for is native.
            let address = server.address_of(dialect.unwrap_or(Dialect::Native));
            agency = Some(Peer::connect(address));
            continue;
        }
        let agency = agency.as_mut().unwrap();
        match step {
            ("the central closes", _) => agency.expect_closed(),
            ("> ", bytes) => bytes.chunks(bytes_max).for_each(|bytes| agency.send(bytes)),
            ("< ", bytes) => assert_eq!(agency.take(bytes.len()), *bytes, "{step:02x?}"),
            other => panic!("{other:?} is no step"),
        }
    }
}

#[test]
fn the_central_answers_with_the_bytes_of_the_documents_however_it_is_asked() {
    for (document, count) in [(PROTOCOL, 4), (DIALECTS, 4)] {
        let sessions = sessions(document);
        assert_eq!(sessions.len(), count);
        for (number, steps) in sessions.iter().enumerate() {
            for bytes_max in [1, usize::MAX] {
                let mut server = Server::lottery(1).of_all_dialects().start();
                play(&server, steps, bytes_max);
                assert_eq!(server.terminate().code, Some(0));
                // The files that the first document shows are those of its first session.
                if number == 0 && document == PROTOCOL {
                    for row in (server.bets() + &server.file("closings.csv")).lines() {
                        assert!(document.contains(&format!("`{row}`")), "{row}");
                    }
                }
            }
        }
    }
}
