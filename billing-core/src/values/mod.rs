//! Validated values: ids, periods, amounts, timestamps, addresses, secrets.

pub(crate) mod amount;
pub(crate) mod clock;
pub(crate) mod date;
pub(crate) mod date_range;
pub(crate) mod document_url;
pub(crate) mod environment;
pub(crate) mod id;
pub(crate) mod invalid_input;
pub(crate) mod page_size;
pub(crate) mod period;
pub(crate) mod printable;
pub mod proxy;
pub(crate) mod secret;
pub(crate) mod timestamp;

pub use amount::Amount;
pub use date::Date;
pub use date_range::DateRange;
pub use document_url::DocumentUrl;
pub use environment::{BaseUrl, Environment, Region};
pub use id::{ContractId, ContractPeriodId, Cursor, InvoiceId, OrgId};
pub use invalid_input::InvalidInput;
pub use page_size::PageSize;
pub use period::{Period, PeriodIndex};
pub use printable::{is_printable, printable};
pub use secret::Secret;
pub use timestamp::Timestamp;
