//! Text helpers.

pub(crate) use billing_core::values::printable;

/// Formats a count: `1 row`, `2 rows`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
