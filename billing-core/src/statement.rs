//! The statement: what the rows of an overview mean and what they come to.
//!
//! The server sends quantities and prices, no sums. What they add up to follows rules that the vendor publishes in prose
//! and that the applications on this data do not agree on; the decisions are in the
//! [billing rules](crate::guide::billing_rules), and the comments here cite them by number.
//!
//! ```
//! use billing_core::{SimulatedCharge, Section, Statement};
//! use billing_core::model::TrusteeOverview;
//!
//! let overview: TrusteeOverview = serde_json::from_str(r#"{"currency":"USD","usages":[
//!     {"name":"CX 2","grouping":"user-license","unitOfMeasureType":"seat",
//!      "usageQuantity":"13","prepayQuantity":"10","prepayPrice":"75.00","overagePrice":"85.50"}]}"#)?;
//! let statement = Statement::new(&overview);
//!
//! let users = &statement.sections[0];
//! assert_eq!(users.section, Section::Users);
//! let line = &users.lines[0];
//! assert_eq!(line.overage.unwrap().to_string(), "3");
//! // 10 × 75.00 + 3 × 85.50, exactly.
//! assert_eq!(line.charge.amount().unwrap().to_string(), "1006.5");
//! assert_eq!(statement.total.known, line.charge.amount());
//! assert_eq!(statement.rounded(line.charge.amount().unwrap()).to_string(), "1006.50");
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::model::{OverviewUsage, TrusteeOverview};
use crate::{Amount, Timestamp};

/// What an overview comes to, line by line and in sum, with what could not be computed and why.
///
/// All sums are exact; nothing is rounded before [`Statement::rounded`] is asked to. What is serialized has amounts as
/// texts, so that no reader turns them into binary floats.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Statement {
    /// The currency of all prices and charges, as the server named it.
    pub currency: Option<String>,
    /// When the billing period begins.
    pub period_start: Option<Timestamp>,
    /// When the billing period ends, inclusive.
    pub period_end: Option<Timestamp>,
    /// The rows by section, in a fixed order of sections and in the server's order within each. None is empty.
    pub sections: Vec<SectionLines>,
    /// The `fair-use` rows, which are neither a use nor a charge (rule B3), with whether they found what they are for.
    pub allowances: Vec<Allowance>,
    /// What the vendor charges.
    pub total: Total,
    /// What others bill, apart (rule B8).
    pub third_party: Total,
    /// The monthly minimum, where one was agreed (rule B11).
    pub minimum: Option<Minimum>,
    /// What is in none of this (rule B12).
    pub not_included: &'static str,
}

/// The lines of one section.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct SectionLines {
    /// Which section.
    pub section: Section,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// What sort of thing a row is about (rules B2 and B7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Section {
    /// Licences of users.
    Users,
    /// Licences of whole organisations for an application.
    Apps,
    /// Devices.
    Devices,
    /// Metered resources.
    Resources,
    /// Messages.
    Messaging,
    /// Storage.
    Storage,
    /// AI tokens.
    AiTokens,
    /// Totals of other things, and their parts.
    Rollups,
    /// A grouping that is new to us, as the server named it: never dropped.
    Other(String),
    /// Rows without a grouping.
    Ungrouped,
}

/// One row and what it comes to.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Line {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// What it is.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The grouping as it came.
    pub grouping: Option<String>,
    /// The unit of its quantities.
    pub unit: Option<String>,
    /// Whether others bill it.
    pub third_party: bool,
    /// How much was used, as it came.
    pub used: Option<Amount>,
    /// How much was committed to, as it came.
    pub committed: Option<Amount>,
    /// The price of one committed unit, as it came.
    pub prepay_price: Option<Amount>,
    /// The price of one unit of overage, as it came.
    pub overage_price: Option<Amount>,
    /// A multiplier by the schema: shown, never computed with (rule B9).
    pub bundle: Option<Amount>,
    /// Remarks of the vendor.
    pub notes: Option<String>,
    /// What an allowance grants it on top of the commitment (rule B3); `None` where that is unknown, or the line explains
    /// another.
    #[serde(serialize_with = "optional_text")]
    pub included: Option<Decimal>,
    /// What was used beyond committed and included (rule B4); `None` where that is unknown, or the line explains another.
    #[serde(serialize_with = "optional_text")]
    pub overage: Option<Decimal>,
    /// Whether it is a part that explains a total (rules B6 and B7), so that it has neither an overage nor a charge of its own;
    /// also where its total was not sent.
    #[serde(skip)]
    pub explains_rollup: bool,
    /// What it costs.
    #[serde(flatten)]
    pub charge: Charge,
}

/// What a line costs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Charge {
    /// committed × prepay price + overage × overage price, exactly (rule B5).
    Known(Decimal),
    /// It cannot be computed. That is not zero (rule B10).
    Unknown(Unknown),
    /// The line is a part that explains a total, and is charged with it (rule B6).
    InRollup,
}

/// Why a charge is unknown. `Display` is a phrase such as `no prepayPrice was sent`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// The server did not send this field.
    Missing(&'static str),
    /// This field is no number, or has more digits than can be computed with exactly.
    NotANumber(&'static str, Amount),
    /// The allowance on AI tokens was not sent, and is not to be guessed (rule B7).
    NoAllowance,
    /// The quantity of the allowance is missing or no number.
    UnreadableAllowance,
    /// The allowance is shared with an earlier row whose own need is unknown.
    SharedAllowance,
    /// The result has more digits than can be held exactly.
    TooLong,
    /// It is a part of a total that was not sent, so that nothing charges it.
    NoRollup,
}

/// A `fair-use` row: an allowance on the rows of the same name, or on AI tokens (rules B3 and B7).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Allowance {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// What it is an allowance on.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// How much it grants, as it came.
    pub quantity: Option<Amount>,
    /// Whether the overview has a row that it applies to.
    pub applied: bool,
}

