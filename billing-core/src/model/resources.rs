//! The resources of a usage, in a compact form.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::packed::scan_plain_resource;
use super::{Scan, Scanner, UnknownFields, UsageResource};
use crate::Timestamp;

/// The resources of a [`Usage`](super::Usage), in the order in which the server sent them.
///
/// A report can have millions of resources. They are stored in a compact form with all names in one string: less than half the
/// memory of a list of [`UsageResource`]s, and almost no allocations.
///
/// ```
/// use billing_core::model::UsageReport;
/// let report: UsageReport = serde_json::from_str(
///     r#"{"usages":[{"resources":[{"name":"ann@example.com","date":"2025-07-01T03:19:11.696Z"},{"name":"bob@example.com"}]}]}"#,
/// )?;
/// let resources = report.usages()[0].resources();
/// assert_eq!(resources.len(), 2);
/// for resource in resources {
///     println!("{:?} since {:?}", resource.name, resource.date);
/// }
/// assert_eq!(resources.get(1).and_then(|resource| resource.name), Some("bob@example.com"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Resources {
    /// The names, one after the other, except those in `irregular`.
    names: String,
    /// One entry for each resource.
    entries: Vec<Entry>,
    /// The resources without a name or with unknown fields, with their indices in ascending order.
    irregular: Vec<(usize, UsageResource)>,
}

/// The data of a resource except its name.
#[derive(Clone, Copy)]
struct Entry {
    /// The end of its name in `names`.
    end: u32,
    date: Option<Timestamp>,
}

/// A resource of [`Resources`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ResourceRef<'a> {
    /// The name; for a user, the e-mail address.
    pub name: Option<&'a str>,
    /// The time at which the resource was first billable in the period.
    pub date: Option<Timestamp>,
    /// Fields that the published schema does not have, unchanged.
    pub unknown: &'a UnknownFields,
}

impl Resources {
    /// Builds an empty list.
    pub const fn new() -> Self {
        Self { names: String::new(), entries: Vec::new(), irregular: Vec::new() }
    }

    /// Returns the number of resources.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there are no resources.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the resource at `index`, counted from 0.
    #[inline]
    pub fn get(&self, index: usize) -> Option<ResourceRef<'_>> {
        let entry = self.entries.get(index)?;
        if let Some(rare) = self.irregular(index) {
            return Some(rare.into());
        }
        let start = index.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |e| e.end);
        let name = self.names.get(start as usize..entry.end as usize);
        debug_assert!(name.is_some(), "names are added whole");
        Some(ResourceRef { name, date: entry.date, unknown: &NOTHING_UNKNOWN })
    }

    /// Returns an iterator over the resources.
    pub fn iter(&self) -> ResourcesIter<'_> {
        ResourcesIter { resources: self, indices: 0..self.len() }
    }

    /// Appends a resource.
    pub fn push(&mut self, resource: UsageResource) {
        let named = resource.name.as_deref().filter(|_| resource.unknown.is_empty());
        if named.and_then(|name| self.push_compact(name, resource.date)).is_none() {
            self.irregular.push((self.len(), resource));
            self.entries.push(Entry { end: self.names_end(), date: None });
        }
    }

    /// Appends a resource with a name and no unknown fields. Returns `None` if the names get too long.
    #[inline]
    fn push_compact(&mut self, name: &str, date: Option<Timestamp>) -> Option<()> {
        let end = u32::try_from(self.names.len() + name.len()).ok()?;
        self.names.push_str(name);
        self.entries.push(Entry { end, date });
        Some(())
    }

    fn irregular(&self, index: usize) -> Option<&UsageResource> {
        if self.irregular.is_empty() {
            return None;
        }
        let at = self.irregular.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.irregular.get(at).map(|(_, resource)| resource)
    }

    fn names_end(&self) -> u32 {
        self.entries.last().map_or(0, |entry| entry.end)
    }
}

impl ResourceRef<'_> {
    /// Returns the resource as a model.
    pub fn unpacked(self) -> UsageResource {
        UsageResource { name: self.name.map(str::to_owned), date: self.date, unknown: self.unknown.clone() }
    }
}

/// An iterator over [`Resources`]; see [`Resources::iter`].
#[derive(Clone, Debug)]
pub struct ResourcesIter<'a> {
    resources: &'a Resources,
    indices: Range<usize>,
}

