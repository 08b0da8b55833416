//! A method for each operation other than usage reports and overviews.

use std::io;

use billing_core::calls::{
    Call, ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall, InvoiceLinesCall,
    InvoicesCall, OrganizationCall, TrustorsCall,
};
use billing_core::machine::Page;
use billing_core::model::{Contract, ContractPeriodDetail, Organization};
use billing_core::values::DocumentUrl;
use billing_core::{ContractId, ContractPeriodId, Download, Error, Event, InvoiceId, Pages};

use tokio::io::AsyncWrite;

use crate::run::StreamBody;
use crate::{Client, Listing};

/// Organisations, contracts and invoices. The operations for contracts and invoices are **preview**
/// operations: the vendor may change them or their response format. Such a change makes only these
/// operations fail, with an error that says so.
impl Client {
    /// Fetches the client's own organisation.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn organization(&self) -> Result<Organization, Error> {
        self.run(self.exchange(OrganizationCall::new())).await
    }

    /// Lists the organisations that trust the client's own organisation.
    pub fn trustors(&self) -> Listing<TrustorsCall> {
        self.list(TrustorsCall::new())
    }

    /// Lists the contracts that match the filters of `call`. **Preview.**
    pub fn contracts(&self, call: ContractsCall) -> Listing<ContractsCall> {
        self.list(call)
    }

    /// Fetches one contract. **Preview.**
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn contract(&self, contract: ContractId) -> Result<Contract, Error> {
        self.run(self.exchange(ContractCall::new(contract))).await
    }

    /// Fetches a billing period of a contract, with its charges and wallets. **Preview.**
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn contract_period(
        &self,
        contract: ContractId,
        period: ContractPeriodId,
    ) -> Result<ContractPeriodDetail, Error> {
        self.run(self.exchange(ContractPeriodCall::new(contract, period))).await
    }

    /// Lists the invoices that match the filters of `call`. **Preview.**
    pub fn invoices(&self, call: InvoicesCall) -> Listing<InvoicesCall> {
        self.list(call)
    }

    /// Lists the lines of an invoice. **Preview.**
    pub fn invoice_lines(&self, invoice: InvoiceId) -> Listing<InvoiceLinesCall> {
        self.list(InvoiceLinesCall::new(invoice))
    }

    /// Downloads the document of an invoice to a sink and returns its length in bytes; see
    /// [`Client::download`]. **Preview.**
    ///
    /// ```no_run
    /// # async fn save(client: billing_hyper::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let bytes = client.invoice_document("an invoice's id".parse()?, || tokio::fs::File::create("invoice.pdf")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`Client::download`].
    pub async fn invoice_document<F, W>(
        &self,
        invoice: InvoiceId,
        open: impl FnMut() -> F + Send,
    ) -> Result<u64, Error>
    where
        F: Future<Output = io::Result<W>> + Send,
        W: AsyncWrite + Unpin + Send,
    {
        self.download(self.download_machine(InvoiceDocumentCall::new(invoice)), open).await
    }

    /// Fetches any list from its first page.
    pub fn list<C: Call<Output: Page> + Clone>(&self, call: C) -> Listing<C> {
        self.resume(self.pages(call))
    }

    /// Continues a list from a saved [`Listing::rest`], possibly of another process.
    pub fn resume<C: Call<Output: Page> + Clone>(&self, pages: Pages<C>) -> Listing<C> {
        Listing::new(self.clone(), pages)
    }

    /// Returns the machine of a list. Pass it to [`Client::run`] or [`Client::resume`], or drive it
    /// yourself.
    pub fn pages<C: Call<Output: Page> + Clone>(&self, call: C) -> Pages<C> {
        Pages::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Returns the machine of a document. Pass it to [`Client::download`], or to [`Client::run`], which
    /// keeps the document in memory.
    pub fn download_machine<C: Call<Output = DocumentUrl> + Clone>(&self, call: C) -> Download<C> {
        Download::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Downloads a document into the sink that `open` returns and returns its length in bytes. The request
    /// for the document does not carry this client's token.
    ///
    /// `open` is called for each attempt that receives a document. It must return an empty sink each time,
    /// as creating a file does. The time limit of an attempt includes the writes to the sink. After
    /// success, the last sink has received the whole document and was flushed. After an error, the content
    /// of the sink is not the document. To keep an existing file until the download is complete, write to
    /// another file and rename it at the end.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind). An error of the sink ends the download with
    /// [`TransportErrorKind::Sink`](billing_core::TransportErrorKind::Sink).
    pub async fn download<C, F, W>(
        &self,
        document: Download<C>,
        open: impl FnMut() -> F + Send,
    ) -> Result<u64, Error>
    where
        C: Call<Output = DocumentUrl> + Clone,
        F: Future<Output = io::Result<W>> + Send,
        W: AsyncWrite + Unpin + Send,
    {
        self.download_watched(document, open, |_| ()).await
    }

    /// Does the same and calls `watch` with every event.
    ///
    /// # Errors
    /// See [`Client::download`].
    pub async fn download_watched<C, F, W>(
        &self,
        document: Download<C>,
        open: impl FnMut() -> F + Send,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<u64, Error>
    where
        C: Call<Output = DocumentUrl> + Clone,
        F: Future<Output = io::Result<W>> + Send,
        W: AsyncWrite + Unpin + Send,
    {
        let document = self.drive(document, &mut watch, &mut StreamBody(open)).await?;
        Ok(document.length)
    }
}
