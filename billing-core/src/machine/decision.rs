//! The decision table: from what came to what is to be done, in one place for every operation.
//!
//! | what came | judgement |
//! |---|---|
//! | a status that the call accepts, and its body can be read | [`Accepted`](Judgement::Accepted) |
//! | the same, and its body cannot be read; a body cut short | [`Unreadable`](Judgement::Unreadable): twice more at most |
//! | 408, 425, 500, 502, 503, 504; no connection, no host, lost, timed out | [`Transient`](Judgement::Transient) |
//! | 429 | [`Throttled`](Judgement::Throttled) |
//! | 401, 403, 404, other 4xx, 501, 505 and other 5xx, other 2xx, 3xx; TLS, address, size, sink | [`Final`](Judgement::Final) |
//!
//! Of a 401, the [session](crate::Session) decides first whether it is the token's fault alone.

use crate::calls::Call;
use crate::machine::progress::RetryCause;
use crate::{DecodeError, ErrorKind, Reply, TransportErrorKind as Kind};

pub(crate) enum Judgement<T> {
    Accepted(T),
    Unreadable(DecodeError),
    Transient(RetryCause, ErrorKind),
    Throttled,
    Final(ErrorKind),
}

pub(crate) fn judge<C: Call>(call: &C, reply: &Reply) -> Judgement<C::Output> {
    let response = match reply {
        Ok(response) => response,
        Err(error) => {
            let kind = error.kind();
            return match kind {
                Kind::Truncated => Judgement::Unreadable(DecodeError::new("its end", error.to_string())),
                Kind::Dns | Kind::Connect | Kind::Timeout | Kind::Reset | Kind::Malformed => {
                    Judgement::Transient(RetryCause::network(kind), ErrorKind::Transport(kind))
                }
                Kind::Tls | Kind::BadRequest | Kind::TooLarge { .. } | Kind::Sink => {
                    Judgement::Final(ErrorKind::Transport(kind))
                }
            };
        }
    };
    let status = response.status();
    if call.accepts(status) {
        return match call.parse(response) {
            Ok(value) => Judgement::Accepted(value),
            Err(error) => Judgement::Unreadable(error),
        };
    }
    match status.as_u16() {
        429 => Judgement::Throttled,
        408 | 425 | 500 | 502 | 503 | 504 => {
            Judgement::Transient(RetryCause::status(status), ErrorKind::Server)
        }
        401 => Judgement::Final(ErrorKind::Unauthorized),
        403 => Judgement::Final(ErrorKind::Forbidden),
        404 => Judgement::Final(ErrorKind::NotFound),
        400..=499 => Judgement::Final(ErrorKind::Rejected),
        500..=599 => Judgement::Final(ErrorKind::Server),
        _ => Judgement::Final(ErrorKind::Protocol),
    }
}
