//! HTTP/2, which billing-hyper uses if the server offers it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use billing_core::machine::RetrySchedule;
use billing_core::{Credentials, Policy, TransportErrorKind as Kind};
use billing_hyper::{Client, TlsRoots};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use billing_tests::loopback::{self, OVERVIEW, TRUSTOR, once, once_within};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

struct Http2 {
    address: SocketAddr,
    pem: Vec<u8>,
    connections: Arc<AtomicUsize>,
}

/// Starts a server that answers request number `n`, counted from 0, with `answer(n)`, or never.
async fn serve(answer: fn(usize) -> Option<Body>) -> Http2 {
    let (pem, config) = loopback::certificate();
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::<AtomicUsize>::default();
    let accepted = connections.clone();
    let requests = Arc::<AtomicUsize>::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            let (acceptor, requests) = (acceptor.clone(), requests.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: http::Request<_>| {
                    let _: &hyper::body::Incoming = request.body();
                    assert_eq!(request.version(), http::Version::HTTP_2);
                    let body = answer(requests.fetch_add(1, Ordering::SeqCst));
                    async move {
                        match body {
                            Some(body) => Ok::<_, Infallible>(http::Response::new(body)),
                            None => std::future::pending().await,
                        }
                    }
                });
                let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                http2.serve_connection(TokioIo::new(tls), service).await.ok();
            });
        }
    });
    Http2 { address, pem, connections }
}

fn client(server: &Http2, policy: Policy) -> Client {
    let environment = loopback::environment(&format!("https://{}", server.address));
    let credentials = Credentials::access_token("tok-0").expect("a token");
    let builder = Client::builder(environment, credentials).no_proxy().policy(policy);
    builder.roots(TlsRoots::Pem(server.pem.clone())).build().expect("a client")
}

fn whole() -> Option<Body> {
    Some(Full::from(OVERVIEW).map_err(|never| match never {}).boxed_unsync())
}

#[tokio::test]
async fn calls_share_a_connection() {
    let server = serve(|_| whole()).await;
    let client = client(&server, once());
    for _ in 0..3 {
        client.trustee_overview(TRUSTOR.parse().expect("an id"), None).await.expect("an overview");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_body_reset_in_its_middle_is_truncated() {
    let server = serve(|_| {
        let start = stream::once(async { Ok(Frame::data(Bytes::from("{\"id\""))) });
        let reset = stream::once(async {
            // A reset discards everything that is not written yet, the head included.
            tokio::time::sleep(Duration::from_millis(100)).await;
            Err(std::io::Error::other("no more"))
        });
        Some(StreamBody::new(start.chain(reset)).boxed_unsync())
    })
    .await;
    let overview = client(&server, once()).trustee_overview(TRUSTOR.parse().expect("an id"), None).await;
    let error = overview.expect_err("half an overview");
    assert_eq!(error.transport().expect("a transport error").kind(), Kind::Truncated);
}

#[tokio::test]
async fn a_connection_that_let_an_attempt_time_out_is_not_used_again() {
    let server = serve(|n| if n == 0 { None } else { whole() }).await;
    let policy = Policy {
        retry: RetrySchedule { initial_delay: Duration::ZERO, ..RetrySchedule::default() },
        ..once_within(300)
    };
    let overview = client(&server, policy).trustee_overview(TRUSTOR.parse().expect("an id"), None).await;
    overview.expect("an overview at the second attempt");
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}
