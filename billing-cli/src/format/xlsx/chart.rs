//! The charts of a workbook, which refer to cells of its worksheets.

use rust_xlsxwriter::{
    Chart, ChartAxis, ChartAxisLabelPosition, ChartFont, ChartFormat, ChartLegendPosition, ChartSolidFill,
    ChartType, Color, Worksheet, XlsxError,
};

use super::{FIRST_ROW, WorksheetPart};
use crate::format::document::{self, ChartData, Emphasis};
use crate::text::printable;

/// Adds the charts of a table, two side by side, from row `below` on.
pub(super) fn draw(
    part: &WorksheetPart<'_>,
    to: &mut Worksheet,
    name: &str,
    below: u32,
) -> Result<(), XlsxError> {
    let mut charts = Vec::new();
    for chart in &part.sheet.charts {
        let Some(label) = part.place(chart.label) else { continue };
        let series = |key: &'static str| Some((part.place(key)?, part.sheet.column_index(key)?));
        match &chart.shows {
            // Each group gets its own chart, because the units differ.
            ChartData::UsageVsAgreed { used, committed, .. } => {
                let (Some(used), Some(committed)) = (series(used), series(committed)) else { continue };
                for (heading, rows) in &part.groups {
                    let title = format!("{}: {}", chart.title, heading.unwrap_or_default());
                    let bars = Bars { name, label, rows: rows.clone(), title: &title, kind: ChartType::Bar };
                    let both = [("Committed", committed, COMMITTED), ("Used", used, USED)];
                    charts.extend(bars.draw(part, &both));
                }
            }
            ChartData::Values { value, unit, .. } | ChartData::Periods { value, unit, .. } => {
                let Some(value) = series(value) else { continue };
                let kind = match chart.shows {
                    ChartData::Periods { .. } => ChartType::Column,
                    _ => ChartType::Bar,
                };
                let color = match chart.shows {
                    ChartData::Values { tone: Emphasis::Overage, .. } => OVER,
                    _ => USED,
                };
                let title = titled(chart, unit.as_deref());
                let bars = Bars { name, label, rows: 0..part.rows.len(), title: &title, kind };
                charts.extend(bars.draw(part, &[(chart.title, value, color)]));
            }
        }
    }
    let mut row = below + 1;
    for pair in charts.chunks(2) {
        for ((chart, _), left) in pair.iter().zip([0, WIDTH + GAP]) {
            to.insert_chart_with_offset(row, 0, chart, left, 0)?;
        }
        let height = pair.iter().map(|(_, height)| *height).max().unwrap_or_default();
        row += (height + GAP).div_ceil(ROW_HEIGHT);
    }
    Ok(())
}

/// A chart of some rows.
struct Bars<'a> {
    name: &'a str,
    /// The column of the labels.
    label: u16,
    rows: std::ops::Range<usize>,
    title: &'a str,
    kind: ChartType,
}

impl Bars<'_> {
    /// Builds the chart with its height; `None` if there is nothing to draw. `series` has the name, the
    /// columns in the worksheet and in the table, and the colour of each series.
    fn draw(&self, part: &WorksheetPart<'_>, series: &[(&str, (u16, usize), u32)]) -> Option<(Chart, u32)> {
        let rows = part.rows.get(self.rows.clone())?;
        let drawn = rows.iter().any(|row| {
            series
                .iter()
                .any(|(_, (_, at), _)| row.value(*at).number().is_some_and(|number| !number.is_zero()))
        });
        if !drawn || rows.len() > MAX_BARS {
            return None;
        }
        let first = FIRST_ROW + u32::try_from(self.rows.start).ok()?;
        let last = FIRST_ROW + u32::try_from(self.rows.end).ok()? - 1;
        // The library reads text with a `!` as a cell address, and a grouping can have any name.
        let title = shortened(&printable(self.title).replace('!', " "));
        let mut chart = Chart::new(self.kind);
        for (name, (column, _), color) in series {
            chart
                .add_series()
                .set_name(*name)
                .set_categories((self.name, first, self.label, last, self.label))
                .set_values((self.name, first, *column, last, *column))
                .set_format(
                    ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(Color::RGB(*color))),
                )
                .set_gap(60);
        }
        chart.title().set_name(&title).set_font(ChartFont::new().set_size(11));
        // Reverse the axis so that the first row is at the top, as in the table. The last period in a table
        // is the earliest.
        // The library names the axes of horizontal bars by their position.
        let (labels, values) = match self.kind {
            ChartType::Bar => (Chart::y_axis as Axis, Chart::x_axis as Axis),
            _ => (Chart::x_axis as Axis, Chart::y_axis as Axis),
        };
        labels(&mut chart).set_reverse();
        values(&mut chart).set_num_format("#,##0").set_label_position(ChartAxisLabelPosition::High);
        match series.len() {
            1 => chart.legend().set_hidden(),
            _ => chart.legend().set_position(ChartLegendPosition::Bottom),
        };
        let alike = series.len().max(1) * rows.len();
        let height = match self.kind {
            ChartType::Bar => BAR * u32::try_from(alike).ok()?.max(4) + CHART_MARGIN,
            _ => 320,
        };
        chart.set_width(WIDTH).set_height(height).set_alt_text(title);
        Some((chart, height))
    }
}

type Axis = fn(&mut Chart) -> &mut ChartAxis;

fn titled(chart: &document::Chart, unit: Option<&str>) -> String {
    unit.map_or_else(|| chart.title.to_owned(), |unit| format!("{} ({unit})", chart.title))
}

/// Shortens a title to fit above a chart, within Excel's limit of 255 characters.
fn shortened(title: &str) -> String {
    match title.char_indices().nth(MAX_TITLE_CHARS) {
        Some((end, _)) => format!("{}…", title.get(..end).unwrap_or_default()),
        None => title.to_owned(),
    }
}

const MAX_TITLE_CHARS: usize = 100;
/// The margin in pixels, like all sizes here.
const WIDTH: u32 = 640;
const GAP: u32 = 20;
const ROW_HEIGHT: u32 = 20;
const BAR: u32 = 18;
const CHART_MARGIN: u32 = 110;
/// The maximum number of bars: more are not readable.
const MAX_BARS: usize = 250;
const COMMITTED: u32 = 0x00B6_C2CF;
const USED: u32 = 0x001F_6FB2;
const OVER: u32 = 0x00D4_581A;
