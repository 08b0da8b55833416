//! Rollups: rows that are the total of other rows (B6, B7).

use std::collections::BTreeSet;

use super::row::{OverviewRow, RowRole};

/// The rollups that an overview has, by what decides whether a part belongs to one.
///
/// The server does not send which rollup a part belongs to, so only these two properties are compared.
pub(super) struct Rollups(BTreeSet<RollupKey>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RollupKey {
    third_party: bool,
    ai_tokens: bool,
}

impl Rollups {
    pub(super) fn of(rows: &[OverviewRow<'_>]) -> Self {
        let rollups = rows.iter().filter(|row| row.role == RowRole::Rollup);
        let key = |row: &OverviewRow<'_>| RollupKey {
            third_party: row.is_third_party(),
            ai_tokens: row.is_ai_tokens(),
        };
        Self(rollups.map(key).collect())
    }

    /// Returns true if a rollup was sent that `row`, if it is a part, can belong to (B6).
    ///
    /// The rollup has the same biller: a part that we pay to a third party is in no total of the vendor. A part of AI tokens
    /// belongs only to a rollup of AI tokens. Any other part may belong to any rollup, also to one of AI tokens: the parts
    /// of these often have neither the part number nor the name that would identify them.
    pub(super) fn cover(&self, row: &OverviewRow<'_>) -> bool {
        let was_sent =
            |ai_tokens| self.0.contains(&RollupKey { third_party: row.is_third_party(), ai_tokens });
        was_sent(true) || (was_sent(false) && !row.is_ai_tokens())
    }

    /// Makes other rows of AI tokens parts of the rollup of AI tokens, where there is one (B7).
    ///
    /// Such a row, for example a licence with the part number of AI tokens, counts the same tokens as the rollup. Charging
    /// both would charge the tokens twice.
    pub(super) fn mark_ai_token_parts(&self, rows: &mut [OverviewRow<'_>]) {
        for row in rows.iter_mut().filter(|row| row.role == RowRole::Use && row.is_ai_tokens()) {
            if self.cover(row) {
                row.role = RowRole::Part;
            }
        }
    }
}
