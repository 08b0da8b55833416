//! Properties of the statement: for any rows of an overview, each row is counted once and no row is lost.

use std::collections::{BTreeMap, BTreeSet};

use billing_core::Amount;
use billing_core::model::{OverviewUsage, TrusteeOverview};
use billing_core::statement::{Allowance, Charge, CurrencyTotals, Line, Section, Statement, UnknownReason};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Generates a quantity or a price, mostly a number of a few digits, so that all sums are exact.
fn amount() -> impl Strategy<Value = Option<Amount>> {
    let number = (0_i64..100_000, 0_u32..4)
        .prop_map(|(digits, scale)| Amount::from(Decimal::new(digits, scale).to_string().as_str()));
    let odd = prop::sample::select(vec!["", "n/a", "1,5", "-3", "1e2"]).prop_map(Amount::from);
    weighted(0.95, prop_oneof![19 => number, 1 => odd])
}

fn text(choices: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    of(prop::sample::select(choices).prop_map(str::to_owned))
}

prop_compose! {
    fn row()(
        name in text(&["Seats", " seats", "SEATS ", "API Requests", "AI Tokens", "Token pack (AI)", "Storage"]),
        part_number in text(&["P-1", "P-2", "GC-170-NV-AITC", " gc-170-nv-aitc"]),
        grouping in text(&[
            "user-license", "billable-app-org-license", "device", "resource", "messaging", "storage", "fair-use",
            " Fair-Use", "rollup", "ROLLUP", "rollup-usage", "rollup-usage ", "brand-new", "",
        ]),
        amounts in (amount(), amount(), amount(), amount(), amount()),
        is_third_party in weighted(0.4, any::<bool>()),
    ) -> OverviewUsage {
        let mut row = OverviewUsage::default();
        (row.name, row.part_number, row.grouping, row.is_third_party) = (name, part_number, grouping, is_third_party);
        (row.usage_quantity, row.prepay_quantity, row.prepay_price, row.overage_price, row.bundle_quantity) = amounts;
        row
    }
}

fn overview() -> impl Strategy<Value = TrusteeOverview> {
    (prop::collection::vec(row(), 0..14), of(amount())).prop_map(|(rows, minimum)| {
        let mut overview = TrusteeOverview::default();
        overview.currency = Some("EUR".into());
        overview.usages = Some(rows);
        overview.minimum_monthly_amount = minimum.flatten();
        overview
    })
}

/// Trims the text and folds its case, as rules B2 and B3 compare.
fn folded(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_lowercase()
}

/// The target of an allowance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pool {
    Name(String),
    AiTokens,
}

/// A charged line with all allowance targets that cover it.
struct Taker<'a> {
    line: &'a Line,
    pools: Vec<Pool>,
}

impl<'a> Taker<'a> {
    fn all(statement: &'a Statement) -> Vec<Self> {
        let lines = statement
            .sections
            .iter()
            .flat_map(|section| section.lines.iter().map(|line| (&section.section, line)));
        let charged = lines.filter(|(_, line)| !line.rollup_part);
        charged
            .map(|(section, line)| {
                let name = Some(folded(line.name.as_deref())).filter(|name| !name.is_empty());
                let ai_tokens = (*section == Section::AiTokens).then_some(Pool::AiTokens);
                Self { line, pools: name.map(Pool::Name).into_iter().chain(ai_tokens).collect() }
            })
            .collect()
    }
}

