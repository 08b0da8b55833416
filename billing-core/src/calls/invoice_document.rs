//! `GET /api/v2/billing/contracts/invoices/{invoiceId}/document`: the URL of the document of an invoice.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::{Call, SUBSCRIPTION_VIEW};
use crate::model::decode_secret;
use crate::values::document_url::DocumentUrl;
use crate::{BaseUrl, DecodeError, InvoiceId, Operation};

/// A request for the URL of an invoice's document. [`Download`](crate::Download) also fetches the document.
/// **Preview:** the vendor may change the operation and the shape of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceDocumentCall {
    invoice: InvoiceId,
}

impl InvoiceDocumentCall {
    /// Requests the URL of the document of `invoice`.
    pub fn new(invoice: InvoiceId) -> Self {
        Self { invoice }
    }
}

impl Call for InvoiceDocumentCall {
    type Output = DocumentUrl;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts/invoices")
            .segment(self.invoice.as_str())
            .path("/document")
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<DocumentUrl, DecodeError> {
        #[derive(Deserialize)]
        struct Body {
            url: Option<String>,
        }
        let nothing = "the answer holds no address of a document";
        let body: Body = decode_secret(response.body(), nothing)?;
        let url = body.url.ok_or_else(|| DecodeError::new("url", nothing))?;
        DocumentUrl::parse(url).map_err(|reason| DecodeError::new("url", reason))
    }

    fn is_secret(&self) -> bool {
        true
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contracts_invoice_document", "document of an invoice", SUBSCRIPTION_VIEW)
        .in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::testing::{reply, run_script};
    use crate::{Environment, ErrorKind, Exchange, Policy};

    fn call() -> InvoiceDocumentCall {
        InvoiceDocumentCall::new("i/1".parse().unwrap())
    }

    #[test]
    fn the_request() {
        assert_eq!(
            request_to_text(&call().request(&"https://api.mypurecloud.com".parse().unwrap()).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/billing/contracts/invoices/i%2F1/document\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
    }

    #[test]
    fn d09_the_address_is_a_secret() {
        let url = "https://files.example.com/a/b.pdf?X-Signature=s1gnature";
        let body = format!(r#"{{"url":"{url}"}}"#);
        let found = call().parse(&Response::new(body.into())).unwrap();
        assert_eq!(found.expose(), url);
        assert_eq!(format!("{found:?} {found}"), "https://files.example.com/… https://files.example.com/…");
        for body in [
            r#"{"address":"https://files.example.com/?s1gnature"}"#,
            r#"["https://files.example.com/?s1gnature"]"#,
            r#""https://files.example.com/?s1gnature""#,
            r#"{"url":{"href":"https://files.example.com/?s1gnature"}}"#,
            r#"{"url":"http://files.example.com/?s1gnature"}"#,
            r#"{"url":"https://files.example.com/?s1gnature","#,
            r#"{"https://files.example.com/?s1gnature":tru}"#,
            // The URL as the name of a field.
            r#"{"files":{"https://files.example.com/?s1gnature":1e999}}"#,
        ] {
            let exchange = Exchange::new(call(), Environment::default().api().clone(), Policy::default());
            let done = run_script(exchange, &[reply(200, "", body)]);
            let error = done.error();
            assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error}");
            let shown =
                format!("{error} {error:?} {:?} {:?}", error.body_start(), std::error::Error::source(error));
            assert!(!shown.contains("s1gnature"), "{shown}");
            assert!(shown.contains("preview"), "{shown}");
        }
    }

    #[test]
    fn what_the_server_says_of_a_failure_is_kept() {
        let exchange = Exchange::new(call(), Environment::default().api().clone(), Policy::default());
        let done =
            run_script(exchange, &[reply(404, "", r#"{"message":"no such invoice","code":"not.found"}"#)]);
        assert_eq!((done.error().kind(), done.error().code()), (&ErrorKind::NotFound, Some("not.found")));
    }
}
