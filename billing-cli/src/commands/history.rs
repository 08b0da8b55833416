//! The command `history`: the billing periods of an organisation, newest first.

use std::num::NonZeroU32;

use billing_core::history::{
    BillingPeriod, PeriodDates, PeriodOutcome, PeriodResult, StopReason, sort_latest_first,
};
use billing_core::{InvalidInput, OrgId, PeriodIndex, PeriodSelection, Statement, Trend};

use super::{CommandData, CommandOutput, render_data, with_extra_field, with_statement};
use crate::args::{self, HistoryArgs, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::{Document, Emphasis, Note, first_day};
use crate::format::json;
use crate::log;
use crate::organizations::QueriedOrg;
use crate::output::Destination;
use crate::overage_check::OverageCheck;
use crate::text::count;
use crate::views;

pub(crate) fn run(
    command: &HistoryArgs,
    options: &Options,
    destination: &Destination,
) -> Result<CommandOutput, Failure> {
    let org: OrgId = command.org.parse()?;
    let reach = period_selection(&command.periods)?;
    let verbosity = options.verbosity();
    let mut backend = Backend::new(options)?;
    let findings = backend.history(&org, reach, verbosity)?;
    let walked = HistoryData::new(&org, findings);
    for (remark, is_failure) in &walked.problems {
        match is_failure {
            true => log::error(remark),
            false => log::warning(remark, verbosity),
        }
    }
    if walked.periods.is_empty() {
        log::note(&format!("{reach}: there are no such billing periods"), verbosity);
    }
    let mut check = OverageCheck::default();
    if command.on_overage.fail_on_overage {
        for (period, statement) in &walked.periods {
            let of = first_day(period.overview.billing_period_start_date);
            check.add(Some(&of), statement);
        }
    }
    let printed = render_data(&walked, options, destination)?;
    let overage = check.finish(verbosity);
    let failure = if walked.failed > 0 {
        let failed = count(walked.failed, "billing period", "billing periods");
        let overage = overage.map(|overage| format!("; {overage}")).unwrap_or_default();
        Some(Failure::Partial(format!("{failed} of {org} could not be read; the rest was printed{overage}")))
    } else {
        overage
    };
    Ok(CommandOutput { bytes: printed, failure })
}

/// Returns the selected periods; the default is the latest 12.
fn period_selection(said: &args::PeriodArgs) -> Result<PeriodSelection, Failure> {
    let invalid = |what: &str, text: &str, instead: &str| {
        Failure::Usage(format!("--{what} {text:?} is invalid: {instead}"))
    };
    if let (Some(from), Some(to)) = (&said.from, &said.to) {
        return PeriodSelection::from_user(from, to).map_err(|error| match error {
            InvalidInput::Period { .. } => {
                Failure::Usage(format!("--from {from} is not before --to {to}: swap or change them"))
            }
            error => error.into(),
        });
    }
    if let Some(year) = &said.year {
        // Reject `--year 26`: it would mean the year 26, which is surely a mistake.
        let whole = Some(year).filter(|year| year.len() == 4);
        let reach = whole.and_then(|year| PeriodSelection::year(year.parse().ok()?).ok());
        return reach.ok_or_else(|| invalid("year", year, "write a year of four digits, for example 2026"));
    }
    let periods = said.periods.as_deref().unwrap_or(DEFAULT_PERIODS);
    let n: NonZeroU32 =
        periods.parse().map_err(|_| invalid("periods", periods, "write a number of periods, 1 or more"))?;
    Ok(PeriodSelection::Latest(n))
}

/// The result of a walk through the billing periods.
struct HistoryData {
    asked: QueriedOrg,
    /// The billing periods, newest first.
    periods: Vec<(BillingPeriod, Statement)>,
    failed: usize,
    /// The indexes of the periods that could not be read.
    unreadable: Vec<PeriodIndex>,
    /// Messages about the walk; true marks a failure.
    problems: Vec<(String, bool)>,
}

impl HistoryData {
    fn new(org: &OrgId, findings: Vec<PeriodResult>) -> Self {
        let mut walked = Self {
            asked: org.clone().into(),
            periods: Vec::new(),
            failed: 0,
            unreadable: Vec::new(),
            problems: Vec::new(),
        };
        for PeriodResult { index, outcome: found, stop_reason: ended, .. } in findings {
            match found {
                PeriodOutcome::Period(period) => walked.add_period(*period),
                PeriodOutcome::Undated(period) => {
                    let undated = format!(
                        "the period with index {index} has no dates, so it is unknown whether it is in the requested range; it is included"
                    );
                    walked.problems.push((undated, false));
                    walked.add_period(*period);
                }
                PeriodOutcome::Failed(error) => {
                    walked.failed += 1;
                    walked.unreadable.push(index);
                    let unread = format!("the period with index {index} could not be read: {error}");
                    walked.problems.push((unread, true));
                }
                _ => {}
            }
            if let Some(
                ended @ (StopReason::TooManyFailures
                | StopReason::RepeatedPeriods
                | StopReason::TooManyPeriods),
            ) = ended
            {
                walked.failed += usize::from(ended != StopReason::TooManyFailures);
                walked.problems.push((ended.to_string(), true));
            }
        }
        sort_latest_first(&mut walked.periods, |(period, _)| PeriodDates::from_overview(&period.overview));
        walked
    }

    fn add_period(&mut self, period: BillingPeriod) {
        let statement = Statement::new(&period.overview);
        self.periods.push((period, statement));
    }

    /// Returns the totals and their changes. A change across a period that could not be read is unknown.
    fn trend(&self) -> Trend {
        let periods = self.periods.iter().map(|(period, statement)| (period.index, statement.clone()));
        Trend::with_gaps(periods, &self.unreadable)
    }

    /// Returns each period as the server sent it, with its statement and the change of its total.
    fn objects(&self) -> Result<Vec<String>, Failure> {
        let trend = self.trend();
        // The trend is ordered oldest first and has no change for the first period.
        let changes = trend.changes.iter().rev().map(Some).chain([None]);
        let object = |((period, statement), change): (&(BillingPeriod, Statement), _)| {
            let stated = with_statement(&self.asked, &period.overview, &period.body, statement)?;
            with_extra_field(&period.overview, &stated, "change", &change)
        };
        self.periods.iter().zip(changes).map(object).collect()
    }
}

impl CommandData for HistoryData {
    fn document(&self) -> Document {
        let periods: Vec<_> =
            self.periods.iter().map(|(period, statement)| (&period.overview, statement)).collect();
        let remarks =
            self.problems.iter().map(|(remark, _)| Note::new(Emphasis::Warning, remark.clone())).collect();
        views::history(&self.asked, &periods, &self.trend(), remarks)
    }

    fn json(&self) -> Result<String, Failure> {
        Ok(json::join_array(&self.objects()?))
    }

    fn ndjson(&self) -> Result<String, Failure> {
        Ok(json::join_lines(&self.objects()?))
    }
}

const DEFAULT_PERIODS: &str = "12";
