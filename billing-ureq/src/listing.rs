//! Lists, fetched page by page on demand.

use std::fmt;
use std::iter::FusedIterator;
use std::vec;

use billing_core::calls::Call;
use billing_core::machine::Page;
use billing_core::{Error, Pages};

use crate::Client;

/// An iterator over the pages of a list, each fetched when it is read; created by [`Client::list`] and the
/// methods for each list.
///
/// To stop early, drop it. To continue later, save [`Listing::rest`] and pass it to [`Client::resume`]. An
/// error ends the sequence; the rest then begins with the page that failed.
///
/// ```no_run
/// # fn newest(client: billing_ureq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use billing_core::calls::InvoicesCall;
///
/// let mut pages = client.invoices(InvoicesCall::new());
/// if let Some(page) = pages.next() {
///     println!("{} invoices", page?.entities().len());
/// }
/// // As JSON, to go on tomorrow.
/// let rest = pages.rest().map(serde_json::to_string).transpose()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is fetched before it is iterated"]
pub struct Listing<C> {
    client: Client,
    rest: Option<Pages<C>>,
    failed: bool,
}

impl<C: Call<Output: Page> + Clone> Listing<C> {
    pub(crate) fn new(client: Client, pages: Pages<C>) -> Self {
        Self { client, rest: Some(pages), failed: false }
    }

    /// Returns the machine for the pages that were not read yet, or `None` at the end of the list.
    pub fn rest(&self) -> Option<&Pages<C>> {
        self.rest.as_ref()
    }

    /// Returns the entries of all pages, one by one.
    pub fn entities(self) -> Entities<C> {
        Entities { listing: self, page: Vec::new().into_iter() }
    }
}

impl<C: Call<Output: Page> + Clone> Iterator for Listing<C> {
    type Item = Result<C::Output, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let pages = self.rest.clone().filter(|_| !self.failed)?;
        Some(match self.client.run(pages) {
            Ok(turn) => {
                self.rest = turn.rest;
                Ok(turn.page)
            }
            Err(error) => {
                self.failed = true;
                Err(error)
            }
        })
    }
}

impl<C: Call<Output: Page> + Clone> FusedIterator for Listing<C> {}

impl<C> fmt::Debug for Listing<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("client", &self.client).finish_non_exhaustive()
    }
}

/// The entries of all pages of a list, one by one; created by [`Listing::entities`].
#[must_use = "nothing is fetched before it is iterated"]
pub struct Entities<C: Call<Output: Page>> {
    listing: Listing<C>,
    page: vec::IntoIter<<C::Output as Page>::Entity>,
}

impl<C: Call<Output: Page> + Clone> Entities<C> {
    /// Returns the machine for the pages that were not fetched yet. The unread entries of the current page
    /// are not part of it.
    pub fn rest(&self) -> Option<&Pages<C>> {
        self.listing.rest()
    }
}

impl<C: Call<Output: Page> + Clone> Iterator for Entities<C> {
    type Item = Result<<C::Output as Page>::Entity, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entity) = self.page.next() {
                return Some(Ok(entity));
            }
            match self.listing.next()? {
                Ok(page) => self.page = page.into_entities().into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<C: Call<Output: Page> + Clone> FusedIterator for Entities<C> {}

impl<C: Call<Output: Page>> fmt::Debug for Entities<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities").field("listing", &self.listing).finish_non_exhaustive()
    }
}
