//! The command `trustors`: the trustor organisations.

use billing_core::calls::TrustorsCall;
use billing_core::values::PageSize;

use super::list;
use crate::args::Options;
use crate::failure::Failure;
use crate::output::Destination;
use crate::views;

pub(crate) fn run(options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    let call = TrustorsCall::new().page_size(PageSize::new(list::MAX_PAGE_SIZE)?);
    list::run(call, views::trustors, options, destination)
}
