//! `GET /api/v2/billing/contracts`: the list of contracts.

use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

use super::get::Get;
use super::listing::{Paging, checked_filter, paging_methods};
use super::{Call, SUBSCRIPTION_VIEW, decode_page};
use crate::model::{ContractList, ContractStatus};
use crate::{BaseUrl, DateRange, DecodeError, InvalidInput, Operation};

/// A request for the list of contracts; use it with [`Pages`](crate::Pages). **Preview:** the vendor may change the operation and the
/// shape of its answer.
///
/// ```
/// use billing_core::DateRange;
/// use billing_core::calls::ContractsCall;
/// let since = DateRange::starting("2026-01-01".parse()?);
/// let active = ContractsCall::new().dates(since).status("Active".into())?;
/// assert!(ContractsCall::new().status("Actve".into()).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractsCall {
    paging: Paging,
    dates: Option<DateRange>,
    status: Option<ContractStatus>,
    external_number: Option<String>,
}

impl ContractsCall {
    /// Requests all contracts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the list to a range of days.
    #[must_use = "the call is not changed in place"]
    pub fn dates(self, range: DateRange) -> Self {
        Self { dates: Some(range), ..self }
    }

    /// Limits the list to contracts with this status.
    ///
    /// # Errors
    /// Returns an error if the published schema does not define the status.
    pub fn status(self, status: ContractStatus) -> Result<Self, InvalidInput> {
        match status {
            ContractStatus::Unknown(value) => Err(InvalidInput::Filter {
                name: "status",
                value: value.into(),
                expected: "Active or Inactive",
            }),
            known => Ok(Self { status: Some(known), ..self }),
        }
    }

    /// Limits the list to the contract with this external number.
    ///
    /// # Errors
    /// Returns an error if the number is empty or contains a control character.
    pub fn external_number(self, number: impl Into<String>) -> Result<Self, InvalidInput> {
        Ok(Self { external_number: Some(checked_filter("externalNumber", number.into())?), ..self })
    }

    paging_methods!();
}

impl Call for ContractsCall {
    type Output = ContractList;

    fn operation(&self) -> Operation {
        OPERATION
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Get::new("/api/v2/billing/contracts")
            .with_dates(self.dates)
            .parameter("status", self.status.as_ref())
            .parameter("externalNumber", self.external_number.as_ref())
            .with_paging(&self.paging)
            .request(api)
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<ContractList, DecodeError> {
        decode_page(response, |page: &ContractList| page.entities.is_some())
    }
}

const OPERATION: Operation =
    Operation::new("get_billing_contracts", "list of contracts", SUBSCRIPTION_VIEW).in_preview();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::request_to_text;
    use crate::machine::{NextPage, Page};
    use crate::values::PageSize;

    #[test]
    fn the_request() {
        let api = "https://api.mypurecloud.com".parse().unwrap();
        let range = DateRange::between("2026-01-01".parse().unwrap(), "2026-12-31".parse().unwrap()).unwrap();
        let call = ContractsCall::new()
            .dates(range)
            .status(ContractStatus::Inactive)
            .and_then(|call| call.external_number("Q-1 & 2"))
            .unwrap()
            .page_size(PageSize::new(200).unwrap())
            .after("a+b=".parse().unwrap());
        assert_eq!(
            request_to_text(&call.request(&api).unwrap()),
            "GET https://api.mypurecloud.com/api/v2/billing/contracts\
             ?dateStart=2026-01-01&dateEnd=2026-12-31&status=Inactive&externalNumber=Q-1%20%26%202\
             &after=a%2Bb%3D&pageSize=200\n\
             accept: application/json\n\
             accept-encoding: gzip\n\
             user-agent: billing-core/0.1.0\n\n"
        );
        let query = |call: ContractsCall| call.request(&api).unwrap().uri().query().unwrap().to_owned();
        assert_eq!(query(ContractsCall::new()), "pageSize=100");
        assert_eq!(
            query(call.before("c".parse().unwrap()).dates(DateRange::up_to("2026-01-01".parse().unwrap()))),
            "dateEnd=2026-01-01&status=Inactive&externalNumber=Q-1%20%26%202&before=c&pageSize=200"
        );
    }

    #[test]
    fn what_cannot_be_filtered_by_is_refused() {
        let error = ContractsCall::new().status("active".into()).unwrap_err().to_string();
        assert!(error.contains("\"active\"") && error.contains("Active or Inactive"), "{error}");
        for number in ["", "Q\n1"] {
            let error = ContractsCall::new().external_number(number).unwrap_err().to_string();
            assert!(error.contains("externalNumber"), "{error}");
        }
    }

    #[test]
    fn the_answer() {
        let body = r#"{"entities":[{"id":"c-1","externalNumber":"Q-1","status":"Active",
            "purchaseOrderNumbers":["PO 7"],"billToCustomer":{"number":"0042"},"dateStart":"2024-02-29",
            "billingPeriods":[{"id":"p-1","status":"Paused"}],
            "plans":[{"product":{"sku":"GC-1","unitOfMeasure":"GB"},
                "items":[{"type":"Recurring","price":0.10,"quantity":12,"discountAmount":1.5e1,
                    "overagePrice":0.1234567890123456789012345678}]}],"tier":1.10}],
            "nextUri":"/api/v2/billing/contracts?after=x"}"#;
        let page = ContractsCall::new().parse(&Response::new(body.into())).unwrap();
        assert_eq!(page.next_page(), NextPage::Uri("/api/v2/billing/contracts?after=x"));
        let [contract] = page.entities() else { panic!("one contract") };
        assert_eq!(contract.date_start.unwrap().to_string(), "2024-02-29");
        assert_eq!(contract.billing_periods()[0].status, Some("Paused".into()));
        assert_eq!(contract.unknown.get("tier"), Some("1.10"));
        let item = &contract.plans()[0].items()[0];
        let exact = |amount: &Option<crate::Amount>| amount.as_ref().unwrap().decimal().unwrap().to_string();
        assert_eq!(item.kind.as_deref(), Some("Recurring"));
        assert_eq!((exact(&item.price), exact(&item.quantity)), ("0.10".into(), "12".into()));
        assert_eq!(exact(&item.discount_amount), "15");
        assert_eq!(exact(&item.overage_price), "0.1234567890123456789012345678");
    }
}
