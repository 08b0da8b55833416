//! Documents over both drivers: for every fault of the connection, the sink has the complete document or the call returns an
//! error. The token is never sent.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use billing_core::calls::InvoiceDocumentCall;
use billing_core::machine::RetrySchedule;
use billing_core::session::Pacing;
use billing_core::{Credentials, Error, ErrorKind, Event, Policy, TransportErrorKind};
use billing_tests::raw_server::{RawServer, Wire};
use tokio::io::AsyncWrite;

const PDF: &str = "%PDF-1.4 and what makes up the rest of a document";

/// Starts a server for the API and for documents. It answers requests for a document with `answers` in turn, then correctly.
fn server(answers: impl Fn(usize, &mut Wire) + Send + Sync + 'static) -> RawServer {
    let served = Mutex::new(0_usize);
    RawServer::start(move |_, wire| {
        while let Some(head) = wire.request() {
            let lower = head.to_ascii_lowercase();
            if head.starts_with("GET /api/v2/billing/contracts/invoices/i-1/document ") {
                assert!(lower.contains("\r\nauthorization: bearer t0ken\r\n"), "{head}");
                let host = lower.split("\r\nhost: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
                let url = format!(r#"{{"url":"http://{host}/files/1.pdf?X-Signature=s1gnature"}}"#);
                wire.respond(200, "", url);
            } else {
                assert!(head.starts_with("GET /files/1.pdf?X-Signature=s1gnature "), "{head}");
                assert!(!lower.contains("t0ken") && !lower.contains("\r\nauthorization:"), "{head}");
                assert!(!lower.contains("\r\ncookie:") && !lower.contains("\r\nreferer:"), "{head}");
                let n = {
                    let mut served = served.lock().unwrap();
                    *served += 1;
                    *served - 1
                };
                // Dropping the connection resets it.
                return answers(n, wire);
            }
        }
    })
}

fn well(wire: &mut Wire) {
    wire.respond(200, "content-type: application/pdf\r\nset-cookie: a=b\r\n", PDF);
}

/// A sink that counts its openings and fails on request.
#[derive(Clone, Default)]
struct Place {
    opened: Arc<Mutex<Vec<Vec<u8>>>>,
    fails: Fails,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Fails {
    #[default]
    Never,
    ToOpen,
    ToWrite,
    ToFlush,
}

impl Place {
    fn open(&self) -> io::Result<Self> {
        self.unless(Fails::ToOpen)?;
        self.opened.lock().unwrap().push(Vec::new());
        Ok(self.clone())
    }

    /// Returns the content of the sink that was opened last, and the number of openings.
    fn holds(&self) -> (String, usize) {
        let opened = self.opened.lock().unwrap();
        let last = opened.last().cloned().unwrap_or_default();
        (String::from_utf8(last).unwrap(), opened.len())
    }

    fn unless(&self, here: Fails) -> io::Result<()> {
        if self.fails == here { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless(Fails::ToWrite)?;
        self.opened.lock().unwrap().last_mut().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless(Fails::ToFlush)
    }
}

impl AsyncWrite for Place {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Downloads to `place` with both drivers, each from a server of its own.
fn by_both(
    policy: &Policy,
    answers: fn(usize, &mut Wire),
    place: fn() -> Place,
    check: impl Fn(&str, Result<u64, Error>, &Place, &RawServer),
) {
    let credentials = || Credentials::access_token("t0ken").unwrap();
    let pacing = Pacing { min_interval: None };
    let document = || InvoiceDocumentCall::new("i-1".parse().unwrap());
    let mut told = String::new();

    let (server_1, to) = (server(answers), place());
    let client = billing_ureq::Client::builder(server_1.environment("http"), credentials())
        .no_proxy()
        .pacing(pacing)
        .policy(policy.clone());
    let client = client.build().unwrap();
    let hear = |event: Event<'_>| told += &format!("{event:?}\n");
    let result = client.download_watched(client.download_machine(document()), || to.open(), hear);
    check("ureq", result, &to, &server_1);

    let (server_2, to) = (server(answers), place());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = runtime.block_on(async {
        let client = billing_hyper::Client::builder(server_2.environment("http"), credentials())
            .no_proxy()
            .pacing(pacing)
            .policy(policy.clone());
        let client = client.build().unwrap();
        let hear = |event: Event<'_>| told += &format!("{event:?}\n");
        client.download_watched(client.download_machine(document()), async || to.open(), hear).await
    });
    check("hyper", result, &to, &server_2);
    assert!(!told.is_empty() && !told.contains("s1gnature") && !told.contains("t0ken"), "{told}");
}

fn at_once() -> RetrySchedule {
    RetrySchedule { initial_delay: Duration::ZERO, max_delay: Duration::ZERO, ..RetrySchedule::default() }
}

fn once() -> Policy {
    Policy {
        attempt_timeout: Some(Duration::from_secs(5)),
        retry: RetrySchedule { max_retries: 0, ..at_once() },
        max_decode_retries: 0,
        ..Policy::default()
    }
}

#[test]
fn a_document_is_in_the_sink_as_it_was_sent() {
    let good: [fn(usize, &mut Wire); 3] = [
        |_, wire| well(wire),
        |_, wire| {
            wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1f\r\n");
            wire.send(&PDF[..0x1f]);
            wire.send(format!("\r\n{:x}\r\n{}\r\n0\r\n\r\n", PDF.len() - 0x1f, &PDF[0x1f..]));
        },
        |_, wire| {
            wire.send(format!("HTTP/1.0 200 OK\r\ncontent-type: application/pdf\r\n\r\n{PDF}"));
            wire.close();
        },
    ];
    for answer in good {
        by_both(&once(), answer, Place::default, |driver, result, place, server| {
            assert_eq!(result.unwrap(), u64::try_from(PDF.len()).unwrap(), "{driver}");
            assert_eq!(place.holds(), (PDF.to_owned(), 1), "{driver}");
            assert_eq!(server.requests().len(), 2, "{driver}");
        });
    }
}

#[test]
fn a_document_that_is_not_whole_is_an_error() {
    const HALF: &str = "%PDF-1.4 and wh";
    type Answer = fn(usize, &mut Wire);
    let bad: [(&str, &str, Answer); 10] = [
        ("a length, closed", "Decode", |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{HALF}", PDF.len()));
            wire.close();
        }),
        ("a length, reset", "Decode", |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{HALF}", PDF.len()));
            wire.reset();
        }),
        ("chunks, closed", "Decode", |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{HALF}\r\n"));
            wire.close();
        }),
        ("no length, reset", "Decode", |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\n\r\n{HALF}"));
            wire.reset();
        }),
        ("nothing", "Decode", |_, wire| wire.respond(200, "", "")),
        ("stalled", "Transport(Timeout)", |_, wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{HALF}", PDF.len()));
            wire.wait_for_the_end();
        }),
        ("encoded", "Transport(Malformed)", |_, wire| wire.respond(200, "content-encoding: gzip\r\n", PDF)),
        ("too long", "Transport(TooLarge { limit: 100 })", |_, wire| wire.respond(200, "", [b'x'; 101])),
        ("too long, in chunks", "Transport(TooLarge { limit: 100 })", |_, wire| {
            let body = format!("{:x}\r\n{}\r\n0\r\n\r\n", 101, "x".repeat(101));
            wire.send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"));
        }),
        ("another status", "UnexpectedStatus", |_, wire| wire.respond(206, "", PDF)),
    ];
    for (name, kind, answer) in bad {
        let attempt = if name == "stalled" { 300 } else { 5_000 };
        let policy =
            Policy { max_body: 100, attempt_timeout: Some(Duration::from_millis(attempt)), ..once() };
        by_both(&policy, answer, Place::default, |driver, result, place, server| {
            let error = result.unwrap_err();
            assert!(format!("{:?}", error.kind()).starts_with(kind), "{driver}, {name}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("s1gnature"), "{driver}, {name}: {error:?}");
            assert_ne!(place.holds().0, PDF, "{driver}, {name}");
            assert_eq!(server.requests().len(), 2, "{driver}, {name}");
        });
    }
}

#[test]
fn each_attempt_begins_with_an_empty_sink() {
    let policy = Policy { retry: at_once(), ..Policy::default() };
    let answers = |n, wire: &mut Wire| match n {
        0 | 2 => {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\nthe first half of another");
            wire.close();
        }
        1 => wire.respond(503, "", "this is no document"),
        _ => well(wire),
    };
    by_both(&policy, answers, Place::default, |driver, result, place, _| {
        assert!(result.is_ok(), "{driver}");
        assert_eq!(place.holds(), (PDF.to_owned(), 3), "{driver}");
    });
}

#[test]
fn a_sink_that_fails_is_the_end() {
    let places: [fn() -> Place; 3] = [
        || Place { fails: Fails::ToOpen, ..Place::default() },
        || Place { fails: Fails::ToWrite, ..Place::default() },
        || Place { fails: Fails::ToFlush, ..Place::default() },
    ];
    for place in places {
        by_both(
            &Policy::default(),
            |_, wire| well(wire),
            place,
            |driver, result, _, server| {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), &ErrorKind::Transport(TransportErrorKind::Sink), "{driver}");
                assert_eq!(error.origin(), billing_core::error::ErrorOrigin::Caller, "{driver}");
                assert!(error.to_string().contains("cannot be written"), "{driver}: {error}");
                assert_eq!(server.requests().len(), 2, "{driver}");
            },
        );
    }
}

