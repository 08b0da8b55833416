//! `overview`: what a trustor committed to, used and owes, and what it comes to.

use billing_core::calls::{Answer, TrusteeOverviewCall, WithBody};
use billing_core::model::TrusteeOverview;
use billing_core::{ErrorKind, OrgId, PeriodIndex, Statement};

use super::{Found, Outcome, body_text, print, unreadable};
use crate::alarm::Alarm;
use crate::args::{Options, Overview};
use crate::backend::Backend;
use crate::documents;
use crate::failure::Failure;
use crate::format;
use crate::format::document::Document;
use crate::output::Destination;

pub(crate) fn run(
    command: &Overview,
    options: &Options,
    destination: &Destination,
) -> Result<Outcome, Failure> {
    let org: OrgId = command.org.parse()?;
    let period: PeriodIndex = command.period.parse()?;
    let mut backend = Backend::new(options)?;
    let call = WithBody(TrusteeOverviewCall::new(org.clone()).period(period));
    let answer = backend.exchange(call, options.verbosity()).map_err(|error| {
        match backend.known_organizations() {
            // Of an organisation that it has, only the period can be missing.
            Some(known)
                if *error.kind() == ErrorKind::NotFound
                    && !known.iter().any(|o| o.split(' ').next() == Some(org.as_str())) =>
            {
                Failure::NoSuchSandboxOrg { error, known }
            }
            _ => error.into(),
        }
    })?;
    let statement = Statement::new(&answer.value);
    let mut alarm = Alarm::default();
    if command.alarm.fail_on_overage {
        alarm.look(None, &statement);
    }
    let printed = print(&Stated { answer, statement }, options, destination)?;
    Ok(Outcome { printed, failure: alarm.ring(options.verbosity()) })
}

/// An overview with its statement.
struct Stated {
    answer: Answer<TrusteeOverview>,
    statement: Statement,
}

impl Found for Stated {
    fn document(&self) -> Document {
        documents::overview(&self.answer.value, &self.statement)
    }

    fn json(&self) -> Result<String, Failure> {
        let field = match self.answer.value.unknown.get(FIELD) {
            None => FIELD,
            // Should the server come to send one of its own, both are kept.
            Some(_) => OTHER_FIELD,
        };
        let body = body_text(&self.answer.body)?;
        format::json::with_field(body, field, &self.statement).map_err(|error| unreadable(&error))
    }
}

const FIELD: &str = "statement";
const OTHER_FIELD: &str = "genesysBillingStatement";
