//! `GET /api/v2/billing/contracts/invoices`: the list of invoices.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::listing::{Paging, paging_methods};
use super::{Call, SUBSCRIPTION_VIEW, decode_page};
use crate::model::{InvoiceList, PaymentStatus};
use crate::{BaseUrl, DateRange, DecodeError, InvalidInput, Operation};

/// A request for the list of invoices; use it with [`Pages`](crate::Pages). **Preview:** the vendor may change the operation and the
/// shape of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoicesCall {
    paging: Paging,
    dates: Option<DateRange>,
    payment_status: Option<PaymentStatus>,
}

impl InvoicesCall {
    /// Requests all invoices.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the list to a range of days.
    #[must_use = "the call is not changed in place"]
    pub fn dates(self, range: DateRange) -> Self {
        Self { dates: Some(range), ..self }
    }

    /// Limits the list to invoices with this payment status.
    ///
    /// # Errors
    /// Returns an error if the published schema does not define the status.
    pub fn payment_status(self, status: PaymentStatus) -> Result<Self, InvalidInput> {
        match status {
            PaymentStatus::Unknown(value) => Err(InvalidInput::Filter {
                name: "paymentStatus",
                value: value.into(),
                expected: "Paid or Unpaid",
            }),
            known => Ok(Self { payment_status: Some(known), ..self }),
        }
    }

    paging_methods!();
}

impl Call for InvoicesCall {
    type Output = InvoiceList;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts/invoices")
            .with_dates(self.dates)
            .parameter("paymentStatus", self.payment_status.as_ref())
            .with_paging(&self.paging)
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<InvoiceList, DecodeError> {
        decode_page(response, |page: &InvoiceList| page.entities.is_some())
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contracts_invoices", "list of invoices", SUBSCRIPTION_VIEW).in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::machine::{NextPage, Page};
    use crate::model::AddressType;

    #[test]
    fn the_request() {
        let api = "https://api.mypurecloud.com".parse().unwrap();
        let call = InvoicesCall::new()
            .dates(DateRange::starting("2026-10-01".parse().unwrap()))
            .payment_status(PaymentStatus::Unpaid)
            .unwrap();
        assert_eq!(
            request_to_text(&call.request(&api).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/billing/contracts/invoices\
             ?dateStart=2026-10-01&paymentStatus=Unpaid&pageSize=100\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
        let error = InvoicesCall::new().payment_status("Overdue".into()).unwrap_err().to_string();
        assert!(error.contains("\"Overdue\"") && error.contains("Paid or Unpaid"), "{error}");
    }

    #[test]
    fn the_answer() {
        let body = r#"{"entities":[{"id":"i-1","dateInvoiced":"2026-11-03","currencyIsoCode":"EUR","amount":1234.50,
            "paymentStatus":"Unpaid","billToAddress":{"addressType":"BillTo","line1":"Main Street 1",
            "citySubdivision1":"North","regionSubdivision2":"x"},"paymentLink":"https://pay.example.com"}],
            "nextUri":null}"#;
        let page = InvoicesCall::new().parse(&Response::new(body.into())).unwrap();
        assert_eq!(page.next_page(), NextPage::Last);
        let [invoice] = page.entities() else { panic!("one invoice") };
        assert_eq!(invoice.amount.as_ref().unwrap().text(), "1234.50");
        assert_eq!(invoice.bill_to_address.as_ref().unwrap().address_type, Some(AddressType::BillTo));
        assert!(invoice.unknown.is_empty() && invoice.bill_to_address.as_ref().unwrap().unknown.is_empty());
    }
}
