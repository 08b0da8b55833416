//! A loopback server that sends the responses of a test, valid or not. Both drivers' tests use it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use billing_core::machine::RetrySchedule;
use billing_core::{BaseUrl, Environment, Policy};

/// A connection, in the clear or not.
pub trait Wire: Read + Write {
    /// Ends it as a crash would.
    fn cut(&mut self);
}

impl Wire for TcpStream {
    fn cut(&mut self) {
        self.shutdown(Shutdown::Both).ok();
    }
}

impl Wire for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn cut(&mut self) {
        self.sock.cut();
    }
}

/// A server on the loopback.
pub struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Hands every connection to `serve`, on a thread of its own.
    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = Arc::new(serve);
        let connections = Arc::<AtomicUsize>::default();
        let accepted = connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                accepted.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections, requests: Arc::default() }
    }

    /// Hands the head of every request to `answer`, which writes what it likes.
    pub fn http(answer: impl Fn(&str, &mut dyn Wire) + Send + Sync + 'static) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = requests.clone();
        let server = Self::raw(move |mut stream| converse(&mut stream, &seen, &answer));
        Self { requests, ..server }
    }

    /// Does the same as [`Server::http`] behind TLS.
    pub fn https(
        config: Arc<rustls::ServerConfig>,
        answer: impl Fn(&str, &mut dyn Wire) + Send + Sync + 'static,
    ) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = requests.clone();
        let server = Self::raw(move |stream| {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            converse(&mut rustls::StreamOwned::new(tls, stream), &seen, &answer);
        });
        Self { requests, ..server }
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the number of requests whose first line contains `part`.
    pub fn count(&self, part: &str) -> usize {
        let first_line = |head: &String| head.lines().next().unwrap_or_default().contains(part);
        self.requests().iter().filter(|head| first_line(head)).count()
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns an environment whose API and login service are this server.
    pub fn environment(&self, scheme: &str) -> Environment {
        environment(&format!("{scheme}://{}", self.address))
    }
}

/// Serves as a proxy: notes the head of each CONNECT and passes everything on to `target`.
pub fn tunnel_to(target: SocketAddr) -> Server {
    let requests = Arc::<Mutex<Vec<String>>>::default();
    let seen = requests.clone();
    let server = Server::raw(move |mut near| {
        let Some(head) = read_head(&mut near) else { return };
        seen.lock().unwrap().push(head);
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let mut far = TcpStream::connect(target).unwrap();
        let (mut near_too, mut far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut far_too, &mut near_too));
        std::io::copy(&mut near, &mut far).ok();
    });
    Server { requests, ..server }
}

/// An address where nobody listens.
pub fn refusing() -> Environment {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    environment(&format!("http://{address}"))
}

/// A host that no resolver asks anybody for: the first part of its name is a character too long.
pub fn no_host() -> String {
    format!("{}.invalid", "x".repeat(64))
}

/// Returns an environment with `base` as the address of both the API and the login service.
pub fn environment(base: &str) -> Environment {
    let base: BaseUrl = base.parse().unwrap();
    Environment::new(base.clone(), base)
}

/// One attempt, and whatever comes of it is the outcome.
pub fn once() -> Policy {
    Policy {
        retry: RetrySchedule { max_retries: 0, ..RetrySchedule::default() },
        max_decode_retries: 0,
        ..Policy::default()
    }
}

/// One attempt of so many milliseconds.
pub fn once_within(millis: u64) -> Policy {
    Policy { attempt_timeout: Some(Duration::from_millis(millis)), ..once() }
}

/// A certificate for 127.0.0.1 in PEM form, and a server that has it.
pub fn certificate() -> (Vec<u8>, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem().into_bytes(), Arc::new(config))
}

/// Answers with a status, headers (each with its line end) and a body of that length.
pub fn respond(wire: &mut dyn Wire, status: u16, headers: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    wire.write_all(&[head.as_bytes(), body].concat()).ok();
    wire.flush().ok();
}

/// Answers a login with a token, and says whether it was one.
pub fn logged_in(head: &str, wire: &mut dyn Wire) -> bool {
    let login = head.starts_with("POST /oauth/token ");
    if login {
        respond(wire, 200, "", r#"{"access_token":"tok-1","token_type":"bearer","expires_in":3600}"#);
    }
    login
}

/// The id of an organisation.
pub const TRUSTOR: &str = "9d750d63-95ae-4df7-8955-2bca7152ca19";
/// The body of an overview of that organisation.
pub const OVERVIEW: &str = r#"{"organization":{"id":"o-1","name":"Example"},"currency":"EUR","usages":[]}"#;

fn converse<W: Wire>(wire: &mut W, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&str, &mut dyn Wire)) {
    while let Some(head) = read_head(wire) {
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        if wire.read_exact(&mut body).is_err() {
            return;
        }
        seen.lock().unwrap().push(head.clone());
        answer(&head, wire);
    }
}

/// The head of a request, unless the connection ends before.
pub fn read_head(wire: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match wire.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}
