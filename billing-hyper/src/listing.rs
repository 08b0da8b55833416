//! Lists, fetched page by page as they are read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use billing_core::calls::Call;
use billing_core::{Error, Page, Pages, Turn};
use futures_core::Stream;

use crate::Client;

/// A list, as a stream of its pages, each of which is fetched when it is asked for; from [`Client::list`] and its like.
///
/// Whoever has enough drops it. Whoever wants to go on later saves [`Listing::rest`], and gives it to [`Client::resume`]. An
/// error ends it; the rest is then the page that failed and what comes after.
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
pub struct Listing<C: Call> {
    client: Client,
    rest: Option<Pages<C>>,
    turning: Option<Turning<C>>,
    failed: bool,
}

type Turning<C> = Pin<Box<dyn Future<Output = Result<Turn<C>, Error>> + Send>>;

impl<C: Call<Output: Page> + Clone> Listing<C> {
    pub(crate) fn new(client: Client, pages: Pages<C>) -> Self {
        Self { client, rest: Some(pages), turning: None, failed: false }
    }

    /// What has not been read yet; `None` at the end of the list.
    pub fn rest(&self) -> Option<&Pages<C>> {
        self.rest.as_ref()
    }

    /// What is on the pages, one by one.
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
        let Self { client, rest, turning, failed } = &mut *self;
        let Some(pages) = rest.as_ref().filter(|_| !*failed) else {
            return Poll::Ready(None);
        };
        let turn = turning.get_or_insert_with(|| {
            let (client, pages) = (client.clone(), pages.clone());
            Box::pin(async move { client.run(pages).await })
        });
        let turned = ready!(turn.as_mut().poll(cx));
        *turning = None;
        Poll::Ready(Some(match turned {
            Ok(turn) => {
                *rest = turn.rest;
                Ok(turn.page)
            }
            Err(error) => {
                *failed = true;
                Err(error)
            }
        }))
    }
}

/// What is pinned is in a box of its own.
impl<C: Call> Unpin for Listing<C> {}

impl<C: Call> fmt::Debug for Listing<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What is on the pages of a list, one by one; from [`Listing::entities`].
#[must_use = "nothing is fetched before it is polled"]
pub struct Entities<C: Call<Output: Page>> {
    listing: Listing<C>,
    page: vec::IntoIter<<C::Output as Page>::Entity>,
}

impl<C: Call<Output: Page> + Clone> Entities<C> {
    /// The pages that have not been fetched yet. What is left of the page that is being read is not among them.
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
