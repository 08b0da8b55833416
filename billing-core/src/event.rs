//! Events: what happens while a machine is driven, for progress displays and logs.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::passage::length;
use crate::{Progress, Reply, Request, TransportError};

/// What happens while a driver runs a machine, in the order in which it happens.
///
/// `Debug` shows no secret: of a request, headers with credentials are marked sensitive and do not print; of an answer, the
/// body and the headers do not, because the body of a login is a token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to go out.
    Sending(&'a Request),
    /// It has its reply.
    Received {
        /// The request.
        request: &'a Request,
        /// What came.
        answered: Answered<'a>,
        /// How long it took.
        elapsed: Duration,
    },
    /// Nothing is to be sent for a while.
    Waiting(&'a Progress),
}

impl<'a> Event<'a> {
    /// That `request` has its `reply`.
    pub fn received(request: &'a Request, reply: &'a Reply, elapsed: Duration) -> Self {
        Self::Received { request, answered: Answered(reply), elapsed }
    }
}

/// What came for a request, without the body.
#[derive(Clone, Copy)]
pub struct Answered<'a>(&'a Reply);

impl<'a> Answered<'a> {
    /// The status, if there is a response.
    pub fn status(self) -> Option<StatusCode> {
        self.0.as_ref().ok().map(http::Response::status)
    }

    /// The headers, if there is a response. Choose by name what you show: one that is new could be a secret.
    pub fn headers(self) -> Option<&'a HeaderMap> {
        self.0.as_ref().ok().map(http::Response::headers)
    }

    /// How many bytes the body has, decompressed; of a document also those that a sink has taken.
    pub fn body_len(self) -> usize {
        self.0.as_ref().map_or(0, |response| usize::try_from(length(response)).unwrap_or(usize::MAX))
    }

    /// The id under which support finds the exchange.
    pub fn correlation_id(self) -> Option<&'a str> {
        self.headers()?.get("inin-correlation-id")?.to_str().ok()
    }

    /// Why there is no response.
    pub fn error(self) -> Option<&'a TransportError> {
        self.0.as_ref().err()
    }
}

impl fmt::Debug for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(response) => f
                .debug_struct("Answered")
                .field("status", &response.status())
                .field("body_len", &self.body_len())
                .finish_non_exhaustive(),
            Err(error) => f.debug_tuple("Answered").field(error).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{exchange, reply, start};
    use crate::{Machine, Policy, Step};

    #[test]
    fn rule_9_an_event_does_not_print_what_came() {
        let Step::Send(request, _) = exchange(Policy::default()).step(start()) else { panic!("a request") };
        let reply = reply(200, "set-cookie: s3cret\ninin-correlation-id: c-1", r#"{"access_token":"t0ken"}"#);
        let event = Event::received(&request, &reply, Duration::ZERO);
        let shown = format!("{event:?} {event:#?}");
        assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
        let Event::Received { answered, .. } = event else { panic!("what was made") };
        assert_eq!((answered.correlation_id(), answered.body_len()), (Some("c-1"), 24));
    }
}
