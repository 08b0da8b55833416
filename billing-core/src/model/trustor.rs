//! Trustors: the organisations that trust ours.

use super::{NamedEntity, model};
use crate::Timestamp;
use crate::machine::{NextPage, Page};

model! {
    /// A page of the organisations that trust ours.
    pub struct TrustorList {
        /// The trustors on this page.
        "entities" => pub entities: Vec<Trustor>,
        /// How many a page holds.
        "pageSize" => pub page_size: u64,
        /// The number of this page, counted from 1.
        "pageNumber" => pub page_number: u64,
        /// How many pages there are.
        "pageCount" => pub page_count: u64,
        /// How many trustors there are.
        "total" => pub total: u64,
        /// Where this page is.
        "selfUri" => pub self_uri: String,
        /// Where the first page is.
        "firstUri" => pub first_uri: String,
        /// Where the page before this one is.
        "previousUri" => pub previous_uri: String,
        /// Where the page after this one is.
        "nextUri" => pub next_uri: String,
        /// Where the last page is.
        "lastUri" => pub last_uri: String,
    }
}

impl TrustorList {
    /// The trustors on this page; none where the server sent no list.
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
    /// An organisation that trusts ours.
    pub struct Trustor {
        /// The id of the trust, which is that of the organisation.
        "id" => pub id: String,
        /// Whether the trust is in force.
        "enabled" => pub enabled: bool,
        /// Since when it is.
        "dateCreated" => pub date_created: Timestamp,
        /// The organisation.
        "organization" => pub organization: NamedEntity,
        /// The path of the trust.
        "selfUri" => pub self_uri: String,
    }
}

impl Trustor {
    /// The id of the organisation, by which its overview is asked for.
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
