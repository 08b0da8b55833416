//! The command `overview`: the commitments, usage and charges of a trustor, with the computed totals.

use billing_core::calls::{TrusteeOverviewCall, WithBody, WithRaw};
use billing_core::model::TrusteeOverview;
use billing_core::{OrgId, PeriodIndex, Statement};

use super::{CommandData, CommandOutput, render_data, with_statement};
use crate::args::{Options, OverviewArgs};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::Document;
use crate::organizations::QueriedOrg;
use crate::output::Destination;
use crate::overage_check::OverageCheck;
use crate::views;

pub(crate) fn run(
    command: &OverviewArgs,
    options: &Options,
    destination: &Destination,
) -> Result<CommandOutput, Failure> {
    let org: OrgId = command.org.parse()?;
    let period: PeriodIndex = command.period.parse()?;
    let mut backend = Backend::new(options)?;
    let call = WithBody(TrusteeOverviewCall::new(org.clone()).period_index(period));
    let answer =
        backend.exchange(call, options.verbosity()).map_err(|error| backend.failure_for(error, &org))?;
    let asked = QueriedOrg::from(org);
    let statement = Statement::new(&answer.value);
    let mut check = OverageCheck::default();
    if command.on_overage.fail_on_overage {
        check.add(None, &statement);
    }
    let printed = render_data(&OverviewData { asked, answer, statement }, options, destination)?;
    Ok(CommandOutput { bytes: printed, failure: check.finish(options.verbosity()) })
}

/// An overview with its statement.
struct OverviewData {
    asked: QueriedOrg,
    answer: WithRaw<TrusteeOverview>,
    statement: Statement,
}

impl CommandData for OverviewData {
    fn document(&self) -> Document {
        views::overview(&self.asked, &self.answer.value, &self.statement)
    }

    fn json(&self) -> Result<String, Failure> {
        with_statement(&self.asked, &self.answer.value, &self.answer.body, &self.statement)
    }
}
