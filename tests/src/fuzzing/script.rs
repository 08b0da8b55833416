//! The fuzzer's bytes as a program of what others do.

use billing_core::{Reply, Request, TransportError, TransportErrorKind};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

/// Bytes read as a program. When they are used up, each is zero and the report is complete.
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl Script<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(super) fn bytes(&mut self) -> Bytes {
        let n = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        Bytes::copy_from_slice(taken)
    }

    /// Draws the reply that a server or the network gives to a request.
    pub(super) fn reply(&mut self, request: &Request, now: DateTime<Utc>) -> Reply {
        if self.is_over() {
            return Ok(Response::new(Bytes::from_static(br#"{"status":"Complete"}"#)));
        }
        let lost = |kind| Err(TransportError::new(kind, "by the script"));
        match self.byte() % 16 {
            0 => lost(TransportErrorKind::Reset),
            1 => lost(TransportErrorKind::Truncated),
            2 => lost(TransportErrorKind::Timeout),
            3 => lost(TransportErrorKind::Tls),
            4 => lost(TransportErrorKind::TooLarge { limit: request.max_body() }),
            5..=8 => Ok(Response::new(Bytes::from_static(br#"{"status":"InProgress"}"#))),
            9 => Ok(Response::new(Bytes::from_static(br#"{"status":"Paused"}"#))),
            _ => self.response(now),
        }
    }

    fn response(&mut self, now: DateTime<Utc>) -> Reply {
        const STATUSES: [u16; 16] =
            [200, 200, 202, 204, 301, 400, 401, 403, 404, 408, 429, 429, 500, 501, 503, 599];
        let status = STATUSES[usize::from(self.byte() % 16)];
        let mut response = Response::builder().status(status);
        match self.byte() % 8 {
            0..=3 => {}
            4 => response = response.header("retry-after", self.byte().to_string()),
            5 => {
                let date = now + TimeDelta::seconds(i64::from(self.byte()));
                let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                response = response.header("retry-after", date);
            }
            _ => {
                if let Ok(value) = http::HeaderValue::from_bytes(&self.bytes()) {
                    response = response.header("retry-after", value);
                }
            }
        }
        Ok(response.body(self.bytes()).expect("valid parts"))
    }
}
