//! The profiles of `~/.gc/config.toml`, the file of Genesys Cloud's own CLI.

use std::fmt;
use std::io;
use std::mem;
use std::path::Path;

use billing_core::Secret;
use toml::{Table, Value};

/// A profile: one table of the file.
pub struct Profile {
    /// The name of the profile.
    pub name: String,
    settings: WipedTable,
}

/// The reason why a profile cannot be used, with advice.
#[derive(Debug)]
pub struct ProfileError(pub String);

/// The profile that is used if none is named.
pub const DEFAULT: &str = "DEFAULT";

impl Profile {
    /// Reads the profile `name` from `file`. Without a name it reads the default profile, and a missing file
    /// or default profile is not an error.
    pub fn read(file: Option<&Path>, name: Option<&str>) -> Result<Option<Self>, ProfileError> {
        let Some(file) = file else {
            return match name {
                Some(name) => Err(ProfileError(format!(
                    "cannot read profile {name:?}: this account has no home directory. Set HOME"
                ))),
                None => Ok(None),
            };
        };
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(Secret::new(text).expose(), &file.display().to_string(), name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match name {
                Some(name) => Err(ProfileError(format!(
                    "cannot read profile {name:?}: there is no file {}",
                    file.display()
                ))),
                None => Ok(None),
            },
            Err(error) => Err(ProfileError(format!("{} cannot be read: {error}", file.display()))),
        }
    }

    /// Parses the file and returns the profile. Errors call the file `place`.
    pub fn parse(text: &str, place: &str, name: Option<&str>) -> Result<Option<Self>, ProfileError> {
        let parsed = text.parse().map(WipedTable);
        let mut file = parsed.map_err(|error: toml::de::Error| {
            // Do not use the full error text: it quotes the line, which may contain a secret.
            let start = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
            ProfileError(format!("{place} is not valid TOML, line {line}: {}", error.message()))
        })?;
        let wanted = name.unwrap_or(DEFAULT);
        match (file.0.remove(wanted), name) {
            (Some(Value::Table(table)), _) => {
                Ok(Some(Self { name: wanted.to_owned(), settings: WipedTable(table) }))
            }
            (Some(_), _) => Err(ProfileError(format!(
                "{place}: {wanted} is a value, not a table: write it as a table [{wanted}]"
            ))),
            (None, None) => Ok(None),
            (None, Some(name)) => {
                let there: Vec<&str> = file
                    .0
                    .iter()
                    .filter(|(_, value)| value.is_table())
                    .map(|(name, _)| name.as_str())
                    .collect();
                let there = match there.is_empty() {
                    true => "it has no profiles".to_owned(),
                    false => format!("it has {}", there.join(", ")),
                };
                Err(ProfileError(format!("{place} has no profile {name:?}: {there}")))
            }
        }
    }

    /// Returns the value of a key, which may be a secret; `None` if it is missing or empty.
    pub fn get(&self, key: &str) -> Result<Option<Secret>, ProfileError> {
        match self.settings.0.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => {
                Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new))
            }
            Some(Value::Integer(number)) => Ok(Some(number.to_string().into())),
            Some(_) => Err(ProfileError(format!(
                "{key} in the profile {:?} is neither a string nor a number: put it in quotes",
                self.name
            ))),
        }
    }

    /// Returns the pairs of a list of tables such as `[[DEFAULT_REGION.gateway_pathparams]]`, or of one
    /// table, by the names of their two keys. Returns `None` if the value has another form.
    pub fn name_value_pairs(&self, key: &str, name: &str, value: &str) -> Option<Vec<(String, String)>> {
        let of = |table: &Table| {
            let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
            Some((text(name)?, text(value)?))
        };
        match self.settings.0.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(tables)) => tables.iter().map(|table| of(table.as_table()?)).collect(),
            Some(Value::Table(table)) => Some(vec![of(table)?]),
            Some(_) => None,
        }
    }
}

impl fmt::Debug for Profile {
    /// Omits the values and keys: values can be secret, and a secret can be misplaced as a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("name", &self.name).field("keys", &self.settings.0.len()).finish()
    }
}

/// A table whose strings, some of them secret, are overwritten on drop.
struct WipedTable(Table);

impl Drop for WipedTable {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

fn wipe(value: &mut Value) {
    match value {
        // A key can hold a misplaced secret too, so overwrite it as well.
        Value::String(text) => drop(Secret::new(mem::take(text))),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "[DEFAULT]\nclient_credentials = \"id\"\nproxy_port = 3128\n[partner]\naccess_token = \" t \"\n";

    #[test]
    fn tables_are_found_by_name() {
        let default = Profile::parse(FILE, "file", None).unwrap().unwrap();
        assert_eq!(default.get("client_credentials").unwrap(), Some("id".into()));
        assert_eq!(default.get("proxy_port").unwrap(), Some("3128".into()));
        assert_eq!(default.get("client_secret").unwrap(), None);
        let partner = Profile::parse(FILE, "file", Some("partner")).unwrap().unwrap();
        assert_eq!(partner.get("access_token").unwrap(), Some("t".into()));
        assert!(Profile::parse("", "file", None).unwrap().is_none());
        let error = Profile::parse(FILE, "file", Some("x")).unwrap_err().to_string();
        assert!(error.contains("DEFAULT, partner"), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_by_its_line_and_not_quoted() {
        for text in ["[DEFAULT]\nclient_secret = \"hunter2\nx = 1", "[DEFAULT]\nclient_secret = hunter2"] {
            let error = Profile::parse(text, "file", None).unwrap_err().to_string();
            assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_key_is_not_shown() {
        let profile =
            Profile::parse("[DEFAULT]\nhunter2 = \"client_secret\"", "file", None).unwrap().unwrap();
        assert_eq!(format!("{profile:?}"), "Profile { name: \"DEFAULT\", keys: 1 }");
        let error =
            Profile::parse("[DEFAULT]\nhunter2 = 1\nhunter2 = 2", "file", None).unwrap_err().to_string();
        assert!(error.contains("line 3") && !error.contains("hunter2"), "{error}");
    }
}
