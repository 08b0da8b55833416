//! The chart of usage: a bar for each row, in percent of its allowance.
//!
//! Rows have different units, so that their quantities cannot share an axis. In percent they can: the line at 100 % is the
//! end of every allowance.

use billing_core::statement::{is_over, overage};
use maud::{Markup, html};
use rust_decimal::Decimal;

use super::row::{
    BAR_HEIGHT, BAR_TOP, LABEL_NARROW, ROW_HEIGHT, ROWS_PER_PANEL, TextLine, add_axis, bar, shortened,
};
use super::scale::Scale;
use super::{Paint, Panel, PanelId};
use crate::format::document::{ColumnKind, Row, Sheet};
use crate::format::html::figures::value_text;
use crate::format::html::numbers::{rounded_text, with_thousands};
use crate::text::{count, printable};

/// The positions of the columns that the chart needs.
pub(super) struct UsageColumns {
    pub(super) label: usize,
    pub(super) used: usize,
    pub(super) committed: usize,
    pub(super) included: usize,
    /// The columns that the label is followed by, such as the unit.
    pub(super) details: [Option<usize>; 2],
}

/// Draws the rows, those of a group under its heading.
pub(super) fn panels(sheet: &Sheet, columns: &UsageColumns, chart_id: &str) -> Vec<Panel> {
    let groups: Vec<(Option<&str>, Vec<UsageRow>)> = sheet
        .groups
        .iter()
        .map(|group| {
            let rows = group.rows.iter().filter_map(|row| UsageRow::new(row, columns));
            (group.heading.as_deref(), rows.collect())
        })
        .collect();
    let percents = groups.iter().flat_map(|(_, rows)| rows).filter_map(|row| row.percent);
    let highest = percents.max().unwrap_or_default();
    let scale = Scale { low: Decimal::ZERO, high: end_of_scale(highest) };

    let mut panels = Vec::new();
    for (group, rows) in &groups {
        for (n, rows) in rows.chunks(ROWS_PER_PANEL).enumerate() {
            let id = PanelId::new(chart_id, panels.len());
            panels.push(panel(*group, n == 0, rows, &scale, id));
        }
    }
    let ticks = [Decimal::ZERO, ALLOWANCE / Decimal::TWO, ALLOWANCE, scale.high];
    add_axis(&mut panels, &scale, &ticks, |tick| {
        let or_more = if tick == scale.high && highest > scale.high { "≥ " } else { "" };
        format!("{or_more}{tick} %")
    });
    panels
}

/// Returns the percentage that the axis ends at. A bar beyond 200 % is cut, so that one row does not make all others short.
fn end_of_scale(highest: Decimal) -> Decimal {
    let ends = [125, 150].map(Decimal::from);
    ends.into_iter().find(|end| highest <= *end).unwrap_or(Decimal::from(200))
}

fn panel(group: Option<&str>, with_heading: bool, rows: &[UsageRow], scale: &Scale, id: PanelId) -> Panel {
    let (mut body, mut y) = (Vec::new(), 0);
    if let Some(heading) = group.filter(|_| with_heading) {
        body.push(group_heading(heading));
        y += HEADING_HEIGHT;
    }
    for row in rows {
        body.push(row.draw(y, scale, &id));
        y += ROW_HEIGHT;
    }
    Panel {
        id,
        group: group.map(str::to_owned),
        body,
        height: y,
        description: description(rows),
        hatched: rows.iter().any(UsageRow::is_over),
    }
}

fn group_heading(heading: &str) -> Markup {
    html! {
        @for (screen, letters) in [("wide", 2 * LABEL_NARROW), ("narrow", LABEL_NARROW)] {
            text x="0" y=(HEADING_BASELINE) class={ "heading " (screen) } {
                (printable(&shortened(heading, letters)))
            } "\n"
        }
    }
}

fn description(rows: &[UsageRow]) -> String {
    let over = match rows.iter().filter(|row| row.is_over()).count() {
        0 => "none is".to_owned(),
        over => count(over, "is", "are"),
    };
    format!(
        "Usage as a percentage of the committed and included quantity, for {}; {over} above 100 %. The table has all figures.",
        count(rows.len(), "row", "rows"),
    )
}

/// A row of the chart.
struct UsageRow {
    label: String,
    details: String,
    used: Decimal,
    /// The allowance: the quantities committed to and included.
    allowance: Decimal,
    /// The part of the allowance that was used; `None` if there is no allowance.
    percent: Option<Decimal>,
}

