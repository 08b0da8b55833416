//! Values as text, and the classes of the style sheet that values have.

use maud::{Markup, html};

use super::numbers::with_thousands;
use crate::format::document::{ColumnKind, Emphasis, Value};
use crate::text::printable;

/// Returns the text of a value, numbers with commas. The text may come from the data: it is neither printable nor escaped.
pub(super) fn value_text(value: &Value, kind: ColumnKind) -> String {
    match value {
        Value::Unknown if kind == ColumnKind::Number => "unknown".to_owned(),
        value if value.number().is_some() => with_thousands(&value.display_text()),
        value => value.display_text(),
    }
}

/// Writes a text. An overage gets a mark that also stands out without colour, and a word for screen readers.
pub(super) fn with_overage_mark(tone: Emphasis, text: &str) -> Markup {
    html! {
        @if tone == Emphasis::Overage {
            span class="unseen" { "over: " }
            // The space does not break, so that the mark stays on the line of its number.
            "▲\u{a0}"
        }
        (printable(text))
    }
}

pub(super) fn tone_class(tone: Emphasis) -> &'static str {
    match tone {
        Emphasis::Plain => "plain",
        Emphasis::Strong => "strong",
        Emphasis::Overage => "over",
        Emphasis::Warning => "alarm",
        Emphasis::Muted => "faint",
    }
}

pub(super) fn kind_class(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Number | ColumnKind::Money => "number",
        ColumnKind::Date => "date",
        ColumnKind::Text => "words",
    }
}
