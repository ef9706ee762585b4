//! The layers, and the complaint about each kind of mistake.

use std::fs;

use super::*;
use crate::values::whole;

#[derive(Args, Debug)]
struct Flags {
    #[arg(default_value = "1", value_parser = whole(0..=u16::MAX))]
    app_port: u16,
    #[arg(value_parser = whole(1..=9_u8))]
    id: u8,
    /// cargo sets its variable for every test.
    #[arg(env = "CARGO_PKG_NAME")]
    cargo_name: Option<String>,
}

const FILE: SettingsFile = SettingsFile {
    default_path: "no-such-file",
    expected: "key=value",
    parse: |text| {
        let entry = text.split_once('=');
        let (key, value) = entry.ok_or(format!("what is {text}?"))?;
        Ok(Entries::from([(key.to_owned(), value.to_owned())]))
    },
    key: |field| field.replacen('_', ".", 1),
    variable: |key| format!("NO_{key}"),
    headings: &[],
};

/// What comes of these arguments, with a file of this text unless they name another.
fn load(text: &str, arguments: &str) -> Result<Flags, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let mut words = format!("program {arguments}");
    if !arguments.contains(CONFIG) {
        words += &format!(" --config {path}");
    }
    let words = words.split_whitespace().map(OsString::from);
    let loaded = FILE.load(Command::new("program"), words);
    let complaint = |complaint: Complaint| complaint.to_string().replace(path, "FILE");
    loaded.map(|(flags, _)| flags).map_err(complaint)
}

#[test]
fn each_layer_wins_over_the_ones_below_it() {
    for (text, arguments, app_port, cargo_name) in [
        ("id=2", "", 1, "lottery-program"),
        ("app.port=2", "--id 2", 2, "lottery-program"),
        ("app.port=high", "--id 2 --app-port 3", 3, "lottery-program"),
        ("cargo.name=below", "--id 2", 1, "lottery-program"),
        ("id=2", "--cargo-name above", 1, "above"),
    ] {
        let flags = load(text, arguments).unwrap();
        assert_eq!(flags.id, 2);
        assert_eq!(flags.app_port, app_port, "{text} {arguments}");
        assert_eq!(flags.cargo_name.as_deref(), Some(cargo_name), "{text}");
    }
}

/// The file's text, the arguments, and the complaint.
const MISTAKES: &str = r#"
    id=x || id: "x" (FILE) is not valid; expected a whole number from 1 to 9
    id=1 | --app-port -1 | app.port: "-1" (--app-port) is not valid; expected a whole number from 0 to 65535
    app.port=1 || id: not set; expected a whole number from 1 to 9, in no-such-file, as NO_id or with --id
    App.Prot=1 || FILE: unknown key "App.Prot"; did you mean "app.port"?
    app.proxy=1 || FILE: unknown key "app.proxy"; --help lists the keys
    one\two || FILE: what is one\ntwo?; expected key=value
    | --config none | none: cannot be read: No such file or directory (os error 2); expected key=value
    | --config /dev/zero | /dev/zero: cannot be read: not a regular file; expected key=value
    | --colour | unexpected argument '--colour' found; expected what --help lists
    | --app-prot | unexpected argument '--app-prot' found; a similar argument exists: '--app-port'
    | --port 1 | unexpected argument '--port' found; a similar argument exists: '--app-port'
"#;

#[test]
fn a_mistake_is_one_line_with_its_key_its_place_and_what_was_expected() {
    for case in MISTAKES.trim().lines() {
        let parts: Vec<&str> = case.split('|').map(str::trim).collect();
        let complaint = load(&parts[0].replace('\\', "\n"), parts[1]).unwrap_err();
        assert_eq!(complaint, parts[2]);
    }
    let long = "x".repeat(FILE_BYTES_MAX as usize + 1);
    assert!(load(&long, "").unwrap_err().contains("file too large"));
}
