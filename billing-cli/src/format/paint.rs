//! Colour, where it is wanted.

use crate::args::Color;

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    /// A heading or a total.
    Strong,
    /// What costs extra or is amiss.
    Alarm,
    /// What only explains.
    Faint,
}

/// Whether there is colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    /// `terminal`: whether the result goes to one. `no_color` and `term` are the variables of those names.
    pub(crate) fn new(color: Color, terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Self {
        Self(match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && no_color.unwrap_or_default().is_empty() && term != Some("dumb"),
        })
    }

    pub(crate) const fn is_on(self) -> bool {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_somebody_says_otherwise() {
        let on = |color, terminal, no_color, term| Paint::new(color, terminal, no_color, term).is_on();
        assert!(on(Color::Auto, true, None, Some("xterm")));
        assert!(on(Color::Auto, true, Some(""), None));
        assert!(!on(Color::Auto, true, Some("1"), None));
        assert!(!on(Color::Auto, true, None, Some("dumb")));
        assert!(!on(Color::Auto, false, None, None));
        assert!(on(Color::Always, false, Some("1"), None));
        assert!(!on(Color::Never, true, None, None));
    }
}
