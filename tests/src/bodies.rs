//! Bodies to measure with: of any size, the same for the same size, and written as the API writes them.

use std::fmt::Write;

use crate::simulation::Rng;

/// A complete usage report of so many resources in some forty usages, the first of them the largest. Three names in a
/// hundred are not plain ASCII.
pub fn report(resources: usize) -> String {
    let mut rng = Rng::new(SEED);
    let mut left = resources;
    let mut usages = Vec::new();
    for kind in 1..=USAGES {
        let count = if kind == USAGES { left } else { (resources / (4 * kind)).min(left) };
        left -= count;
        let resources: Vec<_> = (0..count).map(|_| resource(&mut rng)).collect();
        usages.push(format!(
            r#"{{"name":"Genesys Cloud {kind}","totalUsage":"{count}.000000","resources":[{}]}}"#,
            resources.join(",")
        ));
    }
    format!(
        r#"{{"id":"4c1fae2d-9d34-4b1c-a2a7-6b1a4f7ddb0e","name":"Billable Usage Report","startDate":"2026-10-03T07:00:00.000Z","endDate":"2026-11-03T06:59:59.999Z","status":"Complete","usages":[{}],"selfUri":"/api/v2/billing/reports/billableusage"}}"#,
        usages.join(",")
    )
}

fn resource(rng: &mut Rng) -> String {
    let n = rng.below(100_000);
    let name = match rng.below(100) {
        0 => format!("zo\u{eb}.o\u{2019}neil{n}@example.com"),
        1 => format!("site\\/{n}\\/desk"),
        2 => format!("\\\"Front Desk\\\" {n}"),
        3..25 => format!("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", n, n % 7919, n % 4093, n % 4091, n * 977),
        25..33 => format!("Polycom VVX 350 - {n:016x}"),
        _ => format!("{}.{}{n}@support.example.net", rng.pick(&FIRST), rng.pick(&LAST)),
    };
    let (day, second, millis) = (rng.below(28) + 1, rng.below(86_400), rng.pick(&[0, 0, 0, 606, 999]));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(r#"{{"name":"{name}","date":"2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"}}"#)
}

/// A trustee billing overview of so many rows.
pub fn overview(rows: usize) -> String {
    let mut rng = Rng::new(SEED);
    let mut usages = String::new();
    for row in 0..rows {
        let (name, unit) =
            (rng.pick(&["Genesys Cloud CX 1", "Agent Copilot", "BYOC Cloud"]), rng.pick(&UNITS));
        let grouping = rng.pick(&["user-license", "resource", "device", "add-on"]);
        let amount = |rng: &mut Rng, most| format!("{}.{:02}0000", rng.below(most), rng.below(100));
        let [used, overage, committed, price, bundle] =
            [100_000, 150, 250, 120, 20].map(|most| amount(&mut rng, most));
        let notes =
            rng.pick(&["", "", "Usage is averaged over the period", "Billed \\\"as used\\\"; see contract"]);
        let (cancellable, third_party) = (rng.permille(300), rng.permille(150));
        let comma = if row == 0 { "" } else { "," };
        // Writing to a `String` does not fail.
        let _ = write!(
            usages,
            r#"{comma}{{"name":"{name} {row}","partNumber":"GC-{row}-NV-CX{row:03}","grouping":"{grouping}","unitOfMeasureType":"{unit}","usageQuantity":"{used}","overagePrice":"{overage}","prepayQuantity":"{committed}","prepayPrice":"{price}","usageNotes":"{notes}","isCancellable":{cancellable},"bundleQuantity":"{bundle}","isThirdParty":{third_party}}}"#
        );
    }
    format!(
        r#"{{"id":"o1","name":"","organization":{{"id":"o1","name":"Contoso Bank EMEA"}},"currency":"USD","enabledProducts":["Genesys Cloud CX 1","BYOC Cloud"],"subscriptionType":"PREPAY_MONTHLY_COMMITMENT","rampPeriodStartDate":"2026-01-03T07:00:00.000Z","rampPeriodEndDate":"2026-04-03T06:59:59.999Z","billingPeriodStartDate":"2026-10-03T07:00:00.000Z","billingPeriodEndDate":"2026-11-03T06:59:59.999Z","usages":[{usages}],"contractAmendmentDate":"2026-05-03T07:00:00.000Z","contractEffectiveDate":"2026-01-03T07:00:00.000Z","contractEndDate":"2029-01-03T06:59:59.999Z","minimumMonthlyAmount":"25000.000000","inRampPeriod":false,"selfUri":"/api/v2/billing/trusteebillingoverview/o1"}}"#
    )
}

const SEED: u64 = 20_261_003;
const USAGES: usize = 40;
const FIRST: [&str; 6] = ["maria", "james", "wei", "priya", "sofia", "kenji"];
const LAST: [&str; 6] = ["smith", "garcia", "mueller", "featherstonehaugh", "novak", "tanaka"];
const UNITS: [&str; 4] = ["named-users", "concurrent-users", "minutes", "gigabytes"];
