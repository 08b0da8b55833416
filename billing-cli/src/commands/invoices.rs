//! The commands `invoices`, `invoice-lines` and `invoice-document`.

use billing_core::InvoiceId;
use billing_core::calls::{InvoiceDocumentCall, InvoiceLinesCall, InvoicesCall};
use billing_core::values::PageSize;

use super::list;
use crate::args::{InvoicesArgs, Options};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::output::Destination;
use crate::views;

pub(crate) fn list(
    command: &InvoicesArgs,
    options: &Options,
    destination: &Destination,
) -> Result<Vec<u8>, Failure> {
    let mut call = InvoicesCall::new().page_size(PageSize::new(list::MAX_PAGE_SIZE)?);
    if let Some(range) = list::date_range(&command.dates)? {
        call = call.dates(range);
    }
    if let Some(status) = &command.status {
        call = call.payment_status(status.as_str().into())?;
    }
    list::run(call, views::invoices, options, destination)
}

pub(crate) fn lines(id: &str, options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let id: InvoiceId = id.parse()?;
    let call = InvoiceLinesCall::new(id.clone()).page_size(PageSize::new(list::MAX_PAGE_SIZE)?);
    list::run(call, |lines| views::invoice_lines(&id, lines), options, destination)
}

/// Downloads the document of an invoice. A failed download leaves an existing file unchanged.
pub(crate) fn document(id: &str, options: &Options, destination: &Destination) -> Result<(), Failure> {
    let call = InvoiceDocumentCall::new(id.parse()?);
    let to_screen = destination.is_terminal();
    if options.output.is_none() || to_screen {
        let why = "an invoice document cannot be shown on a terminal: add --output FILE.pdf, or --output - for a pipe";
        return Err(Failure::Usage(why.to_owned()));
    }
    let mut backend = Backend::new(options)?;
    destination.write_retryable(|open| backend.download(call, open, options.verbosity()))
}
