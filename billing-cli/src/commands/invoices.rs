//! `invoices`, `invoice-lines` and `invoice-document`: what was billed.

use billing_core::calls::{InvoiceLinesCall, InvoicesCall};
use billing_core::{InvoiceId, PageSize};

use super::list;
use crate::args::{Invoices, Options};
use crate::documents;
use crate::failure::Failure;
use crate::output::Destination;

pub(crate) fn list(
    command: &Invoices,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
    let mut call = InvoicesCall::new().page_size(PageSize::new(list::LARGEST)?);
    if let Some(range) = list::dates(&command.dates)? {
        call = call.dates(range);
    }
    if let Some(status) = &command.status {
        call = call.payment_status(status.as_str().into())?;
    }
    list::run(call, documents::invoices, options, destination)
}

pub(crate) fn lines(id: &str, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let id: InvoiceId = id.parse()?;
    let call = InvoiceLinesCall::new(id.clone()).page_size(PageSize::new(list::LARGEST)?);
    list::run(call, |lines| documents::invoice_lines(&id, lines), options, destination)
}
