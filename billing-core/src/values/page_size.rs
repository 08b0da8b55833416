//! The page size of lists.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::InvalidInput;

/// The number of entries on a page of a list: 1 to 200, the maximum of the API. The default is 100.
///
/// ```
/// use billing_core::values::PageSize;
/// assert_eq!(PageSize::new(200)?.get(), 200);
/// assert!(PageSize::new(201).is_err() && PageSize::new(0).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PageSize(u16);

impl PageSize {
    /// Builds a page size.
    ///
    /// # Errors
    /// Returns an error for zero and for more than 200.
    pub fn new(size: u16) -> Result<Self, InvalidInput> {
        if (1..=200).contains(&size) { Ok(Self(size)) } else { Err(InvalidInput::PageSize(size)) }
    }

    /// Returns the number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = InvalidInput;

    fn try_from(size: u16) -> Result<Self, InvalidInput> {
        Self::new(size)
    }
}

impl From<PageSize> for u16 {
    fn from(size: PageSize) -> Self {
        size.0
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_size_is_checked_when_it_is_restored_too() {
        for size in [0, 201, u16::MAX] {
            assert!(PageSize::new(size).unwrap_err().to_string().contains(&size.to_string()));
            assert!(serde_json::from_str::<PageSize>(&size.to_string()).is_err());
        }
        assert_eq!(serde_json::from_str::<PageSize>("200").unwrap(), PageSize::new(200).unwrap());
        assert_eq!(serde_json::to_string(&PageSize::default()).unwrap(), "100");
    }
}
