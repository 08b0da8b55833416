//! The configuration file.

use billing_cli::profile::{Profile, ProfileError};
use toml::Table;

/// Any text gives a profile, none, or one sentence; and no sentence and no rendering repeats a secret, wherever in the file it
/// stands: not a value, not a key, and not what is broken. But the names of the tables are said to whoever asks for a profile that
/// is not there: they are what he has to choose from, and no place for a secret.
///
/// The first byte says where the secret is: in the first table, before the text; in the text for each `@`; or wherever the text
/// has it itself.
pub fn profile(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let file = match which % 3 {
        0 => format!("[DEFAULT]\nclient_secret = \"{SECRET}\"\n{text}"),
        1 => text.to_owned(),
        _ => text.replace('@', SECRET),
    };
    for name in [None, Some("partner")] {
        match Profile::parse(&file, PLACE, name) {
            Ok(Some(profile)) => {
                assert!(!format!("{profile:?}").contains(SECRET), "{profile:?}");
                for key in ["client_id", "client_credentials", "client_secret", "environment", "gateway"] {
                    profile.get(key).map(drop).unwrap_or_else(|error| told(&error));
                }
                let _ = profile.name_value_pairs("gateway_pathparams", "name", "value");
            }
            Ok(None) => {
                assert!(name.is_none() && !file.parse::<Table>().expect("TOML").contains_key("DEFAULT"))
            }
            Err(error) => refused(&file, &error),
        }
    }
}

fn refused(file: &str, error: &ProfileError) {
    let sentence = error.to_string();
    assert!(sentence.starts_with(PLACE), "{sentence}");
    let Some((before, names)) = sentence.split_once(NAMES) else { return told(error) };
    let tables: Table = file.parse().expect("what holds tables is TOML");
    let tables = tables.iter().filter(|(_, value)| value.is_table()).map(|(name, _)| name.as_str());
    let tables: Vec<&str> = tables.collect();
    let expected = if tables.is_empty() { "no profiles".to_owned() } else { tables.join(", ") };
    assert_eq!(names, expected, "their names and nothing else");
    assert!(!before.contains(SECRET), "{before}");
}

fn told(error: &ProfileError) {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

const PLACE: &str = "config.toml";
const NAMES: &str = " has no profile \"partner\": it has ";
const SECRET: &str = "hunter2-hunter2";
