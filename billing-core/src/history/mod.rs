//! The billing periods of one organisation, from the latest to the earliest.
//!
//! ```text
//!   History ─► request for index n (with its retries) ─► Done(HistoryStep { result, rest })
//!                                                            ├─ rest: Some(History) ─► index n+1
//!                                                            └─ rest: None; result.stop_reason: why
//! ```
//!
//! Each step of the walk is a machine of its own: it requests one index and returns the result for it with
//! the machine for the rest of the walk. Drop the rest to stop early; save it with serde to continue later.
//!
//! The meaning of an index changes when the server begins a new period, which takes it days. So periods are
//! chosen by their own dates (B14), and a period that is served under two indexes counts once.
//!
//! ```
//! use billing_core::history::{StopReason, PeriodOutcome, History, PeriodSelection};
//! use billing_core::{Environment, Machine, Policy, Step};
//!
//! let environment = Environment::default();
//! let organization = "9d750d63-95ae-4df7-8955-2bca7152ca19".parse()?;
//! let now = "2026-11-02T09:00:00Z".parse()?;
//! let mut rest = Some(History::new(organization, PeriodSelection::year(2026)?, environment.api().clone(), Policy::default()));
//! let mut months = Vec::new();
//! while let Some(history) = rest.take() {
//!     let index = history.next_index().get();
//!     let Step::Send(_, sent) = history.step(now) else { panic!("a request") };
//!     // A server that has the months from October back to May.
//!     let reply = match 10_u32.checked_sub(index).filter(|month| *month > 4) {
//!         Some(month) => http::Response::new(
//!             format!(r#"{{"billingPeriodStartDate":"2026-{month:02}-01T00:00:00Z",
//!                          "billingPeriodEndDate":"2026-{month:02}-28T23:59:59Z"}}"#).into(),
//!         ),
//!         None => http::Response::builder().status(404).body("{}".into())?,
//!     };
//!     let Step::Done(step) = sent.receive(Ok(reply), now) else { panic!("an answer") };
//!     let step = step?;
//!     match step.result.outcome {
//!         PeriodOutcome::Period(period) => months.push(period.overview.billing_period_start_date.unwrap().to_string()),
//!         outcome => assert!(matches!(outcome, PeriodOutcome::NoOlderPeriod) && step.result.stop_reason == Some(StopReason::OldestPeriod)),
//!     }
//!     rest = step.rest;
//! }
//! assert_eq!((months.len(), months[0].as_str()), (6, "2026-10-01T00:00:00Z"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod period;
mod selection;
mod walk;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{LOGIN, TrusteeOverviewCall, WithBody, WithRaw};
use crate::machine::checkpoint::Format;
use crate::machine::progress::Progress;
use crate::machine::retry_loop::{Handled, NextAction, RetryLoop};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::model::TrusteeOverview;
use crate::{BaseUrl, Error, ErrorKind, Machine, OrgId, PeriodIndex, Policy, Sent, Step};

pub use period::{
    BillingPeriod, HistoryStep, PeriodDates, PeriodOutcome, PeriodResult, StopReason, sort_latest_first,
};
pub use selection::PeriodSelection;
pub(crate) use walk::Summary;
use walk::{PeriodRelevance, WalkState};

/// A walk through the billing periods of an organisation; see the [module's text](self).
///
/// A failed index is reported, and the walk continues with the next one. Two kinds of failure end the walk
/// with an error: one that every other index would meet too (the login, a permission, the deadline), and a
/// 404 for the first index, which means that there is no such organisation.
///
/// # Bound
/// Each step is one [`Exchange`](crate::Exchange), with its bound; there are at most [`History::MAX_PERIODS`]
/// steps. The walk also ends, and reports why, after [`History::MAX_FAILURES`] failed indexes in a row, or
/// after as many in a row that repeat an earlier period.
#[derive(Clone, Debug)]
#[must_use = "a machine does nothing unless it is stepped"]
pub struct History(HistoryState);

impl History {
    /// The largest number of steps: a hundred years of months.
    pub const MAX_PERIODS: u32 = 1200;
    /// The number of failed indexes in a row that ends a walk.
    pub const MAX_FAILURES: u32 = 3;

    /// Builds a walk through the `selection` of periods of `organization`, at the address `api`.
    pub fn new(organization: OrgId, selection: PeriodSelection, api: BaseUrl, policy: Policy) -> Self {
        let walk = WalkState::new(selection);
        let call = WithBody(TrusteeOverviewCall::new(organization.clone()).period_index(walk.next_index()));
        Self(HistoryState { organization, walk, retry_loop: RetryLoop::new(call, api, policy) })
    }

    /// Returns the organisation.
    pub fn organization(&self) -> &OrgId {
        &self.0.organization
    }

    /// Returns the index that is requested next.
    pub fn next_index(&self) -> PeriodIndex {
        self.0.walk.next_index()
    }

    /// Advances with a result from the journal instead of a request.
    pub(crate) fn skip_known(mut self, known: Summary) -> Result<Self, StopReason> {
        let (_, stop_reason) = self.0.walk.record(known);
        self.next_or_stop(stop_reason)
    }

