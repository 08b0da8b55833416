//! The operations beside the report and the overview, a method each.

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

/// Lists, contracts, invoices. Those of contracts and invoices are **preview** operations of the vendor's: it may change them
/// and the shape of their answers, which fails them and nothing else, with an error that says so.
impl Client {
    /// One's own organisation.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn organization(&self) -> Result<Organization, Error> {
        self.run(self.exchange(OrganizationCall::new())).await
    }

    /// The organisations that trust ours.
    pub fn trustors(&self) -> Listing<TrustorsCall> {
        self.list(TrustorsCall::new())
    }

    /// The contracts that `call` lets through. **Preview.**
    pub fn contracts(&self, call: ContractsCall) -> Listing<ContractsCall> {
        self.list(call)
    }

    /// One contract. **Preview.**
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub async fn contract(&self, contract: ContractId) -> Result<Contract, Error> {
        self.run(self.exchange(ContractCall::new(contract))).await
    }

    /// A billing period of a contract: its charges and wallets. **Preview.**
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

    /// The invoices that `call` lets through. **Preview.**
    pub fn invoices(&self, call: InvoicesCall) -> Listing<InvoicesCall> {
        self.list(call)
    }

    /// The lines of an invoice. **Preview.**
    pub fn invoice_lines(&self, invoice: InvoiceId) -> Listing<InvoiceLinesCall> {
        self.list(InvoiceLinesCall::new(invoice))
    }

    /// Downloads the document of an invoice to a sink, and says how many bytes it has; see [`Client::download`]. **Preview.**
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

    /// Any list, from its first page on.
    pub fn list<C: Call<Output: Page> + Clone>(&self, call: C) -> Listing<C> {
        self.resume(self.pages(call))
    }

    /// A list from where it was left: from [`Listing::rest`], or of another process.
    pub fn resume<C: Call<Output: Page> + Clone>(&self, pages: Pages<C>) -> Listing<C> {
        Listing::new(self.clone(), pages)
    }

    /// The machine of a list: for [`Client::run`] and [`Client::resume`], or to be driven otherwise.
    pub fn pages<C: Call<Output: Page> + Clone>(&self, call: C) -> Pages<C> {
        Pages::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// The machine of a document: for [`Client::download`], or for [`Client::run`], which keeps the document in memory.
    pub fn download_machine<C: Call<Output = DocumentUrl> + Clone>(&self, call: C) -> Download<C> {
        Download::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Fetches a document, without the token of this client, into what `open` opens, and says how many bytes it has.
    ///
    /// `open` is called for each attempt that brings a document, and has to begin with an empty sink each time, as creating
    /// a file does. The time of an attempt holds for the sink too. Once this returns without an error, the last sink that was opened has had the whole document, and was
    /// flushed; after an error, what is in a sink is not the document. To keep what stood at a place before, let the sink be another place,
    /// and rename it at the end.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind). A sink that fails ends it with
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

    /// The same; `watch` is told of everything as it happens.
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
