//! Calls: one file per operation, with its request, its parser and its wire vectors.
//!
//! Contracts and invoices are preview operations of the vendor; see [`Operation::is_preview`](crate::Operation). If the vendor
//! changes one of them, only calls of that operation fail, with an error that says so.

mod billable_usage;
mod contract;
mod contract_period;
mod contracts;
mod get;
mod invoice_document;
mod invoice_lines;
mod invoices;
mod listing;
mod login;
pub(crate) mod operation;
mod organization;
mod trustee_overview;
mod trustors;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::machine::{NextPage, Page};
use crate::model::{Scan, decode_model};
use crate::values::DocumentUrl;
use crate::{BaseUrl, DecodeError};

pub use billable_usage::{BillableUsageCall, PackedBillableUsageCall};
pub use contract::ContractCall;
pub use contract_period::ContractPeriodCall;
pub use contracts::ContractsCall;
pub(crate) use get::with_parameter;
pub use invoice_document::InvoiceDocumentCall;
pub use invoice_lines::InvoiceLinesCall;
pub use invoices::InvoicesCall;
pub use login::LOGIN;
pub(crate) use login::{Bearer, Login, Token, secrets_in_authorization};
pub use operation::Operation;
pub use organization::OrganizationCall;
pub(crate) use trustee_overview::OPERATION as TRUSTEE_OVERVIEW;
pub use trustee_overview::TrusteeOverviewCall;
pub use trustors::TrustorsCall;

/// One operation of the API: builds its request and parses its answer. A value is one call with its arguments.
///
/// A call is pure: it builds the same bytes every time, so it can be retried. Its requests have no `Authorization` header; the
/// [`Session`](crate::Session) adds it.
pub trait Call {
    /// The model of a successful answer.
    type Output;

    /// Returns the name of the operation and the permissions that it needs.
    fn operation(&self) -> Operation;

    /// Builds the request under the base address `api`.
    ///
    /// # Errors
    /// Returns an error if the arguments do not form a valid URI, for example because they are too long.
    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error>;

    /// Parses an answer whose status [`Call::accepts`].
    ///
    /// # Errors
    /// Returns the place and the reason if the body is malformed.
    fn parse(&self, response: &Response<Bytes>) -> Result<Self::Output, DecodeError>;

    /// Returns true if an answer with this status is to be parsed.
    fn accepts(&self, status: StatusCode) -> bool {
        status == StatusCode::OK
    }

    /// Returns the time limit of one attempt.
    fn attempt_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Returns true if a successful answer contains a secret. Errors then show no part of it.
    fn is_secret(&self) -> bool {
        false
    }

    /// Returns the URL of the document to download, if the call is not an operation of the API. Such a request carries no token and
    /// bypasses the session, and its answer can go to a sink.
    fn document(&self) -> Option<&DocumentUrl> {
        None
    }
}

/// Forwards the methods of [`Call`] to the call in the field `$inner`, so that a wrapper forgets none of them, such as
/// `is_secret`. A wrapper writes `parse` itself, and with `own request` or `own accepts` that method too.
macro_rules! forward_call {
    ($inner:tt) => {
        $crate::calls::forward_call!($inner, own request);

        fn request(&self, api: &$crate::BaseUrl) -> Result<http::Request<bytes::Bytes>, http::Error> {
            self.$inner.request(api)
        }
    };
    ($inner:tt, own accepts) => {
        $crate::calls::forward_call!($inner, own request accepts);

        fn request(&self, api: &$crate::BaseUrl) -> Result<http::Request<bytes::Bytes>, http::Error> {
            self.$inner.request(api)
        }
    };
    ($inner:tt, own request) => {
        $crate::calls::forward_call!($inner, own request accepts);

        fn accepts(&self, status: http::StatusCode) -> bool {
            self.$inner.accepts(status)
        }
    };
    ($inner:tt, own request accepts) => {
        fn operation(&self) -> $crate::Operation {
            self.$inner.operation()
        }

        fn attempt_timeout(&self) -> std::time::Duration {
            self.$inner.attempt_timeout()
        }

        fn is_secret(&self) -> bool {
            self.$inner.is_secret()
        }

        fn document(&self) -> Option<&$crate::values::DocumentUrl> {
            self.$inner.document()
        }
    };
}
pub(crate) use forward_call;

/// A call that also returns the raw body, for callers that pass on the JSON of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithBody<C>(pub C);

/// The output of [`WithBody`]. `Debug` omits the body, because it can be long, or contain a [secret](Call::is_secret).
#[derive(Clone, PartialEq)]
pub struct WithRaw<T> {
    /// The parsed answer.
    pub value: T,
    /// The raw body.
    pub body: Bytes,
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call> Call for WithBody<C> {
    type Output = WithRaw<C::Output>;

    forward_call!(0);

    fn parse(&self, response: &Response<Bytes>) -> Result<Self::Output, DecodeError> {
        Ok(WithRaw { value: self.0.parse(response)?, body: response.body().clone() })
    }
}

impl<T: fmt::Debug> fmt::Debug for WithRaw<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = format_args!("{} bytes", self.body.len());
        f.debug_struct("Answer").field("value", &self.value).field("body", &body).finish()
    }
}

