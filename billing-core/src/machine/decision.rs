//! The decision table: maps each reply to the next action, in one place for every operation.
//!
//! | reply | decision |
//! |---|---|
//! | a status that the call accepts, with a body that can be parsed | [`Accepted`](Decision::Accepted) |
//! | the same with a body that cannot be parsed; a truncated body | [`Undecodable`](Decision::Undecodable): at most 2 retries |
//! | 408, 425, 500, 502, 503, 504; errors of DNS, connecting, timeout, reset, malformed HTTP | [`Transient`](Decision::Transient) |
//! | 429 | [`Throttled`](Decision::Throttled) |
//! | 401, 403, 404, other 4xx, 501, 505 and other 5xx, other 2xx, 3xx; errors of TLS, address, size, sink | [`Final`](Decision::Final) |
//!
//! On 401 the [session](crate::Session) first checks whether only the token is stale.

use crate::calls::Call;
use crate::machine::progress::RetryCause;
use crate::{DecodeError, ErrorKind, Reply, TransportErrorKind as Kind};

/// The decision on a reply; see the table in the module's text.
pub(crate) enum Decision<T> {
    Accepted(T),
    Undecodable(DecodeError),
    Transient(RetryCause, ErrorKind),
    Throttled,
    Final(ErrorKind),
}

/// Decides on the reply to `call`.
pub(crate) fn decide<C: Call>(call: &C, reply: &Reply) -> Decision<C::Output> {
    let response = match reply {
        Ok(response) => response,
        Err(error) => {
            let kind = error.kind();
            return match kind {
                Kind::Truncated => Decision::Undecodable(DecodeError::new("its end", error.to_string())),
                Kind::Dns | Kind::Connect | Kind::Timeout | Kind::Reset | Kind::Malformed => {
                    Decision::Transient(RetryCause::from_transport(kind), ErrorKind::Transport(kind))
                }
                Kind::Tls | Kind::InvalidRequest | Kind::TooLarge { .. } | Kind::Sink => {
                    Decision::Final(ErrorKind::Transport(kind))
                }
            };
        }
    };
    let status = response.status();
    if call.accepts(status) {
        return match call.parse(response) {
            Ok(value) => Decision::Accepted(value),
            Err(error) => Decision::Undecodable(error),
        };
    }
    match status.as_u16() {
        429 => Decision::Throttled,
        408 | 425 | 500 | 502 | 503 | 504 => {
            Decision::Transient(RetryCause::from_status(status), ErrorKind::Server)
        }
        401 => Decision::Final(ErrorKind::Unauthorized),
        403 => Decision::Final(ErrorKind::Forbidden),
        404 => Decision::Final(ErrorKind::NotFound),
        400..=499 => Decision::Final(ErrorKind::Rejected),
        500..=599 => Decision::Final(ErrorKind::Server),
        _ => Decision::Final(ErrorKind::UnexpectedStatus),
    }
}
