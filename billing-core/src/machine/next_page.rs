//! The location of the next page: read from a page, and checked before a request is sent there.

use http::Uri;

use crate::BaseUrl;
use crate::calls::with_parameter;

/// A page of a list.
pub trait Page {
    /// The type of the list's entries.
    type Entity;

    /// Returns the location of the next page.
    fn next_page(&self) -> NextPage<'_>;

    /// Returns the entries of the page.
    fn into_entities(self) -> Vec<Self::Entity>;
}

/// The location of the page after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPage<'a> {
    /// The page at this URI, as the server wrote it in `nextUri`. An empty page can have one too.
    Uri(&'a str),
    /// The page with the next number, if there is one. Pages are counted from 1.
    Number {
        /// The number of this page, if the server gives it.
        current: Option<u64>,
        /// The number of pages.
        count: u64,
    },
    /// No page: this is the last one.
    Last,
}

impl<'a> NextPage<'a> {
    /// Builds the location from the server's `nextUri`. An empty one counts as none.
    pub fn from_uri(next_uri: Option<&'a str>) -> Self {
        next_uri.filter(|next| !next.is_empty()).map_or(Self::Last, Self::Uri)
    }

    /// Builds the location from `nextUri`, or without one from `pageNumber` and `pageCount`.
    pub fn from_uri_or_number(
        next_uri: Option<&'a str>,
        page_number: Option<u64>,
        page_count: Option<u64>,
    ) -> Self {
        match (Self::from_uri(next_uri), page_count) {
            (Self::Last, Some(count)) => Self::Number { current: page_number, count },
            (next_page, _) => next_page,
        }
    }
}

/// Returns path and query of the page that `next` refers to on the page `here`. `next` may be absolute, or
/// relative to the host, to the API's base address or to the page.
pub(super) fn resolve_next_uri(next: &str, here: &Uri, api: &BaseUrl) -> Result<String, &'static str> {
    let next = match next.strip_prefix('?') {
        Some(query) => format!("{}?{query}", here.path()),
        None => next.to_owned(),
    };
    // `//host/path` names another host. No server of this API was seen to use the relative form `a/b`.
    if next.starts_with("//") {
        return Err("the next page link leads to another host");
    }
    let uri: Uri = next.parse().map_err(|_| "the next page link is not a valid address")?;
    if uri.scheme().is_some() || uri.authority().is_some() {
        if !api.is_origin_of(&uri) {
            return Err("the next page link leads to another host");
        }
        return Ok(path_and_query(&uri));
    }
    if !next.starts_with('/') {
        return Err("the next page link is not a valid address");
    }
    // A server behind a gateway gives paths without the gateway's prefix, so the prefix is added.
    let without_prefix = uri.path().strip_prefix(api.prefix()).is_some_and(|rest| rest.starts_with("/api/"));
    Ok(if without_prefix {
        path_and_query(&uri)
    } else {
        format!("{}{}", api.prefix(), path_and_query(&uri))
    })
}

/// Returns path and query of the page after `here`, which the server calls page `number` of `count`, or `None`
/// after the last page.
pub(super) fn next_numbered_target(
    here: &Uri,
    number: Option<u64>,
    count: u64,
) -> Result<Option<String>, &'static str> {
    let pairs = || here.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let requested =
        pairs().find_map(|pair| pair.strip_prefix("pageNumber=")).map(str::parse::<u64>).transpose();
    let requested = requested.map_err(|_| "the page number in the URI is not a number")?;
    // Rule D10: a server that ignores `pageNumber` would return the first page forever.
    if requested.is_some() && number.is_some_and(|number| Some(number) != requested) {
        return Err("the server returned another page than the requested one");
    }
    // An address without a page number is the first page, or a page that was reached by `nextUri`.
    let current = requested.or(number).unwrap_or(1);
    if current >= count {
        return Ok(None);
    }
    Ok(Some(with_parameter(here, "pageNumber", current + 1)))
}

/// Returns path and query of the URI.
pub(super) fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), |target| target.as_str().to_owned())
}
