//! An organisation of Genesys Cloud, as it describes itself.

use super::{model, open_enum};

model! {
    /// An organisation: the one whose credentials are used.
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
        /// Whether it is in use.
        "state" => pub state: OrganizationState,
        /// The path of the organisation.
        "selfUri" => pub self_uri: String,
    }
}

open_enum! {
    /// Whether an organisation is in use.
    pub enum OrganizationState {
        /// It is.
        Active = "active",
        /// It is not.
        Inactive = "inactive",
        /// It was deleted.
        Deleted = "deleted",
    }
}
