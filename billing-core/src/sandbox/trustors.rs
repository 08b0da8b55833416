//! Your own organisation, which is a trustee, and the list of its trustors.

use chrono::{DateTime, SecondsFormat};
use http::Uri;
use serde_json::{Value, json};

use super::draws::SeededRandom;
use super::envelope::ApiError;
use super::listing::number_parameter;
use super::organizations;

/// Returns a page of the list of all trustors; `total` is their number.
pub(super) fn page(uri: &Uri, total: u32, next_uris: bool, draws: SeededRandom) -> Result<Value, ApiError> {
    let size = number_parameter(uri, "pageSize", 25, 200)?;
    let this = number_parameter(uri, "pageNumber", 1, u32::MAX)?;
    let count = total.div_ceil(size);
    let first = (this - 1).saturating_mul(size).min(total);
    let entities: Vec<Value> =
        (first..first.saturating_add(size).min(total)).map(|n| trustor(n, draws)).collect();
    let at = |page: u32| format!("{PATH}?pageSize={size}&pageNumber={page}");
    let mut page = json!({
        "entities": entities,
        "pageSize": size,
        "pageNumber": this,
        "total": total,
        "pageCount": count,
        "firstUri": at(1),
        "selfUri": at(this),
        "lastUri": at(count.max(1)),
    });
    if next_uris && this < count {
        page["nextUri"] = at(this + 1).into();
    }
    if next_uris && this > 1 {
        page["previousUri"] = at(this - 1).into();
    }
    Ok(page)
}

/// Returns the organisation to which the OAuth client belongs.
pub(super) fn own_organization() -> Value {
    json!({
        "id": SeededRandom::new(0).derive("own organization").uuid(0),
        "name": "Contoso Contact Centres",
        "thirdPartyOrgName": "contoso",
        "domain": "contoso.example",
        "defaultLanguage": "en-us",
        "defaultCountryCode": "US",
        "version": 12,
        "state": "active",
        "voicemailEnabled": true,
        "features": { "directory": true, "purecloud": true },
        "selfUri": "/api/v2/organizations/me",
    })
}

fn trustor(n: u32, draws: SeededRandom) -> Value {
    let (id, name) = organizations::id_and_name(n);
    // A time in the years 2018 to 2023.
    let since = draws.derive("trust").derive(&id).in_range(0, 1_514_764_800_000, 1_703_980_800_000);
    let since = i64::try_from(since).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    json!({
        "id": id,
        "enabled": true,
        "dateCreated": since.to_rfc3339_opts(SecondsFormat::Millis, true),
        "organization": { "id": id, "name": name },
        "selfUri": format!("{PATH}/{id}"),
    })
}

const PATH: &str = "/api/v2/orgauthorization/trustors";
