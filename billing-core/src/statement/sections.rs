//! Sections: rows sorted by what they are about (B2, B7).

use std::fmt;

use serde::ser::{Serialize, Serializer};

use super::row::{ROLLUP, ROLLUP_PART};
use super::{Charge, Line, Total, normalized};

/// The subject of a row, from its grouping (B2); for AI tokens, from its part number or name (B7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Section {
    /// Licences of users.
    Users,
    /// Licences of whole organisations for an application.
    Apps,
    /// Devices.
    Devices,
    /// Metered resources.
    Resources,
    /// Messages.
    Messaging,
    /// Storage.
    Storage,
    /// AI tokens.
    AiTokens,
    /// Rollups of other things, and their parts.
    Rollups,
    /// A grouping that this version does not know, as the server named it. Its rows are charged like all others.
    Other(String),
    /// Rows without a grouping.
    Ungrouped,
}

/// The lines of one section.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct SectionLines {
    /// The section.
    pub section: Section,
    /// Its lines, in the server's order.
    pub lines: Vec<Line>,
}

impl Section {
    /// Returns its name for headings and files: `users`, `AI tokens`, or the grouping as the server named it.
    pub fn name(&self) -> &str {
        match self {
            Self::Users => "users",
            Self::Apps => "apps",
            Self::Devices => "devices",
            Self::Resources => "resources",
            Self::Messaging => "messaging",
            Self::Storage => "storage",
            Self::AiTokens => "AI tokens",
            Self::Rollups => "rollups",
            Self::Other(grouping) => grouping,
            Self::Ungrouped => "no grouping",
        }
    }

    pub(super) fn of_grouping(sent: &str) -> Self {
        match normalized(Some(sent)).as_str() {
            "user-license" | "billable-app-usage-license" | "billable-app-concurrent-license" => Self::Users,
            "billable-app-org-license" => Self::Apps,
            "device" => Self::Devices,
            "resource" => Self::Resources,
            "messaging" | "messaging-usage" => Self::Messaging,
            "storage" | "storage-category" => Self::Storage,
            ROLLUP | ROLLUP_PART => Self::Rollups,
            "" => Self::Ungrouped,
            _ => Self::Other(sent.trim().to_owned()),
        }
    }

    /// Returns a section that is equal for groupings that differ in case only (B2).
    pub(super) fn normalized(&self) -> Self {
        match self {
            Self::Other(grouping) => Self::Other(grouping.to_lowercase()),
            known => known.clone(),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl SectionLines {
    /// Returns the lines of the section that are over (B4); see [`Statement::lines_over`](super::Statement::lines_over).
    pub fn lines_over(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.is_over())
    }

    /// Returns the number of lines of the section whose charge is unknown (B10).
    pub fn unknown_charges(&self) -> usize {
        self.lines.iter().filter(|line| matches!(line.charge, Charge::Unknown(_))).count()
    }

    /// Returns what the vendor charges for the section. Third-party charges are not in it (B8).
    pub fn total(&self) -> Total {
        Total::of(self.own(), true)
    }

    /// Returns what the vendor charges for the overage of the section. It is a part of [`SectionLines::total`].
    pub fn overage_total(&self) -> Total {
        Total::of_overage(self.own(), true)
    }

    fn own(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.third_party)
    }
}