impl<T: Page> Page for WithRaw<T> {
    type Entity = T::Entity;

    fn next_page(&self) -> NextPage<'_> {
        self.value.next_page()
    }

    fn into_entities(self) -> Vec<T::Entity> {
        self.value.into_entities()
    }
}

/// Parses a page of a list. A page without `entities` is an error, not an empty page.
fn decode_page<T: for<'a> Scan<'a> + DeserializeOwned>(
    response: &Response<Bytes>,
    entities: impl Fn(&T) -> bool,
) -> Result<T, DecodeError> {
    let page: T = decode_model(response.body())?;
    if entities(&page) { Ok(page) } else { Err(DecodeError::new("entities", "the list is missing")) }
}

/// The permission for contracts and invoices.
const SUBSCRIPTION_VIEW: &[&str] = &["billing:subscription:view"];
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
pub(crate) const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("billing-core/", env!("CARGO_PKG_VERSION")));

/// Returns a request as text, for the wire vectors in the tests.
#[cfg(test)]
pub(crate) fn request_to_text(request: &Request<Bytes>) -> String {
    let headers: String =
        request.headers().iter().map(|(k, v)| format!("{k}: {}\n", v.to_str().unwrap())).collect();
    let body = std::str::from_utf8(request.body()).unwrap();
    format!("{} {}\n{headers}\n{body}", request.method(), request.uri())
}

#[cfg(test)]
mod tests {
    use super::get::Get;
    use super::*;
    use crate::Period;
    use crate::model::ReportStatus;
    use crate::poll::Report;

    #[test]
    fn with_its_body_a_call_is_the_same_call() {
        let call = BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01").unwrap());
        let with_body = WithBody(call.clone());
        let api = crate::Environment::default().api().clone();
        assert_eq!(
            request_to_text(&with_body.request(&api).unwrap()),
            request_to_text(&call.request(&api).unwrap())
        );
        assert_eq!(
            (with_body.operation(), with_body.attempt_timeout()),
            (call.operation(), call.attempt_timeout())
        );
        assert!(with_body.accepts(StatusCode::OK) && !with_body.accepts(StatusCode::CREATED));
        let body = r#"{ "status" : "Complete" }"#;
        let answer = with_body.parse(&Response::new(body.into())).unwrap();
        assert_eq!((&answer.body[..], answer.status()), (body.as_bytes(), Some(&ReportStatus::Complete)));
        assert!(with_body.parse(&Response::new("<html>".into())).is_err());
    }

    /// A call that overrides every default method with another result.
    struct Unusual(DocumentUrl);

    #[warn(clippy::missing_trait_methods)]
    impl Call for Unusual {
        type Output = ();

        fn operation(&self) -> Operation {
            Operation::new("get_unusual", "unusual", &[])
        }

        fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
            Get::new("/unusual").request(api)
        }

        fn parse(&self, _: &Response<Bytes>) -> Result<(), DecodeError> {
            Ok(())
        }

        fn accepts(&self, status: StatusCode) -> bool {
            status == StatusCode::CREATED
        }

        fn attempt_timeout(&self) -> Duration {
            Duration::from_secs(7)
        }

        fn is_secret(&self) -> bool {
            true
        }

        fn document(&self) -> Option<&DocumentUrl> {
            Some(&self.0)
        }
    }

    /// A wrapper that writes only the method that the macro does not forward.
    struct Wrapper<C>(C);

    impl<C: Call> Call for Wrapper<C> {
        type Output = C::Output;

        forward_call!(0);

        fn parse(&self, response: &Response<Bytes>) -> Result<C::Output, DecodeError> {
            self.0.parse(response)
        }
    }

    #[test]
    fn a_wrapper_forwards_every_method() {
        fn answers(call: &impl Call) -> String {
            let api = crate::Environment::default().api().clone();
            let accepted = [StatusCode::OK, StatusCode::CREATED].map(|status| call.accepts(status));
            let rest = (call.operation(), call.attempt_timeout(), call.is_secret(), call.document());
            format!("{} {accepted:?} {rest:?}", request_to_text(&call.request(&api).unwrap()))
        }
        let unusual = || Unusual(DocumentUrl::parse("https://files.example.com/1".into()).unwrap());
        let expected = answers(&unusual());
        assert_eq!(answers(&Wrapper(unusual())), expected);
        assert_eq!(answers(&WithBody(unusual())), expected);
    }

    #[test]
    fn d09_an_answer_that_is_a_secret_is_not_shown_by_its_body() {
        let call = WithBody(InvoiceDocumentCall::new("i-1".parse().unwrap()));
        let body = r#"{"url":"https://files.example.com/?s1gnature"}"#;
        let answer = call.parse(&Response::new(body.into())).unwrap();
        let shown = format!("{answer:?} {answer:#?}");
        assert!(shown.contains("https://files.example.com/…") && shown.contains("46 bytes"), "{shown}");
        assert!(!shown.contains("s1gnature"), "{shown}");
    }
}