/// A sum of charges.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Total {
    /// The exact sum of the charges that are known. `None` where there is nothing to add up: no list of rows was sent, or
    /// there are rows and the charge of none is known.
    #[serde(serialize_with = "optional_text")]
    pub known: Option<Decimal>,
    /// The rows that are not in it, because their charge is unknown (rule B10).
    pub left_out: Vec<LeftOut>,
}

/// A row that a total leaves out.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LeftOut {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// Its name.
    pub name: Option<String>,
    /// Why.
    pub because: Unknown,
}

/// The monthly minimum beside the total (rule B11).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Minimum {
    /// The minimum as it came.
    pub amount: Amount,
    /// Whether it is what will be charged.
    pub verdict: Verdict,
}

/// Whether the minimum is charged instead of the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Verdict {
    /// The total is under it: the minimum is what will be charged.
    Applies,
    /// The total reaches it.
    Reached,
    /// What is known stays under it but leaves rows out, or one of the two is unknown.
    Undecided,
}

/// Rule B12, for under every total.
pub const NOT_INCLUDED: &str = "Tax and telco usage are not included.";

impl Statement {
    /// Computes the statement of an overview.
    ///
    /// Several rows that share an allowance each take what they need of it in the order in which the server sent them, those
    /// of third parties after the others, and the last takes the rest, so that no unit is granted twice.
    pub fn new(overview: &TrusteeOverview) -> Self {
        let mut rows: Vec<Row<'_>> = overview.usages().iter().enumerate().map(Row::read).collect();
        let rollups = Rollups::of(&rows);
        // Rule B7: beside the total of AI tokens, what else there is of them explains it.
        for row in rows.iter_mut().filter(|row| row.kind == Kind::Use && row.is_of_ai_tokens()) {
            if rollups.explained_by(row) {
                row.kind = Kind::Part;
            }
        }
        let mut grants = Grants::of(&rows);

        // What others bill takes of an allowance only what our own rows leave, wherever the server lists it.
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        for third_party in [false, true] {
            for row in rows.iter().filter(|row| row.is_charged() && row.is_third_party() == third_party) {
                outcomes.insert(row.index, Outcome::of(row, &mut grants));
            }
        }

        let mut sections: BTreeMap<Section, SectionLines> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.kind != Kind::Allowance) {
            let outcome = outcomes.remove(&row.index).unwrap_or_else(|| match rollups.explained_by(row) {
                true => Outcome::explains(Charge::InRollup),
                // Without its total it would vanish from the sum unseen.
                false => Outcome::explains(Charge::Unknown(Unknown::NoRollup)),
            });
            sections
                .entry(row.section.folded())
                .or_insert_with(|| SectionLines { section: row.section.clone(), lines: Vec::new() })
                .lines
                .push(Line::new(row, outcome));
        }
        let sections: Vec<SectionLines> = sections.into_values().collect();

        let sent = overview.usages.is_some();
        let lines = || sections.iter().flat_map(|s| &s.lines);
        let total = Total::of(lines().filter(|line| !line.third_party), sent);
        // Rule B8: apart, and not in the total.
        let third_party = Total::of(lines().filter(|line| line.third_party), sent);
        let minimum = overview.minimum_monthly_amount.clone().map(|amount| Minimum::beside(&total, amount));
        Self {
            currency: overview.currency.clone(),
            period_start: overview.billing_period_start_date,
            period_end: overview.billing_period_end_date,
            allowances: rows.iter().filter_map(|row| Allowance::read(row, &grants)).collect(),
            sections,
            total,
            third_party,
            minimum,
            not_included: NOT_INCLUDED,
        }
    }

    /// All lines, section by section.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.sections.iter().flat_map(|section| &section.lines)
    }

    /// What the vendor charges for overage, out of the [`Statement::total`].
    pub fn overage_total(&self) -> Total {
        // A total that has something or leaves something out is of a list that was sent.
        let sent = self.total.known.is_some() || !self.total.left_out.is_empty();
        Total::of_overage(self.lines().filter(|line| !line.third_party), sent)
    }

    /// An amount of money as it is shown: in the currency's minor unit, half away from zero (rule B5).
    pub fn rounded(&self, amount: Decimal) -> Decimal {
        rounded(amount, self.currency.as_deref())
    }
}

/// An amount of money as it is shown: rounded to the minor unit of `currency`, half away from zero (rule B5).
///
/// ```
/// use rust_decimal::Decimal;
/// let amount = Decimal::new(-1005, 3);
/// assert_eq!(billing_core::rounded(amount, Some("USD")).to_string(), "-1.01");
/// assert_eq!(billing_core::rounded(amount, Some("JPY")).to_string(), "-1");
/// ```
pub fn rounded(amount: Decimal, currency: Option<&str>) -> Decimal {
    let digits = minor_unit(currency);
    let mut shown = amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    // Pads `47.5` to `47.50`; where there is no room for the zeros, it stays as it is.
    shown.rescale(digits);
    shown
}

impl Section {
    /// Its name for headings and files: `users`, `AI tokens`, or the grouping as the server named it.
    pub fn name(&self) -> &str {
        match self {
            Self::Users => "users",
            Self::Apps => "apps",
            Self::Devices => "devices",
            Self::Resources => "resources",
            Self::Messaging => "messaging",
            Self::Storage => "storage",
            Self::AiTokens => "AI tokens",
            Self::Rollups => "rollups",
            Self::Other(grouping) => grouping,
            Self::Ungrouped => "no grouping",
        }
    }

