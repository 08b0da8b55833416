//! The command `fleet`: the overviews of all trustor organisations, or of those listed in a file.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use billing_core::calls::TrustorsCall;
use billing_core::fleet::{Aborted, FleetPlan, PlanAge};
use billing_core::history::{BillingPeriod, PeriodOutcome, PeriodResult};
use billing_core::statement::CurrencyTotals;
use billing_core::values::PageSize;
use billing_core::{InvalidInput, OrgId, PeriodIndex, PeriodSelection, Statement};

use super::{list, render_document, with_statement, write_output};
use crate::args::{FleetArgs, Options, OutputFormat};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::{Document, Row, Sheet};
use crate::format::{csv, json};
use crate::journal::{self, ExistingJournal, OpenedJournal};
use crate::log::{self, Verbosity};
use crate::organizations::{self, QueriedOrg};
use crate::output::{Destination, is_same_file};
use crate::overage_check::OverageCheck;
use crate::progress::FleetBar;
use crate::text::count;
use crate::views;

pub(crate) fn run(command: &FleetArgs, options: &Options, destination: &Destination) -> Result<(), Failure> {
    let reach = PeriodSelection::Nth(command.period.parse::<PeriodIndex>()?);
    if let (Some(journal), Destination::File(result)) = (&command.resume, destination)
        && is_same_file(journal, result)
    {
        return Err(Failure::Usage(
            "--resume and --output name the same file: use different files for the journal and the result"
                .into(),
        ));
    }
    let read = |path: &PathBuf| organizations::read_list(path, options.verbosity());
    let named = command.orgs.as_ref().map(read).transpose()?;
    let mut backend = Backend::new(options)?;
    let opened = command.resume.as_deref().map(journal::open).transpose()?;
    let task = FleetTask::new(named, reach, opened, &mut backend, options)?;
    let mut run = FleetReport::new(&task, command, options, destination.is_terminal());
    let early = if options.format == OutputFormat::Ndjson {
        let mut ended = Ok(None);
        let written = destination.write_with(|to| match run.run(task, &mut backend, Some(to)) {
            Ok(None) => Ok(()),
            Err(Failure::Output { error, .. }) => Err(error),
            // Do not replace the output file with the result of an aborted run.
            other => {
                ended = other;
                Err(io::ErrorKind::Other.into())
            }
        });
        match ended? {
            None => {
                written?;
                None
            }
            early => early,
        }
    } else {
        let early = run.run(task, &mut backend, None)?;
        // Print the results of a long run even if it was aborted. An output file is replaced only by a
        // complete result.
        let in_part = run.read_count > 0 && !matches!(destination, Destination::File(_));
        if early.is_none() || in_part {
            write_output(destination, options, || run.render(destination))?;
        }
        early
    };
    run.failure(early, destination).map_or(Ok(()), Err)
}

/// The error that aborted a run, with advice on how to resume.
struct EarlyStop {
    stopped: Aborted,
    resume_hint: String,
}

/// The input of a run: its plan, names and journal.
struct FleetTask {
    assignment: FleetPlan,
    /// The names of the organisations by id.
    names: HashMap<String, String>,
    /// Listed organisations that cannot be queried, with the reason.
    unusable: Vec<(String, String)>,
    /// The journal of an earlier run or a new one, if one is kept.
    journal: Option<OpenedJournal>,
}

impl FleetTask {
    /// Selects the organisations: those of the file, of the journal, or all trustors.
    fn new(
        named: Option<Vec<QueriedOrg>>,
        reach: PeriodSelection,
        opened: Option<OpenedJournal>,
        backend: &mut Backend,
        options: &Options,
    ) -> Result<Self, Failure> {
        let mut lost = Vec::new();
        let named = match (named, &opened) {
            (Some(named), _) => named,
            (None, Some(OpenedJournal::Existing(old))) => {
                let ids = old.assignment.organizations().iter().cloned();
                ids.map(QueriedOrg::from).collect()
            }
            (None, _) => list_trustors(&mut lost, backend, options)?,
        };
        let name = |named: &QueriedOrg| Some((named.id.normalized(), named.name.clone()?));
        let names = named.iter().filter_map(name).collect();
        let ids = named.into_iter().map(|named| named.id);
        let wanted = FleetPlan::new(ids, reach, backend.api_url(), backend.now());
        let assignment = match &opened {
            Some(OpenedJournal::Existing(old)) => {
                old.assignment.check_resumable_as(&wanted).map_err(|why| old.refused(&why.to_string()))?;
                check_journal_age(old, backend, options)?;
                old.assignment.clone()
            }
            _ => wanted,
        };
        for (label, why) in &lost {
            log::error(&format!("{label}: {why}"));
        }
        if assignment.organizations().is_empty() && lost.is_empty() {
            log::note("no organisation trusts your organisation", options.verbosity());
        }
        Ok(Self { assignment, names, unusable: lost, journal: opened })
    }
}

