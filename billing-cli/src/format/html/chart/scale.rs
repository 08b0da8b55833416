//! The scale of a chart.

use rust_decimal::Decimal;

/// The range of values that an axis covers. It includes zero.
pub(super) struct Scale {
    pub(super) low: Decimal,
    pub(super) high: Decimal,
}

impl Scale {
    /// Returns a scale for the values, extended to round numbers on both sides.
    pub(super) fn of(values: impl Iterator<Item = Decimal>) -> Self {
        let (mut low, mut high) = (Decimal::ZERO, Decimal::ZERO);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        let step = step(low, high);
        let whole_steps =
            |value: Decimal| value.checked_div(step).map(|n| n.ceil()).and_then(|n| n.checked_mul(step));
        // A value near the largest `Decimal` has no round number beyond it.
        Self { low: whole_steps(-low).map_or(low, |low| -low), high: whole_steps(high).unwrap_or(high) }
    }

    /// Returns the values that the axis is labelled with.
    pub(super) fn ticks(&self) -> Vec<Decimal> {
        let step = step(self.low, self.high);
        let mut ticks = Vec::new();
        let mut at = self.low;
        while at <= self.high && ticks.len() < MAX_TICKS {
            ticks.push(at.normalize());
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
        ticks
    }

    /// Returns the position of a value between the low end, 0, and the high end, 100. A value off the scale is at its end.
    pub(super) fn position(&self, value: Decimal) -> Decimal {
        // The difference of two values may be beyond the largest `Decimal`; that of their quarters is not.
        let quarter = |value: Decimal| value / Decimal::from(4);
        let (value, span) = (value.clamp(self.low, self.high), quarter(self.high) - quarter(self.low));
        let part = (quarter(value) - quarter(self.low)).checked_div(span).unwrap_or_default();
        part.clamp(Decimal::ZERO, Decimal::ONE) * Decimal::ONE_HUNDRED
    }

    /// Returns the position of a value as an attribute: `62.5%`.
    pub(super) fn percent(&self, value: Decimal) -> String {
        percent(self.position(value))
    }

    /// Returns the distance between two values as an attribute.
    pub(super) fn percent_between(&self, from: Decimal, to: Decimal) -> String {
        percent(self.position(to) - self.position(from))
    }
}

fn percent(position: Decimal) -> String {
    format!("{}%", position.round_dp(3).normalize())
}

/// Returns the distance between two ticks.
fn step(low: Decimal, high: Decimal) -> Decimal {
    round_up(high.max(-low) / Decimal::from(4))
}

/// Returns the smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below the value.
fn round_up(value: Decimal) -> Decimal {
    let mut power = Decimal::ONE;
    while power.checked_mul(Decimal::TEN).is_some_and(|next| next < value) {
        power *= Decimal::TEN;
    }
    while power > Decimal::new(1, 6) && value < power {
        power /= Decimal::TEN;
    }
    let factors = [Decimal::ONE, Decimal::TWO, Decimal::new(25, 1), Decimal::from(5), Decimal::TEN];
    let steps = factors.into_iter().filter_map(|factor| factor.checked_mul(power));
    steps.into_iter().find(|step| *step >= value).unwrap_or(power)
}

const MAX_TICKS: usize = 12;
