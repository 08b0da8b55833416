//! Colour, where it is wanted.

use crate::args::ColorWhen;

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextStyle {
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
pub(crate) struct UseColor(bool);

impl UseColor {
    /// `terminal`: whether the result goes to one. `no_color` and `term` are the variables of those names.
    pub(crate) fn new(color: ColorWhen, terminal: bool, no_color: Option<&str>, term: Option<&str>) -> Self {
        Self(match color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && no_color.unwrap_or_default().is_empty() && term != Some("dumb"),
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
        let on = |color, terminal, no_color, term| UseColor::new(color, terminal, no_color, term).is_on();
        assert!(on(ColorWhen::Auto, true, None, Some("xterm")));
        assert!(on(ColorWhen::Auto, true, Some(""), None));
        assert!(!on(ColorWhen::Auto, true, Some("1"), None));
        assert!(!on(ColorWhen::Auto, true, None, Some("dumb")));
        assert!(!on(ColorWhen::Auto, false, None, None));
        assert!(on(ColorWhen::Always, false, Some("1"), None));
        assert!(!on(ColorWhen::Never, true, None, None));
    }
}
