//! A loopback server that sends the bytes of a test, valid or not, and ends TCP in any way.
//!
//! ```text
//!   connection 0 ─► the fault ─► Wire: send, drip, half-close, close, reset, start TLS
//!   connection 1… ─► a good server, so that a client can show that nothing stays broken
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use billing_core::Environment;
use rustls::{ServerConfig, ServerConnection};

/// A server whose every connection is served by a function, on a thread of its own.
pub struct RawServer {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl RawServer {
    /// Serves connection number `n`, counted from 0, by `serve(n, wire)`. The connection is closed when that returns.
    ///
    /// # Panics
    /// Panics if no loopback port is available.
    pub fn start(serve: impl Fn(usize, &mut Wire) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("no address: {error}"));
        let seen = Arc::<Seen>::default();
        let (serve, noted) = (Arc::new(serve), Arc::clone(&seen));
        // The listener lives as long as the process: a test ends with it.
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let number = noted.connections.fetch_add(1, Ordering::SeqCst);
                let (serve, seen) = (Arc::clone(&serve), Arc::clone(&noted));
                thread::spawn(move || {
                    // No fault may keep a thread for longer than the slowest test.
                    tcp.set_read_timeout(Some(LONGEST)).ok();
                    tcp.set_write_timeout(Some(LONGEST)).ok();
                    tcp.set_nodelay(true).ok();
                    serve(number, &mut Wire { tcp, tls: None, seen });
                });
            }
        });
        Self { address, seen }
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The environment that has the API and the login service here, by `http` or `https`.
    ///
    /// # Panics
    /// Panics if the scheme is neither `http` nor `https`.
    pub fn environment(&self, scheme: &str) -> Environment {
        let base = || format!("{scheme}://{}", self.address).parse();
        match (base(), base()) {
            (Ok(api), Ok(login)) => Environment::new(api, login),
            (Err(error), _) | (_, Err(error)) => panic!("{error}"),
        }
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests that were read so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests().clone()
    }

    /// Returns the number of requests whose first line contains `part`.
    pub fn count(&self, part: &str) -> usize {
        let first_line = |head: &&String| head.lines().next().is_some_and(|line| line.contains(part));
        self.seen.requests().iter().filter(first_line).count()
    }
}

impl Seen {
    fn requests(&self) -> MutexGuard<'_, Vec<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's end of one connection. What a peer that has gone cannot be told is not an error here: that is its choice.
pub struct Wire {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
    seen: Arc<Seen>,
}

impl Wire {
    /// Speaks TLS from here on; the handshake takes place with the first bytes. Says whether it came about.
    pub fn start_tls(&mut self, config: &Arc<ServerConfig>) -> bool {
        let Ok(mut tls) = ServerConnection::new(Arc::clone(config)) else { return false };
        while tls.is_handshaking() {
            if tls.complete_io(&mut self.tcp).is_err() {
                // The alert that says why is still to be written.
                tls.write_tls(&mut self.tcp).ok();
                return false;
            }
        }
        self.tls = Some(Box::new(tls));
        true
    }

    /// Returns true if the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads one request, with its body, and returns its head; `None` when the peer has gone.
    pub fn request(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(head).ok()?;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        self.read_exact(&mut body).ok()?;
        self.seen.requests().push(head.clone());
        Some(head)
    }

    /// Sends bytes, and says whether they could be.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.write_all(bytes.as_ref()).and_then(|()| self.flush()).is_ok()
    }

    /// Sends one byte after another, with a pause before each; ends early when the peer has gone.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) {
        for byte in bytes.as_ref() {
            thread::sleep(pause);
            if !self.send([*byte]) {
                return;
            }
        }
    }

    /// Answers with a status, headers (each with its line end) and a body of that length.
    pub fn respond(&mut self, status: u16, headers: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        self.send([head.as_bytes(), body].concat());
    }

    /// Answers everything well, logins included, until the peer has gone.
    pub fn serve_well(&mut self) {
        while let Some(head) = self.request() {
            if !self.log_in(&head) {
                self.respond(200, "", OVERVIEW);
            }
        }
    }

    /// Answers a login with a token, and says whether it was one.
    pub fn log_in(&mut self, head: &str) -> bool {
        let login = head.starts_with("POST /oauth/token ");
        if login {
            let token = r#"{"access_token":"tok-1","token_type":"bearer","expires_in":3600}"#;
            self.respond(200, "", token);
        }
        login
    }

    /// Waits until the peer ends the connection.
    pub fn wait_for_the_end(&mut self) {
        while matches!(self.read(&mut [0; 4096]), Ok(n) if n > 0) {}
    }

    /// Sends bytes past the TLS that is spoken.
    pub fn send_past_tls(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).ok();
    }

    /// Says by TLS that nothing follows.
    pub fn close_tls(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            tls.complete_io(&mut self.tcp).ok();
        }
    }

    /// Ends what we send, and goes on listening.
    pub fn end_sending(&self) {
        self.tcp.shutdown(Shutdown::Write).ok();
    }

    /// Ends what we hear, and goes on sending.
    pub fn end_listening(&self) {
        self.tcp.shutdown(Shutdown::Read).ok();
    }

    /// Ends the connection in both directions, in order.
    pub fn close(&self) {
        self.tcp.shutdown(Shutdown::Both).ok();
    }

    /// Ends the connection by a reset, as a crashed process or a firewall does. Nothing is to be sent after this.
    pub fn reset(&mut self) {
        // What was sent is to arrive first; a reset overtakes what is still queued.
        thread::sleep(Duration::from_millis(20));
        // Closed without lingering, a socket says RST in place of FIN.
        socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO)).ok();
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(buffer),
            None => self.tcp.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).write(bytes),
            None => self.tcp.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).flush(),
            None => self.tcp.flush(),
        }
    }
}

/// A trustor organisation to ask for.
pub const TRUSTOR: &str = "9d750d63-95ae-4df7-8955-2bca7152ca19";

/// An overview that can be read.
pub const OVERVIEW: &str = r#"{"organization":{"id":"o-1","name":"Example"},"currency":"EUR","usages":[]}"#;

/// The time that a server waits for its peer.
const LONGEST: Duration = Duration::from_secs(30);
