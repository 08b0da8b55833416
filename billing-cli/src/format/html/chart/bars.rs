//! A chart with a horizontal bar for each value.

use maud::{Markup, html};
use rust_decimal::Decimal;

use super::points::{Point, description, nothing_to_draw};
use super::row::{BAR_TOP, ROW_HEIGHT, ROWS_PER_PANEL, TextLine, add_axis, bar};
use super::scale::Scale;
use super::{Paint, Panel, PanelId};
use crate::format::html::numbers::rounded_text;
use crate::text::printable;

/// Draws the bars. `overage`: the values are overage, and the bars are hatched.
pub(super) fn panels(points: &[Point], overage: bool, chart_id: &str) -> Vec<Panel> {
    if nothing_to_draw(points) {
        return Vec::new();
    }
    let (drawn, rest) = points.split_at(points.len().min(MAX_BARS));
    let scale = Scale::of(drawn.iter().filter_map(|point| point.value));
    let chunks = drawn.chunks(ROWS_PER_PANEL).enumerate();
    let mut panels: Vec<Panel> =
        chunks.map(|(n, points)| panel(points, overage, &scale, PanelId::new(chart_id, n))).collect();
    add_axis(&mut panels, &scale, &scale.ticks(), rounded_text);
    if !rest.is_empty() {
        add_rest(&mut panels, rest.len());
    }
    panels
}

fn panel(points: &[Point], overage: bool, scale: &Scale, id: PanelId) -> Panel {
    let paint = if overage { Paint::hatched("beyond", &id) } else { Paint::plain("used") };
    let (mut body, mut y) = (Vec::new(), 0);
    for point in points {
        body.push(row(point, y, scale, &paint));
        y += ROW_HEIGHT;
    }
    Panel { id, group: None, body, height: y, description: description(points), hatched: overage }
}

fn row(point: &Point, y: u32, scale: &Scale, paint: &Paint) -> Markup {
    let value = point.value.unwrap_or_default();
    // A bar begins at zero: one for a negative value lies on the left of it.
    let (from, to) = (value.min(Decimal::ZERO), value.max(Decimal::ZERO));
    let rounded = point.value.map_or_else(|| "unknown".to_owned(), rounded_text);
    html! {
        g {
            title { (printable(&point.label)) ": " (printable(&point.text)) }
            (TextLine {
                y,
                label: &point.label,
                details: "",
                wide_figure: &point.text,
                narrow_figure: &rounded,
                figure_class: if point.value.is_some() { "value" } else { "value alarm" },
            })
            (bar(scale, y + BAR_TOP, from, to, paint))
        } "\n"
    }
}

/// Writes below the axis how many values the chart has no room for.
fn add_rest(panels: &mut [Panel], rest: usize) {
    if let Some(last) = panels.last_mut() {
        last.height += ROW_HEIGHT / 2;
        last.body.push(html! {
            text x="0" y=(last.height - 4) class="tick" { "and " (rest) " more, in the table" } "\n"
        });
    }
}

/// A longer chart is harder to read than the table.
const MAX_BARS: usize = 60;