    fn of_grouping(came: &str) -> Self {
        match folded(Some(came)).as_str() {
            "user-license" | "billable-app-usage-license" | "billable-app-concurrent-license" => Self::Users,
            "billable-app-org-license" => Self::Apps,
            "device" => Self::Devices,
            "resource" => Self::Resources,
            "messaging" | "messaging-usage" => Self::Messaging,
            "storage" | "storage-category" => Self::Storage,
            ROLLUP | ROLLUP_PART => Self::Rollups,
            "" => Self::Ungrouped,
            _ => Self::Other(came.trim().to_owned()),
        }
    }

    /// What is equal for groupings that differ in case only (rule B2).
    pub(crate) fn folded(&self) -> Self {
        match self {
            Self::Other(grouping) => Self::Other(grouping.to_lowercase()),
            known => known.clone(),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Line {
    fn new(row: &Row<'_>, outcome: Outcome) -> Self {
        let Row { index, sent: row, kind, .. } = *row;
        Self {
            row: index,
            name: row.name.clone(),
            part_number: row.part_number.clone(),
            grouping: row.grouping.clone(),
            unit: row.unit_of_measure_type.clone(),
            third_party: row.is_third_party == Some(true),
            used: row.usage_quantity.clone(),
            committed: row.prepay_quantity.clone(),
            prepay_price: row.prepay_price.clone(),
            overage_price: row.overage_price.clone(),
            bundle: row.bundle_quantity.clone(),
            notes: row.usage_notes.clone(),
            included: outcome.included,
            overage: outcome.overage,
            explains_rollup: kind == Kind::Part,
            charge: outcome.charge,
        }
    }

    /// What the overage alone costs: overage × overage price, exactly. `None` where the charge is unknown, or the line
    /// explains another.
    pub fn overage_charge(&self) -> Option<Decimal> {
        self.charge.amount()?;
        product(self.overage?, self.overage_price.as_ref()?.decimal()?)
    }
}

impl SectionLines {
    /// What the vendor charges for the section; what others bill is not in it (rule B8).
    pub fn total(&self) -> Total {
        Total::of(self.own(), true)
    }

    /// What the vendor charges for the overage of the section, out of its [`SectionLines::total`].
    pub fn overage_total(&self) -> Total {
        Total::of_overage(self.own(), true)
    }

    fn own(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.third_party)
    }
}

impl Charge {
    /// The exact amount, where it is known.
    pub fn amount(&self) -> Option<Decimal> {
        match self {
            Self::Known(amount) => Some(*amount),
            Self::Unknown(_) | Self::InRollup => None,
        }
    }
}

impl Serialize for Charge {
    /// `"charge": "47.48"`, or `"charge": null` with `"unknownBecause"` or `"explainsRollup"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("charge", &self.amount().map(|amount| amount.to_string()))?;
        match self {
            Self::Known(_) => {}
            Self::Unknown(reason) => map.serialize_entry("unknownBecause", reason)?,
            Self::InRollup => map.serialize_entry("explainsRollup", &true)?,
        }
        map.end()
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "no {field} was sent"),
            Self::NotANumber(field, amount) => {
                write!(f, "{field} is {:?}, which cannot be computed with", amount.text())
            }
            Self::NoAllowance => f.write_str("its allowance (fair use) was not sent"),
            Self::UnreadableAllowance => f.write_str("the quantity of its allowance (fair use) is unknown"),
            Self::SharedAllowance => {
                f.write_str("its allowance is shared with a row whose own quantities are unknown")
            }
            Self::TooLong => f.write_str("the result has more digits than can be held exactly"),
            Self::NoRollup => f.write_str("it is a part of a total that was not sent"),
        }
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Total {
    /// `sent`: whether there was a list of rows at all.
    fn of<'a>(lines: impl Iterator<Item = &'a Line>, sent: bool) -> Self {
        Self::add(lines.map(|line| (line, line.charge.clone())), sent)
    }

    fn of_overage<'a>(lines: impl Iterator<Item = &'a Line>, sent: bool) -> Self {
        let overage = |line: &Line| match &line.charge {
            Charge::Known(_) => {
                line.overage_charge().map_or(Charge::Unknown(Unknown::TooLong), Charge::Known)
            }
            other => other.clone(),
        };
        Self::add(lines.map(|line| (line, overage(line))), sent)
    }

    fn add<'a>(charges: impl Iterator<Item = (&'a Line, Charge)>, sent: bool) -> Self {
        let mut known = None;
        let mut left_out = Vec::new();
        for (line, charge) in charges {
            let because = match charge {
                Charge::InRollup => continue,
                Charge::Unknown(reason) => reason,
                Charge::Known(amount) => match exact_sum(known.unwrap_or_default(), amount) {
                    Some(longer) => {
                        known = Some(longer);
                        continue;
                    }
                    None => Unknown::TooLong,
                },
            };
            left_out.push(LeftOut { row: line.row, name: line.name.clone(), because });
        }
        let nothing_charged = sent && left_out.is_empty();
        Self { known: known.or(nothing_charged.then_some(Decimal::ZERO)), left_out }
    }

    /// Whether every row is in it.
    pub fn is_complete(&self) -> bool {
        self.known.is_some() && self.left_out.is_empty()
    }
}

impl Allowance {
    /// Rule B3: listed whether or not it applies, so that none is lost. `None` for a row of another kind.
    fn read(row: &Row<'_>, grants: &Grants) -> Option<Self> {
        (row.kind == Kind::Allowance).then(|| Self {
            row: row.index,
            name: row.sent.name.clone(),
            part_number: row.sent.part_number.clone(),
            unit: row.sent.unit_of_measure_type.clone(),
            quantity: grant_of(row.sent).cloned(),
            applied: grants.applied.contains(&row.index),
        })
    }
}

impl Minimum {
    fn beside(total: &Total, amount: Amount) -> Self {
        let verdict = match (total.known, amount.decimal()) {
            (Some(known), Some(minimum)) if known >= minimum => Verdict::Reached,
            (Some(_), Some(_)) if total.is_complete() => Verdict::Applies,
            _ => Verdict::Undecided,
        };
        Self { amount, verdict }
    }
}

