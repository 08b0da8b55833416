//! A running machine, and the loop that drives it step by step.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use billing_core::{Authorized, Error, Event, Machine, Progress, Reply, Request, Step};
use chrono::{DateTime, Utc};
use tokio::io::AsyncWrite;

use crate::client::ClientInner;
use crate::clock::time_until;
use crate::session::LockedSession;
use crate::transport::Transport;

/// A way to perform a request.
pub(crate) trait Perform {
    fn perform(
        &mut self,
        transport: &Transport,
        request: &Request,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Reply> + Send;
}

/// Collects each body in memory, as part of its reply.
pub(crate) struct CollectBody;

impl Perform for CollectBody {
    async fn perform(&mut self, transport: &Transport, request: &Request, now: DateTime<Utc>) -> Reply {
        transport.perform(request, now).await
    }
}

/// Writes the body of a document to the sink that the function opens, and collects all other bodies in
/// memory.
pub(crate) struct StreamBody<O>(pub(crate) O);

impl<O, F, W> Perform for StreamBody<O>
where
    O: FnMut() -> F + Send,
    F: Future<Output = io::Result<W>> + Send,
    W: AsyncWrite + Unpin + Send,
{
    async fn perform(&mut self, transport: &Transport, request: &Request, now: DateTime<Utc>) -> Reply {
        transport.perform_into(request, now, &mut self.0).await
    }
}

/// A machine that runs in a client's session, with its next step.
pub(crate) struct Run<M: Machine> {
    parts: Arc<ClientInner>,
    step: Step<Authorized<M, LockedSession>>,
    /// The session's revision, read before the step. If it has changed when this call starts to wait for
    /// another call's login, that login has already ended, and `wait_past` returns at once.
    seen: u64,
}

impl<M: Machine> Run<M> {
    pub(crate) fn begin(parts: Arc<ClientInner>, machine: M) -> Self {
        let seen = parts.session.revision();
        let step = Authorized::new(machine, parts.session.clone()).step(parts.clock.now());
        Self { parts, step, seen }
    }

    /// Returns the progress if the next step is a wait.
    pub(crate) fn waits(&self) -> Option<Progress> {
        match &self.step {
            Step::Wait(_, machine) => Some(machine.progress()),
            Step::Send(..) | Step::Done(_) => None,
        }
    }

    /// Performs the machine's next step. Dropping this future drops the machine, whose guards release its
    /// place in the session.
    pub(crate) async fn advance(
        self,
        watch: &mut impl FnMut(Event<'_>),
        perform: &mut impl Perform,
    ) -> ControlFlow<Result<M::Output, Error>, Self> {
        let Self { parts, step, seen } = self;
        let ClientInner { session, transport, clock, .. } = &*parts;
        let (seen, step) = match step {
            Step::Send(request, sent) => {
                watch(Event::Sending(&request));
                let begun = Instant::now();
                let reply = perform.perform(transport, &request, clock.now()).await;
                watch(Event::from_reply(&request, &reply, begun.elapsed()));
                (session.revision(), sent.receive(reply, clock.now()))
            }
            Step::Wait(until, machine) => {
                watch(Event::Waiting(&machine.progress()));
                if machine.awaits_login() {
                    session.wait_past(seen, time_until(clock.now(), until)).await;
                } else {
                    clock.sleep_until(until).await;
                }
                (session.revision(), machine.step(clock.now()))
            }
            Step::Done(result) => return ControlFlow::Break(result),
        };
        ControlFlow::Continue(Self { parts, step, seen })
    }
}