/// Checks the age of a journal: after some days the same index may mean another billing period.
fn check_journal_age(old: &ExistingJournal, backend: &Backend, options: &Options) -> Result<(), Failure> {
    let begun = old.assignment.started_at.instant().format("%Y-%m-%d %H:%M UTC");
    let age = old.assignment.age(backend.now());
    if age == PlanAge::Stale {
        return Err(old.refused(&format!(
            "its run started on {begun}, more than 7 days ago, and the same index may now mean another billing period: remove the file or name another"
        )));
    }
    if age == PlanAge::Old {
        let said = format!(
            "the run started on {begun}, more than a day ago: check the dates of the periods, which may differ between organisations"
        );
        log::warning(&said, options.verbosity());
    }
    let all = count(old.assignment.organizations().len(), "organisation", "organisations");
    log::note(&format!("resuming the run of {begun}: {} of {all} done", old.results), options.verbosity());
    Ok(())
}

/// Lists all trustor organisations. Adds those that cannot be queried to `lost`, with the reason.
fn list_trustors(
    lost: &mut Vec<(String, String)>,
    backend: &mut Backend,
    options: &Options,
) -> Result<Vec<QueriedOrg>, Failure> {
    let call = TrustorsCall::new().page_size(PageSize::new(list::MAX_PAGE_SIZE)?);
    let pages = backend.list(call, options.verbosity())?;
    let all = pages.iter().flat_map(|page| page.entities());
    let (on, off): (Vec<_>, Vec<_>) = all.partition(|trustor| trustor.enabled != Some(false));
    organizations::note_disabled(off.len(), options.verbosity());
    let mut named = Vec::new();
    for trustor in on {
        let name = trustor.organization.as_ref().and_then(|organization| organization.name.clone());
        let id = trustor.organization_id().ok_or_else(|| "the list of trustors has no id for it".to_owned());
        match id.and_then(|id| id.parse().map_err(|error: InvalidInput| error.to_string())) {
            Ok(id) => named.push(QueriedOrg { id, name }),
            Err(why) => lost.push((name.unwrap_or_else(|| "an organisation without a name".to_owned()), why)),
        }
    }
    Ok(named)
}

/// The results of a run so far, reduced to the data that the output format needs.
struct FleetReport<'a> {
    options: &'a Options,
    names: HashMap<String, String>,
    /// The position of each organisation in the list.
    positions: HashMap<String, usize>,
    collected: Vec<Collected>,
    /// The number of organisations, and the number of those that were read.
    total: usize,
    read_count: usize,
    totals: CurrencyTotals,
    /// Organisations that could not be read, with the reason.
    failed: Vec<(String, String)>,
    check: Option<OverageCheck>,
    /// True if results are written to a terminal.
    on_terminal: bool,
}

/// The data of one organisation that is held until the end of the run.
enum Collected {
    Nothing,
    /// The result as text in the output format.
    Text(String),
    Row(Row),
    RowWithDetails(Row, Box<Sheet>),
}

impl<'a> FleetReport<'a> {
    fn new(task: &FleetTask, command: &FleetArgs, options: &'a Options, on_terminal: bool) -> Self {
        let organizations = task.assignment.organizations();
        Self {
            options,
            names: task.names.clone(),
            positions: organizations.iter().map(OrgId::normalized).zip(0..).collect(),
            collected: organizations.iter().map(|_| Collected::Nothing).collect(),
            total: organizations.len() + task.unusable.len(),
            read_count: 0,
            totals: CurrencyTotals::default(),
            failed: task.unusable.clone(),
            check: command.on_overage.fail_on_overage.then(OverageCheck::default),
            on_terminal,
        }
    }

