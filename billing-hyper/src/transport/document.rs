//! Documents, written to a sink chunk by chunk.

use std::io;

use billing_core::machine::{BodyTarget, DownloadCounter};
use billing_core::{Reply, Request, TransportError};
use chrono::{DateTime, Utc};
use http::Response;
use http::response::Parts;
use hyper::body::Incoming;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Transport, collect, next_chunk};

impl Transport {
    /// Performs `request` like [`Transport::perform`], but writes the body of a document to the sink that
    /// `open` returns.
    pub(crate) async fn perform_into<F, W>(
        &self,
        request: &Request,
        now: DateTime<Utc>,
        open: &mut (impl FnMut() -> F + Send),
    ) -> Reply
    where
        F: Future<Output = io::Result<W>> + Send,
        W: AsyncWrite + Unpin + Send,
    {
        self.exchange(request, now, |response: Response<Incoming>| async {
            let (head, body) = response.into_parts();
            match request.body_target(&head)? {
                BodyTarget::Collect(reader) => collect(head, body, reader).await,
                BodyTarget::Stream(passage) => {
                    let sink = open().await.map_err(TransportError::from_sink_error)?;
                    pass_on(head, body, passage, sink).await
                }
            }
        })
        .await
    }
}

async fn pass_on(
    head: Parts,
    mut body: Incoming,
    mut passage: DownloadCounter,
    mut sink: impl AsyncWrite + Unpin,
) -> Reply {
    while let Some(chunk) = next_chunk(&head, &mut body).await? {
        passage.count(&chunk)?;
        sink.write_all(&chunk).await.map_err(TransportError::from_sink_error)?;
    }
    sink.flush().await.map_err(TransportError::from_sink_error)?;
    passage.finish(head)
}
