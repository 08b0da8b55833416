//! Rule D14, measured: the memory of a process grows only by a bounded amount under a body that inflates or never ends.
//!
//! The client runs in a child process of this test program, with an address in its environment, so that the memory of the
//! server and of other tests does not count.

use std::future::poll_fn;
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

use billing_core::Policy;
use billing_tests::raw_server::{OVERVIEW, RawServer, Wire};
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use h2::SendStream;
use http::Response;

use crate::faults::bodies::gzip;
use crate::faults::client::{Client, Driver, RUNTIME, Setup, once, outcome};
use crate::faults::http2;
use crate::faults::tls::AUTHORITY;

/// The child's task: the driver, the operation and the address, such as `Ureq overview http://127.0.0.1:1234`.
const TASK: &str = "BILLING_TESTS_BOMB";
/// The certificate that the child trusts.
const PEM: &str = "BILLING_TESTS_BOMB_PEM";

const MIB: u64 = 1 << 20;

/// The bound of a body, and the memory that a process may need beyond it.
const BOUND: u64 = 64 * MIB;
const BESIDE: u64 = 16 * MIB;

#[test]
fn d14_a_bomb_takes_no_more_memory_than_the_bound() {
    for (name, bomb) in bombs() {
        explode(name, move |wire| wire.respond(200, "content-encoding: gzip\r\n", &bomb));
    }
    explode("no end, not compressed", without_end);
}

#[test]
fn d14_hyper_a_bomb_takes_no_more_memory_than_the_bound_under_http_2() {
    let explode = |name: &str, bomb: Option<Bytes>| {
        let environment = serve_by_http_2(bomb);
        assert_within_bound(Driver::Hyper, name, grown_by(Driver::Hyper, "overview", environment.api()));
    };
    for (name, bomb) in bombs() {
        explode(&format!("HTTP/2, {name}"), Some(bomb.into()));
    }
    explode("HTTP/2, no end, not compressed", None);
}

