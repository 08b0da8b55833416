//! The parts of a chart of horizontal bars: the line of text above a bar, the bar, and the axis below all bars.

use std::borrow::Cow;

use maud::{Markup, Render, html};
use rust_decimal::Decimal;

use super::scale::Scale;
use super::{AXIS_HEIGHT, Paint, Panel};
use crate::text::printable;

/// The line above a bar: its label on the left, cut where the figure begins, and its figure on the right.
///
/// Label and figure are both written twice, for wide and for narrow screens. The style sheet shows one of them.
pub(super) struct TextLine<'a> {
    pub(super) y: u32,
    pub(super) label: &'a str,
    /// Further words about the row, after the label; empty if there are none.
    pub(super) details: &'a str,
    pub(super) wide_figure: &'a str,
    pub(super) narrow_figure: &'a str,
    /// The classes of the figure.
    pub(super) figure_class: &'static str,
}

impl Render for TextLine<'_> {
    fn render(&self) -> Markup {
        let baseline = self.y + 15;
        html! {
            // The inner `svg` clips the label.
            svg x="0" y=(self.y) width="62%" height="20" {
                text x="0" y="15" class="label wide" {
                    (printable(&shortened(self.label, LABEL_WIDE)))
                    @if !self.details.is_empty() { " " tspan class="about" { (printable(self.details)) } }
                }
                text x="0" y="15" class="label narrow" { (printable(&shortened(self.label, LABEL_NARROW))) }
            }
            text x="100%" y=(baseline) class={ (self.figure_class) " end wide" } {
                (printable(self.wide_figure))
            }
            text x="100%" y=(baseline) class={ (self.figure_class) " end narrow" } {
                (printable(self.narrow_figure))
            }
        }
    }
}

/// Writes a bar between two values.
pub(super) fn bar(scale: &Scale, y: u32, from: Decimal, to: Decimal, paint: &Paint) -> Markup {
    html! {
        rect x=(scale.percent(from)) width=(scale.percent_between(from, to)) y=(y) height=(BAR_HEIGHT)
            class=(paint.class) fill=[&paint.fill] {}
    }
}

/// Adds an axis below the last panel.
pub(super) fn add_axis(
    panels: &mut [Panel],
    scale: &Scale,
    ticks: &[Decimal],
    text: impl Fn(Decimal) -> String,
) {
    if let Some(last) = panels.last_mut() {
        last.body.push(axis(scale, last.height, ticks, text));
        last.height += AXIS_HEIGHT;
    }
}

fn axis(scale: &Scale, y: u32, ticks: &[Decimal], text: impl Fn(Decimal) -> String) -> Markup {
    html! {
        @for (n, tick) in ticks.iter().enumerate() {
            @let x = scale.percent(*tick);
            line x1=(x) x2=(x) y1=(y) y2=(y + 5) class="grid" {}
            text x=(x) y=(y + 20) class={ "tick " (anchor(n, ticks.len())) } { (text(*tick)) } "\n"
        }
    }
}

/// Returns the class that aligns a label with its tick. The first and the last label do not go beyond the axis.
fn anchor(n: usize, ticks: usize) -> &'static str {
    match n {
        0 => "start",
        n if n + 1 == ticks => "end",
        _ => "middle",
    }
}

/// Returns as much of a text as fits in so many letters, with an ellipsis if it is cut.
pub(super) fn shortened(text: &str, letters: usize) -> Cow<'_, str> {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        // An estimate: the scripts of East Asia, whose letters are twice as wide, are all beyond this character.
        width += if c < '\u{1100}' { 1 } else { 2 };
        if width > letters {
            return Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default().trim_end()));
        }
    }
    Cow::Borrowed(text)
}

/// The rows that fit on a sheet of paper.
pub(super) const ROWS_PER_PANEL: usize = 14;
/// In pixels, as the following ones: the height of a row, where its bar begins, and the height of the bar.
pub(super) const ROW_HEIGHT: u32 = 40;
pub(super) const BAR_TOP: u32 = 21;
pub(super) const BAR_HEIGHT: u32 = 11;
/// The room that a label has, in letters of usual width.
const LABEL_WIDE: usize = 52;
pub(super) const LABEL_NARROW: usize = 22;
