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
        for variable in ["http_proxy", "ALL_PROXY", "all_proxy"] {
            for scheme in ["http", "https", "socks4", "socks5"] {
                let proxy = RawServer::start(|_, _| ());
                let server = RawServer::start(|_, wire| wire.serve_well());
                let heeded = format!("{scheme}://{}", proxy.address());
                let here = format!("http://{}", server.address());
                let ended = child(&format!("{driver:?} login {here}"), &[(variable, &heeded)]);
                assert_eq!(ended, "ok", "{driver:?}, {variable}={heeded}");
                let seen = (server.count("/oauth/token"), server.count(TRUSTOR), proxy.connections());
                assert_eq!(seen, (1, 1, 0), "{driver:?}, {variable}={heeded}");

                // Requests to other hosts go to the proxy. If they did not, the client ignored the variable.
                child(&format!("{driver:?} overview {ELSEWHERE}"), &[(variable, &heeded)]);
                assert!(proxy.connections() > 0, "{driver:?}, {variable}={heeded}");
            }
        }
    }
}

/// Every row of the core's table that needs no name to be looked up, in a process of its own for each driver.
#[test]
fn both_drivers_choose_a_proxy_as_curl_does() {
    // Not a loopback address by its look, and still this machine.
    let server = RawServer::start(|_, wire| wire.serve_well());
    let base = format!("http://0.0.0.0:{}", server.address().port());
    let proxy = RawServer::start(|_, _| ());
    let at = format!("http://{}", proxy.address());
    for driver in Driver::ALL {
        for (variables, proxied) in [
            (&[][..], false),
            (&[("http_proxy", &*at)], true),
            (&[("HTTP_PROXY", &at)], false),
            (&[("http_proxy", ""), ("HTTP_PROXY", &at)], false),
            (&[("https_proxy", &at), ("HTTPS_PROXY", &at)], false),
            (&[("all_proxy", &at)], true),
            (&[("all_proxy", ""), ("ALL_PROXY", &at)], true),
            (&[("http_proxy", &at), ("all_proxy", "http://127.0.0.1:1")], true),
            (&[("all_proxy", &at), ("ALL_PROXY", "http://127.0.0.1:1")], true),
            (&[("http_proxy", &at), ("no_proxy", "*")], false),
            (&[("http_proxy", &at), ("no_proxy", "example.com,0.0.0.0")], false),
            (&[("http_proxy", &at), ("NO_PROXY", "0.0.0.0/8")], false),
            (&[("http_proxy", &at), ("no_proxy", "1.0.0.0/8"), ("NO_PROXY", "*")], true),
            (&[("http_proxy", &at), ("REQUEST_METHOD", "GET")], true),
        ] {
            let before = (server.connections(), proxy.connections());
            let ended = child(&format!("{driver:?} overview {base}"), variables);
            let seen = (server.connections() > before.0, proxy.connections() > before.1);
            assert_eq!(seen, (!proxied, proxied), "{driver:?}, {variables:?}: {ended}");
            assert_eq!(ended == "ok", !proxied, "{driver:?}, {variables:?}: {ended}");
        }
    }
}

#[test]
fn d09_a_variable_that_is_nonsense_is_named_and_its_value_is_not() {
    for driver in Driver::ALL {
        let nonsense = "gopher://user:s3cret@127.0.0.1";
        let task = format!("{driver:?} overview http://127.0.0.1:1");
        assert_eq!(child(&task, &[("HTTPS_PROXY", nonsense)]), "HTTPS_PROXY", "{driver:?}");
    }
}

/// Returns the outcome of an overview in a process with only these variables.
fn child(task: &str, variables: &[(&str, &str)]) -> String {
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "faults::proxies::the_child", "--nocapture"])
        .env_clear()
        .env(TASK, task)
        .envs(variables.iter().copied())
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
    let ended = match driver.try_client(setup.through(Proxy::OfTheEnvironment)) {
        Ok(client) => client.ask(),
        Err(told) => {
            assert!(!told.contains("s3cret"), "{told}");
            told.split_whitespace().find(|word| word.ends_with("_PROXY")).unwrap_or(&told).to_owned()
        }
    };
    println!("ended: {ended}");
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
