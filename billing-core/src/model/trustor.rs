//! Trustors: the organisations that trust yours.

use super::{NamedEntity, model};
use crate::Timestamp;
use crate::machine::{NextPage, Page};

model! {
    /// A page of the list of trustors.
    pub struct TrustorList {
        /// The trustors on this page.
        "entities" => pub entities: Vec<Trustor>,
        /// The number of entries per page.
        "pageSize" => pub page_size: u64,
        /// The number of this page, counted from 1.
        "pageNumber" => pub page_number: u64,
        /// The number of pages.
        "pageCount" => pub page_count: u64,
        /// The number of trustors.
        "total" => pub total: u64,
        /// The link to this page.
        "selfUri" => pub self_uri: String,
        /// The link to the first page.
        "firstUri" => pub first_uri: String,
        /// The link to the previous page.
        "previousUri" => pub previous_uri: String,
        /// The link to the next page.
        "nextUri" => pub next_uri: String,
        /// The link to the last page.
        "lastUri" => pub last_uri: String,
    }
}

impl TrustorList {
    /// Returns the trustors on this page; empty if the server sent no list.
    pub fn entities(&self) -> &[Trustor] {
        self.entities.as_deref().unwrap_or_default()
    }
}

impl Page for TrustorList {
    type Entity = Trustor;

    fn next_page(&self) -> NextPage<'_> {
        NextPage::from_uri_or_number(self.next_uri.as_deref(), self.page_number, self.page_count)
    }

    fn into_entities(self) -> Vec<Trustor> {
        self.entities.unwrap_or_default()
    }
}

model! {
    /// An organisation that trusts yours.
    pub struct Trustor {
        /// The id of the trust, which is that of the organisation.
        "id" => pub id: String,
        /// True if the trust is enabled.
        "enabled" => pub enabled: bool,
        /// The time at which the trust was created.
        "dateCreated" => pub date_created: Timestamp,
        /// The organisation.
        "organization" => pub organization: NamedEntity,
        /// The path of the trust.
        "selfUri" => pub self_uri: String,
    }
}

impl Trustor {
    /// Returns the id of the organisation, for requests of its overview.
    pub fn organization_id(&self) -> Option<&str> {
        self.organization.as_ref().and_then(|organization| organization.id.as_deref()).or(self.id.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trustor_is_known_by_its_organization_or_by_its_own_id() {
        let id = |json| serde_json::from_str::<Trustor>(json).unwrap().organization_id().map(str::to_owned);
        assert_eq!(id(r#"{"id":"a","organization":{"id":"b"}}"#).as_deref(), Some("b"));
        assert_eq!(id(r#"{"id":"a","organization":{"name":"B"}}"#).as_deref(), Some("a"));
        assert_eq!(id(r#"{"enabled":true}"#), None);
    }
}
