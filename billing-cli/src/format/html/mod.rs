//! A page: one file that needs nothing else, on a screen in the light and in the dark, and on paper.
//!
//! Whatever comes from the data is escaped here and nowhere else: by [`escaped`], which every text goes through. Should
//! markup get through all the same, the page's own policy lets it load and run nothing.

mod chart;
mod numbers;

use super::document::{
    Cell, Column, Document, Fact, Formats, Group, Kind, Note, Row, Sheet, Sum, Tone, Value,
};
use crate::text::{count, printable};
use numbers::grouped;

/// The page.
pub(crate) fn render(document: &Document) -> String {
    let sheets: Vec<&Sheet> = document.sheets(Formats::HTML).collect();
    let first = sheets.first();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_HASH}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"generator\" content=\"genesys-billing {version}\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{facts}</header>\n\
         <main>\n",
        version = env!("CARGO_PKG_VERSION"),
        title = escaped(&document.title),
        facts = facts(&document.facts),
    );
    if let Some(sheet) = first {
        page += &summary(sheet);
    }
    for (n, sheet) in sheets.iter().enumerate() {
        page += &section(sheet, n);
    }
    page += "</main>\n</body>\n</html>\n";
    page
}

fn facts(facts: &[Fact]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let facts = facts.iter().map(|fact| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(fact.label), escaped(&fact.value))
    });
    format!("<dl class=\"facts\">\n{}</dl>\n", facts.collect::<String>())
}

/// What the first table comes to, before everything else, with what is left out of it.
fn summary(sheet: &Sheet) -> String {
    let cards: String = sheet.sums.iter().map(card).collect();
    let left_out: String = sheet.sums.iter().map(left_out).collect();
    let notes: String = sheet.notes.iter().map(note).collect();
    let cards = if cards.is_empty() { cards } else { format!("<dl class=\"cards\">\n{cards}</dl>\n") };
    match cards.is_empty() && left_out.is_empty() && notes.is_empty() {
        true => String::new(),
        false => format!("<section aria-label=\"Summary\">\n{cards}{left_out}{notes}</section>\n"),
    }
}

fn card(sum: &Sum) -> String {
    let currency = match (&sum.currency, sum.value.number()) {
        (Some(currency), Some(_)) => format!(" <small>{}</small>", escaped(currency)),
        _ => String::new(),
    };
    let remark = sum.remark.as_ref().map(|remark| format!("<dd class=\"remark\">{}</dd>", escaped(remark)));
    format!(
        "<div class=\"card {}\"><dt>{}</dt><dd>{}{currency}</dd>{}</div>\n",
        class(sum.tone),
        escaped(&sum.label),
        marked(sum.tone, &figure(&sum.value, Kind::Money)),
        remark.unwrap_or_default(),
    )
}

fn left_out(sum: &Sum) -> String {
    if sum.left_out.is_empty() {
        return String::new();
    }
    let rows = sum
        .left_out
        .iter()
        .map(|(name, why)| format!("<li><strong>{}</strong>: {}</li>\n", escaped(name), escaped(why)));
    format!(
        "<div class=\"notice\">\n<p><strong>{} leaves out {}, whose charge is unknown:</strong></p>\n<ul>\n{}</ul>\n</div>\n",
        escaped(&sum.label),
        count(sum.left_out.len(), "row", "rows"),
        rows.collect::<String>(),
    )
}

fn note(note: &Note) -> String {
    format!("<p class=\"{}\">{}</p>\n", class(note.tone), escaped(&note.text))
}

/// A table with its charts before it. What the first one comes to stands in the summary already.
fn section(sheet: &Sheet, n: usize) -> String {
    let charts: String = sheet
        .charts
        .iter()
        .enumerate()
        .filter_map(|(m, chart)| chart::figure(sheet, chart, &format!("c{n}-{m}")))
        .collect();
    let under: String = match n {
        0 => String::new(),
        _ => sheet.sums.iter().map(left_out).chain(sheet.notes.iter().map(note)).collect(),
    };
    let title = escaped(&sheet.title);
    let content = format!("{}{charts}{}{under}", facts(&sheet.facts), table(sheet, n));
    match sheet.folded {
        true => format!("<details>\n<summary><h2 id=\"s{n}\">{title}</h2></summary>\n{content}</details>\n"),
        false => {
            format!("<section aria-labelledby=\"s{n}\">\n<h2 id=\"s{n}\">{title}</h2>\n{content}</section>\n")
        }
    }
}

