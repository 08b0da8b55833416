//! Documents: files that the API leads to and does not serve itself.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use percent_encoding::percent_decode_str;

use crate::Secret;
use crate::values::environment::{is_host_and_port, is_loopback};

/// The address of a document. It holds a signature by which anybody can fetch the document for a while, so it is shown as
/// scheme and host only, and cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentUrl {
    url: Secret,
    redacted: Box<str>,
}

impl DocumentUrl {
    /// An address as the server gave it, or what is wrong with it, in words that do not repeat it.
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let address = Secret::new(text);
        if !address.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the address of the document holds characters that no address can");
        }
        let uri: Uri = address.expose().parse().map_err(|_| "the address of the document is none")?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("the address of the document is not a whole one");
        };
        if authority.host().is_empty() || !is_host_and_port(authority) {
            return Err("the address of the document has no plain host and port");
        }
        let plain = *scheme == Scheme::HTTP && is_loopback(authority.host());
        if *scheme != Scheme::HTTPS && !plain {
            return Err("the address of the document is not one of https");
        }
        let shown = format!("{scheme}://{authority}/…").into();
        Ok(Self { url: address, redacted: shown })
    }

    /// The address itself. Whoever has it can fetch the document.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }

    /// Whether it is of plain http, and so of this machine.
    pub(crate) fn is_plain_loopback(&self) -> bool {
        self.redacted.starts_with("http://")
    }

    /// What of it no error may repeat, the longer texts first: the whole, what is beyond the host, path and query apart, and
    /// the values in the query, each as it is written and as it is meant.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let address = self.expose();
        let beyond_host = address.splitn(4, '/').nth(3).unwrap_or_default();
        let (path, query) = beyond_host.split_once('?').unwrap_or((beyond_host, ""));
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let written = [address, beyond_host, path, query].into_iter().chain(values);
        let meant = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut texts: Vec<String> = written.flat_map(|text| [text.to_owned(), meant(text)]).collect();
        texts.retain(|text| text.len() >= MIN_SECRET_LEN);
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        texts.into_iter().map(Secret::new).collect()
    }
}

/// A shorter value, such as a version, is no signature, and taking it out would only garble what is said.
const MIN_SECRET_LEN: usize = 8;

impl fmt::Display for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.redacted)
    }
}

impl fmt::Debug for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d09_every_part_that_could_be_a_signature_is_a_secret() {
        let url = "https://x.y/a/b.pdf?v=1&X-Signature=abc%2Fdef%3D&raw-signature";
        let url = DocumentUrl::parse(url.to_owned()).unwrap();
        let secrets: Vec<String> = url.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(
            secrets,
            [
                "https://x.y/a/b.pdf?v=1&X-Signature=abc%2Fdef%3D&raw-signature",
                "https://x.y/a/b.pdf?v=1&X-Signature=abc/def=&raw-signature",
                "a/b.pdf?v=1&X-Signature=abc%2Fdef%3D&raw-signature",
                "a/b.pdf?v=1&X-Signature=abc/def=&raw-signature",
                "v=1&X-Signature=abc%2Fdef%3D&raw-signature",
                "v=1&X-Signature=abc/def=&raw-signature",
                "raw-signature",
                "abc%2Fdef%3D",
                "abc/def=",
            ]
        );
        // The signature can stand in the path as well, and a store names what it does not find without the query.
        let url = DocumentUrl::parse("https://x.y/a/s1g%2Bnature%3D/1.pdf?v=1".to_owned()).unwrap();
        let secrets = url.secrets();
        for path in ["a/s1g%2Bnature%3D/1.pdf", "a/s1g+nature=/1.pdf"] {
            assert!(secrets.iter().any(|secret| secret.expose() == path), "{path}");
        }
        assert!(DocumentUrl::parse("https://x.y".to_owned()).unwrap().secrets().len() == 1);
    }

    #[test]
    fn d09_a_document_is_fetched_over_https_or_on_loopback() {
        for fine in ["https://x.y/z?s=1", "https://x.y:8443/", "http://127.0.0.1:1/z", "http://localhost/?s"]
        {
            assert_eq!(DocumentUrl::parse(fine.to_owned()).unwrap().expose(), fine);
        }
        for bad in [
            "",
            "/z?s1gnature",
            "x.y",
            "http://x.y/?s1gnature",
            "ftp://x.y/?s1gnature",
            "file:///etc/s1gnature",
            "javascript:s1gnature",
            "https://u:s1gnature@x.y/",
            "http://127.0.0.1.x.y/?s1gnature",
            "https://[::1]x.y/?s1gnature",
            "https://x.y/a b?s1gnature",
            "https://x.y/\r\ns1gnature",
            "https:///s1gnature",
        ] {
            let reason = DocumentUrl::parse(bad.to_owned()).unwrap_err();
            assert!(!reason.contains("s1gnature"), "{bad}");
        }
    }
}
