//! The demo as a user runs it, with stand-ins for the two programs: small scripts that print the
//! log lines which matter and note how they end.

#![allow(
    clippy::unwrap_used,
    reason = "a test whose world cannot be built has failed"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// A central that listens and then waits for its end.
const CENTRAL: &str = r#"
    trap 'say "action: shutdown | result: success"; echo "central ended" >>"$world/notes"; exit 0' TERM
    say 'action: listen | result: success | ip: 127.0.0.1 | port: 40123'
    say 'action: agencia_lista | result: success | agencia: 1 | faltan: 1'
    say 'action: agencia_lista | result: success | agencia: 2 | faltan: 0'
    say 'action: sorteo | result: success'
    while :; do sleep 0.02; done
"#;

/// An agency that sends ten bets and gets two winners.
const AGENCY: &str = r#"
    for batch in 1 2 3 4 5; do say 'action: apuesta_enviada | result: success | cantidad: 2'; done
    say 'action: consulta_ganadores | result: success | cant_ganadores: 2'
    say 'action: ganadores | result: success | dnis: 1,2'
"#;

/// An agency that waits for its end.
const WAITING_AGENCY: &str = r#"
    trap 'echo "agency ended" >>"$world/notes"; exit 0' TERM
    echo "agency waits" >>"$world/notes"
    while :; do sleep 0.02; done
"#;

/// Two data files, the stand-ins, and a folder for temporary files.
struct World {
    folder: TempDir,
}

impl World {
    fn new(central: &str, agency: &str) -> World {
        let world = World {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(world.path("temporary")).unwrap();
        world.write_script("server", central);
        world.write_script("client", agency);
        for number in [1, 2] {
            let rows = "Ana,Ñandú,1,2000-01-01,7574\r\n".repeat(10);
            fs::write(world.path(&format!("agency-{number}.csv")), rows).unwrap();
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_script(&self, name: &str, body: &str) {
        let (script, world) = (self.path(name), self.folder.path().display());
        let text = format!(
            "#!/bin/sh\nworld='{world}'\necho $$ >>\"$world/pids\"\n\
             say() {{ echo \"2026-11-21 01:40:07 INFO  [{name}] $1\"; }}\n{body}\n"
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lottery-demo"));
        command
            .args(["--agencies", "2", "--data-dir"])
            .arg(self.folder.path())
            .arg("--server-program")
            .arg(self.path("server"))
            .arg("--client-program")
            .arg(self.path("client"))
            .env("TMPDIR", self.path("temporary"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.path("notes")).unwrap_or_default()
    }

    fn wait_for_notes(&self, wanted: usize) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.notes().lines().count() < wanted {
            assert!(Instant::now() < deadline, "only: {}", self.notes());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// No process is left, and no temporary file.
    fn assert_clean(&self) {
        let pids = fs::read_to_string(self.path("pids")).unwrap_or_default();
        for pid in pids.lines() {
            let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
            assert!(test_kill_process(pid).is_err(), "{pid:?} is left");
        }
        assert_eq!(entries(&self.path("temporary")), 0);
    }
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_run_ends_with_a_table_and_leaves_nothing() {
    let world = World::new(CENTRAL, AGENCY);
    let output = world.run();
    let shown = text(&output.stdout);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(shown.matches("%, ").count(), 2 * 5, "{shown}");
    assert!(shown.contains("agency 2: 100%, 10 of 10 bets\n"), "{shown}");
    assert!(shown.contains("draw: held\n"), "{shown}");
    let cells = |line: &str| {
        let mut cells = line.split_whitespace().map(str::to_owned);
        [cells.next(), cells.next(), cells.next()].map(Option::unwrap_or_default)
    };
    let table: Vec<_> = shown.lines().rev().take(4).map(cells).collect();
    assert_eq!(
        table,
        [
            ["total", "20", "4"],
            ["2", "10", "2"],
            ["1", "10", "2"],
            ["agency", "bets", "winners"]
        ]
    );
    assert_eq!(world.notes(), "central ended\n");
    world.assert_clean();
}

#[test]
fn the_users_own_settings_reach_no_process() {
    let look = r#"env | grep -E 'CLI_|SERVER_|NUMERO|DURABILITY' >>"$world/leaks"
        ls config.* >>"$world/leaks" 2>/dev/null
    "#;
    let world = World::new(&format!("{look}{CENTRAL}"), &format!("{look}{AGENCY}"));
    fs::write(world.path("config.yaml"), "id: 7\n").unwrap();
    let output = world
        .command()
        .current_dir(world.folder.path())
        .envs([("CLI_ID", "7"), ("SERVER_PORT", "1"), ("NUMERO", "7574")])
        .env("DURABILITY", "never")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(world.path("leaks")).unwrap(), "");
}

#[test]
fn a_storage_folder_of_the_users_choice_stays_and_serves_one_run() {
    let central = format!(r#"for last; do :; done; touch "$last/bets.csv"; {CENTRAL}"#);
    let world = World::new(&central, AGENCY);
    let run = || {
        let mut command = world.command();
        command.arg("--keep-storage").arg(world.path("kept"));
        command.output().unwrap()
    };
    assert_eq!(run().status.code(), Some(0));
    assert_eq!(entries(&world.path("kept")), 1);
    let again = run();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("has a bets.csv already"));
    world.assert_clean();
}

#[test]
fn an_agency_that_dies_early_ends_the_run_with_its_last_lines() {
    let dying = format!(
        "case \"$*\" in *'--id 2'*) say 'action: config | result: fail | error: no'\n\
         echo 'client: no idea' >&2; exit 1;; esac\n{WAITING_AGENCY}"
    );
    let world = World::new(CENTRAL, &dying);
    let started = Instant::now();
    let output = world.run();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("agency 2: action: config | result: fail | error: no\n"),
        "{shown}"
    );
    let complaint = text(&output.stderr);
    assert!(
        complaint.starts_with(
            "lottery-demo: agency 2 ended with exit code 1 before it got its winners; \
             its last lines:\n    2026-11-21"
        ),
        "{complaint}"
    );
    assert!(
        complaint.ends_with("\n    client: no idea\n"),
        "{complaint}"
    );
    world.assert_clean();
}

#[test]
fn an_agency_that_ends_without_its_winners_has_failed() {
    let world = World::new(CENTRAL, "exit 0");
    let output = world.run();
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains(" ended with exit code 0 before it got its winners; it said nothing"),
        "{complaint}"
    );
    world.assert_clean();
}

#[test]
fn an_agency_that_fails_after_its_winners_leaves_the_others_their_table() {
    let world = World::new(CENTRAL, &format!("{AGENCY} exit 1"));
    let output = world.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("\ntotal "));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("agency 2 ended with exit code 1; its last lines:"),
        "{complaint}"
    );
}

#[test]
fn a_central_that_does_not_start_is_reported_at_once() {
    let world = World::new("echo 'server: the port is in use' >&2; exit 1", AGENCY);
    let output = world.run();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "lottery-demo: central ended with exit code 1 before the lottery was over; \
         its last lines:\n    server: the port is in use\n"
    );
    world.assert_clean();
}

#[test]
fn a_central_that_dies_takes_the_agencies_with_it() {
    let central = r#"say 'action: listen | result: success | ip: 127.0.0.1 | port: 40123'
        until [ "$(wc -l <"$world/notes")" = 2 ]; do sleep 0.02; done 2>/dev/null
        kill -KILL $$"#;
    let world = World::new(central, WAITING_AGENCY);
    let output = world.run();
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("central was ended by SIGKILL before the lottery was over"),
        "{complaint}"
    );
    assert_eq!(world.notes().matches("agency ended").count(), 2);
    world.assert_clean();
}

