//! A usage report whose resources stay in the body.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::json::scanner::{JsonString, ScanFields};
use super::{
    ReportStatus, Scan, Scanner, UnknownFields, Usage, UsageReport, UsageResource, decode_model,
    decode_or_else,
};
use crate::{Amount, DecodeError, Timestamp};

/// A usage report whose resources are read from the body on demand, one by one.
///
/// Use it for reports that are passed on: a report of millions of resources takes the memory of its body and no more, and names are
/// borrowed from the body. The constructor checks the whole body, so a `PackedReport` is as valid as a [`UsageReport`], and reading
/// it cannot fail half way.
///
/// [`calls::PackedBillableUsageCall`](crate::calls::PackedBillableUsageCall) requests one from the server.
///
/// ```
/// use billing_core::model::{PackedReport, ReportStatus};
/// let body = r#"{"status":"Complete","usages":[{"name":"Genesys Cloud CX 1","totalUsage":"2","resources":[
///     {"name":"ann@example.com","date":"2025-07-01T03:19:11.696Z"},
///     {"name":"bob@example.com","date":"2025-07-02T01:28:06.606Z"}]}]}"#;
/// let report = PackedReport::new(body.into())?;
/// assert_eq!(report.status(), Some(&ReportStatus::Complete));
/// for usage in report.usages() {
///     println!("{:?}: {:?}, {} resources", usage.name(), usage.total_usage(), usage.resources().len());
///     for resource in usage.resources() {
///         println!("  {:?} since {:?}", resource.name(), resource.date());
///     }
/// }
/// # assert_eq!(report.usages().len(), 1);
/// # assert_eq!(report.usages().next().unwrap().resources().len(), 2);
/// # Ok::<(), billing_core::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedReport {
    body: Bytes,
    outline: Outline,
}

impl PackedReport {
    /// Checks the whole body of a usage report by the rules of [`UsageReport`].
    ///
    /// # Errors
    /// Returns the same error as parsing a `UsageReport`.
    pub fn new(body: Bytes) -> Result<Self, DecodeError> {
        // A malformed report is parsed as a `UsageReport` to find the error.
        let outline = decode_or_else(&body, |body| {
            Err(decode_model::<UsageReport>(body)
                .err()
                .unwrap_or_else(|| DecodeError::new("line 1 column 0", "the report cannot be packed")))
        })?;
        Ok(Self { body, outline })
    }

    /// Returns the body, unchanged.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the id of the report; a real report had none.
    pub fn id(&self) -> Option<&str> {
        self.outline.report.id.as_deref()
    }

    /// Returns the name of the report; a real report had none.
    pub fn name(&self) -> Option<&str> {
        self.outline.report.name.as_deref()
    }

    /// Returns the start of the period.
    pub fn start_date(&self) -> Option<Timestamp> {
        self.outline.report.start_date
    }

    /// Returns the end of the period.
    pub fn end_date(&self) -> Option<Timestamp> {
        self.outline.report.end_date
    }

    /// Returns the status: `InProgress`, `Complete` or an unknown one.
    pub fn status(&self) -> Option<&ReportStatus> {
        self.outline.report.status.as_ref()
    }

    /// Returns the path of the report.
    pub fn self_uri(&self) -> Option<&str> {
        self.outline.report.self_uri.as_deref()
    }

    /// Returns the fields of the report that the published schema does not have.
    pub fn unknown(&self) -> &UnknownFields {
        &self.outline.report.unknown
    }

    /// Returns the usages; empty if the server sent no list.
    pub fn usages(&self) -> impl ExactSizeIterator<Item = PackedUsage<'_>> {
        self.outline.usages.iter().map(|(usage, list)| {
            let json = self.body.get(list.at.clone()).and_then(|json| std::str::from_utf8(json).ok());
            debug_assert!(json.is_some(), "the body was text when it was scanned");
            PackedUsage { usage, json: json.unwrap_or_default(), resource_count: list.resources }
        })
    }
}

/// A usage of a [`PackedReport`], such as a licence.
#[derive(Clone, Copy, Debug)]
pub struct PackedUsage<'a> {
    usage: &'a Usage,
    json: &'a str,
    resource_count: usize,
}