    /// Returns the walk at its next index with a new retry loop, so that each index has all its retries.
    fn next_or_stop(self, stop_reason: Option<StopReason>) -> Result<Self, StopReason> {
        if let Some(stop_reason) = stop_reason {
            return Err(stop_reason);
        }
        let HistoryState { organization, walk, retry_loop } = self.0;
        let call = WithBody(TrusteeOverviewCall::new(organization.clone()).period_index(walk.next_index()));
        let retry_loop = RetryLoop::new(call, retry_loop.api, retry_loop.policy);
        Ok(Self(HistoryState { organization, walk, retry_loop }))
    }

    /// Builds the output of a step.
    fn step_with(
        self,
        index: PeriodIndex,
        outcome: PeriodOutcome,
        stop_reason: Option<StopReason>,
    ) -> HistoryStep {
        let organization = self.0.organization.clone();
        HistoryStep {
            result: PeriodResult { organization, index, outcome, stop_reason },
            rest: self.next_or_stop(stop_reason).ok(),
        }
    }

    /// Classifies the period that the server returned.
    fn handle_answer(mut self, WithRaw { value, body }: WithRaw<TrusteeOverview>) -> HistoryStep {
        let index = self.0.walk.next_index();
        let dates = PeriodDates::from_overview(&value);
        let (relevance, stop_reason) = self.0.walk.record(Summary::Period(dates));
        let period = Box::new(BillingPeriod { index, overview: value, body });
        let outcome = match relevance {
            PeriodRelevance::Wanted => PeriodOutcome::Period(period),
            PeriodRelevance::Undated => PeriodOutcome::Undated(period),
            PeriodRelevance::Outside => PeriodOutcome::OutsideRange(dates),
            PeriodRelevance::Repeated => PeriodOutcome::Repeated(dates),
        };
        self.step_with(index, outcome, stop_reason)
    }

    /// Turns an error into a result of this index, or returns it if it ends the walk.
    fn handle_error(mut self, error: Error) -> Result<HistoryStep, Error> {
        let walk = &mut self.0.walk;
        let index = walk.next_index();
        // A 404 for an older index means that there is no older period. For the first index the organisation
        // itself is unknown.
        if walk.is_at_start() && *error.kind() == ErrorKind::NotFound {
            return Err(error);
        }
        let (outcome, known) = match error.kind() {
            ErrorKind::NotFound => (PeriodOutcome::NoOlderPeriod, Summary::NoOlderPeriod),
            // A walk for a single index has nothing to continue with, so its error is the caller's.
            _ if matches!(walk.selection, PeriodSelection::Nth(_)) || fails_every_index(&error) => {
                return Err(error);
            }
            _ => (PeriodOutcome::Failed(error), Summary::Failed),
        };
        let (_, stop_reason) = walk.record(known);
        Ok(self.step_with(index, outcome, stop_reason))
    }

    fn into_step(self, next: Result<NextAction, Error>) -> Step<Self> {
        match next {
            Ok(NextAction::Send(request)) => Step::Send(request, Sent::new(self)),
            Ok(NextAction::Wait(until)) => Step::Wait(until, self),
            Err(error) => Step::Done(self.handle_error(error)),
        }
    }
}

impl Machine for History {
    type Output = HistoryStep;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.retry_loop.resume(now);
        self.into_step(next)
    }

    fn progress(&self) -> Progress {
        self.0.retry_loop.progress()
    }
}

impl sealed::MachineInternals for History {
    fn on_reply(mut self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        match self.0.retry_loop.handle_reply(received, Duration::ZERO, now) {
            Ok(Handled::Accepted(answer, _, _)) => Step::Done(Ok(self.handle_answer(answer))),
            Ok(Handled::Retry) => {
                let next = self.0.retry_loop.advance(now);
                self.into_step(next)
            }
            Err(error) => Step::Done(self.handle_error(error)),
        }
    }

    fn on_hold(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.0.retry_loop.handle_hold(hold, now);
        self.into_step(next)
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.save(None, &self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FORMAT.restore(|_| None, deserializer).map(Self)
    }
}

/// The state of a walk, as it is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryState {
    organization: OrgId,
    walk: WalkState,
    retry_loop: RetryLoop<WithBody<TrusteeOverviewCall>>,
}

/// Returns true if every other index would fail in the same way, because of the login, a permission or the
/// deadline.
fn fails_every_index(error: &Error) -> bool {
    let kind = error.kind();
    let always = matches!(
        kind,
        ErrorKind::Unauthorized
            | ErrorKind::LoginRefused
            | ErrorKind::Forbidden
            | ErrorKind::InvalidRequest(_)
            | ErrorKind::DeadlineExceeded(_)
            | ErrorKind::Deferred(_)
    );
    always || error.operation() == LOGIN
}

const FORMAT: Format = Format { name: "billing-core history", version: 3 };

#[cfg(test)]
mod tests;