/// Returns the target of an allowance by rule B3 or, if no row has the name, by rule B7.
fn pool(statement: &Statement, allowance: &Allowance, takers: &[Taker<'_>]) -> Option<Pool> {
    let name = folded(allowance.name.as_deref());
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let is_ai = folded(allowance.part_number.as_deref()) == "gc-170-nv-aitc"
        || (words.contains(&"ai") && (words.contains(&"token") || words.contains(&"tokens")))
        || statement.sections.iter().filter(|section| section.section == Section::AiTokens).any(|section| {
            !name.is_empty() && section.lines.iter().any(|line| folded(line.name.as_deref()) == name)
        });
    let of_name = Some(Pool::Name(name));
    let of_ai_tokens = is_ai.then_some(Pool::AiTokens);
    [of_name, of_ai_tokens]
        .into_iter()
        .flatten()
        .find(|pool| takers.iter().any(|taker| taker.pools.contains(pool)))
}

fn quantity(allowance: &Allowance) -> Option<Decimal> {
    allowance.quantity.as_ref().and_then(Amount::decimal).filter(|quantity| *quantity >= Decimal::ZERO)
}

fn used_beyond_commitment(line: &Line) -> Option<Decimal> {
    Some(line.used.as_ref()?.decimal()? - line.committed.as_ref()?.decimal()?)
}

proptest! {
    /// The lines and the allowances together are all rows, each once. Every line is either charged or listed as excluded,
    /// except for the parts of a rollup that is present. Each is in one total: the vendor's or that of third parties.
    #[test]
    fn each_row_is_counted_once_and_none_is_lost(overview in overview()) {
        let statement = Statement::new(&overview);
        let mut rows: Vec<usize> = statement.lines().map(|line| line.row).collect();
        rows.extend(statement.allowances.iter().map(|allowance| allowance.row));
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..overview.usages().len()).collect::<Vec<_>>());

        for (third_party, total) in [(false, &statement.total), (true, &statement.third_party)] {
            let lines = || statement.lines().filter(|line| line.third_party == third_party);
            let known: Vec<Decimal> = lines().filter_map(|line| line.charge.amount()).collect();
            let left_out: BTreeSet<usize> =
                lines().filter(|line| matches!(line.charge, Charge::Unknown(_))).map(|line| line.row).collect();
            let listed: Vec<usize> = total.excluded.iter().map(|excluded| excluded.row).collect();
            prop_assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), left_out.clone());
            prop_assert_eq!(listed.len(), left_out.len(), "none is listed twice");
            let parts = lines().filter(|line| line.charge == Charge::InRollup).count();
            prop_assert_eq!(known.len() + left_out.len() + parts, lines().count());
            match total.amount {
                Some(sum) => prop_assert_eq!(sum, known.iter().sum::<Decimal>()),
                None => prop_assert!(known.is_empty() && !left_out.is_empty()),
            }
        }
    }

    /// Rules B4 and B5, computed a second time from the rows.
    #[test]
    fn each_charge_is_what_its_own_row_says(overview in overview()) {
        let statement = Statement::new(&overview);
        for line in statement.lines() {
            let row = &overview.usages()[line.row];
            prop_assert_eq!((&line.name, &line.used), (&row.name, &row.usage_quantity));
            let number = |amount: &Option<Amount>| amount.as_ref().and_then(Amount::decimal);
            if let (Some(included), Some(beyond)) = (line.included, used_beyond_commitment(line)) {
                prop_assert_eq!(line.overage, Some((beyond - included).max(Decimal::ZERO)));
            }
            if let Charge::Known(charge) = line.charge {
                let [committed, prepay_price, overage_price] =
                    [&row.prepay_quantity, &row.prepay_price, &row.overage_price].map(|a| number(a).unwrap());
                prop_assert_eq!(charge, committed * prepay_price + line.overage.unwrap() * overage_price);
            }
        }
    }

    /// Rules B6 and B7: a part is never charged in addition to its rollup, and is excluded if there is no rollup.
    #[test]
    fn a_part_is_charged_with_its_own_total_or_said_to_be_left_out(overview in overview()) {
        let statement = Statement::new(&overview);
        let lines: Vec<(bool, &Line)> = statement
            .sections
            .iter()
            .flat_map(|section| section.lines.iter().map(|line| (section.section == Section::AiTokens, line)))
            .collect();
        for (is_ai, line) in &lines {
            let rollup = |of_ai: bool| lines.iter().any(|(is_ai, other)| {
                other.third_party == line.third_party && *is_ai == of_ai && folded(other.grouping.as_deref()) == "rollup"
            });
            let is_part = match folded(line.grouping.as_deref()).as_str() {
                "rollup" => false,
                "rollup-usage" => true,
                _ => *is_ai && rollup(true),
            };
            prop_assert_eq!(line.rollup_part, is_part, "{:?}", line);
            let has_total = rollup(true) || (!is_ai && rollup(false));
            prop_assert_eq!(line.charge == Charge::InRollup, is_part && has_total, "{:?}", line);
            prop_assert_eq!(line.charge == Charge::Unknown(UnknownReason::MissingRollup), is_part && !has_total, "{:?}", line);
        }
    }

    /// Rule B3: an allowance that is reported as applied is included completely; any other allowance changes nothing.
    #[test]
    fn an_allowance_is_applied_in_full_or_changes_nothing(overview in overview()) {
        let statement = Statement::new(&overview);
        let included = |statement: &Statement| -> Vec<Option<Decimal>> {
            statement.lines().filter(|line| !line.rollup_part).map(|line| line.included).collect()
        };
        let known = |included: &[Option<Decimal>]| included.iter().flatten().sum::<Decimal>();
        for allowance in &statement.allowances {
            let mut others = overview.clone();
            others.usages.as_mut().unwrap().remove(allowance.row);
            let (with, without) = (included(&statement), included(&Statement::new(&others)));
            match quantity(allowance) {
                _ if !allowance.applied => prop_assert_eq!(with, without),
                None => prop_assert!(with.contains(&None), "{:?}", allowance),
                Some(quantity) if !with.contains(&None) => {
                    prop_assert_eq!(known(&with), known(&without) + quantity, "{:?}", allowance);
                }
                Some(_) => {}
            }
        }
    }

    /// Rule B3: the rows that share an allowance together get exactly the granted quantity, for any number of rows.
    #[test]
    fn no_unit_of_an_allowance_is_granted_twice(overview in overview()) {
        let statement = Statement::new(&overview);
        let takers = Taker::all(&statement);
        let mut granted: BTreeMap<Pool, Option<Decimal>> = BTreeMap::new();
        for allowance in &statement.allowances {
            let pool = pool(&statement, allowance, &takers);
            prop_assert_eq!(allowance.applied, pool.is_some(), "{:?}", allowance);
            let Some(pool) = pool else { continue };
            let sum = granted.entry(pool).or_insert(Some(Decimal::ZERO));
            *sum = sum.zip(quantity(allowance)).map(|(a, b)| a + b);
        }
        // Rows of AI tokens connect the allowances on their names with those on all AI tokens.
        let is_tied = |pool: &Pool| granted.contains_key(&Pool::AiTokens)
            && takers.iter().any(|taker| taker.pools.contains(pool) && taker.pools.contains(&Pool::AiTokens));
        let mut groups: BTreeMap<Pool, (Vec<Option<Decimal>>, Vec<&Line>)> = BTreeMap::new();
        let group = |pool: &Pool| if is_tied(pool) { Pool::AiTokens } else { pool.clone() };
        for (pool, grant) in &granted {
            groups.entry(group(pool)).or_default().0.push(*grant);
        }
        for taker in &takers {
            match taker.pools.iter().find(|pool| granted.contains_key(pool)) {
                Some(pool) => groups.get_mut(&group(pool)).unwrap().1.push(taker.line),
                None => {
                    let nothing = if taker.pools.contains(&Pool::AiTokens) { None } else { Some(Decimal::ZERO) };
                    prop_assert_eq!(taker.line.included, nothing);
                }
            }
        }
        for (group, (grants, lines)) in groups {
            let grant: Option<Decimal> = grants.iter().copied().sum();
            let beyond: Option<Vec<Decimal>> = lines.iter().map(|line| used_beyond_commitment(line)).collect();
            let included: Decimal = lines.iter().filter_map(|line| line.included).sum();
            match (grant, beyond) {
                (Some(grant), Some(beyond)) => {
                    let needed: Decimal = beyond.iter().map(|b| (*b).max(Decimal::ZERO)).sum();
                    let over: Decimal = lines.iter().map(|line| line.overage.unwrap()).sum();
                    let least = (needed - grant).max(Decimal::ZERO);
                    prop_assert_eq!(included, grant, "all of it and no more, {:?}", group);
                    // The rest of one allowance may not cover the rows of the other.
                    prop_assert!(over == least || (grants.len() > 1 && over > least && over <= needed), "{:?}", group);
                }
                (Some(grant), None) => prop_assert!(included <= grant),
                (None, _) if grants.len() == 1 => prop_assert!(lines.iter().all(|line| line.included.is_none())),
                (None, _) => {}
            }
        }
    }

    /// A row that shares no allowance with the others adds its own charge and changes nothing else.
    #[test]
    fn one_more_row_adds_what_it_costs(overview in overview(), used in 0_i64..1000, place in any::<prop::sample::Index>()) {
        let before = Statement::new(&overview);
        let mut more = overview;
        let mut row = OverviewUsage::default();
        (row.name, row.grouping) = (Some("something of its own".into()), Some("device".into()));
        row.usage_quantity = Some(Decimal::from(used).into());
        row.prepay_quantity = Some("10".into());
        row.prepay_price = Some("1.5".into());
        row.overage_price = Some("2.25".into());
        let rows = more.usages.as_mut().unwrap();
        rows.insert(place.index(rows.len() + 1), row);
        let after = Statement::new(&more);
        let costs = Decimal::new(15, 0) + Decimal::from((used - 10).max(0)) * Decimal::new(225, 2);
        prop_assert_eq!(after.total.amount, Some(before.total.amount.unwrap_or_default() + costs));
        prop_assert_eq!(after.third_party.amount, before.third_party.amount);
        prop_assert_eq!(after.total.excluded.len(), before.total.excluded.len());
        let charges = |statement: &Statement| {
            let of = |line: &Line| (line.name.clone(), line.included, line.overage, format!("{:?}", line.charge));
            let mut all: Vec<_> = statement.lines().map(of).collect();
            all.sort();
            all
        };
        let mut kept = charges(&after);
        kept.retain(|(name, ..)| name.as_deref() != Some("something of its own"));
        prop_assert_eq!(kept, charges(&before));
    }

    /// The sums of many statements are the sums of their totals, separately for each currency.
    #[test]
    fn sums_by_currency_are_sums(overviews in prop::collection::vec((overview(), 0_usize..3), 0..6)) {
        let currencies = ["EUR", "USD", "JPY"];
        let (mut totals, mut expected) = (CurrencyTotals::default(), BTreeMap::new());
        for (mut overview, currency) in overviews {
            overview.currency = Some(currencies[currency].into());
            let statement = Statement::new(&overview);
            totals.add(&statement);
            let (count, known, left_out) = expected.entry(currencies[currency]).or_insert((0, None, 0));
            *count += 1;
            if let Some(more) = statement.total.amount {
                *known = Some(known.unwrap_or(Decimal::ZERO) + more);
            }
            *left_out += statement.total.excluded.len() + statement.third_party.excluded.len();
        }
        let totals = totals.by_currency();
        prop_assert_eq!(totals.len(), expected.len());
        for total in totals {
            let expected = expected[total.currency.as_deref().unwrap()];
            prop_assert_eq!((total.statements, total.amount, total.excluded), expected);
        }
    }
}
