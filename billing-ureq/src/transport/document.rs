//! Documents, written to a sink chunk by chunk.

use std::io::{self, Read, Write};

use billing_core::machine::{BodyTarget, DownloadCounter};
use billing_core::{Reply, Request, TransportError};
use chrono::{DateTime, Utc};
use http::response::Parts;
use ureq::Body;

use super::Transport;

impl Transport {
    /// Performs `request` like [`Transport::perform`], but writes the body of a document to the sink that
    /// `open` returns.
    pub(crate) fn perform_into<W: Write>(
        &self,
        request: &Request,
        now: DateTime<Utc>,
        open: &mut impl FnMut() -> io::Result<W>,
    ) -> Reply {
        let limit = request.timeout(now);
        let (head, body) = self.begin(request, limit)?;
        match request.body_target(&head)? {
            BodyTarget::Collect(reader) => self.collect(head, body, reader, limit),
            BodyTarget::Stream(passage) => {
                let sink = open().map_err(TransportError::from_sink_error)?;
                self.pass_on(head, body, passage, sink, limit)
            }
        }
    }

    fn pass_on(
        &self,
        head: Parts,
        body: Body,
        mut passage: DownloadCounter,
        mut sink: impl Write,
        limit: std::time::Duration,
    ) -> Reply {
        let mut body = body.into_reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    passage.count(&chunk[..n])?;
                    sink.write_all(&chunk[..n]).map_err(TransportError::from_sink_error)?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.classify_in_body(e.into(), limit)),
            }
        }
        sink.flush().map_err(TransportError::from_sink_error)?;
        passage.finish(head)
    }
}

/// The number of bytes to read from a document at once.
const CHUNK_BYTES: usize = 16 << 10;
