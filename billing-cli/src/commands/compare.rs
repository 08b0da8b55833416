//! The command `compare`: billing periods of an organisation side by side.

use billing_core::calls::{TrusteeOverviewCall, WithBody, WithRaw};
use billing_core::model::TrusteeOverview;
use billing_core::{Comparison, OrgId, PeriodIndex, Statement};

use super::{CommandData, CommandOutput, body_text, cannot_show, render_data};
use crate::args::{CompareArgs, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::{Document, first_day};
use crate::format::json;
use crate::output::Destination;
use crate::overage_check::OverageCheck;
use crate::text::count;
use crate::views;

pub(crate) fn run(
    command: &CompareArgs,
    options: &Options,
    destination: &Destination,
) -> Result<CommandOutput, Failure> {
    let org: OrgId = command.org.parse()?;
    let mut indexes: Vec<PeriodIndex> = Vec::new();
    for text in &command.periods {
        let index: PeriodIndex = text.parse()?;
        if indexes.contains(&index) {
            return Err(Failure::Usage(format!(
                "--periods names period {index} twice: name different periods"
            )));
        }
        indexes.push(index);
    }
    if !(2..=4).contains(&indexes.len()) {
        return Err(Failure::Usage(format!(
            "--periods names {}, but a comparison needs two to four: write for example --periods 0,1",
            count(indexes.len(), "billing period", "billing periods")
        )));
    }
    let mut backend = Backend::new(options)?;
    let mut answers = Vec::new();
    for index in indexes {
        let call = WithBody(TrusteeOverviewCall::new(org.clone()).period_index(index));
        let answer = backend.exchange(call, options.verbosity());
        answers.push(answer.map_err(|error| backend.failure_for(error, &org).in_period(index))?);
    }
    let comparison = Comparison::new(answers.iter().map(|answer| &answer.value))
        .map_err(|why| Failure::CannotRender(why.to_string()))?;
    let mut check = OverageCheck::default();
    if command.on_overage.fail_on_overage {
        for answer in &answers {
            let of = first_day(answer.value.billing_period_start_date);
            check.add(Some(&of), &Statement::new(&answer.value));
        }
    }
    let name = answers.iter().find_map(|answer| answer.value.organization.as_ref()?.name.clone());
    let compared = ComparisonData { org, name, answers, comparison };
    let printed = render_data(&compared, options, destination)?;
    Ok(CommandOutput { bytes: printed, failure: check.finish(options.verbosity()) })
}

/// The overviews and their comparison.
struct ComparisonData {
    org: OrgId,
    name: Option<String>,
    answers: Vec<WithRaw<TrusteeOverview>>,
    comparison: Comparison,
}

impl CommandData for ComparisonData {
    fn document(&self) -> Document {
        views::comparison(&self.org, self.name.as_deref(), &self.comparison)
    }

    /// Returns the server's responses and, apart from them, the computed comparison.
    fn json(&self) -> Result<String, Failure> {
        let bodies: Result<Vec<&str>, _> =
            self.answers.iter().map(|answer| body_text(&answer.body)).collect();
        let bodies = json::join_array(&bodies?);
        json::with_field(&format!("{{\"periods\":{bodies}}}"), "comparison", &self.comparison)
            .map_err(|error| cannot_show(&error))
    }

    /// Returns one JSON line per compared row.
    fn ndjson(&self) -> Result<String, Failure> {
        let rows: Result<Vec<String>, _> = self.comparison.rows.iter().map(serde_json::to_string).collect();
        Ok(json::join_lines(&rows.map_err(|error| cannot_show(&error))?))
    }
}
