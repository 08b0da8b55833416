//! Fields that no published schema has: kept, never obeyed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Scanner;

/// The fields of an object that the published schema does not have, by their names, as the JSON text that came.
///
/// ```
/// use billing_core::model::UsageReport;
/// let report: UsageReport = serde_json::from_str(r#"{"status":"Complete","newField":0.10}"#)?;
/// assert_eq!(report.unknown.get("newField"), Some("0.10"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct UnknownFields(Option<Box<Map>>);

type Map = BTreeMap<String, Box<RawValue>>;

impl UnknownFields {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// The JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get(name).map(|value| value.get())
    }

    /// Whether there are none, which is the usual case.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|map| map.is_empty())
    }

    /// Names and JSON texts, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.raw().map(|(name, value)| (name, value.get()))
    }

    pub(crate) fn raw(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().flat_map(|map| map.iter()).map(|(name, value)| (name.as_str(), &**value))
    }

    /// Takes the value of a field that nobody knows.
    pub(crate) fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: Key<'de>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.keep(key.0, map.next_value()?)
            .map_err(|name| de::Error::custom(format_args!("{name:?} is nested more than {DEEPEST} deep")))
    }

    /// The same for the value that the scanner has come to.
    pub(crate) fn scan(&mut self, name: &str, scanner: &mut Scanner<'_>) -> Option<()> {
        let value: &RawValue = scanner.other()?;
        self.keep(name.into(), value.to_owned()).ok()
    }

    /// The name, where the value is nested too deep.
    fn keep<'a>(&mut self, name: Cow<'a, str>, value: Box<RawValue>) -> Result<(), Cow<'a, str>> {
        if depth(value.get()) > DEEPEST {
            return Err(name);
        }
        // Twice the same name: the later one counts, as in every JSON reader.
        self.0.get_or_insert_default().insert(name.into_owned(), value);
        Ok(())
    }
}

impl PartialEq for UnknownFields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for UnknownFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A text of the body, borrowed from it unless it holds escapes.
pub(crate) struct Key<'de>(Cow<'de, str>);

impl Key<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// How deep the brackets of a valid JSON text are nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// What `serde_json` allows in the fields that are known.
const DEEPEST: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[{}],"b":[]}"#, 3), (r#""[[\"[[""#, 0), (r#"["]","["]"#, 1)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
    }
}
