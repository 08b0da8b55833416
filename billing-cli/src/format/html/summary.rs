//! The summary at the top of the page: a card for each total, the rows that the totals leave out, and the notes.

use maud::{Markup, html};

use super::figures::{tone_class, value_text, with_overage_mark};
use crate::format::document::{ColumnKind, Note, Sheet, Sum};
use crate::text::{count, printable};

/// Writes the totals and notes of a sheet, and nothing if it has none.
pub(super) fn summary(sheet: &Sheet) -> Markup {
    html! {
        @if !sheet.sums.is_empty() || !sheet.notes.is_empty() {
            section aria-label="Summary" { "\n"
                (cards(&sheet.sums))
                (exclusions_and_notes(sheet))
            } "\n"
        }
    }
}

/// Writes which rows the totals of a sheet leave out, and its notes.
pub(super) fn exclusions_and_notes(sheet: &Sheet) -> Markup {
    html! {
        @for sum in &sheet.sums { (exclusions(sum)) }
        @for note in &sheet.notes { (paragraph(note)) }
    }
}

fn cards(sums: &[Sum]) -> Markup {
    html! {
        @if !sums.is_empty() {
            dl class="cards" { "\n"
                @for sum in sums { (card(sum)) }
            } "\n"
        }
    }
}

fn card(sum: &Sum) -> Markup {
    // An unknown total has no currency.
    let currency = sum.currency.as_deref().filter(|_| sum.value.number().is_some());
    html! {
        div class={ "card " (tone_class(sum.tone)) } {
            dt { (printable(&sum.label)) }
            dd {
                (with_overage_mark(sum.tone, &value_text(&sum.value, ColumnKind::Money)))
                @if let Some(currency) = currency { " " small { (printable(currency)) } }
            }
            @if let Some(remark) = &sum.remark {
                dd class="remark" { (printable(remark)) }
            }
        } "\n"
    }
}

/// Writes the rows that a total leaves out, with the reasons.
fn exclusions(sum: &Sum) -> Markup {
    html! {
        @if !sum.excluded.is_empty() {
            div class="notice" { "\n"
                p {
                    strong {
                        (printable(&sum.label)) " excludes " (count(sum.excluded.len(), "row", "rows"))
                        " with unknown charges:"
                    }
                } "\n"
                ul { "\n"
                    @for (name, reason) in &sum.excluded {
                        li { strong { (printable(name)) } ": " (printable(reason)) } "\n"
                    }
                } "\n"
            } "\n"
        }
    }
}

fn paragraph(note: &Note) -> Markup {
    html! {
        p class=(tone_class(note.tone)) { (printable(&note.text)) } "\n"
    }
}
