//! Faults of HTTP/2, which billing-hyper uses if the server offers it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use billing_core::{BaseUrl, Environment};
use billing_tests::raw_server::OVERVIEW;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::faults::answers::{self, Answers};
use crate::faults::bodies::gzip;
use crate::faults::client::{Client, RUNTIME, Setup, once_within, outcome, retrying_within};
use crate::faults::table::FINAL;
use crate::faults::tls::AUTHORITY;

pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<(), h2::Error>> + Send>>;

/// The server's treatment of its first request. The second argument receives orders about the connection.
type Fault = fn(SendResponse<Bytes>, mpsc::UnboundedSender<Order>) -> Answering;

/// An order about a connection.
pub(crate) enum Order {
    /// GOAWAY without an error: requests in flight may finish.
    Leave,
    /// GOAWAY with an error, then the end of the connection.
    Break(Reason),
    /// The end of the TCP connection without GOAWAY.
    Cut,
}

const FAULTS: [(&str, &str, Fault); 22] = [
    ("an answer", "ok", |to, _| Box::pin(async { answer(to) })),
    ("103 before the answer", "ok", |mut to, _| {
        Box::pin(async move {
            let mut hints = Response::new(());
            *hints.status_mut() = http::StatusCode::EARLY_HINTS;
            to.send_informational(hints)?;
            answer(to)
        })
    }),
    ("trailers", "ok", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW.into(), false)?;
            body.send_trailers(HeaderMap::new())
        })
    }),
    ("RST_STREAM: refused", "Reset", |to, _| reset(to, Reason::REFUSED_STREAM)),
    ("RST_STREAM: internal error", "Reset", |to, _| reset(to, Reason::INTERNAL_ERROR)),
    ("RST_STREAM: cancel", "Reset", |to, _| reset(to, Reason::CANCEL)),
    ("RST_STREAM: HTTP/1.1 required", "Reset", |to, _| reset(to, Reason::HTTP_1_1_REQUIRED)),
    ("RST_STREAM in a body", "Truncated", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW[..30].into(), false)?;
            // A reset discards everything that is not written yet, the head included.
            sleep(A_LITTLE).await;
            body.send_reset(Reason::INTERNAL_ERROR);
            Ok(())
        })
    }),
    ("RST_STREAM: no error, in a body", "Truncated", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW[..30].into(), false)?;
            sleep(A_LITTLE).await;
            body.send_reset(Reason::NO_ERROR);
            Ok(())
        })
    }),
    ("RST_STREAM: cancel, in a body", "Truncated", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW[..30].into(), false)?;
            sleep(A_LITTLE).await;
            body.send_reset(Reason::CANCEL);
            Ok(())
        })
    }),
    ("GOAWAY with an error", "Reset", |to, orders| {
        Box::pin(async move {
            orders.send(Order::Break(Reason::ENHANCE_YOUR_CALM)).ok();
            keep(to).await
        })
    }),
    ("GOAWAY with an error in a body", "Truncated", |mut to, orders| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW[..30].into(), false)?;
            sleep(A_LITTLE).await;
            orders.send(Order::Break(Reason::INTERNAL_ERROR)).ok();
            keep(body).await
        })
    }),
    ("GOAWAY without an error, and the answer after it", "ok", |to, orders| {
        Box::pin(async move {
            orders.send(Order::Leave).ok();
            sleep(A_LITTLE).await;
            answer(to)
        })
    }),
    ("cut before the answer", "Reset", |to, orders| {
        Box::pin(async move {
            orders.send(Order::Cut).ok();
            keep(to).await
        })
    }),
    ("cut in a body", "Truncated", |mut to, orders| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(OVERVIEW[..30].into(), false)?;
            sleep(A_LITTLE).await;
            orders.send(Order::Cut).ok();
            keep(body).await
        })
    }),
    ("no answer", "Timeout", |to, _| Box::pin(keep(to))),
    ("a stream that never ends", "Timeout", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            loop {
                body.send_data(" ".into(), false)?;
                sleep(Duration::from_millis(20)).await;
            }
        })
    }),
    ("a body over the bound", "TooLarge", |mut to, _| {
        Box::pin(async move {
            let mut body = to.send_response(Response::new(()), false)?;
            body.send_data(vec![b' '; 2 << 20].into(), false)?;
            keep(body).await
        })
    }),
    ("a body that inflates over the bound", "TooLarge", |mut to, _| {
        Box::pin(async move {
            let head = Response::builder().header("content-encoding", "gzip").body(()).expect("a head");
            let mut body = to.send_response(head, false)?;
            body.send_data(gzip(&vec![0; 2 << 20]).into(), true)
        })
    }),
    ("a length that is too long", "Truncated", |mut to, _| {
        Box::pin(async move {
            let head = Response::builder().header("content-length", "1000").body(()).expect("a head");
            let mut body = to.send_response(head, false)?;
            body.send_data(OVERVIEW.into(), true)
        })
    }),
    // The client resets the stream here. hyper's error does not show which side reset it.
    ("10,000 headers", "Reset", |mut to, _| {
        Box::pin(async move {
            let many = (0..10_000).fold(Response::builder(), |head, n| head.header(format!("a-{n}"), "b"));
            to.send_response(many.body(()).expect("a head"), false)?.send_data(OVERVIEW.into(), true)
        })
    }),
    ("a header of 200 KiB", "Reset", |mut to, _| {
        Box::pin(async move {
            let long = "b".repeat(200 << 10);
            let head = Response::builder().header("a", long).body(()).expect("a head");
            let mut body = to.send_response(head, false)?;
            body.send_data(OVERVIEW.into(), true)
        })
    }),
];

