//! Lists, fetched page by page on demand.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use billing_core::calls::Call;
use billing_core::machine::{Page, PageStep};
use billing_core::{Error, Pages};
use futures_core::Stream;

use crate::Client;
use crate::turns::StepStream;

/// A stream of the pages of a list, each fetched when it is polled for; created by [`Client::list`] and the
/// methods for each list.
///
/// To stop early, drop it. To continue later, save [`Listing::rest`] and pass it to [`Client::resume`]. An
/// error ends the sequence; the rest then begins with the page that failed.
///
/// ```no_run
/// # async fn newest(client: billing_hyper::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use billing_core::calls::InvoicesCall;
/// use futures_util::StreamExt;
///
/// let mut pages = client.invoices(InvoicesCall::new());
/// if let Some(page) = pages.next().await {
///     println!("{} invoices", page?.entities().len());
/// }
/// // As JSON, to go on tomorrow.
/// let rest = pages.rest().map(serde_json::to_string).transpose()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is fetched before it is polled"]
pub struct Listing<C: Call>(StepStream<Pages<C>, PageStep<C>>);

impl<C: Call<Output: Page> + Clone> Listing<C> {
    pub(crate) fn new(client: Client, pages: Pages<C>) -> Self {
        Self(StepStream::new(client, pages))
    }

    /// Returns the machine for the pages that were not read yet, or `None` at the end of the list.
    pub fn rest(&self) -> Option<&Pages<C>> {
        self.0.rest()
    }

    /// Returns the entries of all pages, one by one.
    pub fn entities(self) -> Entities<C> {
        Entities { listing: self, page: Vec::new().into_iter() }
    }
}

impl<C> Stream for Listing<C>
where
    C: Call<Output: Page + Send> + Clone + Send + 'static,
{
    type Item = Result<C::Output, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(cx, |turn| (turn.page, turn.rest))
    }
}

impl<C: Call> fmt::Debug for Listing<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("client", &self.0.client).finish_non_exhaustive()
    }
}

/// The entries of all pages of a list, one by one; created by [`Listing::entities`].
#[must_use = "nothing is fetched before it is polled"]
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

impl<C> Stream for Entities<C>
where
    C: Call<Output: Page + Send> + Clone + Send + 'static,
{
    type Item = Result<<C::Output as Page>::Entity, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(entity) = self.page.next() {
                return Poll::Ready(Some(Ok(entity)));
            }
            match ready!(Pin::new(&mut self.listing).poll_next(cx)) {
                Some(Ok(page)) => self.page = page.into_entities().into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<C: Call<Output: Page>> Unpin for Entities<C> {}

impl<C: Call<Output: Page>> fmt::Debug for Entities<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities").field("listing", &self.listing).finish_non_exhaustive()
    }
}
