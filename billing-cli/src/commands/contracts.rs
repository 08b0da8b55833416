//! The commands `contracts`, `contract` and `period`: contracts, their billing periods and their charges.

use billing_core::Amount;
use billing_core::calls::{Call, ContractCall, ContractPeriodCall, ContractsCall, WithBody, WithRaw};
use billing_core::values::PageSize;

use super::{CommandData, CommandOutput, body_text, list, render_data};
use crate::args::{ContractPeriodArgs, ContractsArgs, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::format::document::{Document, NO_NAME};
use crate::output::Destination;
use crate::overage_check::OverageCheck;
use crate::views;

pub(crate) fn list(
    command: &ContractsArgs,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
    let mut call = ContractsCall::new().page_size(PageSize::new(list::MAX_PAGE_SIZE)?);
    if let Some(range) = list::date_range(&command.dates)? {
        call = call.dates(range);
    }
    if let Some(status) = &command.status {
        call = call.status(status.as_str().into())?;
    }
    if let Some(number) = &command.number {
        call = call.external_number(number).map_err(|_| {
            Failure::Usage(format!(
                "--number {number:?} is not a contract number: use one listed by `contracts`"
            ))
        })?;
    }
    list::run(call, views::contracts, options, destination)
}

pub(crate) fn show(id: &str, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let found = fetch(ContractCall::new(id.parse()?), views::contract, options)?;
    render_data(&found, options, destination)
}

pub(crate) fn period(
    command: &ContractPeriodArgs,
    options: &Options,
    destination: &Destination,
) -> Result<CommandOutput, Failure> {
    let call = ContractPeriodCall::new(command.contract.parse()?, command.period.parse()?);
    let found = fetch(call, views::contract_period, options)?;
    let mut check = OverageCheck::default();
    if command.on_overage.fail_on_overage {
        let detail = &found.answer.value;
        for charge in detail.charges() {
            let over = charge.overage_quantity.as_ref().and_then(Amount::decimal);
            check.add_overage(charge.name.as_deref().unwrap_or(NO_NAME), over);
        }
        for wallet in detail.wallets() {
            let over = wallet.balance_overage.as_ref().and_then(Amount::decimal);
            check.add_overage(wallet.name.as_deref().unwrap_or(NO_NAME), over);
        }
    }
    let printed = render_data(&found, options, destination)?;
    Ok(CommandOutput { bytes: printed, failure: check.finish(options.verbosity()) })
}

/// A response with the function that builds its document.
struct ResponseData<T> {
    answer: WithRaw<T>,
    shown: fn(&T) -> Document,
}

fn fetch<C: Call>(
    call: C,
    shown: fn(&C::Output) -> Document,
    options: &Options,
) -> Result<ResponseData<C::Output>, Failure> {
    let answer = Backend::new(options)?.exchange(WithBody(call), options.verbosity())?;
    Ok(ResponseData { answer, shown })
}

impl<T> CommandData for ResponseData<T> {
    fn document(&self) -> Document {
        (self.shown)(&self.answer.value)
    }

    fn json(&self) -> Result<String, Failure> {
        Ok(body_text(&self.answer.body)?.to_owned())
    }
}
