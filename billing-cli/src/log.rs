//! Messages on standard error: errors, warnings, and with `-v` details of the requests. They contain no
//! secrets.

use std::io::Write;

use billing_core::Event;

use crate::failure::Failure;
use crate::text::printable;

/// The verbosity of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Errors, warnings, and progress on a terminal.
    Normal,
    /// `-v`: each request and each wait.
    Requests,
    /// `-vv`: also the addresses and the origin of the credentials.
    Settings,
    /// `-vvv`: also the headers that are not secret.
    Headers,
}

/// Writes one line. Ignores errors, because a closed standard error leaves nowhere to report them.
pub(crate) fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes a warning: a problem that does not stop the command.
pub(crate) fn warning(text: &str, verbosity: Verbosity) {
    if verbosity >= Verbosity::Normal {
        write_line(&format!("warning: {}", printable(text)));
    }
}

/// Writes one of several failures. `--quiet` does not hide it, because the exit status alone would not name
/// it.
pub(crate) fn error(text: &str) {
    write_line(&format!("error: {}", printable(text)));
}

/// Writes a note.
pub(crate) fn note(text: &str, verbosity: Verbosity) {
    if verbosity >= Verbosity::Normal {
        write_line(&format!("note: {}", printable(text)));
    }
}

/// Writes a detail, with `-v`.
pub(crate) fn detail(text: &str, verbosity: Verbosity) {
    if verbosity >= Verbosity::Requests {
        write_line(&printable(text));
    }
}

/// Writes a setting, with `-vv`.
pub(crate) fn setting(text: &str, verbosity: Verbosity) {
    if verbosity >= Verbosity::Settings {
        write_line(&printable(text));
    }
}

/// Writes a failure on one line, and its details with `-v`.
pub(crate) fn failure(failure: &Failure, verbosity: Verbosity) {
    write_line(&format!("error: {}", printable(&failure.to_string())));
    if verbosity >= Verbosity::Requests {
        for detail in failure.details() {
            write_line(&format!("  {}", printable(&detail)));
        }
    }
}

/// Writes an event of a request, with `-v`.
pub(crate) fn event(event: &Event<'_>, verbosity: Verbosity) {
    if verbosity < Verbosity::Requests {
        return;
    }
    for said in event_lines(event, verbosity) {
        write_line(&printable(&said));
    }
}

fn event_lines(event: &Event<'_>, verbosity: Verbosity) -> Vec<String> {
    match event {
        Event::Sending(request) if verbosity >= Verbosity::Headers => request
            .http()
            .headers()
            .iter()
            .map(|(name, value)| {
                let shown = match value.to_str() {
                    Ok(text) if !value.is_sensitive() => text,
                    _ => "[redacted]",
                };
                format!("> {name}: {shown}")
            })
            .collect(),
        Event::Received { request, response, elapsed } => {
            let (method, target) = (request.http().method(), request.redacted_target());
            let millis = elapsed.as_millis();
            let outcome = match (response.status(), response.error()) {
                (Some(status), _) => {
                    let id = response.correlation_id().map(|id| format!(", correlation id {id}"));
                    let bytes = response.body_len();
                    format!("{}, {millis} ms, {bytes} bytes{}", status.as_u16(), id.unwrap_or_default())
                }
                (None, Some(error)) => format!("{error}, {millis} ms"),
                (None, None) => format!("{millis} ms"),
            };
            let mut lines = vec![format!("{method} {target}: {outcome}")];
            if verbosity >= Verbosity::Headers {
                let shown = |name| Some(format!("< {name}: {}", response.redacted_header(name)?));
                lines.extend(SHOWN_HEADERS.into_iter().filter_map(shown));
            }
            lines
        }
        Event::Waiting(progress) => {
            vec![format!("{}: {}", progress.operation, progress.explain())]
        }
        _ => Vec::new(),
    }
}

/// The response headers that are logged. This is an allowlist, because unknown headers can be secret, as
/// `Set-Cookie` is.
const SHOWN_HEADERS: [&str; 10] = [
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "inin-correlation-id",
    "inin-ratelimit-allowed",
    "inin-ratelimit-count",
    "inin-ratelimit-reset",
    "retry-after",
];
