//! Connections that are reused must not carry data from one call to the next, and redirects must not send a token elsewhere.

use std::thread;
use std::time::Duration;

use billing_tests::raw_server::{OVERVIEW, RawServer, Wire};

use crate::faults::client::{Client, Driver, Setup, once, outcome, overview, retrying_within};
use crate::faults::tls::AUTHORITY;

/// Builds an answer to no request. Its currency identifies it.
fn planted() -> String {
    let body = OVERVIEW.replace("EUR", "XXX");
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn whole() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{OVERVIEW}", OVERVIEW.len())
}

/// A named behaviour of a server.
type Doing = (&'static str, fn(&mut Wire));

/// The bytes that arrive on an idle connection in addition to the answer.
const EXTRAS: [Doing; 6] = [
    ("a second answer in the same breath", |wire| {
        wire.send([whole(), planted()].concat());
    }),
    ("a second answer a little later", |wire| {
        wire.send(whole());
        thread::sleep(Duration::from_millis(50));
        wire.send(planted());
    }),
    ("an answer behind chunks", |wire| {
        let chunks = format!("{:x}\r\n{OVERVIEW}\r\n0\r\n\r\n", OVERVIEW.len());
        wire.send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{}", planted()));
    }),
    ("half an answer more, and the rest with the next one", |wire| {
        wire.send([&whole(), &planted()[..40]].concat());
        if wire.request().is_some() {
            wire.send(&planted()[40..]);
        }
    }),
    ("a 408 for the silence, and the end", |wire| {
        wire.send([&whole()[..], "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"].concat());
        wire.end_sending();
    }),
    ("a body behind an answer that has none", |wire| {
        wire.send(format!("HTTP/1.1 204 No Content\r\n\r\n{}", planted()));
    }),
];

#[test]
fn what_comes_beside_an_answer_never_answers_the_next_call() {
    for (name, serve) in EXTRAS {
        for scheme in ["http", "https"] {
            let start = || {
                let config = AUTHORITY.server();
                let server = RawServer::start(move |number, wire| {
                    if scheme == "https" && !wire.start_tls(&config) {
                        return;
                    }
                    if number == 0 && wire.request().is_some() {
                        serve(wire);
                    }
                    wire.serve_well();
                });
                Setup::new(server.environment(scheme)).trusting(&AUTHORITY.pem())
            };
            for driver in Driver::ALL {
                let client = driver.client(start());
                call_twice(&format!("{driver:?}, {scheme}: {name}"), || {
                    client.overview(retrying_within(20_000))
                });
            }
            // This runtime runs only during a call, so that no task watches the connection between two calls.
            let client = start().hyper();
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            call_twice(&format!("Hyper in one thread, {scheme}: {name}"), || {
                let machine = overview(client.environment(), retrying_within(20_000));
                runtime.block_on(client.run(machine)).map(|overview| overview.currency)
            });
        }
    }
}

fn call_twice(what: &str, call: impl Fn() -> Result<Option<String>, billing_core::Error>) {
    // An answer without a body is correctly an error.
    if let Ok(first) = call() {
        assert_eq!(first.as_deref(), Some("EUR"), "{what}, the first call");
    }
    thread::sleep(Duration::from_millis(100));
    let second = call().unwrap_or_else(|error| panic!("{what}, the second call: {error}"));
    assert_eq!(second.as_deref(), Some("EUR"), "{what}, the second call");
}

#[test]
fn an_answer_before_the_request_does_no_harm() {
    for driver in Driver::ALL {
        let server = RawServer::start(|number, wire| {
            if number == 0 {
                wire.send(planted());
            }
            wire.serve_well();
        });
        let client = driver.client(Setup::new(server.environment("http")));
        // The result depends on whether the extra bytes arrive before or after the request: either an answer of this
        // server on a new connection, or the end of the connection that sent bytes out of turn.
        let first = client.overview(once());
        assert!(["ok", "Reset", "Malformed"].contains(&&*outcome(&first)), "{driver:?}: {first:?}");
        let second = client.overview(retrying_within(20_000));
        assert!(second.is_ok(), "{driver:?}: {second:?}");
    }
}

#[test]
fn a_connection_that_dies_idle_is_not_used_again() {
    let ends: [Doing; 2] = [("closed", |wire| wire.close()), ("reset", Wire::reset)];
    for (name, end) in ends {
        for driver in Driver::ALL {
            let server = RawServer::start(move |number, wire| {
                if number == 0 && wire.request().is_some() {
                    wire.respond(200, "", OVERVIEW);
                    end(wire);
                } else {
                    wire.serve_well();
                }
            });
            let client = driver.client(Setup::new(server.environment("http")));
            assert_eq!(client.ask(), "ok", "{driver:?}, {name}");
            thread::sleep(Duration::from_millis(200));
            assert_eq!(client.ask(), "ok", "{driver:?}, {name}: at the first attempt");
            assert_eq!(server.connections(), 2, "{driver:?}, {name}");
        }
    }
}

#[test]
fn d09_no_redirect_takes_the_credentials_elsewhere() {
    let elsewhere = RawServer::start(|_, wire| wire.serve_well());
    let target = format!("http://{}/api/v2", elsewhere.address());
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for header in ["location", "refresh", "alt-svc", "content-location"] {
            let value = match header {
                "refresh" => format!("0; url={target}"),
                "alt-svc" => format!("http/1.1=\"{}\"", elsewhere.address()),
                _ => target.clone(),
            };
            let headers = format!("{header}: {value}\r\n");
            let server = RawServer::start(move |_, wire| {
                while wire.request().is_some() {
                    wire.respond(status, &headers, "");
                }
            });
            for driver in Driver::ALL {
                let setup = Setup::new(server.environment("http"));
                // A client with a token is redirected at the overview, a client with a secret at the login.
                for setup in [setup.clone(), setup.with_login()] {
                    assert_eq!(
                        driver.client(setup).ask(),
                        "UnexpectedStatus",
                        "{driver:?}: {status} {header}"
                    );
                }
            }
            assert_eq!(server.requests().len(), 4, "{status} {header}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn the_bound_of_connecting_holds_however_a_proxy_drips() {
    let proxy = RawServer::start(|_, wire| {
        wire.request();
        wire.drip("HTTP/1.1 200 Connection established\r\n\r\n".repeat(20), Duration::from_millis(100));
    });
    let environment = RawServer::start(|_, _| ()).environment("https");
    let url = format!("http://{}", proxy.address());
    let limit = Duration::from_millis(500);
    let ureq = Client::Ureq(
        billing_ureq::Client::builder(environment.clone(), Setup::new(environment.clone()).credentials)
            .policy(once())
            .connect_timeout(limit)
            .proxy(&url)
            .build()
            .expect("a client"),
    );
    let hyper = Client::Hyper(
        billing_hyper::Client::builder(environment.clone(), Setup::new(environment).credentials)
            .policy(once())
            .connect_timeout(limit)
            .proxy(&url)
            .build()
            .expect("a client"),
    );
    for client in [ureq, hyper] {
        let begun = std::time::Instant::now();
        assert_eq!(client.ask(), "Timeout");
        // The head alone takes four seconds.
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}
