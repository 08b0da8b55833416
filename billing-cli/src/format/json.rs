//! JSON as text: the server's numbers and field order are kept byte for byte.

use std::borrow::Cow;
use std::io::{self, Write};

use billing_core::model::PackedReport;
use billing_core::values::is_printable;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Appends a field to `object`, the text of a JSON object that has no such field.
pub(crate) fn with_field(
    object: &str,
    name: &str,
    value: &impl Serialize,
) -> Result<String, serde_json::Error> {
    let trimmed = object.trim_end();
    let inside = trimmed.strip_suffix('}').unwrap_or(trimmed);
    let comma = if inside.trim_end().ends_with('{') { "" } else { "," };
    let (name, value) = (serde_json::to_string(name)?, serde_json::to_string(value)?);
    Ok(format!("{inside}{comma}{name}:{value}}}"))
}

/// Removes the white space between tokens, so that the JSON is on one line.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains(|c: char| c.is_ascii_whitespace()) {
        return Cow::Borrowed(json);
    }
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        let kept = in_string || !c.is_ascii_whitespace();
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        kept
    });
    Cow::Owned(kept.collect())
}

/// Escapes characters that could control a terminal. They occur only inside strings, where an escape has the
/// same meaning.
fn escape_for_terminal(json: &str) -> Cow<'_, str> {
    // Between tokens only JSON's own white space can occur.
    let escapes = |c: char| !is_printable(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.contains(escapes) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if escapes(c) {
            text.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// Returns the entities of the pages of a list, each as text of its page.
pub(crate) fn entities<'a>(pages: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>, serde_json::Error> {
    #[derive(Deserialize)]
    struct RawPage<'a> {
        #[serde(borrow)]
        entities: Option<Vec<&'a RawValue>>,
    }
    let mut all = Vec::new();
    for page in pages {
        let page: RawPage<'a> = serde_json::from_str(page)?;
        all.extend(page.entities.unwrap_or_default().into_iter().map(RawValue::get));
    }
    Ok(all)
}

/// Joins elements to an array with one element per line.
pub(crate) fn join_array<T: AsRef<str>>(elements: &[T]) -> String {
    let elements: Vec<&str> = elements.iter().map(AsRef::as_ref).collect();
    match elements.is_empty() {
        true => "[]".to_owned(),
        false => format!("[\n{}\n]", elements.join(",\n")),
    }
}

/// Joins elements to lines, without white space between tokens.
pub(crate) fn join_lines<T: AsRef<str>>(elements: &[T]) -> String {
    elements.iter().map(|element| compact(element.as_ref()).into_owned() + "\n").collect()
}

/// Writes one line per resource: the resource as in the body, after the name and total of its usage. A usage
/// without resources gets a line too, so that its total is not lost.
pub(crate) fn usage_lines(report: &PackedReport, terminal: bool, mut to: impl Write) -> io::Result<()> {
    for usage in report.usages() {
        let mut head = format!("{{\"usage\":{}", serde_json::to_string(&usage.name())?);
        if let Some(total) = usage.total_usage() {
            head += &format!(",\"totalUsage\":{}", serde_json::to_string(total)?);
        }
        let head = terminal_safe(&head, terminal);
        let resources = usage.resources();
        if resources.len() == 0 {
            writeln!(to, "{head}}}")?;
        }
        for resource in resources {
            let resource = compact(resource.json());
            let rest = resource.strip_prefix('{').unwrap_or(&resource);
            let comma = if rest == "}" { "" } else { "," };
            writeln!(to, "{head}{comma}{}", terminal_safe(rest, terminal))?;
        }
    }
    Ok(())
}

/// Writes JSON with a line end, escaped for a terminal if `terminal` is true.
pub(crate) fn write(json: &str, terminal: bool, mut to: impl Write) -> io::Result<()> {
    to.write_all(terminal_safe(json, terminal).as_bytes())?;
    if json.is_empty() || json.ends_with('\n') { Ok(()) } else { to.write_all(b"\n") }
}

fn terminal_safe(json: &str, terminal: bool) -> Cow<'_, str> {
    if terminal { escape_for_terminal(json) } else { Cow::Borrowed(json) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_added_and_nothing_else_changes() {
        for (object, expected) in [
            ("{}", r#"{"s":7}"#),
            ("{ }\n", r#"{ "s":7}"#),
            (r#"{"a":1.10,"b":{"z":"}"}} "#, r#"{"a":1.10,"b":{"z":"}"},"s":7}"#),
            ("{\n  \"a\": \"{\"\n}\n", "{\n  \"a\": \"{\"\n,\"s\":7}"),
            (r#"{"a":{}}"#, r#"{"a":{},"s":7}"#),
        ] {
            let spliced = with_field(object, "s", &7).unwrap();
            assert_eq!(spliced, expected);
            assert!(serde_json::from_str::<serde_json::Value>(&spliced).unwrap().is_object());
        }
    }

    #[test]
    fn compacting_leaves_strings_and_numbers_alone() {
        assert_eq!(
            compact("{ \"a b\" : [ 1.10 ,\n\t2e3 ], \"c\\\" \\\\\" : \" x \" }"),
            r#"{"a b":[1.10,2e3],"c\" \\":" x "}"#
        );
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(
            escape_for_terminal("{\"a\":\"x\u{9b}31m\u{7f}\u{202e}\u{2066}\u{e0041}\"}\n"),
            "{\"a\":\"x\\u009b31m\\u007f\\u202e\\u2066\\udb40\\udc41\"}\n"
        );
        assert!(matches!(escape_for_terminal("{\"a\": 1}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn entities_stay_as_they_stand_in_their_pages() {
        let pages =
            [r#"{"entities":[{"b":1.10, "a":"]"} , {}],"nextUri":"x"}"#, "{}", r#"{"entities":null}"#];
        let all = entities(pages.into_iter()).unwrap();
        assert_eq!(all, [r#"{"b":1.10, "a":"]"}"#, "{}"]);
        assert_eq!(join_array(&all), "[\n{\"b\":1.10, \"a\":\"]\"},\n{}\n]");
        assert_eq!(join_lines(&all), "{\"b\":1.10,\"a\":\"]\"}\n{}\n");
        assert_eq!(join_array::<&str>(&[]), "[]");
        assert!(entities([r#"{"entities":7}"#].into_iter()).is_err());
    }

    #[test]
    fn each_resource_is_a_line_as_it_stands() {
        let body = r#"{"usages":[
            {"name":"CX \"1\"","resources":[{"name":"a@x", "date":"2025-07-01T03:00:00.000Z", "new":1.10}, {}]},
            {"name":null,"totalUsage":"12.50"}, {}]}"#;
        let lines = |body: &'static str, terminal| {
            let mut lines = Vec::new();
            usage_lines(&PackedReport::new(body.into()).unwrap(), terminal, &mut lines).unwrap();
            String::from_utf8(lines).unwrap()
        };
        assert_eq!(
            lines(body, false),
            "{\"usage\":\"CX \\\"1\\\"\",\"name\":\"a@x\",\"date\":\"2025-07-01T03:00:00.000Z\",\"new\":1.10}\n\
             {\"usage\":\"CX \\\"1\\\"\"}\n\
             {\"usage\":null,\"totalUsage\":\"12.50\"}\n\
             {\"usage\":null}\n"
        );
        assert_eq!(lines("{}", false), "");
        let steering = "{\"usages\":[{\"name\":\"\u{202e}\",\"resources\":[{\"name\":\"\u{9b}\"}]}]}";
        assert_eq!(lines(steering, true), "{\"usage\":\"\\u202e\",\"name\":\"\\u009b\"}\n");
    }
}
