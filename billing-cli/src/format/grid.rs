//! Columns that fit the terminal: the first gives way by wrapping, then the less important ones are left out, by name.

use super::paint::{Ink, Paint};
use crate::text::{printable, width, wrapped};

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    title: &'static str,
    numbers: bool,
    rank: Option<u8>,
}

impl Column {
    pub(crate) const fn text(title: &'static str) -> Self {
        Self { title, numbers: false, rank: None }
    }

    pub(crate) const fn numbers(title: &'static str) -> Self {
        Self { numbers: true, ..Self::text(title) }
    }

    /// The same column, left out where there is no room: those with the highest rank first.
    pub(crate) const fn rank(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }
}

/// A cell. What it shows cannot steer the terminal, wherever it came from.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    ink: Ink,
}

impl Cell {
    pub(crate) fn new(text: &str, ink: Ink) -> Self {
        Self { text: printable(text).into_owned(), ink }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(text, Ink::Plain)
    }

    pub(crate) fn empty() -> Self {
        Self::plain("")
    }
}

/// Rows under columns.
#[derive(Debug)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Heading(Cell),
    Cells(Vec<Cell>),
}

impl Grid {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// A line of its own above the rows that follow.
    pub(crate) fn heading(&mut self, text: &str) {
        self.rows.push(Row::Heading(Cell::new(text, Ink::Strong)));
    }

    /// A row: a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row::Cells(cells));
    }

    /// The lines, in at most `limit` columns where there is a limit and that can be.
    pub(crate) fn render(&self, limit: Option<usize>, paint: Paint) -> String {
        let natural: Vec<usize> = (0..self.columns.len()).map(|at| self.natural_width(at)).collect();
        let (shown, flexible) = self.fit(&natural, limit.unwrap_or(usize::MAX));
        let widths: Vec<usize> = shown
            .iter()
            .map(|&at| if at == 0 { flexible } else { natural.get(at).copied().unwrap_or_default() })
            .collect();

        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell::new(column.title, Ink::Faint)).collect();
        let mut lines = self.lines_of(&titles, &shown, &widths, paint);
        for row in &self.rows {
            match row {
                Row::Heading(cell) => {
                    lines.push(String::new());
                    let all = limit.unwrap_or(usize::MAX);
                    lines.extend(wrapped(&cell.text, all).iter().map(|line| paint.apply(cell.ink, line)));
                }
                Row::Cells(cells) => lines.extend(self.lines_of(cells, &shown, &widths, paint)),
            }
        }
        let left_out: Vec<&str> = (0..self.columns.len())
            .filter(|at| !shown.contains(at) && natural.get(*at).is_some_and(|width| *width > 0))
            .filter_map(|at| self.columns.get(at).map(|column| column.title))
            .collect();
        if !left_out.is_empty() {
            lines.push(String::new());
            let note = format!("Not shown in this width: {}.", left_out.join(", "));
            let note = wrapped(&note, limit.unwrap_or(usize::MAX));
            lines.extend(note.iter().map(|line| paint.apply(Ink::Faint, line)));
        }
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The width that a column would like to have; nothing for one that has nothing to show.
    fn natural_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| match row {
            Row::Cells(cells) => cells.get(at),
            Row::Heading(_) => None,
        });
        let widest = cells.map(|cell| width(&cell.text)).max().unwrap_or_default();
        match (self.columns.get(at), widest) {
            (Some(column), 1..) => widest.max(width(column.title)),
            _ => 0,
        }
    }

    /// Which columns are shown, and the width of the first.
    fn fit(&self, natural: &[usize], limit: usize) -> (Vec<usize>, usize) {
        let mut shown: Vec<usize> = (0..self.columns.len())
            .filter(|at| *at == 0 || natural.get(*at).is_some_and(|width| *width > 0))
            .collect();
        let wanted = natural.first().copied().unwrap_or_default();
        loop {
            let others: usize = shown.iter().skip(1).filter_map(|at| natural.get(*at)).map(|w| w + GAP).sum();
            let room = limit.saturating_sub(others);
            if room >= wanted.min(LEAST_FIRST) {
                return (shown, wanted.min(room));
            }
            let rank = |at: usize| self.columns.get(at).and_then(|column| column.rank);
            let next = shown.iter().copied().filter(|at| rank(*at).is_some()).max_by_key(|at| rank(*at));
            let Some(next) = next else {
                return (shown, wanted.min(room.max(LEAST_FIRST)));
            };
            shown.retain(|at| *at != next);
        }
    }

    fn lines_of(&self, cells: &[Cell], shown: &[usize], widths: &[usize], paint: Paint) -> Vec<String> {
        let empty = Cell::empty();
        let first = cells.first().unwrap_or(&empty);
        let first_width = widths.first().copied().unwrap_or_default();
        // A continued name is set in, so that it does not look like another.
        let indent = first.text.chars().take_while(|c| *c == ' ').count();
        let parts = wrapped(first.text.trim_start(), first_width.saturating_sub(indent));
        parts
            .iter()
            .enumerate()
            .map(|(nth, part)| {
                let part = format!("{}{part}", " ".repeat(indent));
                let mut line = paint.apply(first.ink, &part);
                line += &" ".repeat(first_width.saturating_sub(width(&part)));
                if nth > 0 {
                    return line;
                }
                for (at, wide) in shown.iter().zip(widths).skip(1) {
                    let cell = cells.get(*at).unwrap_or(&empty);
                    let pad = " ".repeat(wide.saturating_sub(width(&cell.text)));
                    let text = paint.apply(cell.ink, &cell.text);
                    line += &" ".repeat(GAP);
                    let numbers = self.columns.get(*at).is_some_and(|column| column.numbers);
                    line += &if numbers { pad + &text } else { text + &pad };
                }
                line
            })
            .collect()
    }
}

