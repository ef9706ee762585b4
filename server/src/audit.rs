//! A check of a lottery's files, whether its server runs or not, in the manner of an independent control system: it
//! recounts every bet and believes nothing that it can work out.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;

use lottery_core::bet::has_won;
use lottery_core::store::{
    BETS_FILE, CLOSINGS_FILE, DiskFile, Folder, OpenError, examine, load_bets,
};
use lottery_core::tally::Tally;

/// What the files of a lottery hold, when they agree with each other.
#[derive(Debug)]
pub struct Audit {
    agencies: BTreeMap<u32, Audited>,
    /// Bytes of torn records at the ends of the files, which a server cuts off when it starts.
    torn_bytes: [(&'static str, u64); 2],
}

/// What they hold of an agency.
#[derive(Clone, Copy, Debug, Default)]
struct Audited {
    tally: Tally,
    is_closed: bool,
    winners: u64,
}

impl Audit {
    /// Checks the files in `folder`; with `winning_number` the winners are counted too.
    ///
    /// # Errors
    ///
    /// The first discrepancy, named to the line, or why a file cannot be read.
    pub fn of(folder: &Folder, winning_number: u32) -> Result<Audit, OpenError> {
        let open = |file| {
            let result = folder.open_to_read(file).and_then(|file| {
                let bytes = file.bytes()?;
                Ok(UpTo { file, bytes })
            });
            result.map_err(|error| OpenError::File { file, error })
        };
        // A server may be appending: what a closing covers was in the bets before it.
        let closings = open(CLOSINGS_FILE)?;
        let bets = open(BETS_FILE)?;
        let found = examine(&bets, &closings, None, || false)?;
        let mut agencies: BTreeMap<u32, Audited> = BTreeMap::new();
        for (agency, standing) in found.agencies {
            let audited = agencies.entry(agency).or_default();
            (audited.tally, audited.is_closed) = (standing.tally, standing.has_finished);
        }
        load_bets(
            &bets,
            || false,
            |bet| {
                if has_won(bet, winning_number) {
                    agencies.entry(bet.agency).or_default().winners += 1;
                }
            },
        )?;
        Ok(Audit {
            agencies,
            torn_bytes: [
                (BETS_FILE, found.bets_extent.torn_bytes),
                (CLOSINGS_FILE, found.closings_extent.torn_bytes),
            ],
        })
    }
}

/// A file as it was when it was opened, if it only grew since.
struct UpTo {
    file: File,
    bytes: u64,
}

impl DiskFile for UpTo {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.saturating_sub(offset).min(buffer.len() as u64);
        DiskFile::read_at(&self.file, offset, &mut buffer[..left as usize])
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn truncate(&mut self, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:>7} {:>10} {:>10} {:>6} {:>7}",
            "agency", "bets", "crc32", "closed", "winners"
        )?;
        let mut bets = 0;
        let mut winners = 0;
        for (agency, audited) in &self.agencies {
            let Audited {
                tally,
                is_closed,
                winners: won,
            } = audited;
            let closed = if *is_closed { "yes" } else { "no" };
            writeln!(
                out,
                "{agency:>7} {:>10} {:>10} {closed:>6} {won:>7}",
                tally.bets, tally.crc
            )?;
            bets += tally.bets;
            winners += won;
        }
        let closed = self
            .agencies
            .values()
            .filter(|audited| audited.is_closed)
            .count();
        writeln!(
            out,
            "{:>7} {bets:>10} {:>10} {closed:>6} {winners:>7}",
            "total", ""
        )?;
        for (file, bytes) in self.torn_bytes {
            if bytes > 0 {
                writeln!(
                    out,
                    "{file}: {bytes} bytes of an append at the end, under way or torn; the server cuts off the latter when it starts"
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ROW: &str = "1,Ana,Paz,7,1999-03-17,7574\r\n";

    fn audit(bets: &str, closings: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(BETS_FILE), bets).unwrap();
        fs::write(folder.path().join(CLOSINGS_FILE), closings).unwrap();
        let audit = Audit::of(&Folder::new(folder.path()), 7574);
        audit
            .map(|audit| audit.to_string())
            .map_err(|error| error.to_string())
    }

    /// The CRC of the one bet in [`ROW`], from Python's `zlib.crc32` over its encoding.
    const CRC: u32 = 0x4ae1_a42d;

    #[test]
    fn files_that_agree_make_a_table() {
        let table = audit(
            &(ROW.to_owned() + "2,Ana,Paz,8,1999-03-17,1\r\n"),
            &format!("1,1,{CRC}\r\n"),
        );
        let expected = [
            " agency       bets      crc32 closed winners",
            "      1          1 1256301613    yes       1",
            "      2          1 ",
        ];
        let table = table.unwrap();
        for (line, expected) in table.lines().zip(expected) {
            assert!(line.starts_with(expected), "{table}");
        }
        assert!(
            table.ends_with("  total          2                 1       1\n"),
            "{table}"
        );
    }

    #[test]
    fn the_first_discrepancy_is_named_to_the_line() {
        for (bets, closings, complaint) in [
            (
                ROW.to_owned() + "x\r\n",
                String::new(),
                "bets.csv line 2: 1 fields",
            ),
            (
                ROW.to_owned(),
                format!("1,2,{CRC}\r\n"),
                "closings.csv line 1: agency 1 finished with 2 bets",
            ),
            (
                ROW.to_owned(),
                "1,1,7\r\n".to_owned(),
                "closings.csv line 1: agency 1 finished with 1 bets",
            ),
        ] {
            let error = audit(&bets, &closings).unwrap_err();
            assert!(error.starts_with(complaint), "{error}");
        }
    }

    #[test]
    fn a_torn_append_is_told_and_no_discrepancy() {
        let table = audit(&(ROW.to_owned() + "1,An"), "").unwrap();
        assert!(table.contains("bets.csv: 4 bytes of an append"), "{table}");
    }

    #[test]
    fn a_folder_without_files_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Audit::of(&Folder::new(folder.path()), 7574)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("closings.csv: No such file"), "{error}");
    }
}
