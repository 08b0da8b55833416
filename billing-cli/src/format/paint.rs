//! Coloured text.

use crate::args::ColorWhen;

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextStyle {
    Plain,
    /// A heading or a total.
    Strong,
    /// Overage or a problem.
    Alarm,
    /// Explanatory text.
    Faint,
}

/// True if colour is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UseColor(bool);

impl UseColor {
    /// Decides about colour. `terminal` is true if the output is a terminal. `no_color` and `term` are the
    /// variables of those names.
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
