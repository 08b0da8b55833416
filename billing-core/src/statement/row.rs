//! A row of an overview with its role: used and charged, a rollup, a part of one, or an allowance.

use super::{Section, normalized};
use crate::model::OverviewUsage;

/// A row of an overview as the billing rules see it.
pub(super) struct OverviewRow<'a> {
    /// Its position in the overview's `usages`, from 0.
    pub(super) index: usize,
    pub(super) sent: &'a OverviewUsage,
    pub(super) role: RowRole,
    pub(super) section: Section,
    /// The normalized name. Allowances go by it (B3).
    pub(super) name: String,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum RowRole {
    /// Something that is used and charged.
    Use,
    /// A total of other rows, charged for all of them.
    Rollup,
    /// A part of a rollup, not charged itself (B6, B7).
    Part,
    /// An allowance (B3).
    Allowance,
}

impl<'a> OverviewRow<'a> {
    pub(super) fn read((index, sent): (usize, &'a OverviewUsage)) -> Self {
        let grouping = sent.grouping.as_deref().unwrap_or_default();
        let name = normalized(sent.name.as_deref());
        let role = match normalized(Some(grouping)).as_str() {
            FAIR_USE => RowRole::Allowance,
            ROLLUP => RowRole::Rollup,
            ROLLUP_PART => RowRole::Part,
            _ => RowRole::Use,
        };
        let mut section = Section::of_grouping(grouping);
        // AI tokens (B7). The part number decides whatever the grouping is. The name decides only for rollups and their parts,
        // which often come without that part number, and for allowances, where such a name cannot mean anything else. A
        // resource named "AI Tokens" is a metered resource.
        let name_decides = section == Section::Rollups || role == RowRole::Allowance;
        if normalized(sent.part_number.as_deref()) == AI_TOKENS_PART
            || (name_decides && names_ai_tokens(&name))
        {
            section = Section::AiTokens;
        }
        Self { index, sent, role, section, name }
    }

    pub(super) fn is_third_party(&self) -> bool {
        self.sent.is_third_party == Some(true)
    }

    /// Returns true if the row has a charge of its own. Parts and allowances have none.
    pub(super) fn is_charged(&self) -> bool {
        matches!(self.role, RowRole::Use | RowRole::Rollup)
    }

    pub(super) fn is_ai_tokens(&self) -> bool {
        self.section == Section::AiTokens
    }
}

/// Returns true if a normalized name has "AI" and "Token" as words, in any order (B7). "AI Tokenizer" has not.
fn names_ai_tokens(name: &str) -> bool {
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.clone().any(|word| word == "ai") && words.any(|word| word == "token" || word == "tokens")
}

/// The groupings that decide a row's role, normalized.
const FAIR_USE: &str = "fair-use";
pub(super) const ROLLUP: &str = "rollup";
pub(super) const ROLLUP_PART: &str = "rollup-usage";
/// The part number of AI tokens, normalized.
const AI_TOKENS_PART: &str = "gc-170-nv-aitc";