/// A row as the rules see it.
struct Row<'a> {
    index: usize,
    sent: &'a OverviewUsage,
    kind: Kind,
    section: Section,
    /// The name that allowances go by.
    name: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Something used and charged.
    Use,
    /// A total, charged for all of its parts.
    Rollup,
    /// A part that explains a rollup (rules B6 and B7).
    Part,
    /// An allowance (rule B3).
    Allowance,
}

impl<'a> Row<'a> {
    fn read((index, sent): (usize, &'a OverviewUsage)) -> Self {
        let grouping = sent.grouping.as_deref().unwrap_or_default();
        let name = folded(sent.name.as_deref());
        let kind = match folded(Some(grouping)).as_str() {
            FAIR_USE => Kind::Allowance,
            ROLLUP => Kind::Rollup,
            ROLLUP_PART => Kind::Part,
            _ => Kind::Use,
        };
        let mut section = Section::of_grouping(grouping);
        // Rule B7: by the part number whatever the grouping, or by the words of the name of a rollup or of one of its
        // parts. An allowance that is named so is one on AI tokens, because nothing else could be meant.
        let goes_by_name = section == Section::Rollups || kind == Kind::Allowance;
        if folded(sent.part_number.as_deref()) == AI_TOKENS_PART || (goes_by_name && names_ai_tokens(&name)) {
            section = Section::AiTokens;
        }
        Self { index, sent, kind, section, name }
    }

    fn is_third_party(&self) -> bool {
        self.sent.is_third_party == Some(true)
    }

    fn is_charged(&self) -> bool {
        matches!(self.kind, Kind::Use | Kind::Rollup)
    }

    fn is_of_ai_tokens(&self) -> bool {
        self.section == Section::AiTokens
    }

    /// What a grant on this row is on: its name (rule B3), and all AI tokens (rule B7). Rows without a name have none in common.
    fn granted_on(&self) -> impl Iterator<Item = GrantOn> {
        let name = (!self.name.is_empty()).then(|| GrantOn::Name(self.name.clone()));
        name.into_iter().chain(self.is_of_ai_tokens().then_some(GrantOn::AiTokens))
    }
}

/// The totals that were sent (rule B6), each by whether it is of third parties and whether of AI tokens.
struct Rollups(BTreeSet<(bool, bool)>);

impl Rollups {
    fn of(rows: &[Row<'_>]) -> Self {
        let rollups = rows.iter().filter(|row| row.kind == Kind::Rollup);
        Self(rollups.map(|row| (row.is_third_party(), row.is_of_ai_tokens())).collect())
    }

    /// Whether `row` explains one of them, if it is a part. Which total a part belongs to is not sent: to one of the same
    /// biller, and of AI tokens if it is of these itself. A part of AI tokens often has neither the part number nor the name
    /// by which it would be known, so that any other part may be of any total.
    fn explained_by(&self, row: &Row<'_>) -> bool {
        let sent = |of_ai_tokens| self.0.contains(&(row.is_third_party(), of_ai_tokens));
        sent(true) || (sent(false) && !row.is_of_ai_tokens())
    }
}

fn names_ai_tokens(folded_name: &str) -> bool {
    let mut words = folded_name.split(|c: char| !c.is_alphanumeric());
    words.clone().any(|word| word == "ai") && words.any(|word| word == "token" || word == "tokens")
}

/// Trimmed and without case, as rule B2 compares.
pub(crate) fn folded(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_lowercase()
}

/// What a row comes to.
struct Outcome {
    included: Option<Decimal>,
    overage: Option<Decimal>,
    charge: Charge,
}

impl Outcome {
    fn explains(charge: Charge) -> Self {
        Self { included: None, overage: None, charge }
    }

