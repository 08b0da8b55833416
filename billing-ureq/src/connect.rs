//! Connections of `ureq`, with two stricter rules.
//!
//! * `ureq` treats a broken connection as the end of a body. A body without a length that is cut by a reset
//!   (or, under TLS, by anyone who can drop packets) would then count as complete. Here only an orderly
//!   close ends a body.
//! * `ureq` gives the whole connect timeout to each read of a proxy's answer to CONNECT. Here one deadline
//!   covers all of the reads.

use std::io::{self, ErrorKind};
use std::time::Instant;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time};

/// The last connector of the chain, which wraps the connection that the others made.
#[derive(Debug)]
pub(crate) struct StrictConnector;

impl<T: Transport> Connector<T> for StrictConnector {
    type Out = StrictTransport<T>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        made: Option<T>,
    ) -> Result<Option<StrictTransport<T>>, Error> {
        let connect_by = match details.now {
            time::Instant::Exact(begun) => begun.checked_add(*details.timeout.after),
            _ => None,
        };
        Ok(made.map(|inner| StrictTransport {
            inner,
            connect_timeout: details.timeout,
            connect_deadline: connect_by,
        }))
    }
}

/// A connection that reports every disorderly close as an error.
#[derive(Debug)]
pub(crate) struct StrictTransport<T> {
    inner: T,
    /// The timeout that `ureq` passes to each read while it connects, and the real deadline for connecting.
    connect_timeout: NextTimeout,
    connect_deadline: Option<Instant>,
}

impl<T: Transport> Transport for StrictTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, mut timeout: NextTimeout) -> Result<bool, Error> {
        // The timeouts of a request shrink from read to read, so they rarely equal the connect timeout. An
        // equal value means that `ureq` is still connecting.
        if timeout == self.connect_timeout
            && let Some(connect_by) = self.connect_deadline
        {
            let left = connect_by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            timeout.after = left.into();
        }
        self.inner.await_input(timeout).map_err(|error| match error {
            // `ureq` treats these error kinds as the end of a body, but not a broken pipe.
            Error::Io(e) if is_read_as_end(e.kind()) => Error::Io(io::Error::new(ErrorKind::BrokenPipe, e)),
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn is_read_as_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}
