//! The bodies of the fuzz targets, each with the invariant that it holds. They are ordinary functions, so that the tests of
//! the workspace run them over the corpus too, without a fuzzer.

mod answers;
mod echo;
mod journal;
mod learned;
mod life;
mod login;
mod models;
mod organizations;
mod poll;
mod profile;
mod saved;
mod script;
mod values;

use billing_core::Period;

pub use answers::{body, error_body, headers};
pub use echo::echo;
pub use journal::journal;
pub use learned::learned;
pub use life::life;
pub use login::login;
pub use models::{resources, trustee_overview, usage_report};
pub use organizations::organizations;
pub use poll::poll;
pub use profile::profile;
pub use saved::checkpoint;
pub use values::{address, amount, timestamp};

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, in a fixed order.
pub const TARGETS: [Target; 18] = [
    ("address", address),
    ("amount", amount),
    ("body", body),
    ("checkpoint", checkpoint),
    ("echo", echo),
    ("error_body", error_body),
    ("headers", headers),
    ("journal", journal),
    ("learned", learned),
    ("life", life),
    ("login", login),
    ("organizations", organizations),
    ("poll", poll),
    ("profile", profile),
    ("resources", resources),
    ("timestamp", timestamp),
    ("trustee_overview", trustee_overview),
    ("usage_report", usage_report),
];

fn period() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").expect("a valid period")
}
