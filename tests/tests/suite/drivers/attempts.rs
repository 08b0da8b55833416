//! The outcomes of one attempt: every way in which an exchange can fail, and cases in which it must not fail. Both drivers
//! pass the same tests, so that they report the same failure to the core in the same way.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use billing_core::{BaseUrl, Credentials, Environment, Error, ErrorKind, Policy, TransportErrorKind as Kind};
use rustls::HandshakeKind;

use super::driver::{BuildError, Builder, Client, TlsRoots};
use super::get_overview;
use billing_tests::loopback::{self, OVERVIEW, Server, Wire, once, once_within, respond};

/// Returns a builder for a client that makes one attempt with a given token.
pub(crate) fn client(environment: Environment) -> Builder {
    let credentials = Credentials::access_token("tok-0").expect("a token");
    Client::builder(environment, credentials).no_proxy().policy(once())
}

pub(crate) fn overview(builder: Builder) -> Result<(), Error> {
    get_overview(&builder.build().expect("a client")).map(drop)
}

/// Returns the error of the attempt and checks that none of its texts contains the token.
fn failure(builder: Builder) -> Kind {
    let error = overview(builder).expect_err("a failure");
    assert!(!format!("{error} {error:?}").contains("tok-0"), "{error:?}");
    error.transport().unwrap_or_else(|| panic!("{error} is not the transport's")).kind()
}

fn failure_of(answer: impl Fn(&str, &mut dyn Wire) + Send + Sync + 'static) -> Kind {
    failure(client(Server::http(answer).environment("http")))
}

#[test]
fn nobody_listens() {
    assert_eq!(failure(client(loopback::refusing())), Kind::Connect);
}

#[test]
fn no_such_host() {
    let nowhere = format!("http://{}", loopback::no_host());
    let nowhere = BaseUrl::dangerously_without_tls(&nowhere).expect("an address");
    assert_eq!(failure(client(Environment::new(nowhere.clone(), nowhere))), Kind::Dns);
}

#[test]
fn a_name_that_no_certificate_can_be_for() {
    let nowhere = loopback::environment(&format!("https://{}", loopback::no_host()));
    assert_eq!(failure(client(nowhere)), Kind::Tls);
}

#[test]
fn closed_without_an_answer() {
    assert_eq!(failure_of(|_, wire| wire.cut()), Kind::Reset);
}

#[test]
fn closed_within_the_handshake() {
    let server = Server::raw(drop);
    assert_eq!(failure(client(server.environment("https"))), Kind::Reset);
}

#[test]
fn closed_within_the_head() {
    let kind = failure_of(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-").ok();
        wire.cut();
    });
    assert_eq!(kind, Kind::Reset);
}

#[test]
fn a_body_cut_short() {
    let kind = failure_of(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"").ok();
        wire.cut();
    });
    assert_eq!(kind, Kind::Truncated);
}

#[test]
fn a_chunked_body_cut_short() {
    let kind = failure_of(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n").ok();
        wire.cut();
    });
    assert_eq!(kind, Kind::Truncated);
}

#[test]
fn a_broken_chunk() {
    let kind = failure_of(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n").ok();
        wire.cut();
    });
    assert_eq!(kind, Kind::Truncated);
}

#[test]
fn no_http() {
    let kind = failure_of(|_, wire| {
        wire.write_all(b"220 mail.example.com ESMTP ready\r\n\r\n").ok();
        wire.cut();
    });
    assert_eq!(kind, Kind::Malformed);
}

#[test]
fn d14_a_body_over_the_bound() {
    let policy = Policy { max_body: 10, ..once() };
    for headers in ["HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let server = Server::http(move |_, wire| {
            wire.write_all(headers.as_bytes()).ok();
            wire.write_all(b"12345678901").ok();
            wire.cut();
        });
        let kind = failure(client(server.environment("http")).policy(policy.clone()));
        assert_eq!(kind, Kind::TooLarge { limit: 10 });
    }
}

