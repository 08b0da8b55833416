//! Tests of the lines, allowances and totals of a statement.

use super::*;

/// Returns the line of row `row`.
fn line(statement: &Statement, row: usize) -> &Line {
    statement.lines().find(|line| line.row == row).unwrap()
}

/// Returns the included quantity, the overage and the charge of row `row`.
fn outcome(statement: &Statement, row: usize) -> [String; 3] {
    let line = line(statement, row);
    [line.included, line.overage, line.charge.amount()].map(text)
}

fn why(statement: &Statement, row: usize) -> String {
    match &line(statement, row).charge {
        Charge::Unknown(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn b01_amounts_are_decimal_from_the_wire_to_the_sum() {
    let s = statement(&["a|device|0.3|0.1|0.1|0.1", "b|device|3|0|1|0.0001"]);
    assert_eq!(outcome(&s, 0), ["0", "0.2", "0.03"]);
    assert_eq!(outcome(&s, 1), ["0", "3", "0.0003"]);
    assert_eq!(text(s.total.amount), "0.0303");
}

#[test]
fn b02_each_grouping_has_its_section() {
    let groupings = [
        ("user-license", "users"),
        ("billable-app-usage-license", "users"),
        ("billable-app-concurrent-license", "users"),
        ("billable-app-org-license", "apps"),
        ("device", "devices"),
        ("resource", "resources"),
        ("messaging", "messaging"),
        ("messaging-usage", "messaging"),
        ("storage", "storage"),
        ("storage-category", "storage"),
        ("rollup", "rollups"),
        (" User-LICENSE\t", "users"),
        ("Quantum-Seats ", "Quantum-Seats"),
        ("-", "no grouping"),
        ("  ", "no grouping"),
    ];
    for (grouping, section) in groupings {
        let s = statement(&[&format!("x|{grouping}|1|0|0|1")]);
        assert_eq!(s.sections.len(), 1);
        assert_eq!(s.sections[0].section.name(), section, "{grouping:?}");
    }
}

#[test]
fn b02_sections_are_ordered_and_an_unknown_grouping_is_one_of_its_own() {
    let s = statement(&[
        "a|new|1|0|0|1",
        "b|storage|1|0|0|1",
        "c|NEW |1|0|0|1",
        "d|user-license|1|0|0|1",
        "e|-|1|0|0|1",
    ]);
    let names: Vec<_> = s.sections.iter().map(|s| (s.section.name(), s.lines.len())).collect();
    assert_eq!(names, [("users", 1), ("storage", 1), ("new", 2), ("no grouping", 1)]);
    assert_eq!(text(s.total.amount), "5");
}

#[test]
fn b03_an_allowance_goes_to_the_row_of_its_name() {
    let s = statement(&["API Requests|resource|120|0|0|2", " api requests |Fair-Use|100|-|-|-"]);
    assert_eq!(outcome(&s, 0), ["100", "20", "40"]);
    assert_eq!(s.lines().count(), 1, "an allowance is no line");
    assert!(s.allowances[0].applied && s.total.is_complete());
}

#[test]
fn b03_an_allowance_for_nothing_is_listed_and_grants_nothing() {
    let s = statement(&["a|resource|5|0|0|1", "b|fair-use|100|-|-|-", "-|fair-use|7|-|-|-"]);
    assert_eq!(outcome(&s, 0), ["0", "5", "5"]);
    assert_eq!(s.allowances.len(), 2);
    assert!(s.allowances.iter().all(|allowance| !allowance.applied));
}

#[test]
fn b03_rows_of_one_name_share_the_grant_and_no_unit_is_given_twice() {
    let s =
        statement(&["a|fair-use|10|-|-|-", "a|resource|6|0|0|1", "a|storage|3|1|0|1", "a|device|9|0|0|1"]);
    assert_eq!(outcome(&s, 1), ["6", "0", "0"]);
    assert_eq!(outcome(&s, 2), ["2", "0", "0"]);
    assert_eq!(outcome(&s, 3), ["2", "7", "7"]);
    // A part takes nothing from the allowance.
    let s = statement(&["a|fair-use|10|-|-|-", "a|rollup-usage|10|-|-|-", "a|rollup|12|0|0|1"]);
    assert_eq!(outcome(&s, 2), ["10", "2", "2"]);
}

#[test]
fn b03_a_grant_shared_with_the_unknown_is_unknown() {
    let s = statement(&["a|fair-use|10|-|-|-", "a|resource|-|0|0|1", "a|storage|3|0|0|1"]);
    assert_eq!(outcome(&s, 2), ["unknown"; 3]);
    assert!(why(&s, 2).contains("shared"));
}

#[test]
fn b03_an_unreadable_or_negative_grant_is_unknown_not_zero() {
    for quantity in [None, Some("lots"), Some("-5")] {
        let mut o = overview(&["a|resource|3|0|0|1", "a|fair-use|-|-|-|-"]);
        o.usages.as_mut().unwrap()[1].usage_quantity = quantity.map(Amount::from);
        assert_eq!(outcome(&Statement::new(&o), 0), ["unknown"; 3], "{quantity:?}");
    }
    // Two allowances of one name add up; the second has its quantity in `prepayQuantity`.
    let s = statement(&["a|fair-use|4|-|-|-", "a|fair-use|-|3|-|-", "a|device|8|0|0|1"]);
    assert_eq!(outcome(&s, 2), ["7", "1", "1"]);
}

#[test]
fn b04_included_comes_on_top_of_the_commitment() {
    for (used, committed, included, overage) in [
        ("10", "4", "3", "3"),
        ("10", "4", "0", "6"),
        ("10", "0", "3", "7"),
        ("7", "4", "3", "0"),
        ("1", "4", "3", "0"),
        ("7.5", "4", "3", "0.5"),
    ] {
        let s = statement(&[
            &format!("a|resource|{used}|{committed}|0|1"),
            &format!("a|fair-use|{included}|-|-|-"),
        ]);
        assert_eq!(outcome(&s, 0)[1], overage, "{used} − {committed} − {included}");
    }
}

#[test]
fn b05_charges_are_exact_and_totals_are_summed_before_rounding() {
    // Each would be displayed as 0.01 and the rounded sum would be 0.03; the exact sum is 0.015.
    let s = statement(&["a|device|1|0|0|0.005", "b|device|1|0|0|0.005", "c|device|1|0|0|0.005"]);
    assert_eq!(text(s.total.amount), "0.015");
    assert_eq!(s.rounded(s.total.amount.unwrap()).to_string(), "0.02");
    assert_eq!(outcome(&statement(&["a|device|12.000000|10|23.74|0.0001"]), 0)[2], "237.4002");
}

#[test]
fn b05_what_does_not_fit_exactly_is_unknown_and_no_panic() {
    let big = "79228162514264337593543950335";
    let long = "0.0000000000000000000000000001";
    for row in [
        format!("a|device|{big}|{big}|{big}|{big}"),
        format!("a|device|{big}|0|0|{big}"),
        format!("a|device|{long}|0|0|{long}"),
        format!("a|device|{big}|{long}|1|1"),
    ] {
        let s = statement(&[&row, "b|device|1|0|0|1"]);
        assert!(why(&s, 0).contains("digits"), "{row}");
        assert_eq!((text(s.total.amount).as_str(), s.total.excluded.len()), ("1", 1));
    }
    // Each charge fits into a decimal and their sum does not: the charge that no longer fits is excluded.
    let s = statement(&[&format!("a|device|{big}|0|0|1"), &format!("b|device|{big}|0|0|1")]);
    assert_eq!((text(s.total.amount).as_str(), s.total.excluded.len()), (big, 1));
    assert!(s.total.excluded[0].reason == UnknownReason::TooManyDigits);
}

#[test]
fn b06_parts_explain_their_total_and_are_never_summed() {
    let s =
        statement(&["Messages|rollup|30|10|1|2", "SMS|rollup-usage|20|0|1|2", "Mail|Rollup-Usage |10|0|1|2"]);
    assert_eq!(text(s.total.amount), "50");
    assert!(s.total.is_complete());
    assert_eq!(line(&s, 1).charge, Charge::InRollup);
    assert_eq!(line(&s, 2).charge, Charge::InRollup);
    // The rollup is one of AI tokens by a part number that its part does not have.
    let s = statement(&["AI Experience Tokens|rollup|30|10|1|2", "Copilot|rollup-usage|20|0|1|2"]);
    assert_eq!(line(&s, 1).charge, Charge::InRollup);
}

#[test]
fn b06_a_part_is_not_explained_by_a_total_that_is_not_its_own() {
    let part = |s: &Statement, row: usize| line(s, row).charge.clone();
    let left_out = Charge::Unknown(UnknownReason::MissingRollup);
    // The part is billed by a third party.
    let mut o = overview(&["Messages|rollup|10|10|1|2", "SMS|rollup-usage|20|0|1|2"]);
    for third_parties in [[true, false], [false, true]] {
        for (row, third_party) in o.usages.as_mut().unwrap().iter_mut().zip(third_parties) {
            row.is_third_party = Some(third_party);
        }
        let s = Statement::new(&o);
        assert_eq!((part(&s, 1), line(&s, 1).rollup_part), (left_out.clone(), true));
        assert!(!s.total.is_complete() || !s.third_party.is_complete());
    }
    o.usages.as_mut().unwrap().iter_mut().for_each(|row| row.is_third_party = Some(true));
    assert_eq!(part(&Statement::new(&o), 1), Charge::InRollup);
    // A row with the part number of AI tokens is not a rollup for that reason, not even of AI tokens.
    let mut o = overview(&[
        "AI Tokens|resource|10|10|1|2",
        "AI Tokens|fair-use|0|-|-|-",
        "SMS|rollup-usage|20|0|1|2",
        "AI Tokens, Copilot|rollup-usage|10|0|1|2",
    ]);
    o.usages.as_mut().unwrap()[0].part_number = Some("GC-170-NV-AITC".into());
    let s = Statement::new(&o);
    assert_eq!((text(s.total.amount), s.total.excluded.len()), ("10".into(), 2));
    assert_eq!((part(&s, 2), part(&s, 3)), (left_out.clone(), left_out.clone()));
    // A row of AI tokens is not a part of another rollup.
    let s = statement(&["Messages|rollup|10|10|1|2", "AI Tokens, Copilot|rollup-usage|10|0|1|2"]);
    assert_eq!(part(&s, 1), left_out);
}

#[test]
fn b06_a_part_without_its_total_is_left_out_and_said() {
    let s = statement(&["SMS|rollup-usage|20|0|1|2", "a|device|1|0|0|1"]);
    assert_eq!(text(s.total.amount), "1");
    assert_eq!(s.total.excluded[0].reason, UnknownReason::MissingRollup);
}

#[test]
fn b07_ai_tokens_are_known_by_part_number_or_words() {
    let section = |name: &str, grouping: &str, part: &str| {
        let mut o = overview(&[&format!("{name}|{grouping}|1|0|0|1")]);
        o.usages.as_mut().unwrap()[0].part_number = Some(part.into());
        Statement::new(&o).sections[0].section.clone()
    };
    assert_eq!(section("x", "resource", "GC-170-NV-AITC"), Section::AiTokens);
    assert_eq!(section("x", "resource", " gc-170-nv-aitc"), Section::AiTokens);
    assert_eq!(section("AI Experience Tokens", "rollup", ""), Section::AiTokens);
    assert_eq!(section("token (AI)", "Rollup", ""), Section::AiTokens);
    assert_eq!(section("Email Tokens", "rollup", ""), Section::Rollups);
    assert_eq!(section("AI Tokenizer", "rollup", ""), Section::Rollups);
    assert_eq!(section("AI Tokens", "resource", ""), Section::Resources);
}

#[test]
fn b07_billable_is_rollup_less_fair_use_less_committed() {
    let s = statement(&[
        "AI Experience Tokens|rollup|1000|200|1|0.5",
        "AI Tokens, Agent Assist|rollup-usage|600|0|1|1",
        "AI Tokens, Copilot|rollup-usage|400|0|1|1",
        "AI Experience Tokens|fair-use|250|-|-|-",
    ]);
    assert_eq!(outcome(&s, 0), ["250", "550", "475"]);
    assert_eq!((s.sections.len(), text(s.total.amount)), (1, "475".into()));
}

#[test]
fn b07_what_an_allowance_of_its_own_covers_a_row_does_not_take_of_that_on_all_ai_tokens() {
    let s = statement(&[
        "Agent Assist AI Tokens|rollup|100|0|1|1",
        "Copilot AI Tokens|rollup|100|0|1|1",
        "Agent Assist AI Tokens|fair-use|30|-|-|-",
        "AI Tokens|fair-use|150|-|-|-",
    ]);
    // The first row draws 30 from the allowance of its name and 70 of the common 150, which leaves 80.
    assert_eq!(outcome(&s, 0), ["100", "0", "0"]);
    assert_eq!(outcome(&s, 1), ["80", "20", "20"]);
}

#[test]
fn b07_beside_their_rollup_other_rows_of_ai_tokens_explain_it() {
    let sent = |rows: &[&str], by_part_number: &[usize]| {
        let mut o = overview(rows);
        for row in by_part_number {
            o.usages.as_mut().unwrap()[*row].part_number = Some("GC-170-NV-AITC".into());
        }
        o
    };
    let rows = [
        "AI Experience Tokens|billable-app-org-license|1500|1000|1|2",
        "AI Experience Tokens|rollup|1500|1000|1|2",
        "Copilot|rollup-usage|1500|0|1|2",
        "AI Experience Tokens|fair-use|250|-|-|-",
    ];
    let mut o = sent(&rows, &[0]);
    let s = Statement::new(&o);
    assert_eq!(outcome(&s, 1), ["250", "250", "1500"]);
    assert_eq!((&line(&s, 0).charge, line(&s, 0).rollup_part), (&Charge::InRollup, true));
    assert_eq!((text(s.total.amount), s.total.is_complete()), ("1500".into(), true));
    // An allowance with the name of a row of AI tokens is for AI tokens as well.
    let s = Statement::new(&sent(
        &["a|resource|9|0|1|2", "AI Tokens|rollup|9|0|1|2", "a|fair-use|4|-|-|-"],
        &[0],
    ));
    assert_eq!((outcome(&s, 1), s.allowances[0].applied), (["4", "5", "10"].map(String::from), true));
    // A third party's rollup is not the total of our part.
    o.usages.as_mut().unwrap()[1].is_third_party = Some(true);
    let s = Statement::new(&o);
    assert_eq!((text(s.total.amount), s.third_party.amount.is_some()), ("1500".into(), true));
    assert_eq!(line(&s, 2).charge, Charge::Unknown(UnknownReason::MissingRollup));
    // A rollup of other rows is not its total either.
    let s =
        Statement::new(&sent(&["AI|resource|9|0|1|2", "Mail|rollup|1|0|0|1", "x|fair-use|9|-|-|-"], &[0, 2]));
    assert_eq!((text(s.total.amount), s.total.is_complete()), ("1".into(), true));
    assert_eq!(line(&s, 0).charge, Charge::Known(Decimal::ZERO));
}

#[test]
fn b07_several_rollups_of_ai_tokens_are_several_totals() {
    let s = statement(&[
        "AI Tokens, Copilot|rollup|30|0|0|1",
        "AI Tokens, Agents|rollup|20|0|0|1",
        "AI Tokens|fair-use|40|-|-|-",
    ]);
    assert_eq!((outcome(&s, 0)[0].as_str(), outcome(&s, 1)), ("30", ["10", "10", "10"].map(String::from)));
    // If the allowance has the name of one of them, the allowance of the other is unknown.
    let s = statement(&[
        "AI Tokens, Copilot|rollup|30|0|0|1",
        "AI Tokens, Agents|rollup|20|0|0|1",
        "AI Tokens, Agents|fair-use|40|-|-|-",
    ]);
    assert_eq!(outcome(&s, 1), ["40", "0", "0"]);
    assert_eq!(s.total.excluded[0].reason, UnknownReason::MissingAllowance);
}

#[test]
fn b03_an_allowance_is_on_the_rows_of_its_name_before_it_is_on_ai_tokens() {
    let s = statement(&["AI Tokens|resource|100|0|0|1", "AI Tokens|fair-use|50|-|-|-"]);
    assert_eq!((outcome(&s, 0), s.allowances[0].applied), (["50", "50", "50"].map(String::from), true));
    // All rows of the name share it, rows of AI tokens included.
    let by_part_number = |rows: &[&str], row: usize| {
        let mut o = overview(rows);
        o.usages.as_mut().unwrap()[row].part_number = Some("GC-170-NV-AITC".into());
        Statement::new(&o)
    };
    let s = by_part_number(
        &["Tokens|resource|100|0|0|1", "Tokens|resource|10|0|0|1", "Tokens|fair-use|110|-|-|-"],
        1,
    );
    assert_eq!((outcome(&s, 0)[0].as_str(), outcome(&s, 1)[0].as_str()), ("100", "10"));
    // An allowance of another name for AI tokens is added.
    let s = by_part_number(
        &[
            "Tokens|resource|100|0|0|1",
            "Tokens|resource|10|0|0|1",
            "Tokens|fair-use|103|-|-|-",
            "AI tokens|fair-use|5|-|-|-",
        ],
        1,
    );
    assert_eq!((outcome(&s, 0)[0].as_str(), outcome(&s, 1)[0].as_str()), ("100", "8"));
    assert_eq!((text(s.total.amount), s.allowances.iter().all(|a| a.applied)), ("2".into(), true));
    // An allowance without rows is not applied.
    let s = statement(&["Tokens|resource|100|0|0|1", "AI Tokens|fair-use|50|-|-|-"]);
    assert_eq!((outcome(&s, 0)[0].as_str(), s.allowances[0].applied), ("0", false));
}

#[test]
fn b03_an_allowance_that_is_named_like_a_part_of_something_else_is_not_on_ai_tokens() {
    let s = statement(&[
        "AI Tokens|rollup|100|0|1|1",
        "Messages|rollup|20|0|1|1",
        "SMS in|rollup-usage|20|0|1|1",
        "SMS in|fair-use|50|-|-|-",
    ]);
    assert!(!s.allowances[0].applied);
    assert_eq!(why(&s, 0), UnknownReason::MissingAllowance.to_string());
}

#[test]
fn a_list_without_rows_has_no_overage_and_no_list_has_none_that_is_known() {
    assert_eq!(statement(&[]).overage_total().amount, Some(Decimal::ZERO));
    assert_eq!(Statement::new(&TrusteeOverview::default()).overage_total().amount, None);
}

#[test]
fn b07_without_a_fair_use_row_the_allowance_is_unknown() {
    let s = statement(&["AI Experience Tokens|rollup|1000|200|1|0.5"]);
    assert_eq!(outcome(&s, 0), ["unknown"; 3]);
    assert!(why(&s, 0).contains("fair-use allowance"));
    // The part number ties an allowance of another name to them.
    let mut o = overview(&["AI Experience Tokens|rollup|1000|200|1|0.5", "Included|fair-use|350|-|-|-"]);
    o.usages.as_mut().unwrap()[1].part_number = Some("GC-170-NV-AITC".into());
    let s = Statement::new(&o);
    assert_eq!(outcome(&s, 0), ["350", "450", "425"]);
    assert!(s.allowances[0].applied);
}

#[test]
fn b08_third_parties_are_summed_apart() {
    let mut o = overview(&["a|device|1|0|0|1", "b|device|1|0|0|10", "c|device|-|0|0|10"]);
    for row in &mut o.usages.as_mut().unwrap()[1..] {
        row.is_third_party = Some(true);
    }
    let s = Statement::new(&o);
    assert_eq!(s.lines().count(), 3);
    assert_eq!((text(s.total.amount), text(s.third_party.amount)), ("1".into(), "10".into()));
    assert!(s.total.is_complete() && s.third_party.excluded.len() == 1);
}

#[test]
fn b08_sections_come_to_the_total_and_show_their_overage_in_it() {
    let mut o = overview(&[
        "a|device|3|1|0.5|2",
        "b|device|1|4|1|9",
        "c|device|-|0|0|10",
        "d|device|1|0|0|10",
        "e|storage|2|0|0|0.25",
        "f|storage|5|0|0|-",
    ]);
    o.usages.as_mut().unwrap()[3].is_third_party = Some(true);
    let s = Statement::new(&o);
    let sums: Vec<_> = s.sections.iter().map(|s| (s.total(), s.overage_total())).collect();
    assert_eq!(text(sums[0].0.amount), "8.5");
    assert_eq!((text(sums[0].1.amount), sums[0].1.excluded.len()), ("4".into(), 1));
    assert_eq!((text(sums[1].0.amount), text(sums[1].1.amount)), ("0.5".into(), "0.5".into()));
    assert_eq!(sums[1].1.excluded[0].reason, UnknownReason::MissingField("overagePrice"));
    assert_eq!(line(&s, 5).overage_charge(), None, "the overage is known, its price is not");
    assert_eq!((text(s.total.amount), text(s.overage_total().amount)), ("9".into(), "4.5".into()));
    assert_eq!(s.overage_total().excluded, s.total.excluded);
    assert_eq!(Statement::new(&TrusteeOverview::default()).overage_total().amount, None);
}

#[test]
fn b03_rows_without_a_name_are_no_namesakes() {
    let s = statement(&["-|device|10|0|0|1", "-|fair-use|10|-|-|-", "-|rollup|3|0|0|1"]);
    assert_eq!(outcome(&s, 0), ["0", "10", "10"]);
    assert!(!s.allowances[0].applied);
    // A row of AI tokens without a name does not draw on every nameless allowance.
    let mut o =
        overview(&["-|rollup|5|0|0|1", "-|fair-use|5|-|-|-", "a|device|7|0|0|1", "A|fair-use|6|-|-|-"]);
    o.usages.as_mut().unwrap()[0].part_number = Some("GC-170-NV-AITC".into());
    let s = Statement::new(&o);
    assert_eq!(why(&s, 0), UnknownReason::MissingAllowance.to_string());
    assert_eq!(s.allowances.iter().map(|a| a.applied).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn sections_print_their_names() {
    assert_eq!(format!("{}|{:>8}|", Section::AiTokens, Section::Users), "AI tokens|   users|");
}

#[test]
fn b08_third_parties_take_of_an_allowance_what_our_own_rows_leave() {
    let mut o = overview(&["a|device|10|0|0|1", "a|device|10|0|0|1", "a|fair-use|12|-|-|-"]);
    o.usages.as_mut().unwrap()[0].is_third_party = Some(true);
    let s = Statement::new(&o);
    assert_eq!((text(s.total.amount), text(s.third_party.amount)), ("0".into(), "8".into()));
}

#[test]
fn b09_a_bundle_is_shown_and_computed_with_by_nobody() {
    let mut o = overview(&["a|device|5|2|1|1"]);
    let without = outcome(&Statement::new(&o), 0);
    o.usages.as_mut().unwrap()[0].bundle_quantity = Some("1000".into());
    let s = Statement::new(&o);
    assert_eq!(outcome(&s, 0), without);
    assert_eq!(line(&s, 0).bundle.as_ref().unwrap().text(), "1000");
}

#[test]
fn b10_a_missing_or_unreadable_figure_is_unknown_and_never_zero() {
    let cases = [
        ("a|device|-|0|1|1", "no usageQuantity"),
        ("a|device|1|-|1|1", "no prepayQuantity"),
        ("a|device|1|1|-|1", "no prepayPrice"),
        // The charge is unknown even if the quantity is exactly zero.
        ("a|device|0|0|1|-", "no overagePrice"),
        ("a|device|1|-|-|1", "no prepayQuantity"),
        ("a|device|n/a|0|1|1", "usageQuantity is \"n/a\""),
        ("a|device|1|0|1|1,5", "overagePrice is \"1,5\""),
        ("a|device|1|0||1", "prepayPrice is \"\""),
    ];
    for (row, reason) in cases {
        let s = statement(&[row]);
        assert!(why(&s, 0).contains(reason), "{row}: {}", why(&s, 0));
        assert_eq!(s.total.amount, None, "nothing known is no total of 0");
        let s = statement(&[row, "b|device|1|0|0|1"]);
        assert_eq!((text(s.total.amount).as_str(), s.total.excluded[0].row), ("1", 0));
    }
}

#[test]
fn b10_the_published_overview_has_an_unknown_charge() {
    let body = r#"{"currency":"USD","usages":[{"name":"PureCloud for Avtex InteractionSync Add-on",
        "partNumber":"PC-170-NV-AVTEXINSY","grouping":"billable-app-usage-license","unitOfMeasureType":"seat",
        "usageQuantity":"0","overagePrice":"23.74","prepayQuantity":"2"}]}"#;
    let s = Statement::new(&serde_json::from_str(body).unwrap());
    assert_eq!(outcome(&s, 0), ["0", "0", "unknown"]);
    assert_eq!(why(&s, 0), "the server sent no prepayPrice");
}

#[test]
fn b10_no_rows_cost_nothing_and_no_list_is_unknown() {
    assert_eq!(text(statement(&[]).total.amount), "0");
    assert_eq!(Statement::new(&TrusteeOverview::default()).total.amount, None);
}

#[test]
fn b11_the_minimum_stands_beside_the_total() {
    let status = |minimum: &str, rows: &[&str]| {
        let mut o = overview(rows);
        o.minimum_monthly_amount = Some(minimum.into());
        let s = Statement::new(&o);
        let minimum = s.minimum.unwrap();
        assert!(!minimum.amount.text().is_empty());
        minimum.status
    };
    let (ten, unknown) = ("a|device|10|0|0|1", "b|device|-|0|0|1");
    assert_eq!(status("10.01", &[ten]), MinimumStatus::Applies);
    assert_eq!(status("10.00", &[ten]), MinimumStatus::Reached);
    assert_eq!(status("9", &[ten, unknown]), MinimumStatus::Reached);
    assert_eq!(status("11", &[ten, unknown]), MinimumStatus::Undecided);
    assert_eq!(status("1", &[unknown]), MinimumStatus::Undecided);
    assert_eq!(status("some", &[ten]), MinimumStatus::Undecided);
    assert_eq!(statement(&[ten]).minimum, None);
}

#[test]
fn b12_tax_and_telco_are_named_as_missing() {
    let note = statement(&[]).not_included;
    assert!(note.contains("Tax") && note.contains("telco"));
}

#[test]
fn b15_an_allowance_that_was_not_sent_is_not_made_up() {
    // The vendor publishes a number of API requests for each licence; none is assumed.
    let s = statement(&["CX 3|user-license|10|10|1|1", "API Requests|resource|120|0|0|2"]);
    assert_eq!(outcome(&s, 1), ["0", "120", "240"]);
    assert!(s.allowances.is_empty());
}

#[test]
fn as_json_amounts_are_texts() {
    let s =
        statement(&["a|device|5|2|1.50|2", "b|device|-|0|1|1", "c|rollup-usage|1|-|-|-", "t|rollup|1|0|1|1"]);
    let json = serde_json::to_value(&s).unwrap();
    let line = &json["sections"][0]["lines"][0];
    assert_eq!((&line["overage"], &line["charge"]), (&"3".into(), &"9".into()));
    assert_eq!(line["prepayPrice"], "1.50");
    let unknown = &json["sections"][0]["lines"][1];
    assert!(unknown["charge"].is_null());
    assert_eq!(unknown["unknownBecause"], "the server sent no usageQuantity");
    assert_eq!(json["sections"][1]["lines"][0]["explainsRollup"], true);
    assert_eq!(json["total"]["known"], "10");
    assert_eq!(json["total"]["leftOut"][0]["because"], "the server sent no usageQuantity");
}

#[test]
fn b04_a_row_is_over_by_its_quantity_whatever_it_costs_and_whoever_bills_it() {
    let mut o = overview(&[
        "within|device|5|5|1|1",
        "over|device|6|5|1|1",
        "free of charge|device|6|5|1|0",
        "without a price|device|6|5|1|-",
        "unknown|device|-|5|1|1",
        "billed by others|device|6|5|1|1",
        "covered|resource|6|5|1|1",
        "covered|fair-use|1|-|-|-",
        "Messages|rollup|9|5|1|1",
        "SMS|rollup-usage|9|0|1|1",
    ]);
    o.usages.as_mut().unwrap()[5].is_third_party = Some(true);
    let s = Statement::new(&o);
    let names = |lines: &mut dyn Iterator<Item = &Line>| -> Vec<String> {
        lines.map(|line| line.name.clone().unwrap()).collect()
    };
    let over = ["over", "free of charge", "without a price", "billed by others", "Messages"];
    assert_eq!(names(&mut s.lines_over()), over);
    assert_eq!(names(&mut s.lines_of_unknown_overage()), ["unknown"]);
    assert_eq!(s.sections.iter().map(|section| section.lines_over().count()).sum::<usize>(), over.len());
    assert_eq!((s.unknown_charges(), s.sections[0].unknown_charges()), (2, 2));
    // A part counts itself if its rollup was not sent.
    assert_eq!(names(&mut statement(&["SMS|rollup-usage|9|0|1|1"]).lines_of_unknown_overage()), ["SMS"]);
}

#[test]
fn b04_overage_is_exact_and_never_negative() {
    let n = |text: &str| text.parse::<Decimal>().unwrap();
    assert_eq!(super::super::overage(n("10"), n("4"), n("3.5")), Some(n("2.5")));
    assert_eq!(super::super::overage(n("1"), n("4"), n("0")), Some(Decimal::ZERO));
    assert_eq!(super::super::overage(Decimal::MAX, n("0.1"), n("0")), None);
    assert!(is_over(Some(n("0.01"))) && !is_over(Some(n("0"))) && !is_over(None));
}

#[test]
fn b11_payable_is_the_greater_of_total_and_minimum() {
    let payable = |minimum: Option<&str>, rows: &[&str]| {
        let mut o = overview(rows);
        o.minimum_monthly_amount = minimum.map(Amount::from);
        text(Statement::new(&o).payable())
    };
    let (ten, unknown) = ("a|device|10|0|0|1", "b|device|-|0|0|1");
    assert_eq!(payable(None, &[ten]), "10");
    assert_eq!(payable(Some("12.5"), &[ten]), "12.5");
    assert_eq!(payable(Some("9"), &[ten]), "10");
    assert_eq!(payable(Some("12"), &[]), "12");
    // An unknown charge is added to the known ones, so that even a minimum that is reached does not settle
    // the amount.
    for minimum in [None, Some("9"), Some("12"), Some("some")] {
        assert_eq!(payable(minimum, &[ten, unknown]), "unknown", "{minimum:?}");
    }
    assert_eq!(text(Statement::new(&TrusteeOverview::default()).payable()), "unknown");
}

#[test]
fn b10_an_empty_list_is_a_list() {
    assert!(statement(&[]).has_rows_list() && statement(&["a|device|-|0|0|1"]).has_rows_list());
    assert!(!Statement::new(&TrusteeOverview::default()).has_rows_list());
}