#[test]
fn hyper_faults_of_http_2() {
    let mut wrong = Vec::new();
    for (name, expected, fault) in FAULTS {
        let millis = if expected == "Timeout" { 400 } else { 20_000 };
        let client = client(serve(fault), once_within(millis));
        let first = client.ask();
        let next = outcome(&client.overview(retrying_within(20_000)));
        let retried = self::client(serve(fault), retrying_within(3_000.max(millis))).ask();
        println!("HTTP/2, {name:<62} {first}");
        let passes = if FINAL.contains(&expected) { expected } else { "ok" };
        if (&*first, &*next, &*retried) != (expected, "ok", passes) {
            wrong.push(format!(
                "{name}: {first}, the next call {next}, with retries {retried}; not {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bytes of servers that agree to HTTP/2 and then send something else. The request counts as lost and is retried:
/// hyper recognizes answers that are not HTTP/1.1, but not these.
const NONSENSE: [(&str, &[u8]); 4] = [
    ("HTTP/1.1", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
    ("zeros", &[0; 100]),
    ("a frame that is too long", &[0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0]),
    ("settings that are none", &[0, 0, 5, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]),
];

#[test]
fn hyper_something_else_in_place_of_http_2() {
    for (name, bytes) in NONSENSE {
        let served = Arc::new(AtomicUsize::new(0));
        let environment = listen(move |mut tls| {
            let first = served.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move {
                if first {
                    tls.write_all(bytes).await.ok();
                    while matches!(tls.read(&mut [0; 4096]).await, Ok(n) if n > 0) {}
                } else {
                    converse(tls, |_, to, _| Box::pin(async { answer(to) })).await;
                }
            })
        });
        let client = client(environment, once_within(20_000));
        assert_eq!(client.ask(), "Reset", "{name}");
        assert_eq!(client.ask(), "ok", "the call after {name}");
    }
}

/// Starts a server whose first request meets `fault`. It answers all later requests correctly.
fn serve(fault: Fault) -> Environment {
    let requests = Arc::new(AtomicUsize::new(0));
    listen(move |tls| {
        let requests = Arc::clone(&requests);
        Box::pin(converse(tls, move |_, to, orders| match requests.fetch_add(1, Ordering::SeqCst) {
            0 => fault(to, orders),
            _ => Box::pin(async { answer(to) }),
        }))
    })
}

/// Starts a server that answers every request.
pub(crate) fn serve_well() -> Environment {
    let answers = Arc::new(Answers::default());
    listen(move |tls| {
        let answers = Arc::clone(&answers);
        Box::pin(converse(tls, move |request, to, _| Box::pin(in_pieces(Arc::clone(&answers), request, to))))
    })
}

async fn in_pieces(
    answers: Arc<Answers>,
    request: Request<RecvStream>,
    mut to: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let host = request.uri().authority().map_or("", |authority| authority.as_str());
    let body = answers.body(request.uri().path(), &format!("https://{host}"));
    let (half, rest) = body.split_at(body.len() / 2);
    let mut asked = request.into_body();
    while asked.data().await.is_some() {}
    sleep(answers::A_LITTLE).await;
    let mut answer = to.send_response(Response::new(()), false)?;
    for (piece, last) in [(half, false), (rest, true)] {
        sleep(answers::A_LITTLE).await;
        answer.send_data(piece.to_owned().into(), last)?;
    }
    Ok(())
}

pub(crate) type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn listen(serve: impl Fn(TlsStream<TcpStream>) -> Serving + Send + Sync + 'static) -> Environment {
    let mut config = Arc::unwrap_or_clone(AUTHORITY.server());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    RUNTIME.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(tls) = acceptor.accept(tcp).await else { continue };
            tokio::spawn(serve(tls));
        }
    });
    let base: BaseUrl = format!("https://{address}").parse().expect("an address");
    Environment::new(base.clone(), base)
}

/// Passes every request of a connection to `take` and carries out its orders.
pub(crate) async fn converse(
    tls: TlsStream<TcpStream>,
    take: impl Fn(Request<RecvStream>, SendResponse<Bytes>, mpsc::UnboundedSender<Order>) -> Answering,
) {
    let Ok(mut connection) = h2::server::handshake(tls).await else { return };
    let (orders, mut ordered) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, to))) => drop(tokio::spawn(take(request, to, orders.clone()))),
                _ => return,
            },
            Some(order) = ordered.recv() => match order {
                Order::Leave => connection.graceful_shutdown(),
                Order::Break(reason) => connection.abrupt_shutdown(reason),
                Order::Cut => return,
            },
        }
    }
}

fn answer(mut to: SendResponse<Bytes>) -> Result<(), h2::Error> {
    to.send_response(Response::new(()), false)?.send_data(OVERVIEW.into(), true)
}

fn reset(mut to: SendResponse<Bytes>, reason: Reason) -> Answering {
    to.send_reset(reason);
    Box::pin(async { Ok(()) })
}

/// Keeps a stream open: dropping it would reset it.
async fn keep<T>(stream: T) -> Result<(), h2::Error> {
    sleep(Duration::from_secs(60)).await;
    drop(stream);
    Ok(())
}

fn client(environment: Environment, policy: billing_core::Policy) -> Client {
    Client::Hyper(Setup::new(environment).trusting(&AUTHORITY.pem()).policy(policy).hyper())
}

const A_LITTLE: Duration = Duration::from_millis(100);