impl<'a> PackedUsage<'a> {
    /// Returns the name of the usage.
    pub fn name(&self) -> Option<&'a str> {
        self.usage.name.as_deref()
    }

    /// Returns the total quantity; a real report had none.
    pub fn total_usage(&self) -> Option<&'a Amount> {
        self.usage.total_usage.as_ref()
    }

    /// Returns the fields of the usage that the published schema does not have.
    pub fn unknown(&self) -> &'a UnknownFields {
        &self.usage.unknown
    }

    /// Returns the resources; empty if the server sent no list.
    pub fn resources(&self) -> PackedResources<'a> {
        PackedResources { scanner: Scanner::new(self.json), remaining: self.resource_count }
    }
}

/// The resources of a [`PackedUsage`], in the order in which the server sent them.
#[derive(Clone, Debug)]
pub struct PackedResources<'a> {
    scanner: Scanner<'a>,
    remaining: usize,
}

impl<'a> Iterator for PackedResources<'a> {
    type Item = PackedResource<'a>;

    #[inline]
    fn next(&mut self) -> Option<PackedResource<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let separator = if self.scanner.position() == 0 { b'[' } else { b',' };
        let resource =
            self.scanner.expect_byte(separator).and_then(|()| PackedResource::scan(&mut self.scanner));
        debug_assert!(resource.is_some(), "they were counted when the report was made");
        resource
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for PackedResources<'_> {}

/// One resource of a [`PackedReport`], such as a user, a device or a message.
#[derive(Clone, Copy, Debug)]
pub struct PackedResource<'a> {
    json: &'a str,
    name: Option<JsonString<'a>>,
    date: Option<JsonString<'a>>,
}

impl<'a> PackedResource<'a> {
    /// Returns the name; for a user, the e-mail address. It is borrowed from the body unless it has escapes.
    #[inline]
    pub fn name(&self) -> Option<Cow<'a, str>> {
        self.name.map(JsonString::decoded)
    }

    /// Returns the time at which the resource was first billable in the period.
    #[inline]
    pub fn date(&self) -> Option<Timestamp> {
        Timestamp::parse_any(&self.date?.decoded())
    }

    /// Returns the date as the server wrote it.
    #[inline]
    pub fn date_text(&self) -> Option<Cow<'a, str>> {
        self.date.map(JsonString::decoded)
    }

    /// Returns the JSON object of the resource, byte for byte.
    #[inline]
    pub fn json(&self) -> &'a str {
        self.json
    }

    /// Returns the resource as a model, with its unknown fields.
    pub fn to_model(&self) -> UsageResource {
        let resource = Scanner::scan_str(self.json);
        debug_assert!(resource.is_some(), "it was read when the report was made");
        resource.unwrap_or_default()
    }

    /// Parses the usual form, `{"name":"…","date":"…"}` without white space and escapes, with a date in the form of the API.
    #[inline]
    fn scan_plain(scanner: &mut Scanner<'a>) -> Option<Self> {
        let start = scanner.position();
        let plain = PlainResource::scan(scanner, |date| Timestamp::has_millis_form(date).then_some(()))?;
        Some(Self {
            json: scanner.slice(start..scanner.position())?,
            name: Some(JsonString::without_escapes(scanner.slice(plain.name)?)),
            date: Some(JsonString::without_escapes(scanner.slice(plain.date)?)),
        })
    }

    /// Parses any form.
    fn scan_any(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.peek();
        let start = scanner.position();
        let (mut name, mut date) = (None, None);
        scanner.object(|scanner, field| {
            match field {
                // A field that occurs twice is an error.
                "name" if name.is_none() => name = Some(Option::scan(scanner)?),
                "date" if date.is_none() => date = Some(Option::scan(scanner)?),
                "name" | "date" => return None,
                _ => scanner.without_charge(|scanner| UnknownFields::default().scan_field(field, scanner))?,
            }
            Some(())
        })?;
        Some(Self {
            json: scanner.slice(start..scanner.position())?,
            name: name.flatten(),
            date: date.flatten(),
        })
    }
}