fn table(sheet: &Sheet, n: usize) -> String {
    if sheet.rows().next().is_none() && sheet.groups.iter().all(|group| group.heading.is_none()) {
        return "<p class=\"faint\">There is nothing to list.</p>\n".to_owned();
    }
    let columns = Columns::of(sheet);
    let head: String = columns
        .wide
        .iter()
        .map(|(_, column)| {
            format!("<th scope=\"col\" class=\"{}\">{}</th>", side(column.kind), escaped(&column.title))
        })
        .collect();
    let body: String = sheet.groups.iter().map(|group| rows(group, &columns)).collect();
    let foot: String = sheet.sums.iter().filter_map(|sum| sum_row(sum, &columns)).collect();
    let foot = if foot.is_empty() { foot } else { format!("<tfoot>\n{foot}</tfoot>\n") };
    // What is wider than the screen is moved in its frame, by the keys as well.
    format!(
        "<div class=\"frame\" role=\"region\" aria-labelledby=\"s{n}\" tabindex=\"0\">\n<table>\n\
         <thead>\n<tr>{head}</tr>\n</thead>\n{body}{foot}</table>\n</div>\n"
    )
}

/// The columns that a page has.
struct Columns<'a> {
    wide: Vec<(usize, &'a Column)>,
    /// Under the name in the first of them.
    aside: Vec<usize>,
}

impl<'a> Columns<'a> {
    /// A column in which nothing stands is left out, as in the table on a terminal.
    fn of(sheet: &'a Sheet) -> Self {
        let filled = |at: usize| sheet.rows().any(|row| *row.value(at) != Value::Empty);
        let shown = sheet.shown(Formats::HTML);
        let columns = shown.iter().filter_map(|at| Some((*at, sheet.columns.get(*at)?)));
        let (aside, wide): (Vec<_>, Vec<_>) = columns.partition(|(_, column)| column.aside);
        let first = wide.first().map(|(at, _)| *at);
        let wide = wide.into_iter().filter(|(at, _)| Some(*at) == first || filled(*at)).collect();
        Self { wide, aside: aside.into_iter().map(|(at, _)| at).collect() }
    }

    fn aside(&self, row: &Row) -> String {
        let said = self.aside.iter().map(|at| row.value(*at).shown()).filter(|said| !said.is_empty());
        match said.collect::<Vec<_>>().join(" · ") {
            said if said.is_empty() => said,
            said => format!("<span class=\"aside\">{}</span>", escaped(&said)),
        }
    }
}

fn rows(group: &Group, columns: &Columns<'_>) -> String {
    let heading = group.heading.as_ref().map(|heading| {
        format!(
            "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n",
            columns.wide.len(),
            escaped(heading)
        )
    });
    let rows: String = group.rows.iter().map(|row| self::row(row, columns)).collect();
    format!("<tbody>\n{}{rows}</tbody>\n", heading.unwrap_or_default())
}

fn row(row: &Row, columns: &Columns<'_>) -> String {
    let empty = Cell::empty();
    let cells = columns.wide.iter().enumerate().map(|(n, (at, column))| {
        let cell = row.cells.get(*at).unwrap_or(&empty);
        let text = marked(cell.tone, &figure(&cell.value, column.kind));
        let class = format!("{} {}", side(column.kind), class(cell.tone));
        match n {
            0 => format!("<th scope=\"row\" class=\"{class}\">{text}{}</th>", columns.aside(row)),
            _ => format!("<td class=\"{class}\">{text}</td>"),
        }
    });
    let part = if row.part { " class=\"part\"" } else { "" };
    format!("<tr{part}>{}</tr>\n", cells.collect::<String>())
}

