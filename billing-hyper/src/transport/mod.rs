//! The transport over `hyper`: one request, one reply.

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

/// Performs each request once. `hyper-util` retries a request only if its pooled connection was closed
/// before any byte of the request was written.
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

    /// Performs `request`, starting at `now`, within its limits of time and size.
    pub(crate) async fn perform(&self, request: &Request, now: DateTime<Utc>) -> Reply {
        let read = |response: http::Response<Incoming>| async {
            let (head, body) = response.into_parts();
            let reader = BodyReader::new(&head.headers, request.max_body())?;
            collect(head, body, reader).await
        };
        self.exchange(request, now, read).await
    }

    /// Performs `request` and reads its response with `read`, all within the time limit.
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
            // Under HTTP/2 later attempts would reuse this connection. If it is dead without an error,
            // they would all fail.
            if let Some(connected) = &*connection.connection_metadata() {
                connected.poison();
            }
            let text = format!("no whole answer within {limit:?}");
            Err(TransportError::new(Kind::Timeout, text))
        })
    }
}

/// Lets the tasks of idle connections handle events that arrived since the runtime last ran, possibly
/// during the previous call: a close of the connection, or unsolicited bytes that would be taken for the
/// response to this request.
///
/// In a single-threaded runtime, the first yield wakes the task and the second lets it handle the event.
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

/// Returns the next chunk of a body, or `None` at its orderly end.
async fn next_chunk(head: &response::Parts, body: &mut Incoming) -> Result<Option<Bytes>, TransportError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| TransportError::from_source(Kind::Truncated, e))?;
        if let Ok(chunk) = frame.into_data() {
            return Ok(Some(chunk));
        }
    }
    // `hyper` reports a stream that was reset without an error, or cancelled, as the end of the body, at
    // any position.
    if head.version == Version::HTTP_2 && !body.is_end_stream() {
        return Err(TransportError::new(Kind::Truncated, "the stream was reset before its end"));
    }
    Ok(None)
}

/// Classifies an error that occurred before the head of the response arrived.
fn classify_send_error(error: Error) -> TransportError {
    let source = std::error::Error::source(&error);
    // The connector has already classified its failure.
    if let Some(error) = source.and_then(|e| e.downcast_ref::<TransportError>()) {
        return error.clone();
    }
    let kind = match source.and_then(|e| e.downcast_ref::<hyper::Error>()) {
        Some(e) if e.is_parse() => Kind::Malformed,
        // The task of a pooled connection ends with the runtime that started it. `hyper` reports that as a
        // user error, and a request of the core has no other cause for one.
        Some(e) if e.is_user() => Kind::Reset,
        _ => classify(&error, Kind::Reset),
    };
    TransportError::from_source(kind, error)
}