    fn of(row: &Row<'_>, grants: &mut Grants) -> Self {
        let sent = row.sent;
        let used = number("usageQuantity", sent.usage_quantity.as_ref());
        let committed = number("prepayQuantity", sent.prepay_quantity.as_ref());
        let beyond = match (&used, &committed) {
            (Ok(used), Ok(committed)) => exact_sum(*used, -*committed).ok_or(Unknown::TooLong),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        let included = grants.take(row, beyond.as_ref().ok().copied());
        // Rule B4, and by the same formula rule B7.
        let overage = beyond.and_then(|beyond| {
            let over = exact_sum(beyond, -included.clone()?).ok_or(Unknown::TooLong)?;
            Ok(over.max(Decimal::ZERO))
        });
        let charge = || {
            // Rule B10: each of the four must be a number, whatever it would be multiplied with.
            let overage = overage.clone()?;
            let prepay_price = number("prepayPrice", sent.prepay_price.as_ref())?;
            let overage_price = number("overagePrice", sent.overage_price.as_ref())?;
            // Rule B5.
            let exact = || {
                exact_sum(product(committed.clone().ok()?, prepay_price)?, product(overage, overage_price)?)
            };
            exact().ok_or(Unknown::TooLong)
        };
        Self {
            included: included.ok(),
            overage: overage.clone().ok(),
            charge: charge().map_or_else(Charge::Unknown, Charge::Known),
        }
    }
}

/// Rule B10: missing and not a number are both unknown, never zero.
fn number(field: &'static str, amount: Option<&Amount>) -> Result<Decimal, Unknown> {
    let amount = amount.ok_or(Unknown::Missing(field))?;
    amount.decimal().ok_or_else(|| Unknown::NotANumber(field, amount.clone()))
}

/// The allowances of an overview, and what is left of them while its rows take from them.
struct Grants {
    grants: BTreeMap<GrantOn, Grant>,
    /// The rows of the allowances that are in them.
    applied: BTreeSet<usize>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum GrantOn {
    Name(String),
    AiTokens,
}

struct Grant {
    left: Result<Decimal, Unknown>,
    /// How many rows are still to take from it.
    takers: usize,
}

impl Grants {
    fn of(rows: &[Row<'_>]) -> Self {
        let mut takers: BTreeMap<GrantOn, usize> = BTreeMap::new();
        for on in rows.iter().filter(|row| row.is_charged()).flat_map(Row::granted_on) {
            *takers.entry(on).or_default() += 1;
        }
        // Rule B3 holds for AI tokens too: an allowance that shares the name of a row that explains them is on them.
        let of_ai_tokens = |row: &&Row<'_>| row.kind != Kind::Allowance && row.is_of_ai_tokens();
        let ai_names: BTreeSet<&str> =
            rows.iter().filter(of_ai_tokens).map(|row| row.name.as_str()).filter(|n| !n.is_empty()).collect();

        let (mut grants, mut applied) = (BTreeMap::new(), BTreeSet::new());
        for row in rows.iter().filter(|row| row.kind == Kind::Allowance) {
            // By its name first; what is known to be on AI tokens is on all of them where no row has that name.
            let shares_name = ai_names.contains(row.name.as_str()).then_some(GrantOn::AiTokens);
            let on = row.granted_on().chain(shares_name).find_map(|on| takers.get_key_value(&on));
            let Some((on, &takers)) = on else { continue };
            applied.insert(row.index);
            let quantity = quantity_of_grant(row.sent).ok_or(Unknown::UnreadableAllowance);
            let grant = grants.entry(on.clone()).or_insert(Grant { left: Ok(Decimal::ZERO), takers });
            // Two grants on the same rows are two grants.
            grant.left = match (&grant.left, quantity) {
                (Ok(a), Ok(b)) => exact_sum(*a, b).ok_or(Unknown::TooLong),
                (Err(reason), _) => Err(reason.clone()),
                (_, Err(reason)) => Err(reason),
            };
        }
        Self { grants, applied }
    }

    /// What `row` gets, where it uses `beyond` its commitment.
    fn take(&mut self, row: &Row<'_>, beyond: Option<Decimal>) -> Result<Decimal, Unknown> {
        let mut needs = beyond.map(|beyond| beyond.max(Decimal::ZERO));
        let mut included = None;
        for on in row.granted_on() {
            let Some(grant) = self.grants.get_mut(&on) else { continue };
            let takes = grant.take(needs);
            needs = needs.zip(takes.as_ref().ok()).and_then(|(needs, takes)| exact_sum(needs, -*takes));
            needs = needs.map(|needs| needs.max(Decimal::ZERO));
            included = Some(match included.unwrap_or(Ok(Decimal::ZERO)) {
                Ok(before) => takes.and_then(|takes| exact_sum(before, takes).ok_or(Unknown::TooLong)),
                Err(reason) => Err(reason),
            });
        }
        included.unwrap_or(match row.section {
            // Rule B7: no guess at 250 or 350.
            Section::AiTokens => Err(Unknown::NoAllowance),
            _ => Ok(Decimal::ZERO),
        })
    }
}

impl Grant {
    /// What a row gets that needs so much. One that shares it takes what it needs and leaves the rest to the next; the last
    /// one takes it all, so that a row of its own has the whole allowance.
    fn take(&mut self, needs: Option<Decimal>) -> Result<Decimal, Unknown> {
        self.takers = self.takers.saturating_sub(1);
        let left = self.left.clone()?;
        if self.takers == 0 {
            return Ok(left);
        }
        let Some(needs) = needs else {
            // How much this row needs is unknown, and so is what it leaves.
            self.left = Err(Unknown::SharedAllowance);
            return Err(Unknown::SharedAllowance);
        };
        let takes = needs.min(left);
        self.left = exact_sum(left, -takes).ok_or(Unknown::TooLong);
        Ok(takes)
    }
}

/// The quantity of an allowance: its `usageQuantity`, or where only a `prepayQuantity` was sent, that.
fn grant_of(row: &OverviewUsage) -> Option<&Amount> {
    row.usage_quantity.as_ref().or(row.prepay_quantity.as_ref())
}

/// An allowance of less than nothing would raise the overage; it is as unreadable as a text.
fn quantity_of_grant(row: &OverviewUsage) -> Option<Decimal> {
    grant_of(row)?.decimal().filter(|quantity| *quantity >= Decimal::ZERO)
}

/// The exact product. `Decimal::checked_mul` would round where the digits do not fit.
fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    exact(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// The exact sum, or `None` where it has more digits than a [`Decimal`] holds. [`Decimal::checked_add`] would round then.
///
/// ```
/// use rust_decimal::Decimal;
/// assert_eq!(billing_core::exact_sum(Decimal::new(15, 1), Decimal::new(5, 1)), Some(Decimal::TWO));
/// assert_eq!(billing_core::exact_sum(Decimal::MAX, Decimal::new(1, 28)), None);
/// ```
pub fn exact_sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let scale = a.scale().max(b.scale());
    let aligned = |x: Decimal| x.mantissa().checked_mul(10_i128.checked_pow(scale - x.scale())?);
    exact(aligned(a)?.checked_add(aligned(b)?)?, scale)
}

/// `mantissa / 10^scale`, without trailing zeros, if it fits.
fn exact(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

pub(crate) fn optional_text<S: Serializer>(
    amount: &Option<Decimal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}

/// The digits after the point, by ISO 4217; 2 for a currency that is not known.
fn minor_unit(currency: Option<&str>) -> u32 {
    match currency.unwrap_or_default().trim().to_uppercase().as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

const FAIR_USE: &str = "fair-use";
const ROLLUP: &str = "rollup";
const ROLLUP_PART: &str = "rollup-usage";
/// Folded as [`folded`] does.
const AI_TOKENS_PART: &str = "gc-170-nv-aitc";

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|grouping|used|committed|prepay price|overage price`, `-` for what is not sent.
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

    /// The line of row `row`.
    fn line(statement: &Statement, row: usize) -> &Line {
        statement.lines().find(|line| line.row == row).unwrap()
    }

    /// Included, overage and charge of row `row`.
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
        assert_eq!(text(s.total.known), "0.0303");
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
        assert_eq!(text(s.total.known), "5");
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
        let s = statement(&[
            "a|fair-use|10|-|-|-",
            "a|resource|6|0|0|1",
            "a|storage|3|1|0|1",
            "a|device|9|0|0|1",
        ]);
        assert_eq!(outcome(&s, 1), ["6", "0", "0"]);
        assert_eq!(outcome(&s, 2), ["2", "0", "0"]);
        assert_eq!(outcome(&s, 3), ["2", "7", "7"]);
        // A part explains; it takes nothing.
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
        // Two grants on a name are two; the second quantity stands in prepayQuantity.
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
        // Each would be shown as 0.01 and their rounded sum would be 0.03; the exact one is 0.015.
        let s = statement(&["a|device|1|0|0|0.005", "b|device|1|0|0|0.005", "c|device|1|0|0|0.005"]);
        assert_eq!(text(s.total.known), "0.015");
        assert_eq!(s.rounded(s.total.known.unwrap()).to_string(), "0.02");
        assert_eq!(outcome(&statement(&["a|device|12.000000|10|23.74|0.0001"]), 0)[2], "237.4002");
    }

    #[test]
    fn b05_rounding_is_half_away_from_zero_in_the_minor_unit() {
        for (amount, currency, shown) in [
            ("2.345", "USD", "2.35"),
            ("-2.345", "usd ", "-2.35"),
            ("2.5", "JPY", "3"),
            ("-2.5", "JPY", "-3"),
            ("2.5", "KWD", "2.500"),
            ("2.00005", "CLF", "2.0001"),
            ("47.5", "???", "47.50"),
            ("79228162514264337593543950335", "USD", "79228162514264337593543950335"),
        ] {
            assert_eq!(
                rounded(amount.parse().unwrap(), Some(currency)).to_string(),
                shown,
                "{amount} {currency}"
            );
        }
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
            assert_eq!((text(s.total.known).as_str(), s.total.left_out.len()), ("1", 1));
        }
        // Each fits and their sum does not: what does not fit any more is left out.
        let s = statement(&[&format!("a|device|{big}|0|0|1"), &format!("b|device|{big}|0|0|1")]);
        assert_eq!((text(s.total.known).as_str(), s.total.left_out.len()), (big, 1));
        assert!(s.total.left_out[0].because == Unknown::TooLong);
    }

    #[test]
    fn b06_parts_explain_their_total_and_are_never_summed() {
        let s = statement(&[
            "Messages|rollup|30|10|1|2",
            "SMS|rollup-usage|20|0|1|2",
            "Mail|Rollup-Usage |10|0|1|2",
        ]);
        assert_eq!(text(s.total.known), "50");
        assert!(s.total.is_complete());
        assert_eq!(line(&s, 1).charge, Charge::InRollup);
        assert_eq!(line(&s, 2).charge, Charge::InRollup);
        // Its total is known to be of AI tokens by a part number that the part does not have.
        let s = statement(&["AI Experience Tokens|rollup|30|10|1|2", "Copilot|rollup-usage|20|0|1|2"]);
        assert_eq!(line(&s, 1).charge, Charge::InRollup);
    }

    #[test]
    fn b06_a_part_is_not_explained_by_a_total_that_is_not_its_own() {
        let part = |s: &Statement, row: usize| line(s, row).charge.clone();
        let left_out = Charge::Unknown(Unknown::NoRollup);
        // Of somebody else who bills.
        let mut o = overview(&["Messages|rollup|10|10|1|2", "SMS|rollup-usage|20|0|1|2"]);
        for third_parties in [[true, false], [false, true]] {
            for (row, third_party) in o.usages.as_mut().unwrap().iter_mut().zip(third_parties) {
                row.is_third_party = Some(third_party);
            }
            let s = Statement::new(&o);
            assert_eq!((part(&s, 1), line(&s, 1).explains_rollup), (left_out.clone(), true));
            assert!(!s.total.is_complete() || !s.third_party.is_complete());
        }
        o.usages.as_mut().unwrap().iter_mut().for_each(|row| row.is_third_party = Some(true));
        assert_eq!(part(&Statement::new(&o), 1), Charge::InRollup);
        // What is of AI tokens by its part number is no total by that, not even of AI tokens.
        let mut o = overview(&[
            "AI Tokens|resource|10|10|1|2",
            "AI Tokens|fair-use|0|-|-|-",
            "SMS|rollup-usage|20|0|1|2",
            "AI Tokens, Copilot|rollup-usage|10|0|1|2",
        ]);
        o.usages.as_mut().unwrap()[0].part_number = Some("GC-170-NV-AITC".into());
        let s = Statement::new(&o);
        assert_eq!((text(s.total.known), s.total.left_out.len()), ("10".into(), 2));
        assert_eq!((part(&s, 2), part(&s, 3)), (left_out.clone(), left_out.clone()));
        // And what is of AI tokens is no part of another total.
        let s = statement(&["Messages|rollup|10|10|1|2", "AI Tokens, Copilot|rollup-usage|10|0|1|2"]);
        assert_eq!(part(&s, 1), left_out);
    }

    #[test]
    fn b06_a_part_without_its_total_is_left_out_and_said() {
        let s = statement(&["SMS|rollup-usage|20|0|1|2", "a|device|1|0|0|1"]);
        assert_eq!(text(s.total.known), "1");
        assert_eq!(s.total.left_out[0].because, Unknown::NoRollup);
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
        assert_eq!((s.sections.len(), text(s.total.known)), (1, "475".into()));
    }

    #[test]
    fn b07_what_an_allowance_of_its_own_covers_a_row_does_not_take_of_that_on_all_ai_tokens() {
        let s = statement(&[
            "Agent Assist AI Tokens|rollup|100|0|1|1",
            "Copilot AI Tokens|rollup|100|0|1|1",
            "Agent Assist AI Tokens|fair-use|30|-|-|-",
            "AI Tokens|fair-use|150|-|-|-",
        ]);
        // 30 of its own and 70 of the common 150, of which 80 are left.
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
        assert_eq!((&line(&s, 0).charge, line(&s, 0).explains_rollup), (&Charge::InRollup, true));
        assert_eq!((text(s.total.known), s.total.is_complete()), ("1500".into(), true));
        // An allowance of its name is one on AI tokens as well.
        let s = Statement::new(&sent(
            &["a|resource|9|0|1|2", "AI Tokens|rollup|9|0|1|2", "a|fair-use|4|-|-|-"],
            &[0],
        ));
        assert_eq!((outcome(&s, 1), s.allowances[0].applied), (["4", "5", "10"].map(String::from), true));
        // The rollup of somebody else who bills is not its total.
        o.usages.as_mut().unwrap()[1].is_third_party = Some(true);
        let s = Statement::new(&o);
        assert_eq!((text(s.total.known), s.third_party.known.is_some()), ("1500".into(), true));
        assert_eq!(line(&s, 2).charge, Charge::Unknown(Unknown::NoRollup));
        // Nor is one that is not of AI tokens.
        let s = Statement::new(&sent(
            &["AI|resource|9|0|1|2", "Mail|rollup|1|0|0|1", "x|fair-use|9|-|-|-"],
            &[0, 2],
        ));
        assert_eq!((text(s.total.known), s.total.is_complete()), ("1".into(), true));
        assert_eq!(line(&s, 0).charge, Charge::Known(Decimal::ZERO));
    }

    #[test]
    fn b07_several_rollups_of_ai_tokens_are_several_totals() {
        let s = statement(&[
            "AI Tokens, Copilot|rollup|30|0|0|1",
            "AI Tokens, Agents|rollup|20|0|0|1",
            "AI Tokens|fair-use|40|-|-|-",
        ]);
        assert_eq!(
            (outcome(&s, 0)[0].as_str(), outcome(&s, 1)),
            ("30", ["10", "10", "10"].map(String::from))
        );
        // Where the allowance has the name of one of them, that of the other is not known.
        let s = statement(&[
            "AI Tokens, Copilot|rollup|30|0|0|1",
            "AI Tokens, Agents|rollup|20|0|0|1",
            "AI Tokens, Agents|fair-use|40|-|-|-",
        ]);
        assert_eq!(outcome(&s, 1), ["40", "0", "0"]);
        assert_eq!(s.total.left_out[0].because, Unknown::NoAllowance);
    }

    #[test]
    fn b03_an_allowance_is_on_the_rows_of_its_name_before_it_is_on_ai_tokens() {
        let s = statement(&["AI Tokens|resource|100|0|0|1", "AI Tokens|fair-use|50|-|-|-"]);
        assert_eq!((outcome(&s, 0), s.allowances[0].applied), (["50", "50", "50"].map(String::from), true));
        // All rows of the name share it, those of AI tokens with the others.
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
        // One of another name that is on AI tokens comes on top.
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
        assert_eq!((text(s.total.known), s.allowances.iter().all(|a| a.applied)), ("2".into(), true));
        // What is granted on nothing is not applied.
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
        assert_eq!(why(&s, 0), Unknown::NoAllowance.to_string());
    }

    #[test]
    fn a_list_without_rows_has_no_overage_and_no_list_has_none_that_is_known() {
        assert_eq!(statement(&[]).overage_total().known, Some(Decimal::ZERO));
        assert_eq!(Statement::new(&TrusteeOverview::default()).overage_total().known, None);
    }

    #[test]
    fn b07_without_a_fair_use_row_the_allowance_is_unknown() {
        let s = statement(&["AI Experience Tokens|rollup|1000|200|1|0.5"]);
        assert_eq!(outcome(&s, 0), ["unknown"; 3]);
        assert!(why(&s, 0).contains("fair use"));
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
        assert_eq!((text(s.total.known), text(s.third_party.known)), ("1".into(), "10".into()));
        assert!(s.total.is_complete() && s.third_party.left_out.len() == 1);
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
        assert_eq!(text(sums[0].0.known), "8.5");
        assert_eq!((text(sums[0].1.known), sums[0].1.left_out.len()), ("4".into(), 1));
        assert_eq!((text(sums[1].0.known), text(sums[1].1.known)), ("0.5".into(), "0.5".into()));
        assert_eq!(sums[1].1.left_out[0].because, Unknown::Missing("overagePrice"));
        assert_eq!(line(&s, 5).overage_charge(), None, "the overage is known, its price is not");
        assert_eq!((text(s.total.known), text(s.overage_total().known)), ("9".into(), "4.5".into()));
        assert_eq!(s.overage_total().left_out, s.total.left_out);
        assert_eq!(Statement::new(&TrusteeOverview::default()).overage_total().known, None);
    }

    #[test]
    fn b03_rows_without_a_name_are_no_namesakes() {
        let s = statement(&["-|device|10|0|0|1", "-|fair-use|10|-|-|-", "-|rollup|3|0|0|1"]);
        assert_eq!(outcome(&s, 0), ["0", "10", "10"]);
        assert!(!s.allowances[0].applied);
        // A row of AI tokens without a name does not draw every nameless allowance to itself.
        let mut o =
            overview(&["-|rollup|5|0|0|1", "-|fair-use|5|-|-|-", "a|device|7|0|0|1", "A|fair-use|6|-|-|-"]);
        o.usages.as_mut().unwrap()[0].part_number = Some("GC-170-NV-AITC".into());
        let s = Statement::new(&o);
        assert_eq!(why(&s, 0), Unknown::NoAllowance.to_string());
        assert_eq!(s.allowances.iter().map(|a| a.applied).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn b05_products_and_sums_are_exact_or_nothing() {
        let n = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(product(n("0.0001"), n("10000")).unwrap().to_string(), "1");
        assert_eq!(product(n("1.10"), n("2.50")).unwrap().to_string(), "2.75");
        assert_eq!(
            product(n("0.00000000000001"), n("0.00000000000001")).unwrap(),
            n("0.0000000000000000000000000001")
        );
        assert_eq!(product(n("0.000000000000001"), n("0.00000000000001")), None);
        assert_eq!(exact_sum(n("0.5"), n("-0.50")).unwrap().to_string(), "0");
        assert_eq!(
            exact_sum(n("99999999999999"), n("0.00000000000001")).unwrap().to_string(),
            "99999999999999.00000000000001"
        );
        assert_eq!(exact_sum(n("999999999999999"), n("0.000000000000001")), None);
        // Digits that only a trailing zero makes too many are not too many.
        assert_eq!(
            product(n("20000000000000000000000000000"), n("0.5")).unwrap(),
            n("10000000000000000000000000000")
        );
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
        assert_eq!((text(s.total.known), text(s.third_party.known)), ("0".into(), "8".into()));
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
            // Even where the quantity is an exact zero.
            ("a|device|0|0|1|-", "no overagePrice"),
            ("a|device|1|-|-|1", "no prepayQuantity"),
            ("a|device|n/a|0|1|1", "usageQuantity is \"n/a\""),
            ("a|device|1|0|1|1,5", "overagePrice is \"1,5\""),
            ("a|device|1|0||1", "prepayPrice is \"\""),
        ];
        for (row, reason) in cases {
            let s = statement(&[row]);
            assert!(why(&s, 0).contains(reason), "{row}: {}", why(&s, 0));
            assert_eq!(s.total.known, None, "nothing known is no total of 0");
            let s = statement(&[row, "b|device|1|0|0|1"]);
            assert_eq!((text(s.total.known).as_str(), s.total.left_out[0].row), ("1", 0));
        }
    }

    #[test]
    fn b10_the_published_overview_has_an_unknown_charge() {
        let body = r#"{"currency":"USD","usages":[{"name":"PureCloud for Avtex InteractionSync Add-on",
            "partNumber":"PC-170-NV-AVTEXINSY","grouping":"billable-app-usage-license","unitOfMeasureType":"seat",
            "usageQuantity":"0","overagePrice":"23.74","prepayQuantity":"2"}]}"#;
        let s = Statement::new(&serde_json::from_str(body).unwrap());
        assert_eq!(outcome(&s, 0), ["0", "0", "unknown"]);
        assert_eq!(why(&s, 0), "no prepayPrice was sent");
    }

    #[test]
    fn b10_no_rows_cost_nothing_and_no_list_is_unknown() {
        assert_eq!(text(statement(&[]).total.known), "0");
        assert_eq!(Statement::new(&TrusteeOverview::default()).total.known, None);
    }

    #[test]
    fn b11_the_minimum_stands_beside_the_total() {
        let verdict = |minimum: &str, rows: &[&str]| {
            let mut o = overview(rows);
            o.minimum_monthly_amount = Some(minimum.into());
            let s = Statement::new(&o);
            let minimum = s.minimum.unwrap();
            assert!(!minimum.amount.text().is_empty());
            minimum.verdict
        };
        let (ten, unknown) = ("a|device|10|0|0|1", "b|device|-|0|0|1");
        assert_eq!(verdict("10.01", &[ten]), Verdict::Applies);
        assert_eq!(verdict("10.00", &[ten]), Verdict::Reached);
        assert_eq!(verdict("9", &[ten, unknown]), Verdict::Reached);
        assert_eq!(verdict("11", &[ten, unknown]), Verdict::Undecided);
        assert_eq!(verdict("1", &[unknown]), Verdict::Undecided);
        assert_eq!(verdict("some", &[ten]), Verdict::Undecided);
        assert_eq!(statement(&[ten]).minimum, None);
    }

    #[test]
    fn b12_tax_and_telco_are_named_as_missing() {
        let note = statement(&[]).not_included;
        assert!(note.contains("Tax") && note.contains("telco"));
    }

    #[test]
    fn b15_an_allowance_that_was_not_sent_is_not_made_up() {
        // The vendor publishes so many API requests a licence; none is assumed.
        let s = statement(&["CX 3|user-license|10|10|1|1", "API Requests|resource|120|0|0|2"]);
        assert_eq!(outcome(&s, 1), ["0", "120", "240"]);
        assert!(s.allowances.is_empty());
    }

    #[test]
    fn as_json_amounts_are_texts() {
        let s = statement(&[
            "a|device|5|2|1.50|2",
            "b|device|-|0|1|1",
            "c|rollup-usage|1|-|-|-",
            "t|rollup|1|0|1|1",
        ]);
        let json = serde_json::to_value(&s).unwrap();
        let line = &json["sections"][0]["lines"][0];
        assert_eq!((&line["overage"], &line["charge"]), (&"3".into(), &"9".into()));
        assert_eq!(line["prepayPrice"], "1.50");
        let unknown = &json["sections"][0]["lines"][1];
        assert!(unknown["charge"].is_null());
        assert_eq!(unknown["unknownBecause"], "no usageQuantity was sent");
        assert_eq!(json["sections"][1]["lines"][0]["explainsRollup"], true);
        assert_eq!(json["total"]["known"], "10");
        assert_eq!(json["total"]["leftOut"][0]["because"], "no usageQuantity was sent");
    }
}
