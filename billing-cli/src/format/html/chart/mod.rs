//! Charts, drawn as SVG.
//!
//! Horizontal positions are percentages of the width; vertical positions and font sizes are in pixels. So a chart fills
//! any width, and its letters keep their size. Where a label and a figure share a line, each has its part of it, and a
//! text that is too long is cut; the tooltip and the table have all of it.

mod bars;
mod columns;
mod points;
mod row;
mod scale;
mod usage;

use maud::{Markup, html};

use crate::format::document::{Chart, ChartData, Emphasis, Sheet};
use crate::text::printable;
use points::points;
use usage::UsageColumns;

/// Writes a chart with its caption, and nothing if there is nothing to draw. `id` is unique on the page.
pub(super) fn figure(sheet: &Sheet, chart: &Chart, id: &str) -> Markup {
    let panels = panels(sheet, chart, id).unwrap_or_default();
    let title = match unit(chart) {
        Some(unit) => format!("{}, {unit}", chart.title),
        None => chart.title.to_owned(),
    };
    html! {
        @if !panels.is_empty() {
            figure { "\n"
                figcaption { (printable(&title)) (legend(chart)) } "\n"
                @for panel in &panels { (panel.svg(&title)) }
            } "\n"
        }
    }
}

/// Returns `None` if the sheet lacks a column that the chart needs.
fn panels(sheet: &Sheet, chart: &Chart, id: &str) -> Option<Vec<Panel>> {
    Some(match &chart.shows {
        ChartData::UsageVsAgreed { used, committed, included, about } => {
            let columns = UsageColumns {
                label: sheet.column_index(chart.label)?,
                used: sheet.column_index(used)?,
                committed: sheet.column_index(committed)?,
                included: sheet.column_index(included)?,
                details: about.map(|key| sheet.column_index(key)),
            };
            usage::panels(sheet, &columns, id)
        }
        ChartData::Values { value, tone, .. } => {
            bars::panels(&points(sheet, chart.label, value, None)?, *tone == Emphasis::Overage, id)
        }
        ChartData::Periods { value, over, .. } => {
            let mut points = points(sheet, chart.label, value, Some(over))?;
            // The table has the newest period first, a chart has it last.
            points.reverse();
            columns::panels(&points, id)
        }
    })
}

fn legend(chart: &Chart) -> Markup {
    html! {
        @match &chart.shows {
            ChartData::UsageVsAgreed { .. } => {
                span class="legend" {
                    span class="key used" {} "used "
                    span class="key agreed" {} "committed and included "
                    span class="key beyond" {} "▲ overage"
                }
            }
            ChartData::Values { .. } => {}
            ChartData::Periods { .. } => {
                span class="legend" {
                    span class="key used" {} "total "
                    span class="key beyond" {} "overage part"
                }
            }
        }
    }
}

/// Returns the unit of the values. A chart of usage has none, because each of its rows has its own.
fn unit(chart: &Chart) -> Option<&str> {
    match &chart.shows {
        ChartData::UsageVsAgreed { .. } => None,
        ChartData::Values { unit, .. } | ChartData::Periods { unit, .. } => unit.as_deref(),
    }
}

/// A part of a chart that is an `svg` of its own. A long chart has several, because a printer breaks a page between two
/// of them and never inside one.
struct Panel {
    id: PanelId,
    /// The heading of the group that the rows belong to.
    group: Option<String>,
    /// The shapes and texts, in the order in which they are drawn.
    body: Vec<Markup>,
    height: u32,
    /// The description for screen readers.
    description: String,
    /// Set if a shape of the body is filled with the hatching.
    hatched: bool,
}

impl Panel {
    fn svg(&self, chart_title: &str) -> Markup {
        let id = &self.id;
        html! {
            svg role="img" aria-labelledby={ (id.title()) " " (id.description()) }
                width="100%" height=(self.height) { "\n"
                title id=(id.title()) {
                    (printable(chart_title))
                    @if let Some(group) = &self.group { ": " (printable(group)) }
                } "\n"
                desc id=(id.description()) { (printable(&self.description)) } "\n"
                @if self.hatched { (hatching(id)) }
                @for part in &self.body { (part) }
            } "\n"
        }
    }
}

/// The id of a panel. It is unique on the page, and so are the ids that derive from it.
struct PanelId(String);

impl PanelId {
    fn new(chart_id: &str, n: usize) -> Self {
        Self(format!("{chart_id}-{n}"))
    }

    fn title(&self) -> String {
        format!("{}-t", self.0)
    }

    fn description(&self) -> String {
        format!("{}-d", self.0)
    }

    fn hatching(&self) -> String {
        format!("{}-h", self.0)
    }
}

/// Defines the hatching, a pattern that marks overage without colour too.
fn hatching(id: &PanelId) -> Markup {
    html! {
        defs {
            pattern id=(id.hatching()) width="6" height="6" patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)" {
                rect width="6" height="6" class="hatch" {}
                rect width="3" height="6" class="stripe" {}
            }
        } "\n"
    }
}

/// The look of a shape: a class of the style sheet, and the hatching of a panel if the shape is filled with it.
struct Paint {
    class: &'static str,
    fill: Option<String>,
}

impl Paint {
    fn plain(class: &'static str) -> Self {
        Self { class, fill: None }
    }

    fn hatched(class: &'static str, panel: &PanelId) -> Self {
        Self { class, fill: Some(format!("url(#{})", panel.hatching())) }
    }
}

/// The height of an axis with its labels, in pixels.
const AXIS_HEIGHT: u32 = 28;
