//! An organisation of Genesys Cloud.

use super::{model, open_enum};

model! {
    /// The organisation that the credentials belong to.
    pub struct Organization {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// Its short name, which is unique.
        "thirdPartyOrgName" => pub third_party_org_name: String,
        /// Its domain.
        "domain" => pub domain: String,
        /// Its language, such as `en`.
        "defaultLanguage" => pub default_language: String,
        /// Its country, such as `US`.
        "defaultCountryCode" => pub default_country_code: String,
        /// The state.
        "state" => pub state: OrganizationState,
        /// The path of the organisation.
        "selfUri" => pub self_uri: String,
    }
}

open_enum! {
    /// The state of an organisation.
    pub enum OrganizationState {
        /// The organisation is active.
        Active = "active",
        /// The organisation is inactive.
        Inactive = "inactive",
        /// The organisation was deleted.
        Deleted = "deleted",
    }
}
