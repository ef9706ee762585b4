//! The bets of a run: files made once by the generator, and what the load makes of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;

use crate::datasets::{self, Options};
use crate::load::Script;

/// Agencies of the bundled data.
pub const BUNDLED_AGENCIES: u32 = 5;

/// Bets of an agency that is one of many.
pub const BETS_EACH: u32 = 100;

/// Which bets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bets {
    /// The bundled data of five agencies, so many times as much.
    Bundled {
        /// How many times.
        times: u32,
    },
    /// [`BETS_EACH`] for each of many agencies.
    Each,
}

/// Files of bets.
#[derive(Clone, Debug)]
pub struct Data {
    /// A file for each agency, or a single one for all.
    pub files: Vec<PathBuf>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Makes files when they are first wanted, and keeps them until the end.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    made: HashMap<(Bets, u32), Data>,
    /// The scripts that were wanted last: rows with the same bets follow each other, and those of
    /// the largest take some memory.
    last_scripts: Option<(ScriptKey, Rc<Vec<Script>>)>,
}

/// What a set of scripts depends on; without a batch size they are the floor's.
type ScriptKey = (Bets, Option<u32>);

impl Library {
    /// A library in this folder.
    pub fn new(folder: PathBuf) -> Library {
        Library {
            folder,
            made: HashMap::new(),
            last_scripts: None,
        }
    }

    /// The files of these bets; of [`Bets::Each`] for `files` agencies.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn data(&mut self, bets: Bets, files: u32) -> Result<Data> {
        if let Some(data) = self.made.get(&(bets, files)) {
            return Ok(data.clone());
        }
        let (name, options) = match bets {
            Bets::Bundled { times } => {
                let options = Options {
                    times,
                    ..Options::default()
                };
                (format!("bundled-{times}"), options)
            }
            Bets::Each => {
                let options = Options {
                    agencies: Some(files),
                    bets: Some(vec![BETS_EACH]),
                    ..Options::default()
                };
                (format!("each-{files}"), options)
            }
        };
        let data = write_files(&options, &self.folder.join(name))?;
        // Nor shall the files that we make ourselves be written back while the clock runs.
        rustix::fs::sync();
        self.made.insert((bets, files), data.clone());
        Ok(data)
    }

    /// What the load says for these bets, in batches of this size; those of [`Bets::Each`] are one
    /// script for all agencies.
    ///
    /// # Errors
    ///
    /// When the files cannot be written or read.
    pub fn lottery_scripts(&mut self, bets: Bets, batch_bets: u32) -> Result<Rc<Vec<Script>>> {
        let is_shared = bets == Bets::Each;
        self.scripts((bets, Some(batch_bets)), |agency, path| {
            Script::lottery(agency, path, batch_bets, is_shared)
        })
    }

    /// What the load says to the floor for these bets.
    ///
    /// # Errors
    ///
    /// When the files cannot be written or read.
    pub fn floor_scripts(&mut self, bets: Bets) -> Result<Rc<Vec<Script>>> {
        let files = self.script_files(bets)?;
        let scripts = files.iter().map(|path| Script::floor(path));
        Ok(Rc::new(scripts.collect::<Result<_>>()?))
    }

    fn scripts(
        &mut self,
        key: ScriptKey,
        make: impl Fn(u32, &Path) -> Result<Script>,
    ) -> Result<Rc<Vec<Script>>> {
        if let Some((last, scripts)) = &self.last_scripts
            && *last == key
        {
            return Ok(Rc::clone(scripts));
        }
        // The last ones go before the next ones come.
        self.last_scripts = None;
        let files = self.script_files(key.0)?;
        let scripts = (1..).zip(&files).map(|(agency, path)| make(agency, path));
        let scripts = Rc::new(scripts.collect::<Result<Vec<_>>>()?);
        self.last_scripts = Some((key, Rc::clone(&scripts)));
        Ok(scripts)
    }

    fn script_files(&mut self, bets: Bets) -> Result<Vec<PathBuf>> {
        let files = match bets {
            Bets::Bundled { .. } => BUNDLED_AGENCIES,
            Bets::Each => 1,
        };
        Ok(self.data(bets, files)?.files)
    }
}

fn write_files(options: &Options, folder: &Path) -> Result<Data> {
    let plan = options.plan()?;
    let mut data = Data {
        files: Vec::new(),
        bytes: 0,
    };
    for agency in &plan.agencies {
        let path = datasets::write_file(&plan, agency, folder)?;
        data.bytes += path.metadata()?.len();
        data.files.push(path);
    }
    Ok(data)
}
