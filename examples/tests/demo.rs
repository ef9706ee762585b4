//! The demo as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test that lacks its world fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Two agencies' files, and a folder for what is temporary.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    let rows = "Ana,Paz,101,1999-03-17,7574\nEva,Paz,102,1999-03-17,1\n".repeat(10);
    fs::create_dir(world.path().join("temporary")).unwrap();
    fs::write(world.path().join("agency-1.csv"), rows).unwrap();
    fs::write(world.path().join("agency-2.csv"), "").unwrap();
    world
}

fn start(world: &TempDir, arguments: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lottery-demo"));
    let arguments = format!("--agencies 2 --data . {arguments}");
    command.args(arguments.split_whitespace());
    command.current_dir(world).env("TMPDIR", "temporary");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What it prints from here on.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.lines().map(Result::unwrap)
}

/// It ends with this code and complaint, and leaves nothing. Gives back what it printed.
fn end(world: &TempDir, child: Child, code: i32, complaint: &str) -> String {
    let ended = child.wait_with_output().unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(code), "{errors}");
    assert!(errors.contains(complaint), "{errors}");
    assert_eq!(errors.lines().count(), usize::from(code > 0), "{errors}");
    let mut left = fs::read_dir(world.path().join("temporary")).unwrap();
    assert!(left.next().is_none());
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn a_run_ends_with_a_table_and_the_winners_and_leaves_only_what_is_to_be_kept() {
    let world = world();
    for (number, winner, arguments) in [
        (7574, "101", ""),
        (1, "102", "--tls --pace 10ms --keep kept --winning-number 1"),
    ] {
        let shown = end(&world, start(&world, arguments), 0, "");
        let (day, table) = shown.split_once("\nagency  ").unwrap();
        assert!(day.contains("agency 1: 20 bets; "), "{shown}");
        for (agency, bets, winners) in [("1", 20, 10), ("2", 0, 0), ("total", 20, 10)] {
            let row = format!("\n{agency:<6} {bets:>9} {winners:>8} ");
            assert!(table.contains(&row), "{shown}");
        }
        let line = [winner; 5].join(", ");
        let winners = format!("agency 1: {line},\n          {line}\nagency 2: no winners");
        let end = format!("\nnumber drawn: {number}\n{winners}\n");
        assert!(table.contains(&end), "{shown}");
    }
    let kept = fs::read_to_string(world.path().join("kept/bets.csv")).unwrap();
    assert_eq!(kept.lines().count(), 20);
    let again = start(&world, "--keep kept");
    end(&world, again, 1, "it has bets already");
}

#[test]
fn a_signal_ends_it_in_mid_day_and_the_board_shows_the_day_until_then() {
    let world = world();
    for (signal, arguments) in [(Signal::INT, "--pace 1h"), (Signal::HUP, "--pace 1h --tls")] {
        let mut child = start(&world, arguments);
        let mut lines = lines(&mut child);
        let board = lines.find(|line| line.starts_with("board:")).unwrap();
        let board = board.replace("board:   http://", "").replace('/', "");
        assert!(lines.any(|line| line.starts_with("agency 2: 0 bets; ")));
        let mut viewer = TcpStream::connect(board).unwrap();
        write!(viewer, "GET /status.json HTTP/1.1\r\n\r\n").unwrap();
        let mut status = String::new();
        viewer.read_to_string(&mut status).unwrap();
        assert!(status.contains(r#"{"agencies":2,"agency_states":"#));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(lines.any(|line| line == "Stopped by a signal before the draw."));
        end(&world, child, 0, "");
    }
}

#[test]
fn what_is_wrong_is_told_in_a_line() {
    let world = world();
    fs::write(world.path().join("agency-3.csv"), "Ana\n").unwrap();
    for (arguments, code, complaint) in [
        (
            "--agencies 0",
            2,
            "'--agencies <N>': a whole number from 1 to 100",
        ),
        ("--agencies 4", 2, "agency-4.csv: No such file"),
        ("--agencies 3", 1, "agency-3.csv line 1: "),
    ] {
        end(&world, start(&world, arguments), code, complaint);
    }
    let mut child = start(&world, "--pace 30s --keep kept");
    let mut lines = lines(&mut child);
    assert!(lines.any(|line| line.starts_with("agency 2: 0 bets; ")));
    fs::remove_file(world.path().join("kept/bets.csv")).unwrap();
    let complaint = "the central: storage: bets.csv was removed";
    end(&world, child, 1, complaint);
    let mut child = start(&world, "--pace 2s");
    drop(child.stdout.take());
    end(&world, child, 1, "writing to standard output");
}
