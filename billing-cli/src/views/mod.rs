//! The builders of documents from the results of the core, one file per kind.

mod compare;
mod contracts;
mod fleet;
mod history;
mod invoices;
mod overview;
mod regions;
mod sums;
mod trustors;
mod usage;

pub(crate) use compare::comparison;
pub(crate) use contracts::{contract, contract_period, contracts};
pub(crate) use fleet::{MAX_SHEETS, details, empty_details, fleet, organization};
pub(crate) use history::history;
pub(crate) use invoices::{invoice_lines, invoices};
pub(crate) use overview::overview;
pub(crate) use regions::regions;
pub(crate) use trustors::trustors;
pub(crate) use usage::usage;
