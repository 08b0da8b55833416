//! The monthly minimum commitment beside the total (B11).

use super::Total;
use crate::Amount;

/// The monthly minimum commitment, and its relation to the total (B11).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MinimumCommitment {
    /// The minimum, as the server sent it.
    pub amount: Amount,
    /// The comparison of the minimum with the total.
    #[serde(rename = "verdict")]
    pub status: MinimumStatus,
}

/// The comparison of the minimum commitment with the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum MinimumStatus {
    /// The total is below it: the minimum is charged.
    Applies,
    /// The total reaches it.
    Reached,
    /// The known charges are below it and others are unknown, or the total or the minimum itself is unknown.
    Undecided,
}

impl MinimumCommitment {
    pub(super) fn new(amount: Amount, total: &Total) -> Self {
        let status = match (total.amount, amount.decimal()) {
            // The unknown charges can only add to it.
            (Some(known), Some(minimum)) if known >= minimum => MinimumStatus::Reached,
            (Some(_), Some(_)) if total.is_complete() => MinimumStatus::Applies,
            _ => MinimumStatus::Undecided,
        };
        Self { amount, status }
    }
}
