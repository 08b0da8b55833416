//! What a run over many organisations is asked to find out.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::history::PeriodSelection;
use crate::{BaseUrl, OrgId, Timestamp};

/// Which periods of which organisations, at which server: what makes a run this run and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FleetPlan {
    /// The server's address.
    #[serde(with = "crate::values::environment::saved")]
    pub api: BaseUrl,
    /// How far back each organisation's periods are asked for.
    pub selection: PeriodSelection,
    /// When the run was begun. An index may mean another period some days later.
    pub started_at: Timestamp,
    /// The organisations, in the order in which they have their turn.
    organizations: Vec<OrgId>,
}

impl FleetPlan {
    /// The periods of `organizations` at `api`, in a run that begins at `begun`. An organisation that is named twice has one
    /// turn; ids that differ in case only are one.
    pub fn new(
        organizations: impl IntoIterator<Item = OrgId>,
        reach: PeriodSelection,
        api: BaseUrl,
        begun: DateTime<Utc>,
    ) -> Self {
        let mut seen = BTreeSet::new();
        let organizations = organizations.into_iter().filter(|id| seen.insert(id.normalized())).collect();
        Self { api, selection: reach, started_at: begun.into(), organizations }
    }

    /// The organisations, each once.
    pub fn organizations(&self) -> &[OrgId] {
        &self.organizations
    }

    /// Returns how old the run is at `now`, to decide whether its journal may be resumed.
    ///
    /// The server takes days to begin a new period, and then every index means another period than before. The periods of
    /// one run that lasts longer may not all be alike.
    pub fn age(&self, now: DateTime<Utc>) -> PlanAge {
        match now.signed_duration_since(self.started_at.instant()) {
            age if age > STALE => PlanAge::Stale,
            age if age > OLD => PlanAge::Old,
            _ => PlanAge::Fresh,
        }
    }

    /// Whether both ask the same of the same server, whenever they were begun and in whatever order: what differs, if
    /// something does. For a journal that is to be gone on with.
    ///
    /// # Errors
    /// Says what differs.
    pub fn check_resumable_as(&self, other: &Self) -> Result<(), PlanMismatch> {
        if self.api != other.api {
            return Err(PlanMismatch::Api(self.api.to_string(), other.api.to_string()));
        }
        if self.selection != other.selection {
            return Err(PlanMismatch::Selection(self.selection, other.selection));
        }
        let set = |assignment: &Self| -> BTreeSet<String> {
            assignment.organizations.iter().map(OrgId::normalized).collect()
        };
        let (here, there) = (set(self), set(other));
        match (here.difference(&there).count(), there.difference(&here).count()) {
            (0, 0) => Ok(()),
            (missing, more) => {
                Err(PlanMismatch::Organizations { only_in_journal: missing, only_in_plan: more })
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

/// In what two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanMismatch {
    /// They ask different servers, at these addresses.
    Api(String, String),
    /// They ask for different periods.
    Selection(PeriodSelection, PeriodSelection),
    /// They ask about different organisations.
    Organizations {
        /// So many of the first are not in the second.
        only_in_journal: usize,
        /// So many of the second are not in the first.
        only_in_plan: usize,
    },
}

impl std::fmt::Display for PlanMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Api(one, other) => write!(f, "it is of a run at {one}, not at {other}"),
            Self::Selection(one, other) => write!(f, "it is of a run for {one}, not for {other}"),
            Self::Organizations { only_in_journal: missing, only_in_plan: more } => write!(
                f,
                "it is of a run over other organisations: {missing} of them are not asked for now, and {more} are that were not then"
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
        let begun: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let latest = PeriodSelection::Nth(PeriodIndex::new(0));
        let plan = FleetPlan::new([], latest, Environment::default().api().clone(), begun);
        let second = TimeDelta::seconds(1);
        for (age, expected) in [
            // A clock that was set back.
            (-second, PlanAge::Fresh),
            (OLD, PlanAge::Fresh),
            (OLD + second, PlanAge::Old),
            (STALE, PlanAge::Old),
            (STALE + second, PlanAge::Stale),
        ] {
            assert_eq!(plan.age(begun + age), expected, "{age}");
        }
    }
}
