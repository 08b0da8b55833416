//! Context of an error: the data about the last exchange that support asks for.

use std::fmt;

use http::{Response, StatusCode};

use super::redaction::{redacted, redacted_line, strip_control_characters};
use crate::model::ErrorBody;
use crate::{Secret, TransportError};

/// The data about the last exchange: from the response, or from the transport error.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorContext {
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) body_start: Option<String>,
    pub(super) transport: Option<TransportError>,
}

impl ErrorContext {
    /// Builds the context of a response. `secrets` that the server repeats are removed.
    pub(crate) fn from_response(response: &Response<impl AsRef<[u8]>>, secrets: &[&Secret]) -> Self {
        let body = response.body().as_ref();
        let error = ErrorBody::parse(body);
        let clean = |text: String| redacted_line(text, secrets);
        let start = String::from_utf8_lossy(&body[..body.len().min(MAX_BODY_SCAN_BYTES)]);
        let start: String =
            redacted(start.into_owned(), secrets).chars().take(MAX_BODY_START_CHARS).collect();
        let header = response.headers().get("inin-correlation-id").and_then(|v| v.to_str().ok());
        Self {
            status: Some(response.status()),
            code: error.code.map(clean),
            message: error.message.map(clean),
            correlation_id: header.map(str::to_owned).or(error.context_id).map(clean),
            body_start: (!start.is_empty()).then(|| strip_control_characters(&start)),
            transport: None,
        }
    }

    /// Builds the context from the head of a response only, without `secrets`; for a body that is valid or
    /// may contain a secret.
    pub(crate) fn from_head<B>(response: &Response<B>, secrets: &[&Secret]) -> Self {
        let header = response.headers().get("inin-correlation-id").and_then(|v| v.to_str().ok());
        let correlation_id = header.map(|id| redacted_line(id.to_owned(), secrets));
        Self { status: Some(response.status()), correlation_id, ..Self::default() }
    }

    /// Returns the server's error code, if it sent one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Builds the context of a transport error, without `secrets`.
    pub(crate) fn from_transport_error(error: TransportError, secrets: &[&Secret]) -> Self {
        Self { transport: Some(error.redacted(secrets)), ..Self::default() }
    }
}

impl fmt::Display for ErrorContext {
    /// Writes ` (404 not.found: …; correlation id …)`, without the parts that are missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else { return Ok(()) };
        write!(f, " ({}", status.as_u16())?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        match (&self.message, &self.body_start) {
            (Some(message), _) => write!(f, ": {message}")?,
            (None, Some(start)) => {
                let line: String = start.chars().take(80).collect();
                write!(f, ", body {line:?}")?;
            }
            (None, None) => {}
        }
        if let Some(id) = &self.correlation_id {
            write!(f, "; correlation id {id}")?;
        }
        f.write_str(")")
    }
}

/// The number of bytes of a body that are scanned for an error. It exceeds `MAX_BODY_START_CHARS`, so that a
/// secret that begins in the shown part is found whole.
const MAX_BODY_SCAN_BYTES: usize = 8192;
/// The number of characters of a body that are shown.
pub(super) const MAX_BODY_START_CHARS: usize = 512;
