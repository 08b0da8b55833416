//! Charts, drawn as SVG.
//!
//! What lies across is in parts of the width, what lies down is in pixels, and so are letters: a chart fills whatever
//! width there is, and its words keep their size. A label and a figure that share a line have a part of it each, and what
//! does not fit is cut; the whole of it stands in the tooltip and in the table.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::numbers::{grouped, short};
use super::{escaped, figure as shown};
use crate::format::document::{Chart, Group, Kind, Row, Sheet, Shows, Tone};
use crate::text::count;

/// The chart with its caption; none where there is nothing to draw.
pub(super) fn figure(sheet: &Sheet, chart: &Chart, id: &str) -> Option<String> {
    let (pieces, unit, legend) = match &chart.shows {
        Shows::Use { used, committed, included, about } => {
            let columns = Columns {
                label: sheet.at(chart.label)?,
                used: sheet.at(used)?,
                committed: sheet.at(committed)?,
                included: sheet.at(included)?,
                about: about.map(|key| sheet.at(key)),
            };
            (of_use(sheet, &columns), None, LEGEND_OF_USE)
        }
        Shows::Values { value, unit, tone } => {
            (bars(&points(sheet, chart, value)?, *tone == Tone::Over), unit.as_deref(), "")
        }
        Shows::Periods { value, over, unit } => {
            let mut points = points(sheet, chart, value)?;
            let over = sheet.at(over);
            for (point, row) in points.iter_mut().zip(sheet.rows()) {
                point.over = over.and_then(|at| row.value(at).number());
            }
            points.reverse();
            (columns(&points), unit.as_deref(), LEGEND_OF_PERIODS)
        }
    };
    let unit = unit.map(|unit| format!(", {unit}")).unwrap_or_default();
    let title = format!("{}{unit}", chart.title);
    let pieces: String =
        pieces.iter().enumerate().map(|(n, piece)| piece.svg(&title, &format!("{id}-{n}"))).collect();
    (!pieces.is_empty()).then(|| {
        format!("<figure>\n<figcaption>{}{legend}</figcaption>\n{pieces}</figure>\n", escaped(&title))
    })
}

/// An `svg` of its own: a chart has several, because no page is broken inside of one.
struct Piece {
    /// Of which group it is.
    of: Option<String>,
    /// Its markup. Where it fills with the hatching, it says [`HATCHING`].
    body: String,
    height: u32,
    /// For those who do not see it.
    desc: String,
}

impl Piece {
    fn svg(&self, title: &str, id: &str) -> String {
        let of = self.of.as_ref().map(|of| format!(": {of}")).unwrap_or_default();
        let title = escaped(&format!("{title}{of}"));
        let hatching = match self.body.contains(HATCHING) {
            true => format!(
                "<defs><pattern id=\"{id}-h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" class=\"hatch\"/>\
                 <rect width=\"3\" height=\"6\" class=\"stripe\"/></pattern></defs>\n"
            ),
            false => String::new(),
        };
        format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"100%\" height=\"{}\">\n\
             <title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{}</desc>\n{hatching}{}</svg>\n",
            self.height,
            escaped(&self.desc),
            self.body.replace(HATCHING, &format!("fill=\"url(#{id}-h)\"")),
        )
    }
}

/// Where a table has what the chart of use needs.
struct Columns {
    label: usize,
    used: usize,
    committed: usize,
    included: usize,
    /// What else to say of a row: its unit.
    about: [Option<usize>; 2],
}

