//! Lives: machines of every kind behind one trait, so that one world can hold them all.
//!
//! No test is needed to show that an answer is delivered only once: [`Out::receive`] takes the box, as
//! [`Sent::receive`] takes the sent machine, so a second copy of the answer has no receiver. A network can
//! serve a *request* twice, and the simulation does that.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::machine::PageStep;
use billing_core::model::{ReportStatus, TrusteeOverview, UsageReport};
use billing_core::poll::Report;
use billing_core::{
    Amount, Authorized, Error, ErrorKind, Machine, Pages, Progress, Reply, Request, Sent, Session, Step,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::numbers::Numbers;
use super::rng::Rng;

pub(super) type Shared = Rc<RefCell<Session>>;

/// The result of a step of a life.
pub(super) enum Moved {
    Sends(Box<Request>, Box<dyn Out>),
    Waits(DateTime<Utc>, Box<dyn Parked>),
    Ends(Result<Told, Error>),
    /// A restored copy behaved differently from its original.
    Diverges(String),
}

/// The facts about a success.
pub(super) struct Told {
    /// Set if the result is a complete report.
    pub(super) complete: bool,
    /// Set if all data outside the schema was kept, as in the model's answers.
    pub(super) kept: bool,
    /// The rest of a list.
    pub(super) rest: Option<Box<Pages<Numbers>>>,
}

/// A life that waits.
pub(super) trait Parked {
    fn step(self: Box<Self>, now: DateTime<Utc>) -> Moved;
    fn progress(&self) -> Progress;
    fn awaits_login(&self) -> bool;
    fn save(&self) -> String;
    /// Restores the life that was saved as `text`, possibly in another session.
    fn restore(&self, text: &str, session: &Shared) -> Box<dyn Parked>;
    /// Returns its whole debug rendering.
    fn show(&self) -> String;
}

/// A life with a request in flight.
pub(super) trait Out {
    fn receive(self: Box<Self>, reply: Reply, now: DateTime<Utc>) -> Moved;
    fn show(&self) -> String;
}

/// Machines that can be simulated.
pub(super) trait Subject:
    Machine<Output: Ending> + Serialize + DeserializeOwned + Clone + std::fmt::Debug + 'static
{
}

impl<M: Machine<Output: Ending> + Serialize + DeserializeOwned + Clone + std::fmt::Debug + 'static> Subject
    for M
{
}

/// The common interface of successful results.
pub(super) trait Ending: std::fmt::Debug {
    fn told(self) -> Told;
}

impl Ending for UsageReport {
    fn told(self) -> Told {
        let new = self.unknown.get("new") == Some("[1,{}]");
        let number = matches!(self.usages(), [two, many] if is(two.total_usage.as_ref(), "2", Some(2))
            && is(many.total_usage.as_ref(), "many", None) && many.name.is_none());
        let missing = self.end_date.is_none() && self.id.is_none();
        let complete = self.status() == Some(&ReportStatus::Complete);
        Told { complete, kept: new && number && missing, rest: None }
    }
}

impl Ending for TrusteeOverview {
    fn told(self) -> Told {
        let new = self.subscription_type.as_ref().is_some_and(|sort| sort.as_str() == "BRAND_NEW");
        let thousand = is(self.minimum_monthly_amount.as_ref(), "1e3", Some(1_000));
        let none = matches!(self.usages(), [row] if is(row.overage_price.as_ref(), "n/a", None)
            && is(row.usage_quantity.as_ref(), "7", Some(7)));
        Told { complete: false, kept: new && thousand && none, rest: None }
    }
}

impl Ending for PageStep<Numbers> {
    fn told(self) -> Told {
        Told { complete: false, kept: true, rest: self.rest.map(Box::new) }
    }
}

/// Returns true if an amount has this text and this numeric value, or none.
fn is(amount: Option<&Amount>, text: &str, number: Option<i64>) -> bool {
    let number = number.map(Into::into);
    amount.is_some_and(|amount| amount.text() == text && amount.decimal() == number)
}

/// Runs a machine in a session.
pub(super) fn under<M: Subject>(machine: M, session: &Shared) -> Box<dyn Parked> {
    Box::new(Resting(Authorized::new(machine, session.clone())))
}

/// Runs a machine without a session, together with a copy. The copy is saved and restored at waits (as
/// `chance` decides) and must take exactly the same steps.
pub(super) fn alone<M: Subject>(machine: M, chance: Rng) -> Box<dyn Parked> {
    let twin = machine.clone();
    Box::new(Twins { original: machine, twin, chance })
}

struct Resting<M: Subject>(Authorized<M, Shared>);

struct Calling<M: Subject>(Sent<Authorized<M, Shared>>);

fn moved<M: Subject>(step: Step<Authorized<M, Shared>>) -> Moved {
    match step {
        Step::Send(request, sent) => Moved::Sends(request, Box::new(Calling(sent))),
        Step::Wait(until, machine) => Moved::Waits(until, Box::new(Resting(machine))),
        Step::Done(result) => Moved::Ends(result.map(Ending::told)),
    }
}

impl<M: Subject> Parked for Resting<M> {
    fn step(self: Box<Self>, now: DateTime<Utc>) -> Moved {
        moved(self.0.step(now))
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }

    fn awaits_login(&self) -> bool {
        self.0.awaits_login()
    }

    fn save(&self) -> String {
        serde_json::to_string(self.0.machine()).unwrap_or_else(|e| panic!("a parked machine is saved: {e}"))
    }

    fn restore(&self, text: &str, session: &Shared) -> Box<dyn Parked> {
        under(restored::<M>(text), session)
    }

    fn show(&self) -> String {
        format!("{:?} {:?}", self.0, self.0.progress())
    }
}

impl<M: Subject> Out for Calling<M> {
    fn receive(self: Box<Self>, reply: Reply, now: DateTime<Utc>) -> Moved {
        moved(self.0.receive(reply, now))
    }

    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

struct Twins<M> {
    original: M,
    twin: M,
    chance: Rng,
}

struct SentTwins<M: Subject> {
    original: Sent<M>,
    twin: Sent<M>,
    chance: Rng,
}

fn both<M: Subject>(original: Step<M>, twin: Step<M>, mut chance: Rng, now: DateTime<Utc>) -> Moved {
    let differ = |what: &str| Moved::Diverges(format!("a restored copy {what}"));
    match (original, twin) {
        (Step::Send(request, original), Step::Send(same, twin)) => {
            let shape = |r: &Request| (r.http().uri().clone(), r.http().headers().clone(), r.timeout(now));
            if shape(&request) != shape(&same) {
                return differ("sends another request");
            }
            Moved::Sends(request, Box::new(SentTwins { original, twin, chance }))
        }
        (Step::Wait(until, original), Step::Wait(same, twin)) => {
            if until != same || original.progress() != twin.progress() {
                return differ("waits for something else");
            }
            let twin = if chance.permille(600) { restored(&saved(&twin)) } else { twin };
            Moved::Waits(until, Box::new(Twins { original, twin, chance }))
        }
        (Step::Done(result), Step::Done(same)) => {
            let shape = |r: &Result<M::Output, Error>| match r {
                Ok(output) => (None, format!("{output:?}")),
                // The last answer is not saved, so this error may have fewer details.
                Err(e) if matches!(e.kind(), ErrorKind::DeadlineExceeded(_) | ErrorKind::Deferred(_)) => {
                    (Some((e.kind().clone(), e.attempts())), String::new())
                }
                Err(e) => (Some((e.kind().clone(), e.attempts())), e.to_string()),
            };
            if shape(&result) != shape(&same) {
                return differ("ends otherwise");
            }
            Moved::Ends(result.map(Ending::told))
        }
        (_, Step::Send(..)) => differ("sends a request where the original does not"),
        (_, Step::Wait(..)) => differ("waits where the original does not"),
        (_, Step::Done(_)) => differ("ends where the original does not"),
    }
}

impl<M: Subject> Parked for Twins<M> {
    fn step(self: Box<Self>, now: DateTime<Utc>) -> Moved {
        both(self.original.step(now), self.twin.step(now), self.chance, now)
    }

    fn progress(&self) -> Progress {
        self.original.progress()
    }

    fn awaits_login(&self) -> bool {
        false
    }

    fn save(&self) -> String {
        saved(&self.original)
    }

    fn restore(&self, text: &str, _: &Shared) -> Box<dyn Parked> {
        alone(restored::<M>(text), self.chance.clone())
    }

    fn show(&self) -> String {
        format!("{:?}", self.original)
    }
}

impl<M: Subject> Out for SentTwins<M> {
    fn receive(self: Box<Self>, reply: Reply, now: DateTime<Utc>) -> Moved {
        both(self.original.receive(reply.clone(), now), self.twin.receive(reply, now), self.chance, now)
    }

    fn show(&self) -> String {
        format!("{:?}", self.original)
    }
}

fn saved<M: Subject>(machine: &M) -> String {
    serde_json::to_string(machine).unwrap_or_else(|error| panic!("a parked machine is saved: {error}"))
}

fn restored<M: Subject>(text: &str) -> M {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("what was saved is restored: {error}: {text}"))
}

#[cfg(test)]
mod tests {
    use billing_core::calls::BillableUsageCall;
    use billing_core::{Environment, Period, Policy, Poll};

    use super::*;

    #[test]
    fn a_copy_that_does_something_else_is_told() {
        let poll = |seed| {
            let period = Period::from_user("2026-05-01", "2026-06-01").unwrap_or_else(|e| panic!("{e}"));
            let policy = Policy { seed, ..Policy::default() };
            Poll::new(BillableUsageCall::new(period), Environment::default().api().clone(), policy)
        };
        let ends = |twin| {
            let now = DateTime::UNIX_EPOCH;
            let twins = Box::new(Twins { original: poll(1), twin, chance: Rng::new(0) });
            let Moved::Sends(_, out) = twins.step(now) else { panic!("a request") };
            out.receive(Ok(http::Response::new(r#"{"status":"InProgress"}"#.into())), now)
        };
        assert!(matches!(ends(poll(1)), Moved::Waits(..)));
        assert!(matches!(ends(poll(2)), Moved::Diverges(_)));
    }
}