impl<'a> Scan<'a> for PackedResource<'a> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        Self::scan_plain(scanner).or_else(|| Self::scan_any(scanner))
    }
}

/// Parses name and date of a resource in the usual form.
#[inline]
pub(super) fn scan_plain_resource<'a>(scanner: &mut Scanner<'a>) -> Option<(&'a str, Timestamp)> {
    let plain = PlainResource::scan(scanner, Timestamp::parse_millis_form)?;
    Some((scanner.slice(plain.name)?, plain.parsed_date))
}

/// The positions of name and date of a resource in the usual form, and the parsed date.
struct PlainResource<T> {
    name: Range<usize>,
    date: Range<usize>,
    parsed_date: T,
}

impl<T> PlainResource<T> {
    /// Parses one if `read` can parse its date.
    #[inline]
    fn scan(scanner: &mut Scanner<'_>, read: impl FnOnce(&[u8; 24]) -> Option<T>) -> Option<Self> {
        let mut ahead = *scanner;
        ahead.expect_bytes(br#"{"name":""#)?;
        let name = ahead.take_unescaped();
        ahead.expect_bytes(br#"","date":""#)?;
        let start = ahead.position();
        let read = read(ahead.take_array()?)?;
        let date = start..ahead.position();
        ahead.expect_bytes(br#""}"#)?;
        *scanner = ahead;
        Some(Self { name, date, parsed_date: read })
    }
}

/// A report without its resources.
#[derive(Clone, Debug)]
struct Outline {
    /// The report without its usages.
    report: UsageReport,
    /// The usages without their resources, and the position of their lists in the body.
    usages: Vec<(Usage, List)>,
}

impl<'a> Scan<'a> for Outline {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        let (report, usages) = scan_except("usages", scanner)?;
        Some(Self { report, usages: usages.unwrap_or_default() })
    }
}

impl<'a> Scan<'a> for (Usage, List) {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        let (usage, list) = scan_except("resources", scanner)?;
        Some((usage, list.unwrap_or_default()))
    }
}

/// Parses a model, with one of its fields as another type.
fn scan_except<'a, M: ScanFields, T: Scan<'a>>(
    other: &str,
    scanner: &mut Scanner<'a>,
) -> Option<(M, Option<T>)> {
    let (mut model, mut seen) = <(M, M::Seen)>::default();
    let mut value = None;
    scanner.object(|scanner, name| match name == other {
        false => model.scan_field(name, &mut seen, scanner),
        // A field that occurs twice is an error.
        true if value.is_some() => None,
        true => {
            value = Some(Option::scan(scanner)?);
            Some(())
        }
    })?;
    model.finish();
    Some((model, value.flatten()))
}

/// The position of the resources of a usage in the body, and their number.
#[derive(Clone, Debug, Default)]
struct List {
    at: Range<usize>,
    resources: usize,
}

impl<'a> Scan<'a> for List {
    /// Parses each of them once, so that reading them later cannot fail.
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.peek();
        let (start, mut resources) = (scanner.position(), 0);
        scanner.array(|scanner| {
            resources += 1;
            if PlainResource::scan(scanner, |date| Timestamp::is_valid_millis_form(date).then_some(()))
                .is_some()
            {
                return Some(());
            }
            match PackedResource::scan_any(scanner)?.date {
                Some(date) => Timestamp::parse_any(&date.decoded()).map(drop),
                None => Some(()),
            }
        })?;
        Some(Self { at: start..scanner.position(), resources })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceRef;
    use crate::model::decode_json;

