//! Failures: a message in plain words and an exit status.

use std::fmt;
use std::io;
use std::path::PathBuf;

use billing_core::error::ErrorOrigin;
use billing_core::fleet::Aborted;
use billing_core::{Error, ErrorKind, InvalidInput, Operation, PeriodIndex, TransportErrorKind};

use crate::output::Destination;
use crate::profile::ProfileError;

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Invalid arguments, environment or profile. No request was sent.
    Usage(String),
    /// No credentials to log in with. No request was sent.
    NotLoggedIn(String),
    /// A failed operation.
    Api(Error),
    /// An organisation that the sandbox does not have, with some that it has.
    UnknownSandboxOrg { error: Error, known: Vec<String> },
    /// Responses that exceed the size limit together, but not individually.
    TooLargeInTotal { operation: Operation, items_read: String, limit: usize },
    /// A failure of one billing period of several.
    InPeriod { index: PeriodIndex, failure: Box<Self> },
    /// A response that cannot be shown in the requested format.
    CannotRender(String),
    /// A result that could not be written.
    Output { to: Destination, error: io::Error },
    /// A result that could not be written to the journal.
    Journal { path: PathBuf, error: io::Error },
    /// A run over many organisations that was aborted by an error that concerns all of them. `outcome` says
    /// what happened to the results.
    Aborted { stopped: Aborted, outcome: String },
    /// A partial failure: the available results were printed.
    Partial(String),
    /// Overage in the printed result, with `--fail-on-overage`.
    Overage(String),
}

impl Failure {
    /// Returns the exit status of the failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => WRONG_USAGE,
            Self::NotLoggedIn(_) => NOT_LOGGED_IN,
            Self::Api(error) | Self::UnknownSandboxOrg { error, .. } => exit_status_of(error.kind()),
            Self::TooLargeInTotal { limit, .. } => {
                exit_status_of(&ErrorKind::Transport(TransportErrorKind::TooLarge { limit: *limit }))
            }
            Self::InPeriod { failure, .. } => failure.exit_status(),
            Self::CannotRender(_) | Self::Output { .. } | Self::Journal { .. } => OTHER_FAILURE,
            Self::Aborted { stopped, .. } => exit_status_of(stopped.error.kind()),
            Self::Partial(_) => 9,
            Self::Overage(_) => 10,
        }
    }

    /// Adds the billing period that the failure concerns.
    pub(crate) fn in_period(self, index: PeriodIndex) -> Self {
        Self::InPeriod { index, failure: Box::new(self) }
    }

    /// Returns further details, for `-v`.
    pub(crate) fn details(&self) -> Vec<String> {
        let error = match self {
            Self::Api(error) | Self::UnknownSandboxOrg { error, .. } => error,
            Self::Aborted { stopped, .. } => &stopped.error,
            Self::InPeriod { failure, .. } => return failure.details(),
            _ => return Vec::new(),
        };
        let mut details = vec![format!("operation {}", error.operation().id())];
        if let Some(status) = error.status() {
            details.push(format!("status {status}"));
        }
        if let Some(code) = error.code() {
            details.push(format!("code {code}"));
        }
        if let Some(id) = error.correlation_id() {
            details.push(format!("correlation id {id}"));
        }
        details.push(format!("requests {}", error.attempts()));
        if let Some(start) = error.body_start() {
            details.push(format!("response body starts with: {start}"));
        }
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            details.push(format!("cause: {cause}"));
            source = cause.source();
        }
        details
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(sentence)
            | Self::NotLoggedIn(sentence)
            | Self::CannotRender(sentence)
            | Self::Partial(sentence)
            | Self::Overage(sentence) => f.write_str(sentence),
            Self::Api(error) => write!(f, "{error}. {}", advice(error)),
            Self::UnknownSandboxOrg { error, known } => {
                write!(f, "{error}. Organisations of the sandbox include: {}", known.join(", "))
            }
            Self::TooLargeInTotal { operation, items_read, limit } => write!(
                f,
                "{operation}: {}: {items_read} together exceed {limit} bytes. {REDUCE_SIZE_ADVICE}",
                TransportErrorKind::TooLarge { limit: *limit }
            ),
            Self::InPeriod { index, failure } => write!(f, "billing period {index}: {failure}"),
            Self::Journal { path, error } => write!(
                f,
                "cannot write the journal {}: {error}. Free disk space and resume with --resume; the results recorded so far are intact",
                path.display()
            ),
            Self::Aborted { stopped, outcome } => {
                write!(f, "{stopped}. {}. {outcome}", advice(&stopped.error))
            }
            Self::Output { to, error } => match to {
                Destination::File(path) => write!(
                    f,
                    "cannot write {}: {error}. An existing file was not changed. Use --output to write elsewhere",
                    path.display()
                ),
                Destination::Device(path) => {
                    write!(f, "cannot write {}: {error}. Use --output to write elsewhere", path.display())
                }
                Destination::Stdout => {
                    write!(f, "cannot write to standard output: {error}. Use --output to write to a file")
                }
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Self::Usage(error.0)
    }
}

