//! Lists with cursors: selects the requested page, and links it to its neighbours.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::NaiveDate;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::envelope::ApiError;
use super::route::query_parameter;
use crate::Date;

/// Returns the page of `entities` that `uri` requests.
pub(super) fn page(uri: &Uri, entities: &[Value]) -> Result<Value, ApiError> {
    let size = number_parameter(uri, "pageSize", 25, 200)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let (after, before) = (cursor_parameter(uri, "after")?, cursor_parameter(uri, "before")?);
    let (first, end) = match (after, before) {
        (Some(_), Some(_)) => return Err(bad_request("bad.request", "after and before exclude each other")),
        (after, None) => {
            let first = after.unwrap_or(0).min(entities.len());
            (first, first.saturating_add(size).min(entities.len()))
        }
        (None, Some(before)) => {
            let end = before.min(entities.len());
            (end.saturating_sub(size), end)
        }
    };
    // The links keep `pageSize` and the filters of the request.
    let kept = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = kept
        .filter(|pair| !pair.is_empty() && !pair.starts_with("after=") && !pair.starts_with("before="))
        .collect();
    let at = |name: &str, place: usize| {
        let mark = format!("{name}={}", BASE64_URL_SAFE_NO_PAD.encode(format!("{CURSOR_PREFIX}{place}")));
        let query: Vec<&str> = kept.iter().copied().chain([&*mark]).collect();
        format!("{}?{}", api_path(uri), query.join("&"))
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut page = json!({
        "entities": entities.get(first..end).unwrap_or_default(),
        "selfUri": format!("{}{query}", api_path(uri)),
    });
    if end < entities.len() {
        page["nextUri"] = at("after", end).into();
    }
    if first > 0 {
        page["previousUri"] = at("before", first).into();
    }
    Ok(page)
}

/// Returns true if `dateStart` and `dateEnd` of a request match an entry that lasts from `start` to `end`.
pub(super) fn date_filter(uri: &Uri) -> Result<impl Fn(NaiveDate, NaiveDate) -> bool + use<>, ApiError> {
    let day = |name: &str| match query_parameter(uri, name) {
        None => Ok(None),
        Some(text) => match text.parse::<Date>() {
            Ok(date) => Ok(Some(date.day())),
            Err(_) => {
                Err(bad_request("invalid.date", &format!("{name} is not a date of the form yyyy-MM-dd")))
            }
        },
    };
    let (from, to) = (day("dateStart")?, day("dateEnd")?);
    Ok(move |start: NaiveDate, end: NaiveDate| {
        from.is_none_or(|from| end >= from) && to.is_none_or(|to| start <= to)
    })
}

/// Returns the value of a filter; one that is not among `values` is an error.
pub(super) fn one_of(uri: &Uri, name: &str, values: &[&str]) -> Result<Option<String>, ApiError> {
    match query_parameter(uri, name) {
        Some(value) if !values.contains(&&*value) => {
            Err(bad_request("invalid.value", &format!("{name} must be one of {}", values.join(", "))))
        }
        value => Ok(value),
    }
}

/// Returns the value of a parameter that is a number from 1 to `most`.
pub(super) fn number_parameter(uri: &Uri, name: &str, default: u32, most: u32) -> Result<u32, ApiError> {
    let Some(text) = query_parameter(uri, name) else { return Ok(default) };
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| bad_request("invalid.value", &format!("{name} must be a number from 1 to {most}")))
}

fn cursor_parameter(uri: &Uri, name: &str) -> Result<Option<usize>, ApiError> {
    let Some(text) = query_parameter(uri, name) else { return Ok(None) };
    let place = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let place = place.and_then(|place| place.strip_prefix(CURSOR_PREFIX)?.parse().ok());
    place.map(Some).ok_or_else(|| bad_request("bad.request", &format!("{name} is no cursor of this list")))
}

/// Returns the path without the prefix of a gateway, because a server behind a gateway does not know the
/// prefix.
fn api_path(uri: &Uri) -> &str {
    uri.path().find("/api/v2/").and_then(|at| uri.path().get(at..)).unwrap_or_default()
}

fn bad_request(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

const CURSOR_PREFIX: &str = "sandbox:";
