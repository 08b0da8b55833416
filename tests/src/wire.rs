//! The wire before the fake server: it passes bytes on, and loses them where the sandbox wants them lost.
//!
//! wiremock answers politely and whole. What a network does beside that is asked for by a header of the answer, which does
//! not reach the client: the connection is reset before the head, or in the middle of the body, or nothing ever comes.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// The header by which an answer asks to be cut: `reset`, `never`, or how many bytes of the body get through.
pub(crate) const CUT: &str = "x-sandbox-cut";

/// A request that is held on its way to the server, until it is let go.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The text that the path of the request contains; empty for no request.
    needle: Arc<Mutex<String>>,
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { needle: Arc::default(), arrived: closed(), open: closed() }
    }

    /// Holds the next request whose path holds `needle`.
    pub(crate) fn hold(&self, needle: &str) {
        *self.needle.lock().unwrap_or_else(PoisonError::into_inner) = needle.to_owned();
    }

    /// Waits until the request is there.
    pub(crate) async fn arrival(&self) {
        if let Ok(permit) = self.arrived.acquire().await {
            permit.forget();
        }
    }

    /// Lets it go.
    pub(crate) fn release(&self) {
        self.open.add_permits(1);
    }

    async fn pass(&self, bytes: &[u8]) {
        let held = {
            let mut needle = self.needle.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(bytes);
            let held = !needle.is_empty() && text.lines().next().is_some_and(|line| line.contains(&*needle));
            if held {
                needle.clear();
            }
            held
        };
        if held {
            self.arrived.add_permits(1);
            if let Ok(permit) = self.open.acquire().await {
                permit.forget();
            }
        }
    }
}

/// Listens on a loopback port of its own and passes every connection on to `server`.
pub(crate) async fn listen(server: SocketAddr, gate: Gate) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let gate = gate.clone();
            tokio::spawn(async move {
                // A connection that fails is what a client has to cope with, and no failure of the test's.
                let _ = relay(client, server, gate).await;
            });
        }
    });
    Ok(address)
}

async fn relay(client: TcpStream, server: SocketAddr, gate: Gate) -> io::Result<()> {
    let upstream = TcpStream::connect(server).await?;
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = upstream.into_split();
    let upload = tokio::spawn(async move {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from_client.read(&mut chunk).await {
            gate.pass(&chunk[..n]).await;
            if to_server.write_all(&chunk[..n]).await.is_err() {
                return;
            }
        }
    });
    let outcome = answers(from_server, to_client).await;
    upload.abort();
    outcome
}

/// Passes answer after answer on, until the connection ends or one is to be cut.
async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_head(&mut server, &mut buffer).await? else { return Ok(()) };
        let cut = field(&head, CUT);
        let announced = field(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let passed = match cut.as_deref() {
            Some("reset") => return reset(client),
            Some("never") => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return Ok(());
            }
            Some(n) => n.parse().map_err(io::Error::other)?,
            None => announced,
        };
        client.write_all(without(&head, CUT).as_bytes()).await?;
        while buffer.len() < announced {
            if server.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        client.write_all(&buffer[..passed.min(announced)]).await?;
        if passed < announced {
            // In order and then the end: the client sees a body that is too short.
            return client.shutdown().await;
        }
        buffer.drain(..announced);
    }
}

/// The next head, up to and with its empty line; `None` at the end of the connection.
async fn read_head(server: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect();
            return String::from_utf8(head).map(Some).map_err(io::Error::other);
        }
        if server.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn reset(client: OwnedWriteHalf) -> io::Result<()> {
    // A linger time of zero ends the connection with a reset instead of an orderly close.
    client.as_ref().set_zero_linger()?;
    drop(client);
    Ok(())
}

fn is(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name))
}

fn field(head: &str, name: &str) -> Option<String> {
    head.lines().find(|line| is(line, name))?.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn without(head: &str, name: &str) -> String {
    head.split_inclusive("\r\n").filter(|line| !is(line, name)).collect()
}
