//! The committed `.data/` is what the defaults make, and its README tells the truth.

use std::{fs, path::Path};

use super::{Bets, Options, file_name, write_csv};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.data");

/// Somebody who put the course's files in place has other ones, on purpose.
fn has_other_files() -> bool {
    let entries = fs::read_dir(DATA).expect("the repository has a .data folder");
    entries.flatten().any(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "zip")
    })
}

#[test]
fn the_committed_files_are_what_the_defaults_make() {
    if has_other_files() {
        eprintln!("skipped: a zip file in .data has replaced the committed files");
        return;
    }
    let plan = Options::default().plan().unwrap();
    for agency in &plan.agencies {
        let mut made = Vec::new();
        write_csv(Bets::new(&plan, agency), &mut made).unwrap();
        let committed = fs::read(Path::new(DATA).join(file_name(agency.agency))).unwrap();
        assert!(
            made == committed,
            "agency {}: run `make datasets`, and look at what changed",
            agency.agency
        );
    }
}

#[test]
fn the_readme_names_every_winner() {
    let readme = fs::read_to_string(Path::new(DATA).join("README.md")).unwrap();
    let plan = Options::default().plan().unwrap();
    for agency in &plan.agencies {
        let dnis: Vec<String> = Bets::new(&plan, agency)
            .filter(|bet| bet.number == plan.winning_number)
            .map(|bet| bet.person.dni.to_string())
            .collect();
        let shown = if dnis.is_empty() {
            "none".to_owned()
        } else {
            dnis.join(", ")
        };
        let row = format!(
            "| {} | {} | {} | {shown} |",
            agency.agency, agency.bets, agency.winners
        );
        assert!(readme.contains(&row), "the README lacks {row}");
    }
}