#[test]
fn signals_end_the_agencies_and_then_the_central() {
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let world = World::new(CENTRAL, WAITING_AGENCY);
        let demo = world.command().spawn().unwrap();
        world.wait_for_notes(2);
        signal(&demo, number);
        let output = demo.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(text(&output.stderr).starts_with("lottery-demo: ended by SIG"));
        assert!(world.notes().ends_with("agency ended\ncentral ended\n"));
        world.assert_clean();
    }
}

#[test]
fn a_process_that_will_not_end_is_killed() {
    let stubborn = WAITING_AGENCY.replace("exit 0", ":");
    let world = World::new(CENTRAL, &stubborn);
    let demo = world.command().spawn().unwrap();
    world.wait_for_notes(2);
    signal(&demo, Signal::TERM);
    assert_eq!(demo.wait_with_output().unwrap().status.code(), Some(143));
    assert!(world.notes().ends_with("central ended\n"));
    world.assert_clean();
}

#[test]
fn a_reader_that_goes_away_ends_the_run_in_good_order() {
    let world = World::new(CENTRAL, &format!("sleep 0.3\n{AGENCY}"));
    let mut demo = world.command().spawn().unwrap();
    drop(demo.stdout.take());
    let output = demo.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("writing to standard output"));
    world.assert_clean();
}

#[test]
fn what_is_missing_is_said_before_anything_starts() {
    let world = World::new(CENTRAL, AGENCY);
    let complaint_with = |arguments: &[&str]| {
        let output = world.command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        text(&output.stderr)
    };
    fs::remove_file(world.path("agency-2.csv")).unwrap();
    let complaint = complaint_with(&[]);
    assert!(
        complaint.contains("agency-2.csv: cannot be read"),
        "{complaint}"
    );
    fs::remove_file(world.path("server")).unwrap();
    let complaint = complaint_with(&[]);
    assert!(complaint.contains("`make build` builds it"), "{complaint}");
    assert!(!world.path("pids").exists());
}

#[test]
fn a_wrong_command_line_is_one_line() {
    for arguments in [&["--agencies=0"][..], &["--agency"], &["more"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lottery-demo"));
        let output = command.args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1);
    }
}