impl<'a> Iterator for ResourcesIter<'a> {
    type Item = ResourceRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ResourceRef<'a>> {
        self.indices.next().and_then(|index| self.resources.get(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

impl DoubleEndedIterator for ResourcesIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.indices.next_back().and_then(|index| self.resources.get(index))
    }
}

impl ExactSizeIterator for ResourcesIter<'_> {}

impl<'a> IntoIterator for &'a Resources {
    type Item = ResourceRef<'a>;
    type IntoIter = ResourcesIter<'a>;

    fn into_iter(self) -> ResourcesIter<'a> {
        self.iter()
    }
}

impl Extend<UsageResource> for Resources {
    fn extend<I: IntoIterator<Item = UsageResource>>(&mut self, resources: I) {
        resources.into_iter().for_each(|resource| self.push(resource));
    }
}

impl FromIterator<UsageResource> for Resources {
    fn from_iter<I: IntoIterator<Item = UsageResource>>(resources: I) -> Self {
        let mut all = Self::new();
        all.extend(resources);
        all
    }
}

impl<'a> From<&'a UsageResource> for ResourceRef<'a> {
    fn from(resource: &'a UsageResource) -> Self {
        Self { name: resource.name.as_deref(), date: resource.date, unknown: &resource.unknown }
    }
}

impl PartialEq for Resources {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl Serialize for ResourceRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = self.name {
            map.serialize_entry("name", name)?;
        }
        if let Some(date) = self.date {
            map.serialize_entry("date", &date)?;
        }
        for (name, value) in self.unknown.iter_raw() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Resources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Resources, A::Error> {
                let mut all = Resources::new();
                while let Some(resource) = list.next_element()? {
                    all.push(resource);
                }
                Ok(all)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'a> Scan<'a> for Resources {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        let mut all = Self::new();
        scanner.array(|scanner| {
            let before = *scanner;
            let added =
                scan_plain_resource(scanner).and_then(|(name, date)| all.push_compact(name, Some(date)));
            if added.is_none() {
                *scanner = before;
                scanner.charge(size_of::<(usize, UsageResource)>())?;
                all.push(UsageResource::scan(scanner)?);
            }
            Some(())
        })?;
        Some(all)
    }
}

static NOTHING_UNKNOWN: UnknownFields = UnknownFields::none();

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[{"name":"a","date":"2025-07-01T03:19:11.696Z"},{},{"name":"","date":null},
        {"name":"Größe","new":[1.0]},{"date":"2025-07-02T01:28:06Z"},{"name":"\u00e9\n"},
        {"name":"z","date":"2025-07-01T03:19:11.696Z"}]"#;

    #[test]
    fn they_are_the_same_as_one_by_one() {
        let one_by_one: Vec<UsageResource> = serde_json::from_str(LIST).unwrap();
        let scanned: Resources = Scanner::scan_str(LIST).unwrap();
        let read: Resources = serde_json::from_str(LIST).unwrap();
        let collected: Resources = one_by_one.iter().cloned().collect();
        assert_eq!(one_by_one[5].name.as_deref(), Some("é\n"));
        for resources in [&scanned, &read, &collected, &scanned.clone()] {
            assert_eq!((resources.len(), resources.iter().len(), resources.is_empty()), (7, 7, false));
            assert_eq!(resources.iter().map(ResourceRef::unpacked).collect::<Vec<_>>(), one_by_one);
            assert!(resources.iter().rev().eq(one_by_one.iter().rev().map(ResourceRef::from)));
            for (index, resource) in one_by_one.iter().enumerate() {
                assert_eq!(resources.get(index), Some(resource.into()));
            }
            assert_eq!(resources.get(7), None);
            assert_eq!(*resources, scanned);
            assert_eq!(format!("{resources:#?}").matches("ResourceRef").count(), 7);
            assert_eq!(
                serde_json::to_string(resources).unwrap(),
                serde_json::to_string(&one_by_one).unwrap()
            );
        }
        assert_eq!(scanned.irregular.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 4]);
    }

    #[test]
    fn what_differs_is_not_equal() {
        let read = |list: &str| serde_json::from_str::<Resources>(list).unwrap();
        let all = read(LIST);
        for (old, new) in
            [("Größe", "Größf"), ("[1.0]", "[1.00]"), ("\"\"", "null"), ("06Z", "07Z"), (",{}", "")]
        {
            assert_ne!(all, read(&LIST.replace(old, new)), "{old}");
        }
        assert_eq!(Resources::new(), read("[]"));
    }
}