    /// Checks that both forms hold the same data and refuse the same bodies.
    fn same(json: &str) {
        let packed = PackedReport::new(Bytes::copy_from_slice(json.as_bytes()));
        let report = match (&packed, decode_json::<UsageReport>(json.as_bytes())) {
            (Ok(_), Ok(report)) => report,
            (Err(packed), Err(error)) => return assert_eq!(packed, &error, "{json}"),
            both => panic!("{both:?}: {json}"),
        };
        let packed = packed.unwrap();
        assert_eq!(packed.body(), json);
        assert_eq!(
            (packed.id(), packed.name(), packed.self_uri(), packed.status()),
            (
                report.id.as_deref(),
                report.name.as_deref(),
                report.self_uri.as_deref(),
                report.status.as_ref()
            )
        );
        assert_eq!((packed.start_date(), packed.end_date()), (report.start_date, report.end_date));
        assert_eq!((packed.unknown(), packed.usages().len()), (&report.unknown, report.usages().len()));
        for (packed, usage) in packed.usages().zip(report.usages()) {
            assert_eq!(
                (packed.name(), packed.total_usage(), packed.unknown()),
                (usage.name.as_deref(), usage.total_usage.as_ref(), &usage.unknown)
            );
            let resources: Vec<_> = packed.resources().map(|resource| resource.to_model()).collect();
            assert!(resources.iter().map(ResourceRef::from).eq(usage.resources()), "{json}");
            assert_eq!(packed.resources().len(), resources.len());
            for (packed, resource) in packed.resources().zip(resources) {
                assert_eq!(
                    (packed.name().as_deref(), packed.date()),
                    (resource.name.as_deref(), resource.date)
                );
                assert_eq!(packed.date_text().map(|text| text.parse().unwrap()), resource.date);
                let json: UsageResource = serde_json::from_str(packed.json()).unwrap();
                assert_eq!((json, packed.json().trim()), (resource, packed.json()));
            }
        }
    }

    #[test]
    fn a_packed_report_is_the_report() {
        for json in [
            "{}",
            r#"{"usages":null,"new":[1]}"#,
            r#"{"usages":[],"status":"Paused"}"#,
            r#"{"usages":[{},{"resources":null,"new":1.0},{"resources":[ ]},{"resources":[{}]}]}"#,
            r#"{"usages":[{"resources":[],"resources":[]}]}"#,
            r#"{"usages":[],"usages":[]}"#,
            r#"{"usages":[{"name":"a","name":"b"}]}"#,
            r#"{"usages":[{"resources":[{"name":"a","date":"2025-02-30T00:00:00.000Z"}]}]}"#,
            r#"{"usages":[{"resources":[{"name":"a","date":"2025-02-01T00:00:60.000Z"}]}]}"#,
            r#"{"usages":[{"resources":[{"name":"a","date":"2025-02-30T00:00:00.000Z"}{"name":"b"}]}]}"#,
            r#"{"usages":[{"resources":[{"name":"a","date":null,"name":null}]}]}"#,
            r#"{"usages":[{"resources":[{"date":"abc","date2":"0123456789"}]}]}"#,
            r#"{"usages":[{"resources":[{"name":"a","date":"abc","date2":"01234567"}]}]}"#,
            r#"{"usages":[{"resources":{}}]}"#,
            "",
            "<html>",
            "{} {}",
        ] {
            same(json);
        }
        let deep =
            format!(r#"{{"usages":[{{"resources":[{{"new":{}{}}}]}}]}}"#, "[".repeat(128), "]".repeat(128));
        same(&deep);
        assert!(
            PackedReport::new(b"{\"name\":\"\xff\"}"[..].into()).unwrap_err().to_string().contains("byte 9")
        );
    }

    #[test]
    fn whatever_one_byte_changes_it_is_the_report() {
        let json = concat!(
            r#"{"status":"Complete","usages":[{"resources":[{"name":"user1","date":"2025-07-01T03:19:11.696Z"},"#,
            r#"{"name":"Größe \"2\"","date":"2025-07-02T01:28:06Z"} , { "date":"2025-07-01T03:19:11.69Z","name":null,"#,
            r#""new":true}],"name":"CX","totalUsage":"2"}]}"#
        );
        same(json);
        for (at, c) in json.char_indices() {
            let (before, after) = (&json[..at], &json[at + c.len_utf8()..]);
            same(before);
            same(&format!("{before}{after}"));
            for new in ["\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\u{1}", "0", "9", "e", "é"] {
                same(&format!("{before}{new}{after}"));
                same(&format!("{before}{new}{c}{after}"));
            }
        }
    }
}
