//! A chart with a column for each billing period.

use maud::{Markup, display, html};
use rust_decimal::Decimal;

use super::points::{Point, description, nothing_to_draw};
use super::scale::Scale;
use super::{AXIS_HEIGHT, Paint, Panel, PanelId};
use crate::format::html::numbers::rounded_text;
use crate::text::printable;

/// Draws the columns from the left to the right.
pub(super) fn panels(points: &[Point], chart_id: &str) -> Vec<Panel> {
    if nothing_to_draw(points) {
        return Vec::new();
    }
    let id = PanelId::new(chart_id, 0);
    let hatched = points.iter().any(|point| point.value.is_none() || overage_of(point).is_some());
    let plot =
        Plot { scale: Scale::of(points.iter().filter_map(|point| point.value)), columns: points.len() };
    let mut body = vec![plot.gridlines()];
    body.extend(points.iter().enumerate().map(|(n, point)| plot.column(n, point, &id)));
    let height = PLOT_TOP + PLOT_HEIGHT + AXIS_HEIGHT;
    vec![Panel { id, group: None, body, height, description: description(points), hatched }]
}

/// The area that the columns are drawn in.
struct Plot {
    scale: Scale,
    /// The number of columns.
    columns: usize,
}

impl Plot {
    /// Writes a line for each tick, with its label on the left.
    fn gridlines(&self) -> Markup {
        html! {
            @for tick in self.scale.ticks() {
                @let y = self.y(tick);
                line x1={ (PLOT_LEFT) "%" } x2="100%" y1=(display(y)) y2=(display(y)) class="grid" {}
                text x={ (PLOT_LEFT) "%" } dx="-8" y=(display(y + Decimal::from(4))) class="tick end" {
                    (rounded_text(tick))
                } "\n"
            }
        }
    }

    /// Writes the column of the `n`th point, its tooltip and its labels.
    fn column(&self, n: usize, point: &Point, id: &PanelId) -> Markup {
        let place = self.place(n);
        html! {
            g {
                title { (printable(&point.label)) ": " (printable(&point.text)) }
                @match point.value {
                    Some(value) => (self.value(value, overage_of(point), &place, id)),
                    None => (unknown_value(&place, id)),
                }
                (self.label(n, &point.label, "wide", LABELS_WIDE, &place))
                (self.label(n, &point.label, "narrow", LABELS_NARROW, &place))
            } "\n"
        }
    }

    fn value(&self, value: Decimal, overage: Option<Decimal>, place: &LockedFile, id: &PanelId) -> Markup {
        let (top, bottom) = (self.y(value.max(Decimal::ZERO)), self.y(value.min(Decimal::ZERO)));
        html! {
            @if let Some(overage) = overage {
                @let middle = self.y(value - overage);
                (rectangle(place, middle, bottom, &Paint::plain("used")))
                (rectangle(place, top, middle, &Paint::hatched("beyond", id)))
            } @else {
                (rectangle(place, top, bottom, &Paint::plain("used")))
            }
        }
    }

    /// Writes the label below the `n`th column, if it is one of those that have a label on this screen.
    fn label(&self, n: usize, label: &str, screen: &str, max_labels: usize, place: &LockedFile) -> Markup {
        let every = self.columns.div_ceil(max_labels);
        // Counted from the last column, so that the newest period always has its label.
        let has_label = (self.columns - 1 - n).is_multiple_of(every);
        // If columns are left out, they are many, and one may be narrower than its label. The label of the last column
        // would go beyond the edge if it were not aligned with the right side of the column.
        let (x, anchor) = if every == 1 { (place.middle, "middle") } else { (place.right, "end") };
        html! {
            @if has_label {
                text x={ (display(x)) "%" } y=(PLOT_TOP + PLOT_HEIGHT + 18)
                    class={ "tick " (anchor) " " (screen) } { (printable(label)) }
            }
        }
    }

    /// Returns the place of the `n`th column: 70 % of the width that each has, with a gap on both sides.
    fn place(&self, n: usize) -> LockedFile {
        let columns = Decimal::from(self.columns);
        let room = Decimal::from(100 - PLOT_LEFT);
        let left = Decimal::from(PLOT_LEFT)
            + room * Decimal::from(n) / columns
            + room / columns * Decimal::new(15, 2);
        let width = room / columns * Decimal::new(7, 1);
        LockedFile {
            left: left.round_dp(3),
            middle: (left + width / Decimal::TWO).round_dp(3),
            right: (left + width).round_dp(3),
            width: width.round_dp(3),
        }
    }

    /// Returns the vertical position of a value, in pixels.
    fn y(&self, value: Decimal) -> Decimal {
        let below_top = Decimal::ONE_HUNDRED - self.scale.position(value);
        let pixels = Decimal::from(PLOT_HEIGHT) * below_top / Decimal::ONE_HUNDRED;
        pixels.round_dp(1) + Decimal::from(PLOT_TOP)
    }
}

/// The horizontal place of a column, in percent of the width.
struct LockedFile {
    left: Decimal,
    middle: Decimal,
    right: Decimal,
    width: Decimal,
}

/// Returns the part of the column that is for overage. It is `None` if it is not a part of the whole, as it would be of a
/// negative total.
fn overage_of(point: &Point) -> Option<Decimal> {
    let value = point.value?;
    point.overage.filter(|overage| *overage > Decimal::ZERO && *overage <= value)
}

fn rectangle(place: &LockedFile, top: Decimal, bottom: Decimal, paint: &Paint) -> Markup {
    html! {
        rect x={ (display(place.left)) "%" } width={ (display(place.width)) "%" } y=(display(top))
            height=(display(bottom - top)) class=(paint.class) fill=[&paint.fill] {}
    }
}

fn unknown_value(place: &LockedFile, id: &PanelId) -> Markup {
    let (top, bottom) = (PLOT_TOP, PLOT_TOP + PLOT_HEIGHT);
    html! {
        (rectangle(place, top.into(), bottom.into(), &Paint::hatched("missing", id)))
        text x={ (display(place.middle)) "%" } y=(PLOT_TOP + PLOT_HEIGHT / 2) class="tick middle" { "?" }
    }
}

/// In pixels.
const PLOT_TOP: u32 = 10;
const PLOT_HEIGHT: u32 = 220;
/// In percent of the width: the room for the labels of the grid.
const PLOT_LEFT: u32 = 12;
/// The number of period labels that fit side by side.
const LABELS_WIDE: usize = 6;
const LABELS_NARROW: usize = 3;
