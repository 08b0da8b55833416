//! Ids, which are one path segment each, and cursors, which are query values. Both are percent-encoded when
//! they are sent.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::InvalidInput;

/// Defines a text type that is validated when it is built.
macro_rules! checked_text {
    ($(#[$meta:meta])* pub struct $name:ident, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Returns the text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidInput;

            fn from_str(text: &str) -> Result<Self, InvalidInput> {
                let check: fn(&str) -> Result<(), InvalidInput> = $check;
                check(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidInput;

            fn try_from(text: String) -> Result<Self, InvalidInput> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

checked_text! {
    /// The id of an organisation: one path segment, percent-encoded when it is sent.
    ///
    /// The ids of Genesys Cloud are UUIDs, but this is not guaranteed. So any text is accepted that cannot
    /// change the path: it is not empty, not `.` or `..`, and has no control character.
    ///
    /// ```
    /// use billing_core::OrgId;
    /// assert!("9d750d63-95ae-4df7-8955-2bca7152ca19".parse::<OrgId>().is_ok());
    /// assert!("..".parse::<OrgId>().is_err());
    /// ```
    pub struct OrgId, check_path_segment
}

impl OrgId {
    /// Returns the id in lower case. Ids that differ in case only belong to one organisation, so compare and
    /// look them up by this text.
    ///
    /// ```
    /// use billing_core::OrgId;
    /// let [one, same] = ["ORG-1", "org-1"].map(|id| id.parse::<OrgId>().map(|id| id.normalized()));
    /// assert_eq!(one?, same?);
    /// # Ok::<(), billing_core::InvalidInput>(())
    /// ```
    pub fn normalized(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }
}

checked_text! {
    /// The id of a contract; the same rules apply as for an [`OrgId`].
    pub struct ContractId, check_path_segment
}

checked_text! {
    /// The id of a contract's billing period; the same rules apply as for an [`OrgId`].
    pub struct ContractPeriodId, check_path_segment
}

checked_text! {
    /// The id of an invoice; the same rules apply as for an [`OrgId`].
    pub struct InvoiceId, check_path_segment
}

checked_text! {
    /// A position in a list, from the `after` or `before` of an address that the server sent.
    pub struct Cursor, |text| match is_empty_or_has_control(text) {
        true => Err(InvalidInput::Filter {
            name: "a cursor",
            value: text.to_owned(),
            expected: "the text that the server gave",
        }),
        false => Ok(()),
    }
}

fn check_path_segment(text: &str) -> Result<(), InvalidInput> {
    if is_empty_or_has_control(text) || text == "." || text == ".." {
        Err(InvalidInput::Id(text.to_owned()))
    } else {
        Ok(())
    }
}

/// Returns true if a text is empty or has a control character.
pub(crate) fn is_empty_or_has_control(text: &str) -> bool {
    text.is_empty() || text.chars().any(char::is_control)
}

/// Returns a text in the form for a path segment or a query: everything is percent-encoded except RFC 3986's
/// unreserved characters.
pub(crate) fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODE_SET)
}

/// The characters to encode: all except RFC 3986's unreserved ones.
const ENCODE_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d13_ids_cannot_change_the_path() {
        for bad in ["", ".", "..", "a\nb", "a\0", "\u{7f}", "\u{85}"] {
            assert!(bad.parse::<OrgId>().is_err(), "{bad:?}");
            assert!(bad.parse::<ContractId>().is_err(), "{bad:?}");
            assert!(bad.parse::<ContractPeriodId>().is_err(), "{bad:?}");
            assert!(bad.parse::<InvoiceId>().is_err(), "{bad:?}");
        }
        let segment = |id: &str| encoded(id.parse::<OrgId>().unwrap().as_str()).to_string();
        assert_eq!(segment("a/../b?c#d%2f"), "a%2F..%2Fb%3Fc%23d%252f");
        assert_eq!(segment("Zoë 1~_.-"), "Zo%C3%AB%201~_.-");
    }

    #[test]
    fn what_was_given_can_be_read_back() {
        let org: OrgId = "a/b".parse().unwrap();
        assert_eq!(
            (org.as_str(), format!("{org}|{org:>5}").as_str(), format!("{org:?}").as_str()),
            ("a/b", "a/b|  a/b", "OrgId(\"a/b\")")
        );
        let json = serde_json::to_string(&org).unwrap();
        assert_eq!(serde_json::from_str::<OrgId>(&json).unwrap(), org);
        assert!(serde_json::from_str::<OrgId>("\"..\"").is_err());
    }

    #[test]
    fn a_cursor_is_any_text_that_says_something() {
        assert_eq!("..".parse::<Cursor>().unwrap().as_str(), "..");
        for bad in ["", "a\r\nb"] {
            assert!(bad.parse::<Cursor>().unwrap_err().to_string().contains("a cursor"), "{bad:?}");
        }
    }
}
