//! The names of operations, as errors, logs and progress displays give them.

use std::fmt;

use serde::Serialize;

/// One operation of the API: what people and support call it, and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Operation {
    id: &'static str,
    title: &'static str,
    #[serde(skip)]
    permissions: &'static [&'static str],
    #[serde(skip)]
    preview: bool,
}

impl Operation {
    /// Names an operation. `id` is the vendor's operation id, `title` what a sentence can begin with, `permissions` those
    /// of which any one is enough.
    pub const fn new(id: &'static str, title: &'static str, permissions: &'static [&'static str]) -> Self {
        Self { id, title, permissions, preview: false }
    }

    /// The same as a preview operation.
    #[must_use = "the operation is not changed in place"]
    pub const fn in_preview(self) -> Self {
        Self { preview: true, ..self }
    }

    /// The vendor's id of the operation, such as `get_billing_reports_billableusage`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// What it is called in sentences.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Whether it is a preview operation: the vendor may change it, and the shape of its answers, at any time. A change
    /// fails calls of that operation, with an error that says so, and of no other.
    pub fn is_preview(&self) -> bool {
        self.preview
    }

    /// The permissions of Genesys Cloud of which any one lets it through, as the vendor documents them.
    pub fn permissions(&self) -> &'static [&'static str] {
        self.permissions
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title)
    }
}
