//! A minimal list for [`Pages`](billing_core::Pages).

use billing_core::calls::Call;
use billing_core::machine::{NextPage, Page};
use billing_core::{BaseUrl, DecodeError, Operation};
use bytes::Bytes;
use http::{Request, Response};
use serde::{Deserialize, Serialize};

/// A call for the numbers, page by page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// The list.
    pub(super) list: u64,
}

/// One page of numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NumbersPage {
    next_uri: Option<String>,
    entities: Vec<u64>,
}

impl Page for NumbersPage {
    type Entity = u64;

    fn next_page(&self) -> NextPage<'_> {
        NextPage::from_uri(self.next_uri.as_deref())
    }

    fn into_entities(self) -> Vec<u64> {
        self.entities
    }
}

impl Call for Numbers {
    type Output = NumbersPage;

    fn operation(&self) -> Operation {
        Operation::new("get_numbers", "numbers", &[])
    }

    fn request(&self, api: &BaseUrl) -> Result<Request<Bytes>, http::Error> {
        Request::builder()
            .uri(format!("{api}/api/v2/numbers/{}?after=0", self.list))
            .header("accept", "application/json")
            .body(Bytes::new())
    }

    fn parse(&self, response: &Response<Bytes>) -> Result<NumbersPage, DecodeError> {
        serde_json::from_slice(response.body()).map_err(|error| DecodeError::new("a page", error.to_string()))
    }
}
