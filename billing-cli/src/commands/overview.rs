//! `overview`: what a trustor committed to, used and owes, and what it comes to.

use billing_core::calls::{TrusteeOverviewCall, WithBody};
use billing_core::{ErrorKind, OrgId, PeriodIndex, Statement};

use super::{body_text, json, look, unreadable};
use crate::args::{Format, Options, Overview};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format;
use crate::output::Destination;

pub(crate) fn run(
    command: &Overview,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
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
    let overview = answer.value;
    let statement = Statement::new(&overview);
    let with_statement = || {
        let field = match overview.unknown.get(FIELD) {
            None => FIELD,
            // Should the server come to send one of its own, both are kept.
            Some(_) => OTHER_FIELD,
        };
        let body = body_text(&answer.body)?;
        format::json::with_field(body, field, &statement).map_err(|error| unreadable(&error))
    };
    Ok(match options.format {
        Format::Table => {
            format::table::overview(&overview, &statement, look(options, destination)).into_bytes()
        }
        Format::Json => json(&with_statement()?, destination),
        Format::Ndjson => json(&format::json::compact(&with_statement()?), destination),
        Format::Csv => format::csv::overview(&overview, &statement),
    })
}

const FIELD: &str = "statement";
const OTHER_FIELD: &str = "genesysBillingStatement";
