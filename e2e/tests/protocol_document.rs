//! The sessions in `docs/PROTOCOL.md`, byte for byte at the real central.
//!
//! A session is a block of the section "Sessions, byte for byte". In it `=` says what happens to
//! connections, `>` are bytes of the agency, `<` bytes of the central, and `#` begins a remark.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{self, HandBet};
use lottery_e2e::{Answer, HandAgency, ServerProcess, ServerSetup};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");
const SECTION: &str = "## Sessions, byte for byte";

#[derive(Debug, PartialEq)]
enum Step {
    /// The agency connects, leaving the connection that it had, if any.
    Connects,
    /// The central closes the connection.
    Closes,
    /// The agency sends this.
    Sends(Vec<u8>),
    /// The central sends this.
    Answers(Vec<u8>),
}

/// The sessions of the document, each with the line of its beginning.
fn sessions() -> Vec<(usize, Vec<Step>)> {
    let mut sessions = Vec::new();
    let mut is_inside = false;
    let lines = DOCUMENT.lines().enumerate();
    for (number, line) in lines.skip_while(|(_, line)| *line != SECTION) {
        if line.starts_with("```") {
            is_inside = !is_inside;
            if is_inside {
                sessions.push((number + 1, Vec::new()));
            }
        } else if is_inside && !line.is_empty() {
            let step = step(line).unwrap_or_else(|| panic!("line {}: {line:?}", number + 1));
            sessions.last_mut().unwrap().1.push(step);
        }
    }
    sessions
}

fn step(line: &str) -> Option<Step> {
    let line = line.split('#').next()?.trim_end();
    let (mark, rest) = line.split_at_checked(2)?;
    let bytes = || -> Option<Vec<u8>> {
        let digits = rest.split_whitespace();
        digits
            .map(|byte| u8::from_str_radix(byte, 16).ok())
            .collect()
    };
    match (mark, rest) {
        ("= ", "the agency connects") => Some(Step::Connects),
        ("= ", "the central closes") => Some(Step::Closes),
        ("> ", _) => bytes().map(Step::Sends),
        ("< ", _) => bytes().map(Step::Answers),
        _ => None,
    }
}

fn play(server: &ServerProcess, line: usize, steps: &[Step]) {
    let mut agency: Option<HandAgency> = None;
    for step in steps {
        if *step == Step::Connects {
            agency = Some(server.connect());
            continue;
        }
        let agency = agency.as_mut().unwrap();
        match step {
            Step::Connects => unreachable!(),
            Step::Closes => agency.expect_closed(),
            Step::Sends(bytes) => agency.send(bytes),
            Step::Answers(bytes) => {
                let answer = agency.take_many(bytes.len());
                assert_eq!(answer, *bytes, "session of line {line}: {step:02x?}");
            }
        }
    }
}

#[test]
fn the_central_answers_the_sessions_of_the_document_with_the_bytes_that_it_says() {
    let sessions = sessions();
    assert_eq!(sessions.len(), 4);
    for (line, steps) in sessions {
        let server = ServerSetup::lottery(1).start();
        play(&server, line, &steps);
        assert_eq!(server.terminate().code, Some(0));
    }
}

#[test]
fn the_first_session_leaves_the_files_that_the_document_shows() {
    let server = ServerSetup::lottery(1).start();
    let (line, steps) = &sessions()[0];
    play(&server, *line, steps);
    for file in [server.setup().bets_file(), server.setup().closings_file()] {
        for row in file.split_inclusive("\r\n") {
            let quoted = format!("`{}`", row.trim_end());
            assert!(DOCUMENT.contains(&quoted), "{quoted} is missing");
        }
    }
}

#[test]
fn the_document_has_the_bytes_that_another_encoder_makes() {
    let bets = [
        HandBet::new(1, 30_904_465, 7574).named("Ana", "Ñu"),
        HandBet::new(1, 17_103_997, 2474).named("Mateo", "Gómez"),
        HandBet::new(1, 17_207_994, 7574).named("Luz", "Paz"),
    ];
    let (_, steps) = &sessions()[0];
    let sent: Vec<u8> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Sends(bytes) => Some(&bytes[..]),
            _ => None,
        })
        .collect::<Vec<_>>()
        .concat();
    let expected = [
        wire::hello(1, 1),
        wire::register_bets(&bets[..2]),
        wire::register_bets(&bets[2..]),
        wire::hello(1, 1),
        wire::ALL_BETS_SENT.to_vec(),
        wire::REQUEST_WINNERS.to_vec(),
    ];
    assert_eq!(sent, expected.concat());
    let welcome = Answer::welcome(&bets, 0).encoded();
    let answers = steps.iter().filter_map(|step| match step {
        Step::Answers(bytes) => Some(&bytes[..]),
        _ => None,
    });
    assert!(
        answers
            .collect::<Vec<_>>()
            .concat()
            .windows(welcome.len())
            .any(|part| part == welcome)
    );
}
