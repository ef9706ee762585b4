//! The seeded generator of the agencies' CSV files.
//!
//! [`Options`] say what was asked for; [`Options::plan`] completes and checks them into a [`Plan`], one
//! [`AgencyPlan`] per file; [`Bets`] yields an agency's rows one at a time, and [`write_file`] streams them
//! into its file, so that memory does not grow with the number of bets.
//!
//! The same options always give the same bytes, and an agency's bets depend on nothing but the seed, the
//! winning number, and the sizes of the agencies up to it: adding agencies leaves the first files as they were.
//!
//! ```
//! use lottery_bench::datasets::{Bets, Options, write_csv};
//!
//! let options = Options { bets: Some(vec![100, 50]), winners: Some(vec![3]), ..Options::default() };
//! let plan = options.plan()?;
//!
//! let mut file = Vec::new();
//! write_csv(Bets::new(&plan, &plan.agencies[1]), &mut file)?;
//! let rows = String::from_utf8(file)?;
//! assert_eq!(rows.lines().count(), 50);
//! assert_eq!(rows.lines().filter(|row| row.ends_with(",7574")).count(), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bets;
#[cfg(test)]
mod committed;
mod file;
mod names;
mod people;
mod plan;
mod random;

pub use bets::{Bet, Bets, WINNERS_WITH_A_REPEAT_MIN};
pub use file::{WriteError, file_name, write_csv, write_file};
pub use people::{BIRTHDATE_FIRST, BIRTHDATE_LAST, DNI_END, DNI_FIRST, PEOPLE_MAX, Person};
pub use plan::{
    AGENCIES_MAX, AgencyPlan, DEFAULT_BETS, DEFAULT_SEED, DEFAULT_WINNERS, DEFAULT_WINNING_NUMBER,
    NUMBER_MAX, Options, Plan, PlanError,
};