const GAP: usize = 2;
/// Before the first column gets less than this, others are left out.
const LEAST_FIRST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    fn grid() -> Grid {
        let mut grid = Grid::new(&[
            Column::text("Name"),
            Column::text("Part").rank(2),
            Column::numbers("Used").rank(1),
            Column::numbers("Charge"),
        ]);
        grid.heading("USERS");
        for (name, charge) in [("  A name of some length that is long", "5.00"), ("  b", "1234.50")] {
            grid.row(vec![
                Cell::plain(name),
                Cell::plain("GC-1"),
                Cell::new("! 7", Ink::Alarm),
                Cell::plain(charge),
            ]);
        }
        grid
    }

    fn plain() -> Paint {
        Paint::new(Color::Never, false, None, None)
    }

    #[test]
    fn numbers_are_right_aligned() {
        assert_eq!(
            grid().render(None, plain()),
            "Name                                  Part  Used   Charge\n\
             \n\
             USERS\n\
             \x20 A name of some length that is long  GC-1   ! 7     5.00\n\
             \x20 b                                   GC-1   ! 7  1234.50\n"
        );
    }

    #[test]
    fn it_fits_and_says_what_it_leaves_out() {
        for limit in 29..70 {
            let text = grid().render(Some(limit), plain());
            assert!(text.lines().all(|line| width(line) <= limit), "{limit}:\n{text}");
            assert!(text.contains("1234.50"));
        }
        let narrow = grid().render(Some(30), plain());
        assert!(narrow.replace('\n', " ").contains("Not shown in this width: Part, Used."), "{narrow}");
        assert!(!narrow.contains("GC-1"));
    }

    #[test]
    fn colour_changes_no_alignment() {
        let painted = grid().render(None, Paint::new(Color::Always, false, None, None));
        assert!(painted.contains("\x1b[1;31m! 7\x1b[0m"));
        let mut bare = painted;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[2m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, grid().render(None, plain()));
    }

    #[test]
    fn hostile_names_stay_in_their_cell() {
        let mut grid = grid();
        grid.row(vec![
            Cell::plain("evil\u{1b}[2J\u{1b}]0;x\u{7}\r\nTotal 0"),
            Cell::plain("\u{202e}\u{9b}"),
            Cell::empty(),
            Cell::plain("1"),
        ]);
        let text = grid.render(None, plain());
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'),
            "{text:?}"
        );
        assert_eq!(text.lines().count(), 6);
    }
}
