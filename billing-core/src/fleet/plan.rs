//! The plan of a run: the organisations, their periods and the server.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::history::PeriodSelection;
use crate::{BaseUrl, OrgId, Timestamp};

/// The plan of a run: the periods of which organisations to request from which server. Two runs with equal
/// plans are the same run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FleetPlan {
    /// The address of the server.
    #[serde(with = "crate::values::environment::saved")]
    pub api: BaseUrl,
    /// The periods to request for each organisation.
    pub selection: PeriodSelection,
    /// The start of the run. Some days later an index may mean another period.
    pub started_at: Timestamp,
    /// The organisations, in the order in which they start.
    organizations: Vec<OrgId>,
}

impl FleetPlan {
    /// Builds the plan to request a `selection` of periods of `organizations` from `api`, in a run that
    /// starts at `started_at`. Each organisation is requested once, also if the list has it twice; ids that
    /// differ in case only are one organisation.
    pub fn new(
        organizations: impl IntoIterator<Item = OrgId>,
        selection: PeriodSelection,
        api: BaseUrl,
        started_at: DateTime<Utc>,
    ) -> Self {
        let mut seen = BTreeSet::new();
        let organizations = organizations.into_iter().filter(|id| seen.insert(id.normalized())).collect();
        Self { api, selection, started_at: started_at.into(), organizations }
    }

    /// Returns the organisations, each once.
    pub fn organizations(&self) -> &[OrgId] {
        &self.organizations
    }

    /// Returns how old the run is at `now`, to decide whether its journal may be resumed.
    ///
    /// The server takes days to begin a new period, and then every index means another period than before. A
    /// run that lasts longer may mix periods.
    pub fn age(&self, now: DateTime<Utc>) -> PlanAge {
        match now.signed_duration_since(self.started_at.instant()) {
            age if age > STALE => PlanAge::Stale,
            age if age > OLD => PlanAge::Old,
            _ => PlanAge::Fresh,
        }
    }

    /// Checks that a journal of this plan can be resumed for `other`: the same server, periods and
    /// organisations, in any order and with any start.
    ///
    /// # Errors
    /// Returns the difference.
    pub fn check_resumable_as(&self, other: &Self) -> Result<(), PlanMismatch> {
        if self.api != other.api {
            return Err(PlanMismatch::Api(self.api.to_string(), other.api.to_string()));
        }
        if self.selection != other.selection {
            return Err(PlanMismatch::Selection(self.selection, other.selection));
        }
        let ids =
            |plan: &Self| -> BTreeSet<String> { plan.organizations.iter().map(OrgId::normalized).collect() };
        let (ours, theirs) = (ids(self), ids(other));
        match (ours.difference(&theirs).count(), theirs.difference(&ours).count()) {
            (0, 0) => Ok(()),
            (missing, added) => {
                Err(PlanMismatch::Organizations { only_in_journal: missing, only_in_plan: added })
            }
        }
    }
}

/// The age of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanAge {
    /// It began at most a day ago.
    Fresh,
    /// It began more than a day ago. The dates of its periods have to be checked, because the server may have begun a new
    /// period since.
    Old,
    /// It began more than seven days ago. It must not be resumed.
    Stale,
}

/// The difference between two plans.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanMismatch {
    /// Different servers, at these addresses.
    Api(String, String),
    /// Different periods.
    Selection(PeriodSelection, PeriodSelection),
    /// Different organisations.
    Organizations {
        /// The number of organisations in the first plan only.
        only_in_journal: usize,
        /// The number of organisations in the second plan only.
        only_in_plan: usize,
    },
}

impl std::fmt::Display for PlanMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Api(one, other) => write!(f, "it belongs to a run at {one}, not at {other}"),
            Self::Selection(one, other) => write!(f, "it belongs to a run for {one}, not for {other}"),
            Self::Organizations { only_in_journal: missing, only_in_plan: added } => write!(
                f,
                "it belongs to a run over other organisations: {missing} of them are not in this run, and {added} of this run are not in it"
            ),
        }
    }
}

impl std::error::Error for PlanMismatch {}

const OLD: TimeDelta = TimeDelta::days(1);
const STALE: TimeDelta = TimeDelta::days(7);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, PeriodIndex};

    #[test]
    fn a_run_is_old_after_a_day_and_stale_after_seven() {
        let started_at: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let latest = PeriodSelection::Nth(PeriodIndex::new(0));
        let plan = FleetPlan::new([], latest, Environment::default().api().clone(), started_at);
        let second = TimeDelta::seconds(1);
        for (age, expected) in [
            // A clock that was set back.
            (-second, PlanAge::Fresh),
            (OLD, PlanAge::Fresh),
            (OLD + second, PlanAge::Old),
            (STALE, PlanAge::Old),
            (STALE + second, PlanAge::Stale),
        ] {
            assert_eq!(plan.age(started_at + age), expected, "{age}");
        }
    }
}