/// What was used in parts of what was agreed, because units differ: a bar for each row, and all agreements end at the
/// same line.
fn of_use(sheet: &Sheet, columns: &Columns) -> Vec<Piece> {
    let uses = |group: &Group| group.rows.iter().filter_map(|row| Use::of(row, columns)).collect();
    let groups: Vec<(&Group, Vec<Use>)> = sheet.groups.iter().map(|group| (group, uses(group))).collect();
    let most = groups.iter().flat_map(|(_, uses)| uses).filter_map(|of| of.percent).max().unwrap_or_default();
    let end =
        [125, 150].into_iter().map(Decimal::from).find(|end| most <= *end).unwrap_or(Decimal::from(200));
    let scale = Scale { low: Decimal::ZERO, high: end };

    let mut pieces = Vec::new();
    for (group, uses) in &groups {
        for (n, uses) in uses.chunks(LINES).enumerate() {
            let (mut body, mut y) = (String::new(), 0);
            if let (Some(heading), 0) = (&group.heading, n) {
                y += 26;
                for (width, columns) in [("wide", 2 * LABEL_NARROW), ("narrow", LABEL_NARROW)] {
                    let heading = escaped(&cut(heading, columns));
                    body += &format!("<text x=\"0\" y=\"{y}\" class=\"heading {width}\">{heading}</text>\n");
                }
                y += 8;
            }
            for of in uses {
                body += &of.draw(y, &scale);
                y += LINE;
            }
            let over = uses.iter().filter(|of| of.is_over()).count();
            let over = if over == 0 { "none is".to_owned() } else { count(over, "is", "are") };
            let desc = format!(
                "What was used in parts of what was committed to and included, for {}; {over} over it. The table has all \
                 figures.",
                count(uses.len(), "row", "rows"),
            );
            pieces.push(Piece { of: group.heading.clone(), body, height: y, desc });
        }
    }
    let agreed = Decimal::ONE_HUNDRED;
    let ticks = [Decimal::ZERO, agreed / Decimal::TWO, agreed, end];
    put_under(&mut pieces, &scale, &ticks, |at| {
        let more = if at == end && most > end { "≥ " } else { "" };
        format!("{more}{at} %")
    });
    pieces
}

/// Puts an axis under the last piece.
fn put_under(pieces: &mut [Piece], scale: &Scale, ticks: &[Decimal], text: impl Fn(Decimal) -> String) {
    if let Some(last) = pieces.last_mut() {
        last.body += &axis(scale, last.height, ticks, text);
        last.height += AXIS;
    }
}

/// One row of the chart of use.
struct Use {
    label: String,
    about: String,
    used: Decimal,
    /// What was agreed: committed to and included.
    agreed: Decimal,
    /// How much of it was used; nothing where nothing was agreed.
    percent: Option<Decimal>,
}

impl Use {
    /// `None` for a row whose quantities are unknown, for one that has none, and for a part, which its total has.
    fn of(row: &Row, columns: &Columns) -> Option<Self> {
        let used = row.value(columns.used).number().filter(|_| !row.part)?;
        let committed = row.value(columns.committed).number()?;
        let included = row.value(columns.included).number()?;
        let agreed = committed.checked_add(included)?;
        if used.is_zero() && agreed.is_zero() {
            return None;
        }
        let about = columns.about.into_iter().flatten().map(|at| row.value(at).shown());
        let about = about.filter(|about| !about.is_empty());
        let percent = || used.checked_div(agreed)?.checked_mul(Decimal::ONE_HUNDRED);
        // What is too much to be computed is off the scale, too.
        let percent = (agreed > Decimal::ZERO).then(|| percent().unwrap_or(Decimal::MAX));
        let label = shown(row.value(columns.label), Kind::Text);
        Some(Self { label, about: about.collect::<Vec<_>>().join(", "), used, agreed, percent })
    }

    fn is_over(&self) -> bool {
        self.used > self.agreed
    }

    fn draw(&self, y: u32, scale: &Scale) -> String {
        let amount = |amount: Decimal| grouped(&amount.normalize().to_string());
        let brief = |number: Decimal| match amount(number) {
            long if long.len() > MOST_DIGITS => short(number),
            text => text,
        };
        let mark = if self.is_over() { "▲ " } else { "" };
        let (long, brief) = match self.percent {
            Some(percent) => {
                let percent = match percent.round() {
                    percent if percent > MOST_PERCENT => format!("{mark}> {} %", amount(MOST_PERCENT)),
                    percent => format!("{mark}{} %", amount(percent)),
                };
                (format!("{} of {} · {percent}", brief(self.used), brief(self.agreed)), percent)
            }
            None => {
                (format!("{mark}{}, nothing agreed", brief(self.used)), format!("{mark}{}", short(self.used)))
            }
        };
        let whole =
            format!("{}: {} of {} {}", self.label, amount(self.used), amount(self.agreed), self.about);
        let class = if self.is_over() { "value over" } else { "value" };
        let mut row = labelled(y, &self.label, &self.about, [&long, &brief], class);
        let (top, agreed) = (y + BAR_TOP, Decimal::ONE_HUNDRED);
        if self.percent.is_some() {
            row += &scale.bar(top, Decimal::ZERO, agreed, "track", "");
        }
        // Where nothing was agreed, all of it is beyond the line, and how far cannot be said.
        let beyond = if self.is_over() { scale.high } else { Decimal::ZERO };
        let percent = self.percent.unwrap_or(beyond);
        if self.percent.is_some() && percent > Decimal::ZERO {
            row += &scale.bar(top, Decimal::ZERO, percent.min(agreed), "used", "");
        }
        if self.is_over() {
            row += &scale.bar(top, agreed, percent, "beyond", HATCHING);
        }
        let x = scale.percent(agreed);
        let (from, to) = (top - 3, top + BAR + 3);
        row += &format!("<line x1=\"{x}\" x2=\"{x}\" y1=\"{from}\" y2=\"{to}\" class=\"agreed\"/>");
        format!("<g><title>{}</title>{row}</g>\n", escaped(&whole))
    }
}