/// A sum under the column that it adds up.
fn sum_row(sum: &Sum, columns: &Columns<'_>) -> Option<String> {
    let key = sum.adds.as_ref()?.column;
    let before =
        columns.wide.iter().position(|(_, column)| column.key == key).filter(|before| *before > 0)?;
    let currency = sum.currency.as_deref().map(|currency| format!(" ({currency})")).unwrap_or_default();
    let after = columns.wide.len() - before - 1;
    let rest = if after > 0 { format!("<td colspan=\"{after}\"></td>") } else { String::new() };
    Some(format!(
        "<tr class=\"{}\"><th scope=\"row\" colspan=\"{before}\">{}</th><td class=\"number\">{}</td>{rest}</tr>\n",
        class(sum.tone),
        escaped(&format!("{}{currency}", sum.label)),
        escaped(&figure(&sum.value, Kind::Money)),
    ))
}

/// What a value looks like on the page, not escaped yet.
fn figure(value: &Value, kind: Kind) -> String {
    match value {
        Value::Unknown if kind == Kind::Number => "unknown".to_owned(),
        value if value.number().is_some() => grouped(&value.shown()),
        value => value.shown(),
    }
}

/// The text escaped, with the mark that stands out without colour too.
fn marked(tone: Tone, text: &str) -> String {
    match tone {
        Tone::Over => format!("<span class=\"unseen\">over: </span>▲&nbsp;{}", escaped(text)),
        _ => escaped(text),
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Strong => "strong",
        Tone::Over => "over",
        Tone::Alarm => "alarm",
        Tone::Faint => "faint",
    }
}

fn side(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Money => "number",
        Kind::Date => "date",
        Kind::Text => "words",
    }
}

/// Text that is text wherever it stands: between tags, and in an attribute in double quotes.
fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

