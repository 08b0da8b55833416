//! Fields that the published schema does not have. They are kept and never interpreted.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Scanner;

/// The fields of an object that the published schema does not have, by name, as their original JSON text.
///
/// ```
/// use billing_core::model::UsageReport;
/// let report: UsageReport = serde_json::from_str(r#"{"status":"Complete","newField":0.10}"#)?;
/// assert_eq!(report.unknown.get("newField"), Some("0.10"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct UnknownFields(Option<Box<Fields>>);

/// The fields in the order of their names, each name once. It is a list because it is short: a report can have a million resources
/// with one unknown field each, and a tree of one entry takes four times the memory.
#[derive(Clone, Default)]
struct Fields(Vec<Field>);

#[derive(Clone)]
struct Field {
    name: Box<str>,
    value: Box<RawValue>,
}

impl UnknownFields {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Returns the JSON text of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        let fields = self.fields();
        let at = fields.binary_search_by(|field| (*field.name).cmp(name)).ok()?;
        fields.get(at).map(|field| field.value.get())
    }

    /// Returns true if there are no unknown fields, which is the usual case.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    /// Returns names and JSON texts, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter_raw().map(|(name, value)| (name, value.get()))
    }

    pub(crate) fn iter_raw(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.fields().iter().map(|field| (&*field.name, &*field.value))
    }

    fn fields(&self) -> &[Field] {
        self.0.as_ref().map_or(&[], |fields| &fields.0)
    }

    /// Reads the value of an unknown field. Call `sort_and_dedup` after the last one.
    pub(crate) fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        key: Key<'de>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.insert(key.0, map.next_value()?).map_err(|name| {
            de::Error::custom(format_args!("{name:?} is nested more than {MAX_NESTING} deep"))
        })
    }

    /// Scans the value of an unknown field. Call `sort_and_dedup` after the last one.
    pub(crate) fn scan_field(&mut self, name: &str, scanner: &mut Scanner<'_>) -> Option<()> {
        let value: &RawValue = scanner.scan_with_serde()?;
        scanner.charge(size_of::<Field>() + FIELD_ALLOCATION_BYTES)?;
        self.insert(name.into(), value.to_owned()).ok()
    }

    /// Inserts a field. Returns the name if the value is nested too deeply.
    fn insert<'a>(&mut self, name: Cow<'a, str>, value: Box<RawValue>) -> Result<(), Cow<'a, str>> {
        if nesting_depth(value.get()) > MAX_NESTING {
            return Err(name);
        }
        self.0.get_or_insert_default().0.push(Field { name: name.into(), value });
        Ok(())
    }

    /// Sorts the fields by name and removes duplicates.
    pub(crate) fn sort_and_dedup(&mut self) {
        let Some(fields) = self.0.as_deref_mut().map(|fields| &mut fields.0) else { return };
        // The last of several fields with one name counts, as in every JSON parser.
        fields.reverse();
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        fields.dedup_by(|later, first| later.name == first.name);
        fields.shrink_to_fit();
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

/// A field name, borrowed from the body unless it has escapes.
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

/// Returns the nesting depth of a valid JSON text.
fn nesting_depth(json: &str) -> usize {
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

/// The memory of a field with the shortest name and value, including its place in the list.
const FIELD_ALLOCATION_BYTES: usize = 96;
/// The nesting depth that `serde_json` allows in known fields.
const MAX_NESTING: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_in_the_order_of_their_names_and_of_two_the_later_counts() {
        let text = r#"{"z":1,"a":2,"name":"x","m":3,"a":4,"":5,"z":[6]}"#;
        let read: crate::model::UsageResource = serde_json::from_str(text).unwrap();
        let scanned: crate::model::UsageResource = Scanner::scan_str(text).unwrap();
        for unknown in [read.unknown, scanned.unknown] {
            assert_eq!(unknown.iter().collect::<Vec<_>>(), [("", "5"), ("a", "4"), ("m", "3"), ("z", "[6]")]);
            assert_eq!(
                (unknown.get("a"), unknown.get("z"), unknown.get("b")),
                (Some("4"), Some("[6]"), None)
            );
        }
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[{}],"b":[]}"#, 3), (r#""[[\"[[""#, 0), (r#"["]","["]"#, 1)]
        {
            assert_eq!(nesting_depth(json), expected, "{json}");
        }
    }
}
