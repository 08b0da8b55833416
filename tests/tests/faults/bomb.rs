//! Rule 14 in megabytes: how far the memory of a process grows under a body that inflates, or flows, without end.
//!
//! The client runs in a process of its own, which is this program again with an address in its environment, so that
//! neither the server nor another test counts.

use std::io::Write;
use std::process::Command;
use std::{env, fs};

use billing_core::Policy;
use billing_tests::raw_server::{OVERVIEW, RawServer, Wire};
use flate2::{Compress, Compression, FlushCompress};

use crate::bodies::gzip;
use crate::client::{Driver, Setup, once, outcome};

/// Which driver the child is to use and where the server is, such as `ureq http://127.0.0.1:1234`.
const TASK: &str = "BILLING_TESTS_BOMB";

const MIB: u64 = 1 << 20;

/// The bound of a body, and how much more than that a process may need.
const BOUND: u64 = 64 * MIB;
const BESIDE: u64 = 16 * MIB;

#[test]
fn rule_14_a_bomb_takes_no_more_memory_than_the_bound() {
    let bombs: [(&str, Vec<u8>); 2] =
        [("1 GiB in one member", one_member()), ("1 GiB in 64 members", many_members())];
    for (name, bomb) in bombs {
        assert!(bomb.len() < 2 << 20, "{}", bomb.len());
        explode(name, move |wire| wire.respond(200, "content-encoding: gzip\r\n", &bomb));
    }
    explode("no end, not compressed", |wire| {
        wire.send("HTTP/1.1 200 OK\r\n\r\n");
        while wire.send([b' '; 1 << 16]) {}
    });
}

/// Has a child of each driver ask, first for an answer that is well.
fn explode(name: &str, bomb: impl Fn(&mut Wire) + Send + Sync + 'static) {
    let server = RawServer::start(move |number, wire| {
        // Each child makes two connections, because the first is closed after its answer.
        while wire.request().is_some() {
            if number % 2 == 0 {
                return wire.respond(200, "connection: close\r\n", OVERVIEW);
            }
            bomb(wire);
        }
    });
    for driver in Driver::ALL {
        let child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "bomb::the_child", "--nocapture"])
            .env(TASK, format!("{driver:?} {}", server.address()))
            .output()
            .expect("a child");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success(),
            "{driver:?}, {name}: {said}{}",
            String::from_utf8_lossy(&child.stderr)
        );
        let grown =
            said.split("grown: ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let grown: u64 = grown.unwrap_or_else(|| panic!("{driver:?}, {name}: {said}"));
        println!("{driver:?}, {name}: {:.1} MiB", grown as f64 / MIB as f64);
        assert!(grown <= BOUND + BESIDE, "{driver:?}, {name}: {grown} bytes");
        // Else the bound was not come to, and the measure is worth nothing.
        assert!(grown >= BOUND / 2, "{driver:?}, {name}: {grown} bytes");
    }
}

/// The client in its own process. Without a task it is no test.
#[test]
fn the_child() {
    let Ok(task) = env::var(TASK) else { return };
    let (driver, address) = task.split_once(' ').expect("a task");
    let driver = if driver == "Ureq" { Driver::Ureq } else { Driver::Hyper };
    let base: billing_core::BaseUrl = format!("http://{address}").parse().expect("an address");
    let setup = Setup::new(billing_core::Environment::new(base.clone(), base));
    let client = driver.client(setup.policy(Policy { max_body: Policy::default().max_body, ..once() }));
    assert_eq!(client.ask(), "ok");
    let before = memory("VmRSS:");
    let result = client.overview(client.policy().clone());
    let peak = memory("VmHWM:");
    assert_eq!(outcome(&result), "TooLarge", "{result:?}");
    println!("grown: {} bytes", peak.saturating_sub(before));
}

/// A line of what Linux says of this process, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux");
    let number =
        status.lines().find_map(|l| l.strip_prefix(line)?.split_whitespace().next()?.parse::<u64>().ok());
    number.expect("a number") * 1024
}

/// 64 times 16 MiB of zeros as one gzip stream. Each part ends on a byte and refers to nothing before it, so that the same
/// bytes can be said again; what would follow for a checksum is never come to.
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

/// The same as 64 gzip streams, one behind the other.
fn many_members() -> Vec<u8> {
    gzip(&vec![0; 16 << 20]).repeat(64)
}