impl UsageRow {
    /// Returns `None` for a row with an unknown quantity, one with nothing used and no allowance, and one that is a part of
    /// another.
    fn new(row: &Row, columns: &UsageColumns) -> Option<Self> {
        let used = row.value(columns.used).number().filter(|_| !row.is_part)?;
        let committed = row.value(columns.committed).number()?;
        let included = row.value(columns.included).number()?;
        let allowance = committed.checked_add(included)?;
        if used.is_zero() && allowance.is_zero() {
            return None;
        }
        let details = columns.details.into_iter().flatten().map(|at| row.value(at).display_text());
        let details = details.filter(|detail| !detail.is_empty()).collect::<Vec<_>>().join(", ");
        let percent = || used.checked_div(allowance)?.checked_mul(Decimal::ONE_HUNDRED);
        // A percentage too large to be computed is off the scale as well.
        let percent = (allowance > Decimal::ZERO).then(|| percent().unwrap_or(Decimal::MAX));
        let label = value_text(row.value(columns.label), ColumnKind::Text);
        Some(Self { label, details, used, allowance, percent })
    }

    fn is_over(&self) -> bool {
        is_over(overage(self.used, self.allowance, Decimal::ZERO))
    }

    fn draw(&self, y: u32, scale: &Scale, id: &PanelId) -> Markup {
        let top = y + BAR_TOP;
        let (wide_figure, narrow_figure) = self.figures();
        html! {
            g {
                title { (printable(&self.tooltip())) }
                (TextLine {
                    y,
                    label: &self.label,
                    details: &self.details,
                    wide_figure: &wide_figure,
                    narrow_figure: &narrow_figure,
                    figure_class: if self.is_over() { "value over" } else { "value" },
                })
                (self.bars(top, scale, id))
                (end_of_allowance(top, scale))
            } "\n"
        }
    }

    /// Returns the figures for wide and for narrow screens: `13,000 of 10,000 · ▲ 130 %` and `▲ 130 %`.
    fn figures(&self) -> (String, String) {
        let mark = if self.is_over() { "▲ " } else { "" };
        match self.percent {
            Some(percent) => {
                let percent = match percent.round() {
                    percent if percent > MAX_PERCENT => format!("{mark}> {} %", quantity(MAX_PERCENT)),
                    percent => format!("{mark}{} %", quantity(percent)),
                };
                let quantities =
                    format!("{} of {}", short_quantity(self.used), short_quantity(self.allowance));
                (format!("{quantities} · {percent}"), percent)
            }
            None => (
                format!("{mark}{}, no commitment", short_quantity(self.used)),
                format!("{mark}{}", rounded_text(self.used)),
            ),
        }
    }

    /// Returns the tooltip, which has what the line of text may cut or round.
    fn tooltip(&self) -> String {
        let (used, allowance) = (quantity(self.used), quantity(self.allowance));
        format!("{}: {used} of {allowance} {}", self.label, self.details)
    }

    /// Writes the bar of the allowance, over it the bar of the usage, and to its right that of the overage.
    fn bars(&self, y: u32, scale: &Scale, id: &PanelId) -> Markup {
        html! {
            @if let Some(percent) = self.percent {
                (bar(scale, y, Decimal::ZERO, ALLOWANCE, &Paint::plain("track")))
                @if percent > Decimal::ZERO {
                    (bar(scale, y, Decimal::ZERO, percent.min(ALLOWANCE), &Paint::plain("used")))
                }
            }
            @if self.is_over() {
                // Without an allowance all usage is overage, and no percentage says how much: the bar goes to the end.
                @let end = self.percent.unwrap_or(scale.high);
                (bar(scale, y, ALLOWANCE, end, &Paint::hatched("beyond", id)))
            }
        }
    }
}

/// Writes the line at 100 %, a little longer than the bar.
fn end_of_allowance(y: u32, scale: &Scale) -> Markup {
    let x = scale.percent(ALLOWANCE);
    html! {
        line x1=(x) x2=(x) y1=(y - 3) y2=(y + BAR_HEIGHT + 3) class="agreed" {}
    }
}

fn quantity(quantity: Decimal) -> String {
    with_thousands(&quantity.normalize().to_string())
}

/// Returns a quantity for where there is little room: rounded if it has many digits.
fn short_quantity(amount: Decimal) -> String {
    match quantity(amount) {
        long if long.len() > MAX_QUANTITY_LENGTH => rounded_text(amount),
        text => text,
    }
}

/// The position of the end of each allowance, in percent.
const ALLOWANCE: Decimal = Decimal::ONE_HUNDRED;
/// A higher percentage is shown as `> 9,999 %`.
const MAX_PERCENT: Decimal = Decimal::from_parts(9999, 0, 0, false, 0);
/// Two quantities of so many characters have room beside a label.
const MAX_QUANTITY_LENGTH: usize = 12;
/// In pixels.
const HEADING_BASELINE: u32 = 26;
const HEADING_HEIGHT: u32 = 34;
