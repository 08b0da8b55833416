//! The addresses of documents: files that the API links to and that another host serves.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use percent_encoding::percent_decode_str;

use crate::Secret;
use crate::values::environment::{is_host_and_port, is_loopback};

/// The address of a document. It contains a signature with which anybody can download the document for a
/// while, so it is displayed as scheme and host only and cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentUrl {
    url: Secret,
    redacted: Box<str>,
}

impl DocumentUrl {
    /// Parses an address that the server sent. The error says what is wrong and does not contain the address.
    pub(crate) fn parse(text: String) -> Result<Self, &'static str> {
        let address = Secret::new(text);
        if !address.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the address of the document has characters that are not allowed in one");
        }
        let uri: Uri =
            address.expose().parse().map_err(|_| "the address of the document is not an address")?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("the address of the document has no scheme or no host");
        };
        if authority.host().is_empty() || !is_host_and_port(authority) {
            return Err("the address of the document has no plain host and port");
        }
        let plain_loopback = *scheme == Scheme::HTTP && is_loopback(authority.host());
        if *scheme != Scheme::HTTPS && !plain_loopback {
            return Err("the address of the document is not an https address");
        }
        let redacted = format!("{scheme}://{authority}/…").into();
        Ok(Self { url: address, redacted })
    }

    /// Returns the whole address. Anybody who has it can download the document.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }

    /// Returns true for a plain http address, which is always on a loopback host.
    pub(crate) fn is_plain_loopback(&self) -> bool {
        self.redacted.starts_with("http://")
    }

    /// Returns the texts that no error may repeat, the longest first: the whole address, the part after the
    /// host, path and query alone, and the values in the query, each as it is written and percent-decoded.
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

/// The length of the shortest value that can be a signature. Redacting shorter ones, such as a version, would
/// only garble the error.
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
        // The signature can also be in the path, and a store names a missing file without the query.
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
