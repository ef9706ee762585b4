//! What must hold for bytes from strangers, whatever they are: one `check` for each place where such
//! bytes come in. It panics when the property is broken.
//!
//! Two engines call the checks. The fuzz targets in `fuzz/` look for bytes that break them, guided
//! by the code that is reached; the tests of this crate hand them random bytes, and the corpora that
//! the fuzzers have found, with nothing but cargo.
//!
//! * [`codec`]: messages of both directions, cut anywhere.
//! * [`central`]: the switchboard, the central and the store behind several connections.
//! * [`agency`]: an agency whose central answers anything.
//! * [`store`]: files of any contents, opened as a store.
//! * [`settings`]: configuration files of any contents.
//! * [`bet_source`]: an agency's CSV file of any contents.

#![allow(clippy::unwrap_used)] // A check says what went wrong by panicking.

pub mod agency;
pub mod bet_source;
pub mod central;
pub mod codec;
mod scratch;
pub mod settings;
pub mod store;

use lottery_core::date::Date;
use lottery_core::name::Name;
use time::macros::date;

/// The day on which all checks take place.
const TODAY: Date = date!(2026 - 11 - 21);

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).expect("the checks' own names are valid")
}
