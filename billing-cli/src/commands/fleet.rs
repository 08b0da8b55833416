//! `fleet`: the overviews of all organisations that trust ours, or of those in a file.

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

use super::{deliver, list, render, with_statement};
use crate::args::{Fleet, Format, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::{Document, Row, Sheet};
use crate::format::{csv, json};
use crate::journal::{self, OldJournal, Opened};
use crate::log::{self, Verbosity};
use crate::organizations::{self, Named};
use crate::output::{Destination, is_same_file};
use crate::overage_check::OverageCheck;
use crate::progress::FleetBar;
use crate::text::count;
use crate::views;

pub(crate) fn run(command: &Fleet, options: &Options, destination: &Destination) -> Result<(), Failure> {
    let reach = PeriodSelection::Nth(command.period.parse::<PeriodIndex>()?);
    if let (Some(journal), Destination::File(result)) = (&command.resume, destination)
        && is_same_file(journal, result)
    {
        return Err(Failure::Usage(
            "--resume and --output name the same file: the journal is not the result".into(),
        ));
    }
    let read = |path: &PathBuf| organizations::read(path, options.verbosity());
    let named = command.orgs.as_ref().map(read).transpose()?;
    let mut backend = Backend::new(options)?;
    let opened = command.resume.as_deref().map(journal::open).transpose()?;
    let task = Task::new(named, reach, opened, &mut backend, options)?;
    let mut run = Run::new(&task, command, options, destination.is_terminal());
    let early = if options.format == Format::Ndjson {
        let mut ended = Ok(None);
        let written = destination.stream(|to| match run.follow(task, &mut backend, Some(to)) {
            Ok(None) => Ok(()),
            Err(Failure::Output { error, .. }) => Err(error),
            // A file is not put in its place for a run that did not come to its end.
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
        let early = run.follow(task, &mut backend, None)?;
        // What was found in hours is not thrown away; but a file is written whole or not at all.
        let in_part = run.read > 0 && !matches!(destination, Destination::File(_));
        if early.is_none() || in_part {
            deliver(destination, options, || run.print(destination))?;
        }
        early
    };
    run.failure(early, destination).map_or(Ok(()), Err)
}

/// What ended a run before its end, and how it can be gone on with.
struct Early {
    stopped: Aborted,
    how_to_go_on: String,
}

/// What is to be found out.
struct Task {
    assignment: FleetPlan,
    /// Names by id, from the list of the organisations.
    names: HashMap<String, String>,
    /// Which are in the list and cannot be asked about, and why.
    lost: Vec<(String, String)>,
    /// What of it is known, if a journal is kept.
    journal: Option<Opened>,
}

impl Task {
    /// The organisations are those that were named, or those of the journal, or all that trust ours.
    fn new(
        named: Option<Vec<Named>>,
        reach: PeriodSelection,
        opened: Option<Opened>,
        backend: &mut Backend,
        options: &Options,
    ) -> Result<Self, Failure> {
        let mut lost = Vec::new();
        let named = match (named, &opened) {
            (Some(named), _) => named,
            (None, Some(Opened::Old(old))) => {
                let ids = old.assignment.organizations().iter().cloned();
                ids.map(Named::from).collect()
            }
            (None, _) => trustors(&mut lost, backend, options)?,
        };
        let name = |named: &Named| Some((named.id.normalized(), named.name.clone()?));
        let names = named.iter().filter_map(name).collect();
        let ids = named.into_iter().map(|named| named.id);
        let wanted = FleetPlan::new(ids, reach, backend.api(), backend.now());
        let assignment = match &opened {
            Some(Opened::Old(old)) => {
                old.assignment.check_resumable_as(&wanted).map_err(|why| old.refused(&why.to_string()))?;
                go_on(old, backend, options)?;
                old.assignment.clone()
            }
            _ => wanted,
        };
        for (label, why) in &lost {
            log::trouble(&format!("{label}: {why}"));
        }
        if assignment.organizations().is_empty() && lost.is_empty() {
            log::note("there is no organisation that trusts ours", options.verbosity());
        }
        Ok(Self { assignment, names, lost, journal: opened })
    }
}

/// Looks at how old a journal is: some days later an index may mean another period.
fn go_on(old: &OldJournal, backend: &Backend, options: &Options) -> Result<(), Failure> {
    let begun = old.assignment.started_at.instant().format("%Y-%m-%d %H:%M UTC");
    let age = old.assignment.age(backend.now());
    if age == PlanAge::Stale {
        return Err(old.refused(&format!(
            "its run was begun on {begun}, and by now the server may mean another period by the same index: remove it, or \
             name another"
        )));
    }
    if age == PlanAge::Old {
        let said = format!(
            "the run was begun on {begun}: look at the dates of the periods, they may not all be alike"
        );
        log::warning(&said, options.verbosity());
    }
    let all = count(old.assignment.organizations().len(), "organisation", "organisations");
    log::note(
        &format!("going on with the run of {begun}: {} of {all} known", old.known),
        options.verbosity(),
    );
    Ok(())
}

/// All that trust ours. `lost`: those of them that cannot be asked about, and why.
fn trustors(
    lost: &mut Vec<(String, String)>,
    backend: &mut Backend,
    options: &Options,
) -> Result<Vec<Named>, Failure> {
    let call = TrustorsCall::new().page_size(PageSize::new(list::LARGEST)?);
    let pages = backend.list(call, options.verbosity())?;
    let all = pages.iter().flat_map(|page| page.entities());
    let (on, off): (Vec<_>, Vec<_>) = all.partition(|trustor| trustor.enabled != Some(false));
    organizations::note_left_out(off.len(), options.verbosity());
    let mut named = Vec::new();
    for trustor in on {
        let name = trustor.organization.as_ref().and_then(|organization| organization.name.clone());
        let id = trustor.organization_id().ok_or_else(|| "the list has no id of it".to_owned());
        match id.and_then(|id| id.parse().map_err(|error: InvalidInput| error.to_string())) {
            Ok(id) => named.push(Named { id, name }),
            Err(why) => lost.push((name.unwrap_or_else(|| "an organisation without a name".to_owned()), why)),
        }
    }
    Ok(named)
}

/// What was found so far, as far as it is needed to print it.
struct Run<'a> {
    options: &'a Options,
    names: HashMap<String, String>,
    /// Where in the list an organisation stands.
    places: HashMap<String, usize>,
    kept: Vec<Kept>,
    /// How many there are, and how many of them could be read.
    of: usize,
    read: usize,
    totals: CurrencyTotals,
    /// Which could not be read, and why.
    failed: Vec<(String, String)>,
    check: Option<OverageCheck>,
    /// Whether what is found is shown on a terminal.
    on_terminal: bool,
}

/// What is kept of an organisation until the end.
enum Kept {
    Nothing,
    /// What it is in the format that is wanted.
    Text(String),
    Row(Row),
    Rows(Row, Box<Sheet>),
}

impl<'a> Run<'a> {
    fn new(task: &Task, command: &Fleet, options: &'a Options, on_terminal: bool) -> Self {
        let organizations = task.assignment.organizations();
        Self {
            options,
            names: task.names.clone(),
            places: organizations.iter().map(OrgId::normalized).zip(0..).collect(),
            kept: organizations.iter().map(|_| Kept::Nothing).collect(),
            of: organizations.len() + task.lost.len(),
            read: 0,
            totals: CurrencyTotals::default(),
            failed: task.lost.clone(),
            check: command.on_overage.fail_on_overage.then(OverageCheck::default),
            on_terminal,
        }
    }

    /// Runs it to its end, or until something concerns all organisations. `to`: where each finding is written as it comes, if
    /// anywhere.
    fn follow(
        &mut self,
        task: Task,
        backend: &mut Backend,
        mut to: Option<&mut dyn Write>,
    ) -> Result<Option<Early>, Failure> {
        let Task { assignment, journal, .. } = task;
        let mut fleet = backend.fleet(&assignment);
        let mut journal = match journal {
            None => None,
            Some(Opened::New(new)) => Some(new.begin(&assignment)?),
            Some(Opened::Old(old)) => Some(old.go_on(|finding| {
                fleet.recall(finding);
                self.take(finding, &mut to, |say| say())
            })?),
        };
        let verbosity = self.options.verbosity();
        // On a terminal the lines themselves show how it goes on.
        let lines_come = self.on_terminal && self.options.format == Format::Ndjson;
        let bar = FleetBar::new(if lines_come { Verbosity::Quiet } else { verbosity });
        let mut broken = None;
        let result = fleet.run(verbosity, |update| {
            bar.show(&update.progress);
            let Some(finding) = &update.result else { return ControlFlow::Continue(()) };
            // First what cannot be asked for again without asking twice.
            let recorded = journal.as_mut().map_or(Ok(()), |journal| journal.record(finding));
            match recorded.and_then(|()| self.take(finding, &mut to, |say| bar.aside(say))) {
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
                Some(journal) => journal.how_to_go_on(),
                None => "With --resume FILE, a run can be gone on with".to_owned(),
            };
            Early { stopped, how_to_go_on }
        }))
    }

    /// Takes in what was found. `aside`: how something is said while a bar is shown.
    fn take(
        &mut self,
        finding: &PeriodResult,
        to: &mut Option<&mut dyn Write>,
        aside: impl Fn(&dyn Fn()),
    ) -> Result<(), Failure> {
        let id = &finding.organization;
        let why = match &finding.outcome {
            PeriodOutcome::Period(period) | PeriodOutcome::Undated(period) => {
                return self.found(id, period, to);
            }
            PeriodOutcome::Failed(error) => error.to_string(),
            _ => "there is no such billing period".to_owned(),
        };
        let label = match self.names.get(&id.normalized()) {
            Some(name) => format!("{id} ({name})"),
            None => id.to_string(),
        };
        aside(&|| log::trouble(&format!("{label}: {why}")));
        self.failed.push((label, why));
        Ok(())
    }

    fn found(
        &mut self,
        id: &OrgId,
        period: &BillingPeriod,
        to: &mut Option<&mut dyn Write>,
    ) -> Result<(), Failure> {
        let overview = &period.overview;
        let statement = Statement::new(overview);
        let asked = Named { id: id.clone(), name: self.names.get(&id.normalized()).cloned() };
        self.read += 1;
        self.totals.add(&statement);
        if let Some(check) = &mut self.check {
            let of = asked.name_in(overview).unwrap_or_else(|| asked.id_in(overview));
            check.add(Some(of), &statement);
        }
        let row = || views::organization(&asked, overview, &statement);
        let details = || views::details(&asked, overview, &statement);
        let kept = match self.options.format {
            Format::Ndjson => {
                let object = with_statement(&asked, overview, &period.body, &statement)?;
                let line = json::lines(&[object]);
                let written = to.as_mut().map_or(Ok(()), |to| {
                    json::deliver(&line, self.on_terminal, &mut **to)?;
                    // Whoever reads is to have it now.
                    to.flush()
                });
                written.map_err(|error| Failure::Output { to: Destination::Stdout, error })?;
                Kept::Nothing
            }
            Format::Json => Kept::Text(with_statement(&asked, overview, &period.body, &statement)?),
            Format::Csv => Kept::Text(csv::rows(&alone(details()), self.on_terminal)),
            Format::Html if self.kept.len() > views::MOST_SHEETS => Kept::Row(row()),
            Format::Html | Format::Xlsx => Kept::Rows(row(), Box::new(details())),
            Format::Table => Kept::Row(row()),
        };
        if let Some(place) = self.places.get(&id.normalized()).and_then(|place| self.kept.get_mut(*place)) {
            *place = kept;
        }
        Ok(())
    }

    /// All of it, in the order of the list.
    fn print(&mut self, destination: &Destination) -> Result<Vec<u8>, Failure> {
        let (mut texts, mut rows, mut sheets) = (Vec::new(), Vec::new(), Vec::new());
        for kept in std::mem::take(&mut self.kept) {
            match kept {
                Kept::Nothing => {}
                Kept::Text(text) => texts.push(text),
                Kept::Row(row) => rows.push(row),
                Kept::Rows(row, details) => {
                    rows.push(row);
                    sheets.push(*details);
                }
            }
        }
        match self.options.format {
            Format::Json => Ok(super::json(&json::array(&texts), destination)),
            Format::Csv => {
                let mut csv = csv::header(&alone(views::no_details()));
                texts.iter().for_each(|text| csv.push_str(text));
                Ok(csv.into_bytes())
            }
            _ => {
                let document = views::fleet(rows, &self.totals.by_currency(), sheets, &self.failed, self.of);
                render(&document, self.options, destination)
            }
        }
    }

    /// What the program ends with although everything there is was printed.
    fn failure(self, early: Option<Early>, destination: &Destination) -> Option<Failure> {
        let overage = self.check.and_then(|check| check.finish(self.options.verbosity()));
        if early.is_none() && self.failed.is_empty() {
            return overage;
        }
        let of = count(self.of, "organisation", "organisations");
        let overage = overage.map(|overage| format!("; {overage}")).unwrap_or_default();
        if let Some(Early { stopped, how_to_go_on }) = early {
            let result = match destination {
                Destination::File(path) => {
                    format!("{} is not written, as it would not be whole", path.display())
                }
                _ if self.read == 0 => "Nothing is printed".to_owned(),
                _ => format!("What is printed is incomplete: {} of {of}", self.read),
            };
            return Some(Failure::Stopped { stopped, rest: format!("{result}{overage}. {how_to_go_on}") });
        }
        let failed = self.failed.len();
        let rest = if failed < self.of { "; the rest is printed" } else { "" };
        Some(Failure::Partly(format!("{failed} of {of} could not be read{rest}{overage}")))
    }
}

fn alone(sheet: Sheet) -> Document {
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
            let assignment = FleetPlan::new([org.clone()], latest, backend.api(), backend.now());
            let task = Task { assignment, names: HashMap::new(), lost: Vec::new(), journal: None };
            let mut run = Run::new(&task, &command, &options, on_terminal);
            let mut out = Vec::new();
            run.take(&finding, &mut Some(&mut out), |say| say()).unwrap();
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
