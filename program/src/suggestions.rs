//! What was probably meant by a name that does not exist.

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

/// Suggests `--server-port` to who types `--port`; clap itself only knows of typing errors.
pub fn suggest(mut error: clap::Error, command: &Command) -> clap::Error {
    if let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) {
        let end = unknown.replacen("--", "-", 1);
        let mut flags = command.get_arguments().filter_map(Arg::get_long);
        if let Some(meant) = flags.find(|flag| flag.ends_with(&end)) {
            let meant = ContextValue::String(format!("--{meant}"));
            error.insert(ContextKind::SuggestedArg, meant);
        }
    }
    error
}

/// The name that differs least, if no more than every fourth character does.
pub fn likest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<&'a String> {
    let edits = |known: &str| strsim::osa_distance(&known.to_lowercase(), &name.to_lowercase());
    let likest = known.into_iter().min_by_key(|known| edits(known))?;
    (edits(likest) * 4 <= name.len()).then_some(likest)
}