/// A label and its value, which may be unknown.
struct Point {
    label: String,
    value: Option<Decimal>,
    /// How much of it is for overage, where that is drawn.
    over: Option<Decimal>,
    shown: String,
}

fn points(sheet: &Sheet, chart: &Chart, value: &str) -> Option<Vec<Point>> {
    let (label, value) = (sheet.at(chart.label)?, sheet.at(value)?);
    let point = |row: &Row| Point {
        label: shown(row.value(label), Kind::Text),
        value: row.value(value).number(),
        over: None,
        shown: shown(row.value(value), Kind::Money),
    };
    Some(sheet.rows().map(point).collect())
}

/// A bar for each value, under each other.
fn bars(points: &[Point], over: bool) -> Vec<Piece> {
    if points.iter().filter_map(|point| point.value).all(|value| value.is_zero()) {
        return Vec::new();
    }
    let (shown, rest) = points.split_at(points.len().min(MOST_BARS));
    let scale = Scale::of(shown.iter().filter_map(|point| point.value));
    let draw = |points: &[Point]| {
        let (mut body, mut y) = (String::new(), 0);
        for Point { label, value, shown, .. } in points {
            let class = if value.is_none() { "value alarm" } else { "value" };
            let brief = value.map_or_else(|| "unknown".to_owned(), short);
            let mut row = labelled(y, label, "", [shown, &brief], class);
            let value = value.unwrap_or_default();
            let (from, to) = (value.min(Decimal::ZERO), value.max(Decimal::ZERO));
            let (class, fill) = if over { ("beyond", HATCHING) } else { ("used", "") };
            row += &scale.bar(y + BAR_TOP, from, to, class, fill);
            body += &format!("<g><title>{}</title>{row}</g>\n", escaped(&format!("{label}: {shown}")));
            y += LINE;
        }
        Piece { of: None, body, height: y, desc: described(points) }
    };
    let mut pieces: Vec<Piece> = shown.chunks(LINES).map(draw).collect();
    put_under(&mut pieces, &scale, &scale.ticks(), short);
    if let (Some(last), false) = (pieces.last_mut(), rest.is_empty()) {
        last.height += LINE / 2;
        let said = format!("and {} more, in the table", rest.len());
        last.body += &format!("<text x=\"0\" y=\"{}\" class=\"tick\">{said}</text>\n", last.height - 4);
    }
    pieces
}