    /// Runs until all organisations are done, or until an error concerns all of them. Writes each result to
    /// `to`, if set, as it arrives.
    fn run(
        &mut self,
        task: FleetTask,
        backend: &mut Backend,
        mut to: Option<&mut dyn Write>,
    ) -> Result<Option<EarlyStop>, Failure> {
        let FleetTask { assignment, journal, .. } = task;
        let mut fleet = backend.fleet(&assignment);
        let mut journal = match journal {
            None => None,
            Some(OpenedJournal::New(new)) => Some(new.start(&assignment)?),
            Some(OpenedJournal::Existing(old)) => Some(old.resume(|finding| {
                fleet.restore(finding);
                self.add_result(finding, &mut to, |say| say())
            })?),
        };
        let verbosity = self.options.verbosity();
        // On a terminal the printed lines already show the progress.
        let lines_come = self.on_terminal && self.options.format == OutputFormat::Ndjson;
        let bar = FleetBar::new(if lines_come { Verbosity::Quiet } else { verbosity });
        let mut broken = None;
        let result = fleet.run(verbosity, |update| {
            bar.show(&update.progress);
            let Some(finding) = &update.result else { return ControlFlow::Continue(()) };
            // Record the result first: if recording fails, the next run has to request it again.
            let recorded = journal.as_mut().map_or(Ok(()), |journal| journal.record(finding));
            match recorded.and_then(|()| self.add_result(finding, &mut to, |say| bar.suspend(say))) {
                Ok(()) => ControlFlow::Continue(()),
                Err(failure) => {
                    broken = Some(failure);
                    ControlFlow::Break(())
                }
            }
        });
        drop(bar);
        if let Some(failure) = broken {
            return Err(failure);
        }
        Ok(result.err().map(|stopped| {
            let how_to_go_on = match &journal {
                Some(journal) => journal.resume_hint(),
                None => "Use --resume FILE to be able to resume a run".to_owned(),
            };
            EarlyStop { stopped, resume_hint: how_to_go_on }
        }))
    }

    /// Adds a result. Prints messages through `aside`, which hides the progress bar meanwhile.
    fn add_result(
        &mut self,
        finding: &PeriodResult,
        to: &mut Option<&mut dyn Write>,
        aside: impl Fn(&dyn Fn()),
    ) -> Result<(), Failure> {
        let id = &finding.organization;
        let why = match &finding.outcome {
            PeriodOutcome::Period(period) | PeriodOutcome::Undated(period) => {
                return self.add_period(id, period, to);
            }
            PeriodOutcome::Failed(error) => error.to_string(),
            _ => "it has no such billing period".to_owned(),
        };
        let label = match self.names.get(&id.normalized()) {
            Some(name) => format!("{id} ({name})"),
            None => id.to_string(),
        };
        aside(&|| log::error(&format!("{label}: {why}")));
        self.failed.push((label, why));
        Ok(())
    }

    fn add_period(
        &mut self,
        id: &OrgId,
        period: &BillingPeriod,
        to: &mut Option<&mut dyn Write>,
    ) -> Result<(), Failure> {
        let overview = &period.overview;
        let statement = Statement::new(overview);
        let asked = QueriedOrg { id: id.clone(), name: self.names.get(&id.normalized()).cloned() };
        self.read_count += 1;
        self.totals.add(&statement);
        if let Some(check) = &mut self.check {
            let of = asked.name_for(overview).unwrap_or_else(|| asked.id_for(overview));
            check.add(Some(of), &statement);
        }
        let row = || views::organization(&asked, overview, &statement);
        let details = || views::details(&asked, overview, &statement);
        let kept = match self.options.format {
            OutputFormat::Ndjson => {
                let object = with_statement(&asked, overview, &period.body, &statement)?;
                let line = json::join_lines(&[object]);
                let written = to.as_mut().map_or(Ok(()), |to| {
                    json::write(&line, self.on_terminal, &mut **to)?;
                    // Flush each line, so that a consumer of the pipe sees it at once.
                    to.flush()
                });
                written.map_err(|error| Failure::Output { to: Destination::Stdout, error })?;
                Collected::Nothing
            }
            OutputFormat::Json => {
                Collected::Text(with_statement(&asked, overview, &period.body, &statement)?)
            }
            OutputFormat::Csv => Collected::Text(csv::rows(&single_sheet(details()), self.on_terminal)),
            OutputFormat::Html if self.collected.len() > views::MAX_SHEETS => Collected::Row(row()),
            OutputFormat::Html | OutputFormat::Xlsx => Collected::RowWithDetails(row(), Box::new(details())),
            OutputFormat::Table => Collected::Row(row()),
        };
        if let Some(place) =
            self.positions.get(&id.normalized()).and_then(|place| self.collected.get_mut(*place))
        {
            *place = kept;
        }
        Ok(())
    }

