use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    bets::{Bet, Bets},
    plan::{AgencyPlan, Plan},
};

const WRITE_BUFFER_BYTES: usize = 64 * 1024;

/// A file could not be made; what was there under its name before still is.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}, expected a place that can be written to", path.display())]
pub struct WriteError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The name of an agency's file, which is what the agencies look for by default.
pub fn file_name(agency: u32) -> String {
    format!("agency-{agency}.csv")
}

/// Writes an agency's file into a folder, which is made if missing, and returns its path.
///
/// The file appears under its name only when whole, so that an agency never reads half of one.
pub fn write_file(plan: &Plan, agency: &AgencyPlan, folder: &Path) -> Result<PathBuf, WriteError> {
    fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    let path = folder.join(file_name(agency.agency));
    // Not a random name: what a killed run left behind is overwritten by the next.
    let partial = folder.join(format!("{}.partial", file_name(agency.agency)));

    let file = File::create(&partial).map_err(failed("create", &partial))?;
    write_csv(Bets::new(plan, agency), file)
        .map_err(failed("write", &partial))
        .and_then(|()| fs::rename(&partial, &path).map_err(failed("replace", &path)))
        .inspect_err(|_| {
            // The first error is the one to tell; a partial file that stays does no harm.
            let _ = fs::remove_file(&partial);
        })?;
    Ok(path)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError {
        action,
        path,
        source,
    }
}

/// Writes bets as `first_name,last_name,document,birthdate,number`: no header, CRLF, and quotes only where a
/// field needs them, as Python's `csv.writer` does by default.
pub fn write_csv(bets: impl Iterator<Item = Bet>, output: impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Necessary)
        .buffer_capacity(WRITE_BUFFER_BYTES)
        .from_writer(output);
    let (mut dni, mut number) = (itoa::Buffer::new(), itoa::Buffer::new());
    for Bet {
        person,
        number: bet_on,
    } in bets
    {
        writer.write_record([
            person.first_name.as_bytes(),
            person.last_name.as_bytes(),
            dni.format(person.dni).as_bytes(),
            person.birthdate.to_string().as_bytes(),
            number.format(bet_on).as_bytes(),
        ])?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use time::macros::date;

    use super::*;
    use crate::datasets::Options;

    fn csv_of(bets: impl Iterator<Item = Bet>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_csv(bets, &mut bytes).unwrap();
        bytes
    }

    fn bet(first_name: &'static str, last_name: &'static str) -> Bet {
        use crate::datasets::Person;
        let (first_name, last_name) = (Cow::from(first_name), Cow::from(last_name));
        Bet {
            person: Person {
                first_name,
                last_name,
                dni: 30_904_465,
                birthdate: date!(1999 - 03 - 07),
            },
            number: 7574,
        }
    }

    #[test]
    fn only_fields_that_need_quotes_have_them() {
        for (first_name, last_name, row) in [
            (
                "María José",
                "D'Angelo",
                "María José,D'Angelo,30904465,1999-03-07,7574\r\n",
            ),
            (
                "Juan",
                "García, hijo",
                "Juan,\"García, hijo\",30904465,1999-03-07,7574\r\n",
            ),
            (
                "Juan \"Tito\"",
                "Peña",
                "\"Juan \"\"Tito\"\"\",Peña,30904465,1999-03-07,7574\r\n",
            ),
        ] {
            let written = csv_of(std::iter::once(bet(first_name, last_name)));
            assert_eq!(String::from_utf8(written).unwrap(), row);
        }
    }

    #[test]
    fn a_csv_reader_gives_back_what_was_written() {
        let plan = Options {
            bets: Some(vec![5000]),
            ..Options::default()
        }
        .plan()
        .unwrap();
        let bets = || Bets::new(&plan, &plan.agencies[0]);
        let written = csv_of(bets());
        assert!(
            written.windows(2).any(|pair| pair == b",\""),
            "some fields are quoted"
        );

        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(written.as_slice());
        let read: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let made: Vec<Vec<String>> = bets()
            .map(|Bet { person, number }| {
                let (dni, birthdate, number) = (
                    person.dni.to_string(),
                    person.birthdate.to_string(),
                    number.to_string(),
                );
                vec![
                    person.first_name.into_owned(),
                    person.last_name.into_owned(),
                    dni,
                    birthdate,
                    number,
                ]
            })
            .collect();
        assert_eq!(read, made);
    }

    #[test]
    fn a_file_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("new").join("folder");
        let plan = Options {
            bets: Some(vec![10]),
            ..Options::default()
        }
        .plan()
        .unwrap();
        for _ in 0..2 {
            let path = write_file(&plan, &plan.agencies[1], &inside).unwrap();
            assert_eq!(path, inside.join("agency-2.csv"));
            assert_eq!(
                fs::read(path).unwrap(),
                csv_of(Bets::new(&plan, &plan.agencies[1]))
            );
        }
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing_partial() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("agency-1.csv");
        fs::create_dir(&taken).unwrap();
        let plan = Options::default().plan().unwrap();
        let error = write_file(&plan, &plan.agencies[0], folder.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot replace {}, ", taken.display())),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
