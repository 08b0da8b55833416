//! Tables and lines that fit the terminal. The table library measures, wraps and aligns. This module decides
//! which columns give way: first the first column wraps, then the least important columns are dropped and
//! named.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, Table, Width};

use super::paint::{TextStyle, UseColor};
use crate::text::printable;

/// The width and colour of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableStyle {
    /// The width of the terminal in columns; `None` if the output is not a terminal.
    pub(crate) width: Option<u16>,
    pub(crate) color: UseColor,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct GridColumn {
    title: String,
    numbers: bool,
    drop_rank: Option<u8>,
}

impl GridColumn {
    /// Creates a column. On a narrow terminal, columns with the highest `drop_rank` are dropped first.
    pub(crate) fn new(title: &str, numbers: bool, drop_rank: Option<u8>) -> Self {
        Self { title: printable(title).into_owned(), numbers, drop_rank }
    }
}

/// A cell. Its text is escaped and cannot control the terminal.
#[derive(Clone, Debug)]
pub(crate) struct GridCell {
    text: String,
    ink: TextStyle,
}

impl GridCell {
    pub(crate) fn new(text: &str, ink: TextStyle) -> Self {
        Self { text: printable(text).into_owned(), ink }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(text, TextStyle::Plain)
    }

    pub(crate) fn empty() -> Self {
        Self::plain("")
    }
}

/// A table of rows and columns.
#[derive(Debug)]
pub(crate) struct Grid {
    columns: Vec<GridColumn>,
    /// True for each column in which any row has text.
    filled: Vec<bool>,
    blocks: Vec<Block>,
}

impl Grid {
    pub(crate) fn new(columns: &[GridColumn]) -> Self {
        let mut titles = bare_table();
        titles.add_row(columns.iter().map(|column| GridCell::new(&column.title, TextStyle::Faint)));
        Self {
            columns: columns.to_vec(),
            filled: vec![false; columns.len()],
            blocks: vec![Block::Rows { indent: 0, table: titles.into() }],
        }
    }

    /// Adds a heading above the rows that follow.
    pub(crate) fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    /// Adds a row with one cell per column. The first cell is indented by `indent`.
    pub(crate) fn row(&mut self, indent: u16, cells: Vec<GridCell>) {
        for (filled, cell) in self.filled.iter_mut().zip(&cells) {
            *filled |= !cell.text.is_empty();
        }
        match self.blocks.last_mut() {
            Some(Block::Rows { indent: same, table }) if *same == indent => {
                table.add_row(cells);
            }
            _ => {
                let mut table = bare_table();
                table.add_row(cells);
                self.blocks.push(Block::Rows { indent, table: table.into() });
            }
        }
    }

    /// Renders the lines, within the terminal width if there is one and if possible.
    pub(crate) fn render(self, look: TableStyle) -> String {
        let mut widths = self.natural_widths();
        let left_out = self.fit_to(&mut widths, look.width.map_or(usize::MAX, usize::from));
        let Self { columns, blocks, .. } = self;
        let mut text = String::new();
        for block in blocks {
            match block {
                Block::Heading(heading) => {
                    text.push('\n');
                    text += &paragraph(&heading, 0, TextStyle::Strong, look);
                }
                Block::Rows { indent, mut table } => {
                    for (shown, (at, column)) in table.column_iter_mut().zip(columns.iter().enumerate()) {
                        let before = if at == 0 { indent } else { GAP };
                        shown.set_padding((before, 0));
                        shown.set_constraint(match widths.get(at) {
                            Some(Some(width)) if at == 0 => fixed_width(*width),
                            Some(Some(width)) => fixed_width(width.saturating_add(GAP.into())),
                            _ => ColumnConstraint::Hidden,
                        });
                        if column.numbers {
                            shown.set_cell_alignment(CellAlignment::Right);
                        }
                    }
                    text += &render_table(*table, look.color);
                }
            }
        }
        if !left_out.is_empty() {
            text.push('\n');
            let note = format!("Columns hidden, the terminal is too narrow: {}.", left_out.join(", "));
            text += &paragraph(&note, 0, TextStyle::Faint, look);
        }
        text
    }

    /// Returns the preferred width of each column, or zero for an empty column.
    fn natural_widths(&self) -> Vec<Option<usize>> {
        let mut widths: Vec<Option<usize>> =
            self.filled.iter().enumerate().map(|(at, filled)| (*filled || at == 0).then_some(0)).collect();
        for block in &self.blocks {
            let Block::Rows { indent, table } = block else { continue };
            for (at, (widest, width)) in widths.iter_mut().zip(table.column_max_content_widths()).enumerate()
            {
                let before = if at == 0 { *indent } else { 0 };
                *widest = widest.map(|widest| widest.max(usize::from(width) + usize::from(before)));
            }
        }
        widths
    }

    /// Narrows the first column and drops others until the table fits. Returns the titles of the dropped
    /// columns.
    fn fit_to(&self, widths: &mut [Option<usize>], limit: usize) -> Vec<String> {
        let all = widths.to_vec();
        let wanted = all.first().copied().flatten().unwrap_or_default();
        let first = loop {
            let others: usize = widths.iter().skip(1).flatten().map(|width| width + usize::from(GAP)).sum();
            let room = limit.saturating_sub(others);
            if room >= wanted.min(MIN_FIRST_WIDTH) {
                break wanted.min(room);
            }
            let shown = self.columns.iter().zip(widths.iter_mut()).filter(|(_, width)| width.is_some());
            let ranked = shown.filter(|(column, _)| column.drop_rank.is_some());
            match ranked.max_by_key(|(column, _)| column.drop_rank) {
                Some((_, width)) => *width = None,
                None => break wanted.min(room.max(MIN_FIRST_WIDTH)),
            }
        };
        if let Some(width) = widths.first_mut() {
            *width = Some(first);
        }
        let taken = all.iter().zip(widths).map(|(before, now)| before.is_some() && now.is_none());
        self.columns
            .iter()
            .zip(taken)
            .filter(|(_, taken)| *taken)
            .map(|(column, _)| column.title.clone())
            .collect()
    }
}

