//! Allowances: `fair-use` rows, and how the rows that they apply to draw on them (B3, B7).

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::row::{OverviewRow, RowRole};
use super::{Section, UnknownReason, checked_sum};
use crate::Amount;
use crate::model::OverviewUsage;

/// A `fair-use` row: an allowance for the rows of the same name (B3), or for AI tokens (B7).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Allowance {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// Its name, which is the name of the rows that it applies to.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// The quantity that it grants, as the server sent it.
    pub quantity: Option<Amount>,
    /// True if the overview has a row that it applies to.
    pub applied: bool,
}

impl Allowance {
    /// Returns the allowance, also where it applies to no row, so that none is lost; `None` for a row of another role.
    pub(super) fn read(row: &OverviewRow<'_>, pools: &AllowancePools) -> Option<Self> {
        (row.role == RowRole::Allowance).then(|| Self {
            row: row.index,
            name: row.sent.name.clone(),
            part_number: row.sent.part_number.clone(),
            unit: row.sent.unit_of_measure_type.clone(),
            quantity: quantity_sent(row.sent).cloned(),
            applied: pools.applied.contains(&row.index),
        })
    }
}

/// The allowances of an overview while its rows draw on them.
///
/// Allowances for the same rows are one pool. Rows draw one after the other with [`AllowancePools::draw`].
pub(super) struct AllowancePools {
    pools: BTreeMap<PoolKey, AllowancePool>,
    /// The indexes of the allowance rows that are in a pool.
    applied: BTreeSet<usize>,
}

/// The rows that a pool is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum PoolKey {
    /// All charged rows with this normalized name (B3).
    Name(String),
    /// All charged rows of AI tokens (B7).
    AiTokens,
}

struct AllowancePool {
    left: Result<Decimal, UnknownReason>,
    /// The number of rows that have not drawn on it yet.
    waiting: usize,
}

impl AllowancePools {
    pub(super) fn of(rows: &[OverviewRow<'_>]) -> Self {
        // Only rows that are charged draw. A part does not: its rollup draws for it.
        let mut waiting: BTreeMap<PoolKey, usize> = BTreeMap::new();
        for key in rows.iter().filter(|row| row.is_charged()).flat_map(pool_keys) {
            *waiting.entry(key).or_default() += 1;
        }
        // A part of AI tokens draws nothing itself, but an allowance of its name is for AI tokens all the same (B7), also
        // where the rollup that draws has another name.
        let is_ai_tokens = |row: &&OverviewRow<'_>| row.role != RowRole::Allowance && row.is_ai_tokens();
        let ai_tokens_names: BTreeSet<&str> =
            rows.iter().filter(is_ai_tokens).map(|row| row.name.as_str()).filter(|n| !n.is_empty()).collect();

        let (mut pools, mut applied) = (BTreeMap::new(), BTreeSet::new());
        for row in rows.iter().filter(|row| row.role == RowRole::Allowance) {
            // The name comes first (B3). An allowance for AI tokens is for all of them only where no charged row has its name.
            let by_shared_name = ai_tokens_names.contains(row.name.as_str()).then_some(PoolKey::AiTokens);
            let key = pool_keys(row).chain(by_shared_name).find_map(|key| waiting.get_key_value(&key));
            let Some((key, &waiting)) = key else { continue };
            applied.insert(row.index);
            let quantity = quantity_granted(row.sent).ok_or(UnknownReason::UnreadableAllowance);
            let pool = pools.entry(key.clone()).or_insert(AllowancePool { left: Ok(Decimal::ZERO), waiting });
            // Two allowances for the same rows add up.
            pool.left = match (&pool.left, quantity) {
                (Ok(a), Ok(b)) => checked_sum(*a, b).ok_or(UnknownReason::TooManyDigits),
                (Err(reason), _) => Err(reason.clone()),
                (_, Err(reason)) => Err(reason),
            };
        }
        Self { pools, applied }
    }

    /// Returns the quantity that is included for `row`, which uses `beyond` its commitment, and takes it from the pools.
    ///
    /// A row of AI tokens draws on the pool of its name first and on the common pool for the rest.
    pub(super) fn draw(
        &mut self,
        row: &OverviewRow<'_>,
        beyond: Option<Decimal>,
    ) -> Result<Decimal, UnknownReason> {
        let mut needed = beyond.map(|beyond| beyond.max(Decimal::ZERO));
        let mut included = None;
        for key in pool_keys(row) {
            let Some(pool) = self.pools.get_mut(&key) else { continue };
            let drawn = pool.draw(needed);
            needed = needed.zip(drawn.as_ref().ok()).and_then(|(needed, drawn)| checked_sum(needed, -*drawn));
            // The last row of a pool takes more than it needs.
            needed = needed.map(|needed| needed.max(Decimal::ZERO));
            included = Some(match included.unwrap_or(Ok(Decimal::ZERO)) {
                Ok(before) => {
                    drawn.and_then(|drawn| checked_sum(before, drawn).ok_or(UnknownReason::TooManyDigits))
                }
                Err(reason) => Err(reason),
            });
        }
        included.unwrap_or(match row.section {
            // AI tokens always have an allowance. Where none was sent it is unknown: the published 250 or 350 are not
            // assumed (B7, B15).
            Section::AiTokens => Err(UnknownReason::MissingAllowance),
            _ => Ok(Decimal::ZERO),
        })
    }
}

impl AllowancePool {
    /// Returns the quantity for a row that needs `needed`.
    ///
    /// A row takes what it needs and leaves the rest to the next one. The last one takes all that is left: the only row of
    /// an allowance then shows the whole allowance as included, also where it uses less.
    fn draw(&mut self, needed: Option<Decimal>) -> Result<Decimal, UnknownReason> {
        self.waiting = self.waiting.saturating_sub(1);
        let left = self.left.clone()?;
        if self.waiting == 0 {
            return Ok(left);
        }
        let Some(needed) = needed else {
            // The need of this row is unknown, and so is what it leaves to the others.
            self.left = Err(UnknownReason::SharedAllowance);
            return Err(UnknownReason::SharedAllowance);
        };
        let drawn = needed.min(left);
        self.left = checked_sum(left, -drawn).ok_or(UnknownReason::TooManyDigits);
        Ok(drawn)
    }
}

/// Returns the pools that a row draws on, or as an allowance fills: that of its name, and that of AI tokens.
///
/// A row without a name is in no pool of a name: two such rows have nothing in common (B3).
fn pool_keys(row: &OverviewRow<'_>) -> impl Iterator<Item = PoolKey> {
    let name = (!row.name.is_empty()).then(|| PoolKey::Name(row.name.clone()));
    name.into_iter().chain(row.is_ai_tokens().then_some(PoolKey::AiTokens))
}

/// Returns the quantity of an allowance as the server sent it: its `usageQuantity`, or its `prepayQuantity` without one.
fn quantity_sent(row: &OverviewUsage) -> Option<&Amount> {
    row.usage_quantity.as_ref().or(row.prepay_quantity.as_ref())
}

/// Returns the quantity of an allowance where it can be granted. A negative one would raise the overage, so it counts as
/// unreadable.
fn quantity_granted(row: &OverviewUsage) -> Option<Decimal> {
    quantity_sent(row)?.decimal().filter(|quantity| *quantity >= Decimal::ZERO)
}
