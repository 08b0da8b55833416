//! `GET /api/v2/billing/contracts/invoices/{invoiceId}/lines`: the lines of an invoice.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::listing::{Paging, paging_methods};
use super::{Call, SUBSCRIPTION_VIEW, decode_page};
use crate::model::InvoiceLineList;
use crate::{BaseUrl, DecodeError, InvoiceId, Operation};

/// A request for the lines of an invoice; use it with [`Pages`](crate::Pages). **Preview:** the vendor may change the operation
/// and the shape of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceLinesCall {
    invoice: InvoiceId,
    paging: Paging,
}

impl InvoiceLinesCall {
    /// Requests all lines of `invoice`.
    pub fn new(invoice: InvoiceId) -> Self {
        Self { invoice, paging: Paging::default() }
    }

    paging_methods!();
}

impl Call for InvoiceLinesCall {
    type Output = InvoiceLineList;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts/invoices")
            .segment(self.invoice.as_str())
            .path("/lines")
            .with_paging(&self.paging)
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<InvoiceLineList, DecodeError> {
        decode_page(response, |page: &InvoiceLineList| page.entities.is_some())
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contracts_invoice_lines", "lines of an invoice", SUBSCRIPTION_VIEW)
        .in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::model::UnitOfMeasure;

    #[test]
    fn the_request() {
        let api = "https://api.mypurecloud.com".parse().unwrap();
        let call = InvoiceLinesCall::new("i?1".parse().unwrap()).after("a b".parse().unwrap());
        assert_eq!(
            request_to_text(&call.request(&api).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/billing/contracts/invoices/i%3F1/lines?after=a%20b&pageSize=100\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn the_answer() {
        let body = r#"{"entities":[{"id":"l-1","description":"CX 3","dateTransacted":"2026-11-01",
            "organization":{"id":"o","name":"Org"},"quantity":105,"unitOfMeasure":"Seat","amount":-0.015}]}"#;
        let page = InvoiceLinesCall::new("i".parse().unwrap()).parse(&Response::new(body.into())).unwrap();
        let [line] = page.entities() else { panic!("one line") };
        assert_eq!(line.unit_of_measure, Some(UnitOfMeasure::Unknown("Seat".into())));
        assert_eq!(line.amount.as_ref().unwrap().decimal().unwrap().to_string(), "-0.015");
    }
}