#[test]
fn an_endless_drip_ends_at_the_bound_of_the_attempt() {
    let server = Server::http(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").ok();
        while wire.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    assert_eq!(failure(client(server.environment("http")).policy(once_within(300))), Kind::Timeout);
    assert!((250..3_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[test]
fn an_endless_head_ends_at_the_bound_of_the_attempt() {
    let server = Server::http(|_, wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\n").ok();
        while wire.write_all(b"a: b\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(failure(client(server.environment("http")).policy(once_within(300))), Kind::Timeout);
}

#[test]
fn a_handshake_that_is_never_answered_ends_at_the_bound_of_connecting() {
    let silent = Server::raw(|mut stream| {
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let patient = client(silent.environment("https"));
    assert_eq!(failure(patient.connect_timeout(Duration::from_millis(200))), Kind::Timeout);
}

#[test]
fn plain_text_where_tls_should_be() {
    let plain = Server::raw(|mut stream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    assert_eq!(failure(client(plain.environment("https"))), Kind::Tls);
}

#[test]
fn a_certificate_is_trusted_only_if_it_was_named() {
    let (pem, config) = loopback::certificate();
    let server = Server::https(config, |_, wire| respond(wire, 200, "", OVERVIEW));
    assert_eq!(failure(client(server.environment("https"))), Kind::Tls);
    // On a machine without a trust store, the build or the first connection fails with that reason.
    match client(server.environment("https")).roots(TlsRoots::Platform).build() {
        Ok(client) => {
            let error = get_overview(&client).expect_err("a stranger");
            assert_eq!(*error.kind(), ErrorKind::Transport(Kind::Tls));
        }
        Err(error) => assert!(matches!(error, BuildError::Roots(_)), "{error}"),
    }
    overview(client(server.environment("https")).roots(TlsRoots::Pem(pem))).expect("an overview");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn d09_a_redirect_is_an_answer_and_is_not_followed() {
    let server = Server::http(|_, wire| respond(wire, 302, "location: /elsewhere\r\n", ""));
    let error = overview(client(server.environment("http"))).expect_err("a redirect");
    assert_eq!(*error.kind(), ErrorKind::UnexpectedStatus);
    assert_eq!(error.status(), Some(http::StatusCode::FOUND));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_failure_with_a_body_is_an_answer() {
    let server = Server::http(|_, wire| {
        respond(wire, 404, "inin-correlation-id: c-1\r\n", r#"{"code":"not.found"}"#);
    });
    let error = overview(client(server.environment("http"))).expect_err("a 404");
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    assert_eq!((error.code(), error.correlation_id()), (Some("not.found"), Some("c-1")));
}

#[test]
fn gzip_is_asked_for_once_and_undone_once() {
    let server = Server::http(|_, wire| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(OVERVIEW.as_bytes()).expect("gzip");
        respond(wire, 200, "content-encoding: gzip\r\n", encoder.finish().expect("gzip"));
    });
    overview(client(server.environment("http"))).expect("an overview");
    let head = server.requests().remove(0).to_ascii_lowercase();
    assert_eq!(head.matches("accept-encoding: gzip\r\n").count(), 1, "{head}");
    assert_eq!(head.matches("user-agent: billing-core/").count(), 1, "{head}");
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
}

#[test]
fn a_connection_is_used_again() {
    let server = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    let client = client(server.environment("http")).build().expect("a client");
    for _ in 0..3 {
        get_overview(&client).expect("an overview");
    }
    assert_eq!((server.requests().len(), server.connections()), (3, 1));
}

#[test]
fn a_host_is_found_by_its_name() {
    let server = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    let named = loopback::environment(&format!("http://localhost:{}", server.address().port()));
    let client = client(named).build().expect("a client");
    for _ in 0..2 {
        get_overview(&client).expect("an overview");
    }
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    let (pem, config) = loopback::certificate();
    let handshakes = Arc::<Mutex<Vec<_>>>::default();
    let seen = handshakes.clone();
    let server = Server::raw(move |stream| {
        let tls = rustls::ServerConnection::new(config.clone()).expect("a connection");
        let mut wire = rustls::StreamOwned::new(tls, stream);
        loopback::read_head(&mut wire);
        seen.lock().expect("a list").push(wire.conn.handshake_kind());
        respond(&mut wire, 200, "connection: close\r\n", OVERVIEW);
        wire.conn.send_close_notify();
        wire.flush().ok();
    });
    let client = client(server.environment("https")).roots(TlsRoots::Pem(pem)).build().expect("a client");
    for _ in 0..2 {
        get_overview(&client).expect("an overview");
    }
    let handshakes = handshakes.lock().expect("a list");
    assert_eq!(handshakes[..], [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

#[test]
fn a_request_goes_out_once_even_if_its_connection_dies_under_it() {
    let server = Server::http({
        let answered = std::sync::atomic::AtomicBool::new(false);
        move |_, wire| match answered.swap(true, std::sync::atomic::Ordering::SeqCst) {
            false => respond(wire, 200, "", OVERVIEW),
            true => wire.cut(),
        }
    });
    let client = client(server.environment("http")).build().expect("a client");
    let ask = || get_overview(&client);
    ask().expect("an overview");
    let error = ask().expect_err("a lost connection");
    assert_eq!(*error.kind(), ErrorKind::Transport(Kind::Reset));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn https_goes_through_the_tunnel_of_the_proxy() {
    let (pem, config) = loopback::certificate();
    let server = Server::https(config, |_, wire| respond(wire, 200, "", OVERVIEW));
    let proxy = loopback::tunnel_to(server.address());
    let builder = client(server.environment("https")).roots(TlsRoots::Pem(pem));
    overview(builder.proxy(proxy_url(proxy.address()))).expect("an overview");
    assert_tunnelled(&proxy, &server.address().to_string());
    assert!(!server.requests()[0].to_ascii_lowercase().contains("proxy-"));
}

#[test]
fn d09_plain_http_to_this_machine_passes_by_the_proxy() {
    let server = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    let proxy = loopback::tunnel_to(server.address());
    let named = loopback::environment(&format!("http://localhost:{}", server.address().port()));
    for environment in [server.environment("http"), named] {
        overview(client(environment).proxy(proxy_url(proxy.address()))).expect("an overview");
    }
    assert_eq!((server.requests().len(), proxy.connections()), (2, 0));
    assert!(!server.requests().concat().to_ascii_lowercase().contains("proxy-"));
}

#[test]
fn a_proxy_that_refuses_is_no_connection_and_its_password_is_not_told() {
    let proxy = Server::http(|_, wire| respond(wire, 407, "", ""));
    let builder = client(loopback::environment("https://127.0.0.1:1")).proxy(proxy_url(proxy.address()));
    let error = overview(builder).expect_err("a refusal");
    assert_eq!(*error.kind(), ErrorKind::Transport(Kind::Connect));
    let told = format!("{error} {error:?}");
    assert!(!told.contains("s3cret") && !told.contains("czNjcmV0"), "{told}");
}

#[test]
fn what_cannot_be_set_up_is_said_without_the_password() {
    let build = |set: fn(Builder) -> Builder| set(client(Environment::default())).build().map(drop);
    let proxy = build(|b| b.proxy("gopher://user:s3cret@proxy"));
    let Err(error @ BuildError::Proxy(_)) = proxy else { panic!("{proxy:?}") };
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let roots = client(Environment::default()).roots(TlsRoots::Pem(pem.into())).build();
        assert!(matches!(roots, Err(BuildError::Roots(_))), "{pem}");
    }
}

/// What a SOCKS proxy is told of the target, and which of its addresses the client has looked up itself.
#[test]
fn a_socks_proxy_looks_the_host_up_where_its_scheme_says_so() {
    let https = || loopback::environment("https://localhost:1234");
    let plain = BaseUrl::dangerously_without_tls("http://api.example.invalid").expect("an address");
    let plain = Environment::new(plain.clone(), plain);
    for (scheme, environment, told) in [
        ("socks5h", https(), &b"\x05\x01\x00\x03\x09localhost\x04\xd2"[..]),
        ("socks5h", plain, b"\x05\x01\x00\x03\x13api.example.invalid\x00\x50"),
        ("socks5", https(), b"\x05\x01\x00"),
        ("socks4a", https(), b"\x04\x01\x04\xd2\x00\x00\x00"),
        ("socks4", https(), b"\x04\x01\x04\xd2\x7f\x00\x00\x01"),
    ] {
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let hears = Arc::clone(&heard);
        let proxy = Server::raw(move |mut stream| {
            let mut bytes = [0; 64];
            let mut read = stream.read(&mut bytes).unwrap_or_default();
            if bytes[..read] == [5, 1, 0] {
                stream.write_all(&[5, 0]).ok();
                read = stream.read(&mut bytes).unwrap_or_default();
            }
            hears.lock().expect("no panic").extend_from_slice(&bytes[..read]);
        });
        overview(client(environment).proxy(format!("{scheme}://{}", proxy.address())))
            .expect_err("no answer");
        let heard = heard.lock().expect("no panic").clone();
        assert!(heard.starts_with(told), "{scheme}: {heard:?}");
        let names_the_host = heard.windows(9).any(|part| part == b"localhost" || part == b"api.examp");
        assert_eq!(names_the_host, scheme.ends_with(['a', 'h']), "{scheme}: {heard:?}");
    }
}

#[test]
fn a_host_that_is_not_found_for_a_socks_proxy_is_told_as_one() {
    let proxy = Server::raw(|_| ());
    for scheme in ["socks4", "socks5"] {
        let builder = client(loopback::environment("https://api.example.invalid"));
        assert_eq!(failure(builder.proxy(format!("{scheme}://{}", proxy.address()))), Kind::Dns, "{scheme}");
    }
    assert_eq!(proxy.connections(), 0);
}

pub(crate) fn proxy_url(address: SocketAddr) -> String {
    format!("http://user:s3cret@{address}")
}

/// Builds an environment with plain http to another host, whose name only a proxy looks up.
pub(crate) fn elsewhere(path: &str) -> Environment {
    let base = format!("http://{ELSEWHERE}{path}");
    let base = BaseUrl::dangerously_without_tls(&base).expect("an address");
    Environment::new(base.clone(), base)
}

pub(crate) const ELSEWHERE: &str = "api.example.invalid:8080";

pub(crate) fn assert_tunnelled(proxy: &Server, target: &str) {
    let connects = proxy.requests();
    assert_eq!(connects.len(), 1);
    assert!(connects[0].starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{connects:?}");
    assert!(connects[0].contains("Proxy-Authorization: Basic dXNlcjpzM2NyZXQ=\r\n"), "{connects:?}");
    assert!(!connects[0].contains("tok-0"), "{connects:?}");
}