/// Tests document addresses that do not work: a closed port, a port without TLS, and a host name that is too long. (The
/// resolver refuses such a name at once; any other name would be looked up on the network.)
#[test]
fn d09_a_host_that_cannot_be_reached_is_named_without_the_signature() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = RawServer::start(|_, wire| {
        wire.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let tls = format!("https://{}", plain.address());
    for (place, kind) in [
        (format!("http://{closed}"), TransportErrorKind::Connect),
        (format!("https://{}.invalid", "x".repeat(64)), TransportErrorKind::Tls),
        (tls, TransportErrorKind::Tls),
    ] {
        let api = RawServer::start(move |_, wire| {
            while wire.request().is_some() {
                wire.respond(200, "", format!(r#"{{"url":"{place}/1.pdf?X-Signature=s1gnature"}}"#));
            }
        });
        let credentials = || Credentials::access_token("t0ken").unwrap();
        let call = || InvoiceDocumentCall::new("i-1".parse().unwrap());
        let mut told = String::new();
        let client = billing_ureq::Client::builder(api.environment("http"), credentials());
        let client = client.no_proxy().policy(once()).build().unwrap();
        let hear = |event: Event<'_>| told += &format!("{event:?}\n");
        let blocking = client.download_watched(client.download_machine(call()), || Ok(io::sink()), hear);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let in_task = runtime.block_on(async {
            let client = billing_hyper::Client::builder(api.environment("http"), credentials());
            let client = client.no_proxy().policy(once()).build().unwrap();
            let hear = |event: Event<'_>| told += &format!("{event:?}\n");
            client.download_watched(client.download_machine(call()), async || Ok(Vec::new()), hear).await
        });
        for error in [blocking.unwrap_err(), in_task.unwrap_err()] {
            assert_eq!(error.kind(), &ErrorKind::Transport(kind), "{error}");
            told += &format!("{error} {error:?}\n");
        }
        assert!(!told.contains("s1gnature") && !told.contains("t0ken"), "{told}");
    }
}

#[test]
fn without_a_sink_a_document_is_kept_in_memory() {
    let server = server(|_, wire| well(wire));
    let credentials = Credentials::access_token("t0ken").unwrap();
    let client = billing_ureq::Client::builder(server.environment("http"), credentials.clone());
    let client = client.no_proxy().build().unwrap();
    let document =
        client.run(client.download_machine(InvoiceDocumentCall::new("i-1".parse().unwrap()))).unwrap();
    assert_eq!(document.content, PDF);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let again = runtime.block_on(async {
        let client = billing_hyper::Client::builder(server.environment("http"), credentials);
        let client = client.no_proxy().build().unwrap();
        client.run(client.download_machine(InvoiceDocumentCall::new("i-1".parse().unwrap()))).await
    });
    assert_eq!(again.unwrap(), document);
}

#[test]
fn d09_a_watcher_sees_how_much_came_and_no_signature() {
    let server = server(|_, wire| well(wire));
    let credentials = Credentials::access_token("t0ken").unwrap();
    let client = billing_ureq::Client::builder(server.environment("http"), credentials);
    let client = client.no_proxy().build().unwrap();
    let mut told = Vec::new();
    let machine = client.download_machine(InvoiceDocumentCall::new("i-1".parse().unwrap()));
    let watch = |event: Event<'_>| {
        let shown = match &event {
            Event::Received { request, response, .. } => {
                format!("{} {}", request.redacted_target(), response.body_len())
            }
            Event::Sending(request) => request.redacted_target().into_owned(),
            _ => String::new(),
        };
        told.push(format!("{shown} {event:?}"));
    };
    client.download_watched(machine, || Ok(io::sink()), watch).unwrap();
    assert!(told.iter().all(|line| !line.contains("s1gnature") && !line.contains("t0ken")), "{told:#?}");
    assert!(told[3].starts_with(&format!("http://{}/… {} ", server.address(), PDF.len())), "{told:#?}");
}