/// Tests that a streamed document is not kept: it needs no memory beyond its chunks.
#[test]
fn d14_a_document_without_end_takes_next_to_no_memory() {
    let server = RawServer::start(|_, wire| {
        while let Some(head) = wire.request() {
            if head.contains("/document ") {
                let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
                wire.respond(200, "", format!(r#"{{"url":"http://{host}/1.pdf"}}"#));
            } else if head.contains("/1.pdf ") {
                without_end(wire);
            } else {
                wire.respond(200, "", OVERVIEW);
            }
        }
    });
    let plain = server.environment("http");
    let by_http_2 = serve_by_http_2(None);
    for (driver, protocol, environment) in [
        (Driver::Ureq, "HTTP/1.1", &plain),
        (Driver::Hyper, "HTTP/1.1", &plain),
        (Driver::Hyper, "HTTP/2", &by_http_2),
    ] {
        let grown = grown_by(driver, "document", environment.api());
        println!("{driver:?}, {protocol}, a document without end: {:.1} MiB", grown as f64 / MIB as f64);
        assert!(grown <= BESIDE, "{driver:?}, {protocol}: {grown} bytes");
    }
}

/// Runs a child for each driver. Its first request gets a correct answer.
fn explode(name: &str, bomb: impl Fn(&mut Wire) + Send + Sync + 'static) {
    let server = RawServer::start(move |number, wire| {
        // Each child opens two connections, because the server closes the first one after its answer.
        while wire.request().is_some() {
            if number % 2 == 0 {
                return wire.respond(200, "connection: close\r\n", OVERVIEW);
            }
            bomb(wire);
        }
    });
    for driver in Driver::ALL {
        assert_within_bound(driver, name, grown_by(driver, "overview", server.environment("http").api()));
    }
}

fn without_end(wire: &mut Wire) {
    wire.send("HTTP/1.1 200 OK\r\n\r\n");
    while wire.send([b' '; 1 << 16]) {}
}

/// Starts a server whose first answer is correct. Later answers are `bomb`, or a body without end.
fn serve_by_http_2(bomb: Option<Bytes>) -> billing_core::Environment {
    let asked = Arc::new(AtomicUsize::new(0));
    http2::listen(move |tls| {
        let (asked, bomb) = (Arc::clone(&asked), bomb.clone());
        Box::pin(http2::converse(tls, move |request, mut to, _| {
            let (first, bomb) = (asked.fetch_add(1, Ordering::SeqCst) == 0, bomb.clone());
            Box::pin(async move {
                let uri = request.uri();
                if uri.path().ends_with("/document") {
                    let host = uri.authority().map_or("", |host| host.as_str());
                    let url = format!(r#"{{"url":"https://{host}/1.pdf"}}"#);
                    return to.send_response(Response::new(()), false)?.send_data(url.into(), true);
                }
                let encoding = if bomb.is_some() && !first { "gzip" } else { "identity" };
                let head = Response::builder().header("content-encoding", encoding).body(()).expect("a head");
                let mut body = to.send_response(head, false)?;
                match bomb {
                    _ if first => body.send_data(OVERVIEW.into(), true),
                    Some(bomb) => body.send_data(bomb, true),
                    None => send_without_end(body).await,
                }
            })
        }))
    })
}

async fn send_without_end(mut body: SendStream<Bytes>) -> Result<(), h2::Error> {
    let chunk = Bytes::from_static(&[b' '; 1 << 14]);
    loop {
        body.reserve_capacity(chunk.len());
        match poll_fn(|cx| body.poll_capacity(cx)).await {
            Some(Ok(room)) => body.send_data(chunk.slice(..room.min(chunk.len())), false)?,
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
    }
}

/// Runs a child and returns the growth of its memory in bytes.
fn grown_by(driver: Driver, what: &str, base: &billing_core::BaseUrl) -> u64 {
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "faults::bomb::the_child", "--nocapture"])
        .env(TASK, format!("{driver:?} {what} {base}"))
        .env(PEM, String::from_utf8(AUTHORITY.pem()).expect("PEM is text"))
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{driver:?}: {said}{}", String::from_utf8_lossy(&child.stderr));
    let grown = said.split("grown: ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    grown.unwrap_or_else(|| panic!("{driver:?}: {said}"))
}

fn assert_within_bound(driver: Driver, name: &str, grown: u64) {
    println!("{driver:?}, {name}: {:.1} MiB", grown as f64 / MIB as f64);
    assert!(grown <= BOUND + BESIDE, "{driver:?}, {name}: {grown} bytes");
    // Otherwise the child did not reach the bound, and the measurement proves nothing.
    assert!(grown >= BOUND / 2, "{driver:?}, {name}: {grown} bytes");
}

/// Runs the client in its own process. It does nothing without a task in the environment.
#[test]
fn the_child() {
    let Ok(task) = env::var(TASK) else { return };
    let [driver, what, base] = task.split(' ').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let driver = if driver == "Ureq" { Driver::Ureq } else { Driver::Hyper };
    let base: billing_core::BaseUrl = base.parse().expect("an address");
    let pem = env::var(PEM).expect("a certificate");
    let setup = Setup::new(billing_core::Environment::new(base.clone(), base)).trusting(pem.as_bytes());
    let client = driver.client(setup.policy(Policy { max_body: Policy::default().max_body, ..once() }));
    assert_eq!(client.ask(), "ok");
    let before = memory("VmRSS:");
    let ended = match what {
        "document" => outcome(&download(&client)),
        _ => client.ask(),
    };
    let peak = memory("VmHWM:");
    assert_eq!(ended, "TooLarge");
    println!("grown: {} bytes", peak.saturating_sub(before));
}

fn download(client: &Client) -> Result<u64, billing_core::Error> {
    let invoice = "i-1".parse().expect("an id");
    match client {
        Client::Ureq(client) => client.invoice_document(invoice, || Ok(io::sink())),
        Client::Hyper(client) => {
            RUNTIME.block_on(client.invoice_document(invoice, async || Ok(tokio::io::sink())))
        }
    }
}

/// Returns a value from Linux's status of this process, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux");
    let number =
        status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
    number.expect("a number") * 1024
}

/// Returns bodies that inflate, each with its name.
fn bombs() -> [(&'static str, Vec<u8>); 2] {
    let bombs = [("1 GiB in one member", one_member()), ("1 GiB in 64 members", many_members())];
    assert!(bombs.iter().all(|(_, bomb)| bomb.len() < 2 << 20));
    bombs
}

/// Returns 64 times 16 MiB of zeros as one gzip stream. Each part ends on a byte boundary and refers to nothing before it,
/// so that the same bytes can be repeated. The checksum at the end is missing, because no reader gets that far.
fn one_member() -> Vec<u8> {
    let zeros = vec![0; 16 << 20];
    let mut part = Vec::with_capacity(1 << 20);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&zeros, &mut part, FlushCompress::Full).expect("deflate");
    assert_eq!(compress.total_in(), zeros.len() as u64);
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for _ in 0..64 {
        bomb.write_all(&part).expect("memory");
    }
    bomb
}

/// Returns the same zeros as 64 gzip streams, one after the other.
fn many_members() -> Vec<u8> {
    gzip(&vec![0; 16 << 20]).repeat(64)
}
