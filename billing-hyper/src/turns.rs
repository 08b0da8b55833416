//! A stream of the parts of a machine whose every run returns one part and the machine for the rest.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use billing_core::{Error, Machine};

use crate::Client;

/// The state of a stream of parts.
pub(crate) struct StepStream<M, O> {
    pub(crate) client: Client,
    rest: Option<M>,
    pending: Option<StepFuture<O>>,
    failed: bool,
}

type StepFuture<O> = Pin<Box<dyn Future<Output = Result<O, Error>> + Send>>;

impl<M: Machine> StepStream<M, M::Output> {
    pub(crate) fn new(client: Client, machine: M) -> Self {
        Self { client, rest: Some(machine), pending: None, failed: false }
    }

    /// Returns the machine for the parts that were not read yet, including a part that failed; `None` at
    /// the end.
    pub(crate) fn rest(&self) -> Option<&M> {
        self.rest.as_ref()
    }

    /// Runs the machine for the next part. `split` separates the part from the rest.
    pub(crate) fn poll_next<T>(
        &mut self,
        cx: &mut Context<'_>,
        split: impl FnOnce(M::Output) -> (T, Option<M>),
    ) -> Poll<Option<Result<T, Error>>>
    where
        M: Machine<Output: Send> + Clone + Send + 'static,
    {
        let Self { client, rest, pending: turning, failed } = self;
        let Some(machine) = rest.as_ref().filter(|_| !*failed) else {
            return Poll::Ready(None);
        };
        let turn = turning.get_or_insert_with(|| {
            let (client, machine) = (client.clone(), machine.clone());
            Box::pin(async move { client.run(machine).await })
        });
        let turned = ready!(turn.as_mut().poll(cx));
        *turning = None;
        Poll::Ready(Some(match turned {
            Ok(output) => {
                let (part, after) = split(output);
                *rest = after;
                Ok(part)
            }
            Err(error) => {
                *failed = true;
                Err(error)
            }
        }))
    }
}

/// `Unpin` is sound: the only pinned future is in a box of its own.
impl<M, O> Unpin for StepStream<M, O> {}
