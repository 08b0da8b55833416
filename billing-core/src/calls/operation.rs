//! The names of operations, for errors, logs and progress displays.

use std::fmt;

use serde::Serialize;

/// The name of an operation of the API, and the permissions that it needs.
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
    /// Names an operation. `id` is the operation id of the vendor, `title` a name for sentences. Any one of `permissions` is enough.
    pub const fn new(id: &'static str, title: &'static str, permissions: &'static [&'static str]) -> Self {
        Self { id, title, permissions, preview: false }
    }

    /// Marks the operation as a preview operation.
    #[must_use = "the operation is not changed in place"]
    pub const fn in_preview(self) -> Self {
        Self { preview: true, ..self }
    }

    /// Returns the operation id of the vendor, such as `get_billing_reports_billableusage`.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Returns the name for sentences.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Returns true for a preview operation: the vendor may change it and the shape of its answers at any time. After such a change
    /// only calls of this operation fail, with an error that says so.
    pub fn is_preview(&self) -> bool {
        self.preview
    }

    /// Returns the permissions of Genesys Cloud, any one of which is enough, as the vendor documents them.
    pub fn permissions(&self) -> &'static [&'static str] {
        self.permissions
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title)
    }
}
