//! The HTML page: one file without external resources, laid out for screens, light and dark, and for paper.
//!
//! The templates are written with [`maud`], which escapes every value that it writes, so that no text from the data can
//! become markup. Texts from the data also go through [`printable`], which replaces control characters. As a second
//! barrier, the page's content security policy lets it load and run nothing.
//!
//! A template writes no line breaks of its own. They are written out, so that each row of a table is a line of the file
//! and two pages can be compared with `diff`.

mod chart;
mod figures;
mod numbers;
mod summary;
mod table;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Document, Fact, Formats, Sheet};
use crate::text::printable;

/// Returns the page as the text of its file.
pub(crate) fn render(document: &Document) -> String {
    let sheets: Vec<&Sheet> = document.sheets(Formats::HTML).collect();
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" { "\n"
            (page_head(&document.title)) "\n"
            body { "\n"
                header { "\n"
                    h1 { (printable(&document.title)) } "\n"
                    (fact_list(&document.facts))
                } "\n"
                main { "\n"
                    @if let Some(first) = sheets.first() { (summary::summary(first)) }
                    @for (n, sheet) in sheets.iter().enumerate() { (section(sheet, n)) }
                } "\n"
            } "\n"
        } "\n"
    };
    page.into_string()
}

fn page_head(title: &str) -> Markup {
    html! {
        head { "\n"
            meta charset="utf-8"; "\n"
            meta http-equiv="Content-Security-Policy" content={
                "default-src 'none'; style-src '" (STYLE_HASH) "'; base-uri 'none'; form-action 'none'"
            }; "\n"
            meta name="viewport" content="width=device-width, initial-scale=1"; "\n"
            meta name="color-scheme" content="light dark"; "\n"
            meta name="referrer" content="no-referrer"; "\n"
            meta name="generator" content={ "genesys-billing " (env!("CARGO_PKG_VERSION")) }; "\n"
            title { (printable(title)) } "\n"
            // Safe without escaping: a constant of this crate. Escaped, its `>` and `"` would not be CSS, because a
            // browser decodes no entities inside `style`.
            style { (PreEscaped(STYLE)) } "\n"
        }
    }
}

/// Writes the facts as a list of labels and values, and nothing if there are none.
fn fact_list(facts: &[Fact]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl class="facts" { "\n"
                @for fact in facts {
                    div { dt { (printable(fact.label)) } dd { (printable(&fact.value)) } } "\n"
                }
            } "\n"
        }
    }
}

/// Writes the `n`th sheet of the page under its title. A folded sheet is closed until the reader opens it.
fn section(sheet: &Sheet, n: usize) -> Markup {
    let title_id = format!("s{n}");
    let title = html! { h2 id=(title_id) { (printable(&sheet.title)) } };
    html! {
        @if sheet.collapsed {
            details { "\n"
                summary { (title) } "\n"
                (section_content(sheet, n, &title_id))
            } "\n"
        } @else {
            section aria-labelledby=(title_id) { "\n"
                (title) "\n"
                (section_content(sheet, n, &title_id))
            } "\n"
        }
    }
}

fn section_content(sheet: &Sheet, n: usize, title_id: &str) -> Markup {
    html! {
        (fact_list(&sheet.facts))
        @for (m, chart) in sheet.charts.iter().enumerate() {
            (chart::figure(sheet, chart, &format!("c{n}-{m}")))
        }
        (table::table(sheet, title_id))
        // Those of the first sheet are in the summary at the top of the page.
        @if n > 0 {
            (summary::exclusions_and_notes(sheet))
        }
    }
}

const STYLE: &str = include_str!("style.css");
/// The hash of the only style sheet that the policy allows; it allows no `style` attribute either. A test prints the new
/// hash when the style sheet has changed.
const STYLE_HASH: &str = "sha256-Wyi0HihJoy0LaY1/pIOckLuff7QcDLmYSHAmse92iXA=";
