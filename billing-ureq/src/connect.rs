//! Connections as `ureq` makes them, but for two things that it lets pass.
//!
//! * A connection that breaks is an end to it like any other, so that a body without a length that is cut by a reset, or
//!   under TLS by whoever can drop packets, would count as whole. Here only an end in order is one.
//! * A proxy's answer to CONNECT may take the whole time for connecting between any two of its bytes. Here it may take it
//!   once.

use std::io::{self, ErrorKind};
use std::time::Instant;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time};

/// Comes last in the chain, and wraps what the others have made.
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

/// A connection that ends in order or in an error.
#[derive(Debug)]
pub(crate) struct StrictTransport<T> {
    inner: T,
    /// The time that `ureq` gives to each read while it connects, and when that time is over in truth.
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
        // What is left of a time that runs down is never twice the same: this one is given anew.
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
            // The kinds that `ureq` takes for the end of a body. A broken pipe it does not.
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