/// A column for each value, beside each other.
fn columns(points: &[Point]) -> Vec<Piece> {
    let values = || points.iter().filter_map(|point| point.value);
    if values().all(|value| value.is_zero()) {
        return Vec::new();
    }
    let scale = Scale::of(values());
    let down = |value: Decimal| {
        let height =
            Decimal::from(PLOT) * (Decimal::ONE_HUNDRED - scale.position(value)) / Decimal::ONE_HUNDRED;
        height.round_dp(1) + Decimal::from(PLOT_TOP)
    };
    let mut body = String::new();
    for tick in scale.ticks() {
        let y = down(tick);
        body += &format!(
            "<line x1=\"{LEFT}%\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\" class=\"grid\"/>\
             <text x=\"{LEFT}%\" dx=\"-8\" y=\"{}\" class=\"tick end\">{}</text>\n",
            y + Decimal::from(4),
            short(tick)
        );
    }
    let all = Decimal::from(points.len());
    let room = Decimal::from(100 - LEFT);
    for (n, point) in points.iter().enumerate() {
        let from = Decimal::from(LEFT) + room * Decimal::from(n) / all;
        let (x, width) = (from + room / all * Decimal::new(15, 2), room / all * Decimal::new(7, 1));
        let (middle, end) = ((x + width / Decimal::TWO).round_dp(3), (x + width).round_dp(3));
        let (x, width) = (x.round_dp(3), width.round_dp(3));
        let mut column = match point.value {
            Some(value) => {
                let (top, bottom) = (down(value.max(Decimal::ZERO)), down(value.min(Decimal::ZERO)));
                let rect = |top: Decimal, bottom: Decimal, class: &str, fill: &str| {
                    let height = bottom - top;
                    format!(
                        "<rect x=\"{x}%\" width=\"{width}%\" y=\"{top}\" height=\"{height}\" class=\"{class}\" {fill}/>"
                    )
                };
                // On top, as far as it is a part of the whole.
                match point.over.filter(|over| *over > Decimal::ZERO && *over <= value) {
                    Some(over) => {
                        let between = down(value - over);
                        rect(between, bottom, "used", "") + &rect(top, between, "beyond", HATCHING)
                    }
                    None => rect(top, bottom, "used", ""),
                }
            }
            None => format!(
                "<rect x=\"{x}%\" width=\"{width}%\" y=\"{PLOT_TOP}\" height=\"{PLOT}\" class=\"missing\" {HATCHING}/>\
                 <text x=\"{middle}%\" y=\"{}\" class=\"tick middle\">?</text>",
                PLOT_TOP + PLOT / 2
            ),
        };
        // From the newest back, so that the newest always has its label. Where not each has one, a column may be narrower than
        // its label, and the two end together.
        let back = points.len() - 1 - n;
        for (screen, labels) in [("wide", LABELS_WIDE), ("narrow", LABELS_NARROW)] {
            let every = points.len().div_ceil(labels);
            if back.is_multiple_of(every) {
                let (at, anchor) = if every == 1 { (middle, "middle") } else { (end, "end") };
                column += &format!(
                    "<text x=\"{at}%\" y=\"{}\" class=\"tick {anchor} {screen}\">{}</text>",
                    PLOT_TOP + PLOT + 18,
                    escaped(&point.label)
                );
            }
        }
        let whole = format!("{}: {}", point.label, point.shown);
        body += &format!("<g><title>{}</title>{column}</g>\n", escaped(&whole));
    }
    vec![Piece { of: None, body, height: PLOT_TOP + PLOT + AXIS, desc: described(points) }]
}

fn described(points: &[Point]) -> String {
    let known = || points.iter().filter(|point| point.value.is_some());
    let highest = known().max_by_key(|point| point.value);
    let highest = highest.map(|point| format!(" The highest is {}, {}.", point.label, point.shown));
    let unknown = points.len() - known().count();
    let unknown =
        if unknown > 0 { format!(" {} unknown.", count(unknown, "is", "are")) } else { String::new() };
    format!(
        "{}.{}{unknown} The table has all figures.",
        count(points.len(), "value", "values"),
        highest.unwrap_or_default()
    )
}

/// From the lowest to the highest value that is drawn, zero included.
struct Scale {
    low: Decimal,
    high: Decimal,
}

impl Scale {
    /// As far as a round number beyond the values.
    fn of(values: impl Iterator<Item = Decimal>) -> Self {
        let (mut low, mut high) = (Decimal::ZERO, Decimal::ZERO);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        let step = round_up(high.max(-low) / Decimal::from(4));
        let whole =
            |value: Decimal| value.checked_div(step).map(|n| n.ceil()).and_then(|n| n.checked_mul(step));
        Self { low: whole(-low).map_or(low, |low| -low), high: whole(high).unwrap_or(high) }
    }