impl From<InvalidInput> for Failure {
    fn from(error: InvalidInput) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Returns the exit status of a failed operation.
fn exit_status_of(kind: &ErrorKind) -> u8 {
    match kind {
        ErrorKind::Unauthorized | ErrorKind::LoginRefused => NOT_LOGGED_IN,
        ErrorKind::Forbidden => 4,
        ErrorKind::NotFound => 5,
        ErrorKind::Deferred(_) => 6,
        ErrorKind::DeadlineExceeded(_) => 7,
        // Use the origin of the error, which is known even for error kinds added later.
        other => match other.fault() {
            ErrorOrigin::Server | ErrorOrigin::Network => 8,
            _ => OTHER_FAILURE,
        },
    }
}

/// Returns advice on how to fix an error.
fn advice(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Unauthorized => {
            "Get a new access token, or set a client id and secret so that the program gets tokens itself".into()
        }
        ErrorKind::LoginRefused => {
            "Check the client id and secret, and that --region is the region of the organisation: an OAuth client exists only in its own region"
                .into()
        }
        ErrorKind::Forbidden => match error.operation().permissions() {
            [] => "Ask an administrator for the permission named in the message".into(),
            [one] => format!("Ask an administrator to give the OAuth client or user the permission {one}"),
            several => format!(
                "Ask an administrator to give the OAuth client or user one of the permissions {}",
                several.join(", ")
            ),
        },
        ErrorKind::NotFound => match error.operation().id() {
            "get_billing_trusteebillingoverview_trustor_org_id" => {
                "Check the id. `trustors` lists the organisations that trust yours, and `history` the billing periods of one"
            }
            "get_billing_contract" => "Check the id: `contracts` lists the contracts of your organisation",
            "get_billing_contract_billingperiod" => {
                "Check both ids: `contracts` lists the contracts of your organisation, and `contract` the billing periods of one"
            }
            "get_billing_contracts_invoice_lines" | "get_billing_contracts_invoice_document" => {
                "Check the id: `invoices` lists the invoices of your organisation"
            }
            "download_document" => "Run the command again to get a new download link",
            _ => "Check --region and --api-url: the request contained no id",
        }
        .into(),
        ErrorKind::Decode(_) if error.operation().is_preview() => {
            "Check for a newer version of this program. Other commands are not affected".into()
        }
        ErrorKind::Rejected => "Check the arguments against the server's message".into(),
        ErrorKind::Deferred(until) => {
            format!("Run the same command again after {}", until.format("%Y-%m-%d %H:%M:%S UTC"))
        }
        ErrorKind::DeadlineExceeded(_) => "Raise --timeout, or try again later".into(),
        ErrorKind::Transport(kind) => match kind {
            TransportErrorKind::Dns => "Check --region, --api-url and the network connection".into(),
            TransportErrorKind::Tls => {
                "Check --api-url, and that this machine trusts the certificate of the server or the proxy".into()
            }
            TransportErrorKind::TooLarge { .. } => REDUCE_SIZE_ADVICE.into(),
            TransportErrorKind::Sink => "An existing file was not changed. Use --output to write elsewhere".into(),
            _ => "Check the network connection and the proxy, and try again".into(),
        },
        ErrorKind::InvalidRequest(_) => "Check --region, --api-url and --login-url".into(),
        _ => "Try again later. If it persists, send the correlation id to Genesys Cloud support (-v shows details)".into(),
    }
}

/// The advice for a response that is too large.
const REDUCE_SIZE_ADVICE: &str = "Raise --max-body, or request a shorter period";

const OTHER_FAILURE: u8 = 1;
pub(crate) const WRONG_USAGE: u8 = 2;
const NOT_LOGGED_IN: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use billing_core::DecodeError;

    #[test]
    fn every_kind_has_the_status_of_the_contract() {
        let later = "2026-11-02T09:00:00Z".parse().unwrap();
        let kinds = [
            (ErrorKind::Unauthorized, 3),
            (ErrorKind::LoginRefused, 3),
            (ErrorKind::Forbidden, 4),
            (ErrorKind::NotFound, 5),
            (ErrorKind::Rejected, 1),
            (ErrorKind::InvalidRequest("x"), 1),
            (ErrorKind::Server, 8),
            (ErrorKind::UnexpectedStatus, 8),
            (ErrorKind::Decode(DecodeError::new("usages", "x")), 8),
            (ErrorKind::UnknownStatus("Paused".into()), 8),
            (ErrorKind::Transport(TransportErrorKind::Dns), 8),
            (ErrorKind::Transport(TransportErrorKind::Connect), 8),
            (ErrorKind::Transport(TransportErrorKind::Timeout), 8),
            (ErrorKind::Transport(TransportErrorKind::Reset), 8),
            (ErrorKind::Transport(TransportErrorKind::Truncated), 8),
            (ErrorKind::Transport(TransportErrorKind::Malformed), 8),
            (ErrorKind::Transport(TransportErrorKind::Tls), 8),
            (ErrorKind::Transport(TransportErrorKind::TooLarge { limit: 1 }), 8),
            (ErrorKind::Transport(TransportErrorKind::InvalidRequest), 1),
            (ErrorKind::Transport(TransportErrorKind::Sink), 1),
            (ErrorKind::DeadlineExceeded(later), 7),
            (ErrorKind::Deferred(later), 6),
        ];
        for (kind, status) in kinds {
            assert_eq!(exit_status_of(&kind), status, "{kind:?}");
        }
    }

    #[test]
    fn what_was_never_sent_has_its_status_too() {
        assert_eq!(Failure::Usage(String::new()).exit_status(), 2);
        assert_eq!(Failure::NotLoggedIn(String::new()).exit_status(), 3);
        assert_eq!(Failure::CannotRender(String::new()).exit_status(), 1);
        assert_eq!(Failure::Partial(String::new()).exit_status(), 9);
        assert_eq!(Failure::Overage(String::new()).exit_status(), 10);
        let full = Failure::Output {
            to: Destination::File("/tmp/report.csv".into()),
            error: io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(full.exit_status(), 1);
        assert!(full.to_string().contains("/tmp/report.csv"), "{full}");
    }
}