    /// Renders all results in the order of the list.
    fn render(&mut self, destination: &Destination) -> Result<Vec<u8>, Failure> {
        let (mut texts, mut rows, mut sheets) = (Vec::new(), Vec::new(), Vec::new());
        for kept in std::mem::take(&mut self.collected) {
            match kept {
                Collected::Nothing => {}
                Collected::Text(text) => texts.push(text),
                Collected::Row(row) => rows.push(row),
                Collected::RowWithDetails(row, details) => {
                    rows.push(row);
                    sheets.push(*details);
                }
            }
        }
        match self.options.format {
            OutputFormat::Json => Ok(super::json_bytes(&json::join_array(&texts), destination)),
            OutputFormat::Csv => {
                let mut csv = csv::header(&single_sheet(views::empty_details()));
                texts.iter().for_each(|text| csv.push_str(text));
                Ok(csv.into_bytes())
            }
            _ => {
                let document =
                    views::fleet(rows, &self.totals.by_currency(), sheets, &self.failed, self.total);
                render_document(&document, self.options, destination)
            }
        }
    }

    /// Returns the failure to exit with after everything was printed.
    fn failure(self, early: Option<EarlyStop>, destination: &Destination) -> Option<Failure> {
        let overage = self.check.and_then(|check| check.finish(self.options.verbosity()));
        if early.is_none() && self.failed.is_empty() {
            return overage;
        }
        let of = count(self.total, "organisation", "organisations");
        let overage = overage.map(|overage| format!("; {overage}")).unwrap_or_default();
        if let Some(EarlyStop { stopped, resume_hint: how_to_go_on }) = early {
            let result = match destination {
                Destination::File(path) => {
                    format!("{} was not written, because the result is incomplete", path.display())
                }
                _ if self.read_count == 0 => "Nothing was printed".to_owned(),
                _ => format!("The printed result is incomplete: {} of {of}", self.read_count),
            };
            return Some(Failure::Aborted { stopped, outcome: format!("{result}{overage}. {how_to_go_on}") });
        }
        let failed = self.failed.len();
        let rest = if failed < self.total { "; the rest was printed" } else { "" };
        Some(Failure::Partial(format!("{failed} of {of} could not be read{rest}{overage}")))
    }
}

fn single_sheet(sheet: Sheet) -> Document {
    Document { title: String::new(), facts: Vec::new(), sheets: vec![sheet] }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Command, CommandLine};

    #[test]
    fn what_an_organization_is_called_does_not_steer_the_terminal() {
        let line =
            CommandLine::try_parse_from(["x", "--sandbox", "-q", "--format", "ndjson", "fleet"]).unwrap();
        let (options, Command::Fleet(command)) = (line.options, line.command) else { panic!("it is fleet") };
        let mut backend = Backend::new(&options).unwrap();
        let org: OrgId = billing_core::sandbox::ORG_ID.parse().unwrap();
        let latest = PeriodSelection::Nth(PeriodIndex::new(0));
        let mut finding = backend.history(&org, latest, options.verbosity()).unwrap().remove(0);
        let PeriodOutcome::Period(period) = &mut finding.outcome else { panic!("it has one") };
        period.body = "{\"organization\":{\"name\":\"A\u{9b}31m\u{202e}B\"}}".into();
        period.overview = serde_json::from_slice(&period.body).unwrap();

        let written = |on_terminal: bool| {
            let assignment = FleetPlan::new([org.clone()], latest, backend.api_url(), backend.now());
            let task = FleetTask { assignment, names: HashMap::new(), unusable: Vec::new(), journal: None };
            let mut run = FleetReport::new(&task, &command, &options, on_terminal);
            let mut out = Vec::new();
            run.add_result(&finding, &mut Some(&mut out), |say| say()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(
            written(true).starts_with(r#"{"organization":{"name":"A\u009b31m\u202eB"}"#),
            "{}",
            written(true)
        );
        assert!(written(false).contains("A\u{9b}31m\u{202e}B"), "in a pipe it is as it came");
    }
}
