//! The organisations, their periods and their rows.

use std::collections::BTreeSet;

use super::*;
use crate::{Section, Statement};

#[test]
fn the_first_organization_is_the_constant() {
    let sandbox = Sandbox::new(1);
    let ids: Vec<OrgId> = sandbox.organizations().map(|(id, _)| id).collect();
    assert_eq!(ids[0].as_str(), ORG_ID);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[test]
fn the_overviews_have_something_for_every_rule() {
    let mut sandbox = Sandbox::new(1).without_quota();
    let organizations: Vec<OrgId> = sandbox.organizations().map(|(id, _)| id).collect();
    let overviews: Vec<Vec<TrusteeOverview>> = organizations
        .iter()
        .map(|id| [0, 1, 2].map(|index| overview(&mut sandbox, id.clone(), index).unwrap()).into())
        .collect();
    let currencies: Vec<_> = overviews.iter().map(|periods| periods[0].currency.clone().unwrap()).collect();
    assert_eq!(currencies, ["USD", "EUR", "JPY", "USD", "USD"]);
    let statements: Vec<Vec<Statement>> =
        overviews.iter().map(|periods| periods.iter().map(Statement::new).collect()).collect();

    for (overview, statement) in overviews.iter().flatten().zip(statements.iter().flatten()) {
        assert!(overview.unknown.is_empty() && (12..=20).contains(&overview.usages().len()));
        let sections: Vec<_> = statement.sections.iter().map(|part| &part.section).collect();
        for section in [
            Section::Users,
            Section::Apps,
            Section::Devices,
            Section::Resources,
            Section::Messaging,
            Section::Storage,
            Section::AiTokens,
            Section::Other("journey-event".into()),
        ] {
            assert!(sections.contains(&&section), "{sections:?}");
        }
        assert!(statement.allowances.iter().all(|allowance| allowance.applied));
        assert!(statement.third_party.known.is_some_and(|sum| !sum.is_zero()));
    }
    let unknown = |organization: usize| {
        let statement = &statements[organization][0];
        let lines = statement.sections.iter().flat_map(|part| &part.lines);
        lines.filter(|line| matches!(line.charge, crate::Charge::Unknown(_))).count()
    };
    // A price is missing, an allowance is missing, a quantity is no number.
    assert_eq!([0, 1, 2, 3, 4].map(unknown), [0, 1, 0, 1, 1]);
    use crate::Verdict::{Applies, Reached};
    let minimum = |organization: usize| statements[organization][0].minimum.as_ref().map(|m| m.verdict);
    assert_eq!([0, 1, 2].map(minimum), [Some(Reached), None, Some(Applies)]);
    let with_overage = statements.iter().flatten().filter(|statement| {
        let mut lines = statement.sections.iter().flat_map(|part| &part.lines);
        lines.any(|line| {
            line.included.is_some_and(|n| !n.is_zero()) && line.overage.is_some_and(|n| !n.is_zero())
        })
    });
    assert!(with_overage.count() >= 5);
    for periods in &overviews {
        assert_ne!(periods[0].usages, periods[1].usages);
    }
}

#[test]
fn periods_count_back_from_the_contracts_day() {
    let mut sandbox = Sandbox::new(1);
    let organizations: Vec<OrgId> = sandbox.organizations().map(|(id, _)| id).collect();
    let mut dates = |organization: usize, index: u32| {
        let overview = overview(&mut sandbox, organizations[organization].clone(), index).unwrap();
        let [start, end] = [overview.billing_period_start_date, overview.billing_period_end_date];
        format!("{} {}", start.unwrap(), end.unwrap())
    };
    // It is the 2nd of November 2026.
    assert_eq!(dates(0, 0), "2026-11-01T00:00:00Z 2026-11-30T23:59:59Z");
    assert_eq!(dates(0, 59), "2021-12-01T00:00:00Z 2021-12-31T23:59:59Z");
    assert_eq!(dates(1, 0), "2026-10-15T00:00:00Z 2026-11-14T23:59:59.999Z");
    assert_eq!(dates(2, 8), "2026-02-28T00:00:00Z 2026-03-27T23:59:59Z");
    // Rotation takes days.
    assert_eq!(dates(3, 0), "2026-10-01T00:00:00Z 2026-10-31T23:59:59Z");
}

#[test]
fn a_period_is_the_same_whatever_its_index() {
    let mut sandbox = Sandbox::new(1);
    let token = token(&mut sandbox, start());
    let mut body = |index: u32, now: DateTime<Utc>| {
        let path = format!("/api/v2/billing/trusteebillingoverview/{ORG_ID}?billingPeriodIndex={index}");
        whole(sandbox.respond(&get(&path, &token), now)).into_body()
    };
    assert_eq!(body(1, start()), body(0, "2026-10-31T23:59:59Z".parse().unwrap()));
}