    /// A handful of round numbers.
    fn ticks(&self) -> Vec<Decimal> {
        let step = round_up(self.high.max(-self.low) / Decimal::from(4));
        let mut ticks = Vec::new();
        let mut at = self.low;
        while at <= self.high && ticks.len() < 12 {
            ticks.push(at.normalize());
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
        ticks
    }

    /// In parts of a hundred, from the left.
    fn position(&self, value: Decimal) -> Decimal {
        // By quarters, whose difference does not overflow.
        let quarter = |value: Decimal| value / Decimal::from(4);
        let (value, span) = (value.clamp(self.low, self.high), quarter(self.high) - quarter(self.low));
        let part = (quarter(value) - quarter(self.low)).checked_div(span).unwrap_or_default();
        part.clamp(Decimal::ZERO, Decimal::ONE) * Decimal::ONE_HUNDRED
    }

    fn percent(&self, value: Decimal) -> String {
        format!("{}%", self.position(value).round_dp(3).normalize())
    }

    fn bar(&self, y: u32, from: Decimal, to: Decimal, class: &str, fill: &str) -> String {
        let width = (self.position(to) - self.position(from)).round_dp(3).normalize();
        let x = self.percent(from);
        format!("<rect x=\"{x}\" width=\"{width}%\" y=\"{y}\" height=\"{BAR}\" class=\"{class}\" {fill}/>")
    }
}

/// The next of 1, 2, 2.5, 5 and 10 times a power of ten.
fn round_up(value: Decimal) -> Decimal {
    let mut power = Decimal::ONE;
    while power.checked_mul(Decimal::TEN).is_some_and(|next| next < value) {
        power *= Decimal::TEN;
    }
    while power > Decimal::new(1, 6) && value < power {
        power /= Decimal::TEN;
    }
    let steps = [Decimal::ONE, Decimal::TWO, Decimal::new(25, 1), Decimal::from(5), Decimal::TEN];
    let step = steps.into_iter().filter_map(|step| step.checked_mul(power)).find(|step| *step >= value);
    step.unwrap_or(power)
}

/// Labels under the bars: the first from the left edge on, the last up to the right one.
fn axis(scale: &Scale, y: u32, ticks: &[Decimal], text: impl Fn(Decimal) -> String) -> String {
    let mut axis = String::new();
    for (n, tick) in ticks.iter().enumerate() {
        let x = scale.percent(*tick);
        let anchor = match n {
            0 => "start",
            n if n + 1 == ticks.len() => "end",
            _ => "middle",
        };
        axis += &format!(
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"{y}\" y2=\"{}\" class=\"grid\"/>\
             <text x=\"{x}\" y=\"{}\" class=\"tick {anchor}\">{}</text>\n",
            y + 5,
            y + 20,
            text(*tick)
        );
    }
    axis
}

/// The line above a bar: what it is on the left, cut where the figure begins, and how much on the right. `figures`: for
/// where there is room, and for where there is little.
fn labelled(y: u32, label: &str, about: &str, figures: [&str; 2], class: &str) -> String {
    let about = match about {
        "" => String::new(),
        about => format!(" <tspan class=\"about\">{}</tspan>", escaped(about)),
    };
    let (long, brief) = (cut(label, LABEL_WIDE), cut(label, LABEL_NARROW));
    let mut line = format!(
        "<svg x=\"0\" y=\"{y}\" width=\"62%\" height=\"20\"><text x=\"0\" y=\"15\" class=\"label wide\">{}{about}</text>\
         <text x=\"0\" y=\"15\" class=\"label narrow\">{}</text></svg>",
        escaped(&long),
        escaped(&brief),
    );
    for (width, figure) in ["wide", "narrow"].iter().zip(figures) {
        line += &format!(
            "<text x=\"100%\" y=\"{}\" class=\"{class} end {width}\">{}</text>",
            y + 15,
            escaped(figure)
        );
    }
    line
}

/// As much of the text as takes so many columns, with a sign that there is more.
fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        // About: those of East Asia are twice as wide.
        taken += if c < '\u{1100}' { 1 } else { 2 };
        if taken > columns {
            return Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default().trim_end()));
        }
    }
    Cow::Borrowed(text)
}

const LEGEND_OF_USE: &str = "<span class=\"legend\"><span class=\"key used\"></span>used \
                             <span class=\"key agreed\"></span>committed and included \
                             <span class=\"key beyond\"></span>▲ overage</span>";
const LEGEND_OF_PERIODS: &str = "<span class=\"legend\"><span class=\"key used\"></span>total \
                                 <span class=\"key beyond\"></span>of it for overage</span>";
/// In place of the attribute that fills with the pattern of its own `svg`. No text is like it, for texts are escaped.
const HATCHING: &str = "<hatching>";
/// As many as have room on a page of paper.
const LINES: usize = 14;
/// In pixels, as all of these.
const LINE: u32 = 40;
const BAR_TOP: u32 = 21;
const BAR: u32 = 11;
const AXIS: u32 = 28;
const PLOT_TOP: u32 = 10;
const PLOT: u32 = 220;
/// In parts of a hundred: the room for the figures beside the columns.
const LEFT: u32 = 12;
/// How many labels of a period have room beside each other.
const LABELS_NARROW: usize = 3;
const LABELS_WIDE: usize = 6;
const MOST_PERCENT: Decimal = Decimal::from_parts(9999, 0, 0, false, 0);
/// In columns of letters: the part of a line that a label has.
const LABEL_WIDE: usize = 52;
const LABEL_NARROW: usize = 22;
/// Two numbers of so many characters stand beside a label.
const MOST_DIGITS: usize = 12;
/// More make no picture.
const MOST_BARS: usize = 60;
