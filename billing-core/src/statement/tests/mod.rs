mod comparison;
mod lines;
mod money;
mod trend;

use crate::Amount;
use crate::model::{OverviewUsage, TrusteeOverview};

use super::*;

/// Returns an overview with rows `name|grouping|used|committed|prepay price|overage price`, `-` for a field that was not sent.
fn overview(rows: &[&str]) -> TrusteeOverview {
    let rows = rows.iter().map(|row| {
        let mut cells = row.split('|').map(|cell| (cell != "-").then(|| cell.to_owned()));
        let mut next = || cells.next().flatten();
        OverviewUsage {
            name: next(),
            grouping: next(),
            usage_quantity: next().as_deref().map(Amount::from),
            prepay_quantity: next().as_deref().map(Amount::from),
            prepay_price: next().as_deref().map(Amount::from),
            overage_price: next().as_deref().map(Amount::from),
            ..OverviewUsage::default()
        }
    });
    TrusteeOverview {
        currency: Some("USD".into()),
        usages: Some(rows.collect()),
        ..TrusteeOverview::default()
    }
}

fn statement(rows: &[&str]) -> Statement {
    Statement::new(&overview(rows))
}

fn text(amount: Option<Decimal>) -> String {
    amount.map_or("unknown".into(), |amount| amount.to_string())
}