const STYLE: &str = include_str!("style.css");
/// The one style that the page may have, by its hash: no other, and none in an attribute. A test says what it is when the
/// style has changed.
const STYLE_HASH: &str = "sha256-Wyi0HihJoy0LaY1/pIOckLuff7QcDLmYSHAmse92iXA=";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use billing_core::Statement;
    use billing_core::model::TrusteeOverview;

    use super::*;
    use crate::format::document::{Chart, Shows};
    use crate::organizations::tests::asked;
    use crate::views;

    const ATTACKS: [&str; 5] = [
        "</script><img src=x onerror=alert(1)>",
        "\"><script>alert(1)</script>",
        "' onmouseover='alert(1)",
        "</style><svg onload=alert(1)>",
        "</title><b>&amp;\u{202e}\u{0}",
    ];

    fn page(json: &str) -> String {
        let o: TrusteeOverview = serde_json::from_str(json).unwrap();
        render(&views::overview(&asked(), &o, &Statement::new(&o)))
    }

    /// The tags of a page, without what is between them.
    fn tags(page: &str) -> Vec<&str> {
        page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()).collect()
    }

    #[test]
    fn the_policy_lets_in_the_one_style_there_is() {
        let page = page("{}");
        let (_, rest) = page.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(hash);
        assert_eq!(STYLE_HASH, format!("sha256-{hash}"), "the style has changed: this is its hash");
        for part in ["default-src 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn nothing_from_the_data_becomes_markup() {
        for attack in ATTACKS {
            let field = serde_json::to_string(attack).unwrap();
            let page = page(&format!(
                r#"{{"organization":{{"id":{field},"name":{field}}},"currency":{field},"subscriptionType":{field},
                "minimumMonthlyAmount":{field},"usages":[
                {{"name":{field},"partNumber":{field},"grouping":{field},"unitOfMeasureType":{field},"usageQuantity":"3",
                 "prepayQuantity":"1","prepayPrice":"1","overagePrice":"1","usageNotes":{field}}},
                {{"name":{field},"grouping":{field},"usageQuantity":{field},"prepayPrice":{field}}},
                {{"name":{field},"grouping":"fair-use","usageQuantity":{field}}}]}}"#
            ));
            let harmless = super::tests::page(
                r#"{"organization":{"id":"x","name":"x"},"currency":"x","subscriptionType":"x",
                "minimumMonthlyAmount":"x","usages":[
                {"name":"x","partNumber":"x","grouping":"x","unitOfMeasureType":"x","usageQuantity":"3",
                 "prepayQuantity":"1","prepayPrice":"1","overagePrice":"1","usageNotes":"x"},
                {"name":"x","grouping":"x","usageQuantity":"x","prepayPrice":"x"},
                {"name":"x","grouping":"fair-use","usageQuantity":"x"}]}"#,
            );
            assert_eq!(tags(&page), tags(&harmless), "{attack}");
            assert!(!page.contains(['\u{0}', '\u{202e}']), "{attack}");
            assert!(page.contains(&escaped(attack)), "{attack} stands there as text");
        }
        assert_eq!(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }

    #[test]
    fn it_needs_nothing_else_and_runs_nothing() {
        let page = page(r#"{"usages":[{"name":"a","usageQuantity":"1"}]}"#);
        for word in
            ["<script", "<img", "<link", "<iframe", "http:", "https:", "url(h", "@import", " style=", " on"]
        {
            let markup = tags(&page).join("\n");
            assert!(!markup.contains(word), "{word}");
        }
    }

    #[test]
    fn figures_and_what_they_leave_out_are_on_the_page() {
        let page = page(
            r#"{"organization":{"name":"Org"},"currency":"USD","minimumMonthlyAmount":"2000000","usages":[
            {"name":"CX 2","partNumber":"GC-2","grouping":"user-license","unitOfMeasureType":"seat",
             "usageQuantity":"13000","prepayQuantity":"10000","prepayPrice":"75.00","overagePrice":"85.50"},
            {"name":"Lost","grouping":"device","usageQuantity":"n/a","prepayQuantity":"1"}]}"#,
        );
        for said in [
            "1,006,500.00 <small>USD</small>",
            "Total leaves out 1 row, whose charge is unknown",
            "<strong>Lost</strong>: usageQuantity is &quot;n/a&quot;",
            "Tax and telco usage are not included.",
            "whether the total reaches it is unknown",
            "<th scope=\"col\" class=\"number\">Charge</th>",
            "<th scope=\"row\" class=\"words plain\">CX 2<span class=\"aside\">GC-2 · seat</span></th>",
            "<span class=\"unseen\">over: </span>▲&nbsp;3,000",
            "13,000 of 10,000 · ▲ 130 %",
            "role=\"img\" aria-labelledby=\"c0-0-0-t c0-0-0-d\"",
            "for 1 row; 1 is over it.",
        ] {
            assert!(page.contains(said), "{said}\n{page}");
        }
    }

    fn of_values(values: &[Value], periods: bool) -> String {
        let rows = values
            .iter()
            .enumerate()
            .map(|(n, value)| Row::new(vec![Cell::text(format!("row {n}")), Cell::new(value.clone())]));
        let (value, unit) = ("value", Some("USD".to_owned()));
        let shows = if periods {
            Shows::Periods { value, over: value, unit }
        } else {
            Shows::Values { value, unit, tone: Tone::Over }
        };
        let sheet = Sheet {
            groups: vec![Group { heading: None, rows: rows.collect() }],
            charts: vec![Chart { title: "Chart", label: "name", shows }],
            ..Sheet::new("Sheet", vec![Column::text("name", "Name"), Column::money("value", "Value")])
        };
        render(&Document { title: "Title".into(), facts: Vec::new(), sheets: vec![sheet] })
    }

    #[test]
    fn charts_take_any_value_there_is() {
        let money = |text: &str| Value::Money(text.parse().unwrap(), 2);
        let huge = money("79228162514264337593543950335");
        for periods in [false, true] {
            for values in [
                vec![money("-5"), money("10.00"), Value::Unknown, money("0")],
                vec![huge.clone(), money("-79228162514264337593543950335")],
                vec![huge.clone(); 100],
                vec![money("0.0000000000000000000000000001")],
                vec![money("-3")],
            ] {
                let page = of_values(&values, periods);
                assert!(page.contains("<svg role=\"img\""), "{values:?}");
                for rest in page.split(['"', ' ']).filter(|part| part.ends_with('%') && part.len() > 1) {
                    let percent: rust_decimal::Decimal = rest.trim_end_matches('%').parse().unwrap();
                    assert!(percent >= 0.into() && percent <= 100.into(), "{rest} in {values:?}");
                }
            }
            for nothing in [vec![], vec![Value::Unknown], vec![money("0.00"), Value::Empty]] {
                assert!(!of_values(&nothing, periods).contains("<svg"), "{nothing:?}");
            }
        }
        assert!(of_values(&[], false).contains("There is nothing to list."));
        assert!(of_values(&vec![huge; 100], false).contains("and 40 more, in the table"));
    }
}