/// Wraps text to the width and indents each line by `indent`.
pub(crate) fn paragraph(text: &str, indent: u16, ink: TextStyle, look: TableStyle) -> String {
    let mut table = bare_table();
    table.add_row([GridCell::new(text, ink)]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((indent, 0));
        if let Some(limit) = look.width {
            column.set_constraint(fixed_width(limit.into()));
        }
    }
    render_table(table, look.color)
}

/// Returns the width of the terminal that the program writes to.
pub(crate) fn terminal_width() -> Option<u16> {
    // Some terminals report a width of 0.
    Table::new().width().filter(|width| *width > 0)
}

/// Rows that are laid out together. The library indents whole columns only, so rows with a different indent
/// form a table of their own. All tables get the same widths in advance, which is also faster than letting
/// the library compute them.
#[derive(Debug)]
enum Block {
    Heading(String),
    Rows { indent: u16, table: Box<Table> },
}

impl From<GridCell> for comfy_table::Cell {
    fn from(GridCell { text, ink }: GridCell) -> Self {
        let cell = Self::new_owned(text);
        match ink {
            TextStyle::Plain => cell,
            TextStyle::Strong => cell.add_attribute(Attribute::Bold),
            TextStyle::Alarm => cell.add_attribute(Attribute::Bold).fg(Color::DarkRed),
            TextStyle::Faint => cell.add_attribute(Attribute::Dim),
        }
    }
}

fn bare_table() -> Table {
    let mut table = Table::new();
    // Do not let the library detect the terminal, its width or colour.
    table.load_style(NOTHING).force_no_tty().style_text_only();
    table
}

fn fixed_width(width: usize) -> ColumnConstraint {
    ColumnConstraint::Absolute(Width::Fixed(u16::try_from(width).unwrap_or(u16::MAX)))
}

fn render_table(mut table: Table, paint: UseColor) -> String {
    if paint.is_on() {
        // Otherwise the library would apply NO_COLOR even with `--color always`.
        crossterm::style::force_color_output(true);
        table.enforce_styling();
    }
    table.trim_fmt() + "\n"
}

const GAP: u16 = 2;
/// The minimum width of the first column; below it, other columns are dropped.
const MIN_FIRST_WIDTH: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn grid() -> Grid {
        let mut grid = Grid::new(&[
            GridColumn::new("Name", false, None),
            GridColumn::new("Part", false, Some(2)),
            GridColumn::new("Used", true, Some(1)),
            GridColumn::new("Charge", true, None),
        ]);
        grid.heading("USERS");
        for (indent, name, charge) in
            [(2, "A name of some length that is long", "5.00"), (4, "漢字", "1234.50")]
        {
            grid.row(
                indent,
                vec![
                    GridCell::plain(name),
                    GridCell::plain("GC-1"),
                    GridCell::new("! 7", TextStyle::Alarm),
                    GridCell::plain(charge),
                ],
            );
        }
        grid
    }

    fn look(width: Option<u16>, color: args::ColorWhen) -> TableStyle {
        TableStyle { width, color: UseColor::new(color, false, None, None) }
    }

    fn plain(width: Option<u16>) -> TableStyle {
        look(width, args::ColorWhen::Never)
    }

    fn columns(line: &str) -> u16 {
        let mut table = Table::new();
        table.add_row([line]);
        table.column_max_content_widths()[0]
    }

    #[test]
    fn numbers_are_right_aligned() {
        assert_eq!(
            grid().render(plain(None)),
            "Name                                  Part  Used   Charge\n\
             \n\
             USERS\n\
             \x20 A name of some length that is long  GC-1   ! 7     5.00\n\
             \x20   漢字                              GC-1   ! 7  1234.50\n"
        );
    }

    #[test]
    fn it_fits_and_says_what_it_leaves_out() {
        for limit in 29..70 {
            let text = grid().render(plain(Some(limit)));
            assert!(text.lines().all(|line| columns(line) <= limit), "{limit}:\n{text}");
            assert!(text.contains("1234.50"));
        }
        let narrow = grid().render(plain(Some(30)));
        assert!(
            narrow.replace('\n', " ").contains("Columns hidden, the terminal is too narrow: Part, Used."),
            "{narrow}"
        );
        assert!(!narrow.contains("GC-1"));
    }

    #[test]
    fn colour_changes_no_alignment() {
        let painted = grid().render(look(None, args::ColorWhen::Always));
        assert!(painted.contains("\x1b[38;5;1m\x1b[1m! 7\x1b[0m"));
        let mut bare = painted;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[38;5;1m", "\x1b[2m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, grid().render(plain(None)));
    }

    #[test]
    fn hostile_names_stay_in_their_cell() {
        let mut grid = grid();
        grid.row(
            2,
            vec![
                GridCell::plain("evil\u{1b}[2J\u{1b}]0;x\u{7}\r\nTotal 0"),
                GridCell::plain("\u{202e}\u{9b}"),
                GridCell::empty(),
                GridCell::plain("1"),
            ],
        );
        let text = grid.render(plain(None));
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'),
            "{text:?}"
        );
        assert_eq!(text.lines().count(), 6);
    }
}
