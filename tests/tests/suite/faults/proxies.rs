//! Data that proxies must not see.
//!
//! Clients read the proxy from the environment of their own process, so those that use it run in child processes of this test
//! program.

use std::env;
use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use billing_core::{BaseUrl, Environment};
use billing_tests::raw_server::{OVERVIEW, RawServer, TRUSTOR, Wire};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::faults::client::{Driver, Proxy, Setup};
use crate::faults::tls::AUTHORITY;

/// The child's task: the driver, the first operation and the address, such as `Ureq login http://127.0.0.1:1234`.
const TASK: &str = "BILLING_TESTS_PROXY";

#[test]
fn d09_what_stays_on_this_machine_is_not_shown_to_a_proxy_of_the_environment() {
    for driver in Driver::ALL {
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            for scheme in ["http", "https", "socks5"] {
                let proxy = RawServer::start(|_, _| ());
                let server = RawServer::start(|_, wire| wire.serve_well());
                let heeded = format!("{scheme}://{}", proxy.address());
                let here = format!("http://{}", server.address());
                let ended = child(&format!("{driver:?} login {here}"), variable, &heeded);
                assert_eq!(ended, "ok", "{driver:?}, {variable}={heeded}");
                let seen = (server.count("/oauth/token"), server.count(TRUSTOR), proxy.connections());
                assert_eq!(seen, (1, 1, 0), "{driver:?}, {variable}={heeded}");

                // Requests to other hosts go to the proxy. If they did not, the client ignored the variable.
                child(&format!("{driver:?} overview {ELSEWHERE}"), variable, &heeded);
                assert!(proxy.connections() > 0, "{driver:?}, {variable}={heeded}");
            }
        }
    }
}

/// Returns the outcome of an overview in a process with only this proxy variable.
fn child(task: &str, variable: &str, value: &str) -> String {
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "faults::proxies::the_child", "--nocapture"])
        .env_clear()
        .env(TASK, task)
        .env(variable, value)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let ended = said.split("ended: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    ended.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Runs the client in its own process. It does nothing without a task in the environment.
#[test]
fn the_child() {
    let Ok(task) = env::var(TASK) else { return };
    let [driver, first, base] = task.split(' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let driver = if driver == "Ureq" { Driver::Ureq } else { Driver::Hyper };
    let base = BaseUrl::dangerously_without_tls(base).expect("an address");
    let setup = Setup::new(Environment::new(base.clone(), base));
    let setup = if first == "login" { setup.with_login() } else { setup };
    println!("ended: {}", driver.client(setup.through(Proxy::OfTheEnvironment)).ask());
}

/// Tests that TLS to the proxy does not replace TLS to the API: the proxy's operator could read the token.
#[test]
fn d09_behind_a_proxy_with_tls_the_api_is_spoken_to_under_tls_of_its_own() {
    for driver in Driver::ALL {
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (config, hears) = (AUTHORITY.server(), Arc::clone(&heard));
        let proxy = RawServer::start(move |_, wire| {
            if wire.start_tls(&config) && wire.request().is_some() {
                wire.send("HTTP/1.1 200 Connection established\r\n\r\n");
                be_the_api(Overheard { wire, heard: &hears }, &config);
            }
        });
        let api = "https://127.0.0.1:1".parse::<BaseUrl>().expect("an address");
        let setup = Setup::new(Environment::new(api.clone(), api)).trusting(&AUTHORITY.pem());
        let url = format!("https://user:s3cret@{}", proxy.address());
        assert_eq!(driver.client(setup.through(Proxy::At(url))).ask(), "ok", "{driver:?}");

        let connect = proxy.requests().concat();
        assert!(connect.starts_with("CONNECT 127.0.0.1:1 HTTP/1.1\r\n"), "{driver:?}: {connect}");
        assert!(connect.contains("Basic dXNlcjpzM2NyZXQ=\r\n"), "{driver:?}: {connect}");
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(heard.first(), Some(&A_HANDSHAKE), "{driver:?}: {}", String::from_utf8_lossy(&heard));
        let told = format!("{connect}{}", String::from_utf8_lossy(&heard));
        assert!(!told.contains("tok-0") && !told.contains(TRUSTOR), "{driver:?}: {told}");
    }
}

#[test]
fn a_proxy_that_nobody_trusts_is_told_nothing() {
    for driver in Driver::ALL {
        let stranger = billing_tests::certificates::Authority::new().server();
        let proxy = RawServer::start(move |_, wire| {
            if wire.start_tls(&stranger) {
                wire.serve_well();
            }
        });
        let api = "https://127.0.0.1:1".parse::<BaseUrl>().expect("an address");
        let setup = Setup::new(Environment::new(api.clone(), api)).trusting(&AUTHORITY.pem());
        let url = format!("https://user:s3cret@{}", proxy.address());
        assert_eq!(driver.client(setup.through(Proxy::At(url))).ask(), "Tls", "{driver:?}");
        assert_eq!(proxy.requests(), [""; 0], "{driver:?}");
    }
}

/// Plays the API at the end of a tunnel and answers once.
fn be_the_api(wire: Overheard<'_>, config: &Arc<ServerConfig>) {
    let tls = ServerConnection::new(Arc::clone(config)).expect("a connection");
    let mut inside = StreamOwned::new(tls, wire);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match inside.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    assert!(String::from_utf8_lossy(&head).to_ascii_lowercase().contains("authorization: bearer tok-0"));
    let length = OVERVIEW.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{OVERVIEW}");
    inside.write_all(answer.as_bytes()).and_then(|()| inside.flush()).ok();
}

/// The bytes that a proxy sees.
struct Overheard<'a> {
    wire: &'a mut Wire,
    heard: &'a Mutex<Vec<u8>>,
}

impl Read for Overheard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.wire.read(buffer)?;
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..n]);
        Ok(n)
    }
}

impl Write for Overheard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wire.flush()
    }
}

/// An address from a range that is reserved for documentation.
const ELSEWHERE: &str = "http://192.0.2.1";

/// The first byte of a TLS handshake record.
const A_HANDSHAKE: u8 = 22;
