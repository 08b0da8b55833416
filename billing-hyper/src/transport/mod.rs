//! One request, one reply: what `hyper` is here for.

mod document;

use std::time::Duration;

use billing_core::machine::{BodyReader, MAX_HEAD_BYTES, MAX_HEADERS};
use billing_core::proxy::ProxyRules;
use billing_core::{Reply, Request, TransportError, TransportErrorKind as Kind};
use chrono::{DateTime, Utc};
use http::Version;
use http::header::PROXY_AUTHORIZATION;
use http::response;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::connect::{Connector, Proxies, classify};

/// Performs requests, each once: `hyper-util` repeats one only if it comes back from a pooled connection that was closed
/// before anything of it was written.
pub(crate) struct Transport {
    client: Client<Connector, Full<Bytes>>,
    proxies: Proxies,
}

impl Transport {
    pub(crate) fn new(connect_timeout: Duration, tls: ClientConfig, proxies: ProxyRules) -> Self {
        let proxies = Proxies::new(proxies);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_headers(MAX_HEADERS)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http2_max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .build(Connector::new(connect_timeout, tls, proxies.clone()));
        Self { client, proxies }
    }

    /// Performs `request`, which begins at `now`, within its time and size.
    pub(crate) async fn perform(&self, request: &Request, now: DateTime<Utc>) -> Reply {
        let read = |response: http::Response<Incoming>| async {
            let (head, body) = response.into_parts();
            let reader = BodyReader::new(&head.headers, request.max_body())?;
            collect(head, body, reader).await
        };
        self.exchange(request, now, read).await
    }

    /// Performs it, and has its response read by `read`, all within its time.
    async fn exchange<F: Future<Output = Reply>>(
        &self,
        request: &Request,
        now: DateTime<Utc>,
        read: impl FnOnce(http::Response<Incoming>) -> F,
    ) -> Reply {
        let limit = request.timeout(now);
        let mut http = request.http().clone().map(Full::new);
        if let Some(authorization) = self.proxies.authorization_to_forward(http.uri()) {
            http.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let connection = capture_connection(&mut http);
        let exchange = async {
            let_connections_catch_up().await;
            let response = self.client.request(http).await.map_err(classify_send_error)?;
            read(response).await
        };
        timeout(limit, exchange).await.unwrap_or_else(|_| {
            // Under HTTP/2 later attempts would share it, and a connection that is dead without saying so fails them all.
            if let Some(connected) = &*connection.connection_metadata() {
                connected.poison();
            }
            let text = format!("no whole answer within {limit:?}");
            Err(TransportError::new(Kind::Timeout, text))
        })
    }
}

/// Lets the tasks of idle connections see what has come since the runtime last ran, which may have been at the last call:
/// the end of the connection, or an answer that nobody asked for and that would be taken for this one's.
///
/// In a runtime of one thread, the first turn tells a task that something has come, and the second lets it act on that.
async fn let_connections_catch_up() {
    yield_now().await;
    yield_now().await;
}

async fn collect(head: response::Parts, mut body: Incoming, mut collected: BodyReader) -> Reply {
    while let Some(chunk) = next_chunk(&head, &mut body).await? {
        collected.push_bytes(chunk)?;
    }
    Ok(http::Response::from_parts(head, collected.finish()?))
}

/// What comes next of a body; `None` at its end, if that is one in order.
async fn next_chunk(head: &response::Parts, body: &mut Incoming) -> Result<Option<Bytes>, TransportError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| TransportError::from_source(Kind::Truncated, e))?;
        if let Ok(chunk) = frame.into_data() {
            return Ok(Some(chunk));
        }
    }
    // A stream that is reset without an error, or cancelled, just stops for `hyper`, wherever it is.
    if head.version == Version::HTTP_2 && !body.is_end_stream() {
        return Err(TransportError::new(Kind::Truncated, "the stream was reset before its end"));
    }
    Ok(None)
}

/// Says what went wrong before the head of a response was there.
fn classify_send_error(error: Error) -> TransportError {
    let source = std::error::Error::source(&error);
    // The connector has said already what its failure is.
    if let Some(error) = source.and_then(|e| e.downcast_ref::<TransportError>()) {
        return error.clone();
    }
    let kind = match source.and_then(|e| e.downcast_ref::<hyper::Error>()) {
        Some(e) if e.is_parse() => Kind::Malformed,
        // A connection's task is gone with the runtime that it was made in. `hyper` calls that a fault of its user, of
        // which a request of the core has no other.
        Some(e) if e.is_user() => Kind::Reset,
        _ => classify(&error, Kind::Reset),
    };
    TransportError::from_source(kind, error)
}
