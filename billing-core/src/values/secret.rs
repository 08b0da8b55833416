//! Secrets: values that are never displayed and whose memory is overwritten.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A client secret or an access token.
///
/// It prints as `[secret]` and is not serializable. Its memory, which its clones share, is overwritten when
/// the last of them is dropped. The only way to the text is [`Secret::expose`], so every use can be found by
/// that name.
///
/// ```
/// let secret = billing_core::Secret::new("hunter2");
/// assert_eq!(format!("{secret:?} {secret}"), "[secret] [secret]");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Builds a secret from a text, which it takes ownership of.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// Returns the text. It belongs in an `Authorization` header and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    /// Compares without stopping at the first difference, so that the time taken says nothing about the text.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (x, y)| differing | (x ^ y)) == 0
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_looks_at_every_byte() {
        assert_eq!(Secret::new("abc"), Secret::new("abc"));
        for other in ["abd", "xbc", "ab", "abcd", ""] {
            assert_ne!(Secret::new("abc"), Secret::new(other));
        }
    }

    #[test]
    fn nothing_renders_the_text() {
        let secret = Secret::new("s3cr3t");
        assert!(!format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret)).contains("s3cr3t"));
        assert_eq!(secret.expose(), "s3cr3t");
    }
}
