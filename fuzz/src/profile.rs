//! The configuration file.

// The parser of the program, which is no library. It is used here in part.
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "../../billing-cli/src/profile.rs"]
mod parser;

/// Any text gives a profile, none, or one sentence; and no sentence and no rendering repeats a value, as it may be a secret.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A secret among whatever else there is, in the first table.
    let file = format!("[DEFAULT]\nclient_secret = \"{SECRET}\"\n{text}");
    for name in [None, Some("partner")] {
        match parser::Profile::find(&file, "config.toml", name) {
            Ok(Some(profile)) => {
                assert!(!format!("{profile:?}").contains(SECRET));
                if let Err(error) = profile.text("client_id") {
                    assert!(!error.to_string().contains(SECRET), "{error}");
                }
                let _ = profile.pairs("gateway_pathparams", "name", "value");
            }
            Ok(None) => {}
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.contains("config.toml") && !sentence.contains(SECRET), "{sentence}");
            }
        }
    }
}

const SECRET: &str = "hunter2-hunter2";
