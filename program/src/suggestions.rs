//! What was probably meant by a name that does not exist.

use std::env;

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

/// Variables that are no settings but look like one, and which.
pub fn misspelt(known: &[String]) -> Vec<(String, String)> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let unknown = names.filter(|name| !known.contains(name));
    let likest = |name: String| {
        let meant = likest(&name, known.iter().map(String::as_str))?.to_owned();
        Some((name, meant))
    };
    unknown.filter_map(likest).collect()
}

/// The name that differs least, if no more than every fourth character does.
pub fn likest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let edits = |known: &str| strsim::osa_distance(&known.to_lowercase(), &name.to_lowercase());
    // Cheap, and true of most names in an environment: too long or too short.
    let near = known.filter(|known| known.len().abs_diff(name.len()) * 4 <= name.len());
    let likest = near.min_by_key(|known| edits(known))?;
    (edits(likest) * 4 <= name.len()).then_some(likest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_looks_like_a_setting_is_noticed() {
        let known = ["CARGO_PKG_NAMES", "CARGO"].map(str::to_owned);
        let noticed = ("CARGO_PKG_NAME".to_owned(), known[0].clone());
        assert!(misspelt(&known).contains(&noticed));
        let likest = |name| likest(name, ["SERVER_PORT", "HTTP_PORT"].into_iter());
        assert_eq!(likest("SERVER_PROT"), Some("SERVER_PORT"));
        assert_eq!(likest("server_port"), Some("SERVER_PORT"));
        assert_eq!(likest("HTTP_PROXY"), None);
    }
}
