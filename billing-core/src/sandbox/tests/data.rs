//! The organisations, their periods and their rows.

use std::collections::BTreeSet;

use super::*;
use crate::{Section, Statement};

#[test]
fn the_first_organization_is_the_constant() {
    let sandbox = Sandbox::new(1);
    let ids: Vec<OrgId> = sandbox.sample_trustors().map(|(id, _)| id).collect();
    assert_eq!(ids[0].as_str(), ORG_ID);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[test]
fn the_overviews_have_something_for_every_rule() {
    let mut sandbox = Sandbox::new(1).without_quota();
    let organizations: Vec<OrgId> = sandbox.sample_trustors().map(|(id, _)| id).collect();
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
        assert!(statement.third_party.amount.is_some_and(|sum| !sum.is_zero()));
    }
    let unknown = |organization: usize| {
        let statement = &statements[organization][0];
        let lines = statement.sections.iter().flat_map(|part| &part.lines);
        lines.filter(|line| matches!(line.charge, crate::Charge::Unknown(_))).count()
    };
    // One price and one allowance are missing, and one quantity is not a number.
    assert_eq!([0, 1, 2, 3, 4].map(unknown), [0, 1, 0, 1, 1]);
    use crate::statement::MinimumStatus::{Applies, Reached};
    let minimum = |organization: usize| statements[organization][0].minimum.as_ref().map(|m| m.status);
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
    let organizations: Vec<OrgId> = sandbox.sample_trustors().map(|(id, _)| id).collect();
    let mut dates = |organization: usize, index: u32| {
        let overview = overview(&mut sandbox, organizations[organization].clone(), index).unwrap();
        let [start, end] = [overview.billing_period_start_date, overview.billing_period_end_date];
        format!("{} {}", start.unwrap(), end.unwrap())
    };
    // The current date is 2 November 2026.
    assert_eq!(dates(0, 0), "2026-11-01T00:00:00Z 2026-11-30T23:59:59Z");
    assert_eq!(dates(0, 59), "2021-12-01T00:00:00Z 2021-12-31T23:59:59Z");
    assert_eq!(dates(1, 0), "2026-10-15T00:00:00Z 2026-11-14T23:59:59.999Z");
    assert_eq!(dates(2, 8), "2026-02-28T00:00:00Z 2026-03-27T23:59:59Z");
    // Here a new period gets index 0 only after some days.
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

#[test]
fn a_partner_has_as_many_trustors_as_it_is_told_and_each_has_60_periods() {
    for (trustors, next_uris, pages) in [(5_000, true, 50), (5_000, false, 50), (201, false, 3), (0, true, 1)]
    {
        let mut sandbox = Sandbox::new(1).without_quota().trustor_count(trustors).next_uris(next_uris);
        let mut found = Vec::new();
        let mut turns = 0;
        let api = sandbox.environment().api().clone();
        let mut rest = Some(Pages::new(TrustorsCall::new(), api, Policy::default()));
        let session = session(&sandbox);
        while let Some(pages) = rest {
            let turn = sandbox.run(Authorized::new(pages, session.clone()), &mut start(), |_| {}).unwrap();
            assert_eq!(turn.page.total, Some(trustors.into()));
            found.extend(turn.page.entities().iter().map(|one| one.organization_id().unwrap().to_owned()));
            rest = turn.rest;
            turns += 1;
        }
        assert_eq!(turns, pages);
        let known: Vec<String> = sandbox.all_trustors().map(|(id, _)| id.to_string()).collect();
        assert_eq!(found, known);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), known.len());
        let names: BTreeSet<_> = sandbox.all_trustors().map(|(_, name)| name).collect();
        assert_eq!(names.len(), known.len());
        for id in found.iter().step_by(997) {
            let id: OrgId = id.parse().unwrap();
            let oldest = overview(&mut sandbox, id.clone(), 59).unwrap();
            assert_eq!(oldest.organization.unwrap().id.as_deref(), Some(id.as_str()));
            assert!(!Statement::new(&overview(&mut sandbox, id.clone(), 0).unwrap()).sections.is_empty());
            assert_eq!(overview(&mut sandbox, id, 60).unwrap_err().kind(), &ErrorKind::NotFound);
        }
    }
}

#[test]
fn the_trustors_and_their_figures_are_drawn_from_the_seed_but_not_their_ids() {
    let last = |seed: u64| {
        let mut sandbox = Sandbox::new(seed).trustor_count(6);
        let (id, name) = sandbox.all_trustors().last().unwrap();
        let usages = overview(&mut sandbox, id.clone(), 0).unwrap().usages;
        let mut beyond = sandbox.trustor_count(5);
        let gone = overview(&mut beyond, id.clone(), 0).unwrap_err();
        assert_eq!(gone.kind(), &ErrorKind::NotFound);
        (id, name, usages)
    };
    let (one, same, other) = (last(1), last(1), last(2));
    assert_eq!(one, same);
    assert_eq!((&one.0, &one.1), (&other.0, &other.1));
    assert_ne!(one.2, other.2);
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let mut sandbox = Sandbox::new(1);
    let token = token(&mut sandbox, start());
    let mut status = |query: &str| {
        let path = format!("/api/v2/orgauthorization/trustors?{query}");
        whole(sandbox.respond(&get(&path, &token), start())).status().as_u16()
    };
    assert_eq!(status("pageSize=200&pageNumber=25"), 200);
    assert_eq!(status("pageNumber=99999999"), 200);
    for query in ["pageSize=201", "pageSize=0", "pageSize=x", "pageNumber=0", "pageNumber=-1"] {
        assert_eq!(status(query), 400, "{query}");
    }
}

#[test]
fn ones_own_organization_is_no_trustor() {
    let mut sandbox = Sandbox::new(1);
    let api = sandbox.environment().api().clone();
    let session = session(&sandbox);
    let own = Exchange::new(OrganizationCall::new(), api, Policy::default());
    let own = sandbox.run(Authorized::new(own, session), &mut start(), |_| {}).unwrap();
    assert_eq!(own.default_country_code.as_deref(), Some("US"));
    assert!(!sandbox.all_trustors().any(|(id, _)| Some(id.as_str()) == own.id.as_deref()));
}
