//! Faults of TLS.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use billing_tests::certificates::{Authority, names};
use billing_tests::raw_server::{OVERVIEW, Wire};

use crate::faults::table::Row;

/// The certificate authority that the clients of this test trust.
pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = certificates();
    rows.extend(handshakes());
    rows.extend(closings());
    rows
}

fn certificates() -> Vec<Row> {
    let showing = |name: &str, outcome, config| {
        let config = std::sync::Arc::clone(config);
        Row::raw(name, outcome, move |wire| {
            if wire.start_tls(&config) {
                wire.serve_well();
            }
        })
        .speaking_tls()
    };
    let mut expired = names(&["127.0.0.1"]);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut early = names(&["127.0.0.1"]);
    early.not_before = rcgen::date_time_ymd(4000, 1, 1);
    vec![
        showing("a certificate by the authority that was named", "ok", &AUTHORITY.server()),
        showing("a certificate for another name", "Tls", &AUTHORITY.server_with(names(&["example.com"]))),
        showing("a certificate for another address", "Tls", &AUTHORITY.server_with(names(&["127.0.0.2"]))),
        showing("a certificate for nobody", "Tls", &AUTHORITY.server_with(names(&[]))),
        showing("a certificate that has expired", "Tls", &AUTHORITY.server_with(expired)),
        showing("a certificate that is not valid yet", "Tls", &AUTHORITY.server_with(early)),
        showing("a certificate by an unknown authority", "Tls", &Authority::new().server()),
    ]
}

fn handshakes() -> Vec<Row> {
    let instead = |name: &str, outcome, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        Row::raw(name, outcome, move |wire| {
            wire.send(&bytes);
            wire.wait_for_the_end();
        })
        .speaking_tls()
    };
    vec![
        instead("plain HTTP on the port of TLS", "Tls", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        instead("a server that knows TLS 1.0 only", "Tls", &server_hello([3, 1], [0xc0, 0x13])),
        instead("a server that knows SSL 3 only", "Tls", &server_hello([3, 0], [0, 0x0a])),
        instead("a cipher that was not offered", "Tls", &server_hello([3, 3], [0, 0x05])),
        instead("garbage for a server's hello", "Tls", &[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff]),
        instead("a record that is too long", "Tls", &[22, 3, 3, 0xff, 0xff, 2, 0, 0, 0]),
        instead("an alert: handshake failure", "Tls", &[21, 3, 3, 0, 2, 2, 40]),
        instead("an alert: protocol version", "Tls", &[21, 3, 1, 0, 2, 2, 70]),
        Row::raw("closed in the handshake", "Reset", |wire| wire.close()).speaking_tls(),
        Row::raw("reset in the handshake", "Reset", Wire::reset).speaking_tls(),
        Row::raw("cut in the server's hello", "Reset", |wire| {
            wire.send(&server_hello([3, 3], [0xc0, 0x2f])[..20]);
            wire.close();
        })
        .speaking_tls(),
        Row::raw("silent in the handshake", "Timeout", Wire::wait_for_the_end).speaking_tls().within(300),
        Row::raw("a handshake that drips past the bound", "Timeout", |wire| {
            wire.drip([22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0].repeat(20), Duration::from_millis(50));
        })
        .speaking_tls()
        .within(400),
    ]
}

fn closings() -> Vec<Row> {
    let half = || format!("HTTP/1.1 200 OK\r\n\r\n{}", &OVERVIEW[..30]);
    let whole = || format!("HTTP/1.1 200 OK\r\n\r\n{OVERVIEW}");
    let of_length = || format!("HTTP/1.1 200 OK\r\ncontent-length: 75\r\n\r\n{}", &OVERVIEW[..30]);
    let sending = |name: &str, outcome, sent: String, end: fn(&mut Wire)| {
        Row::answering(name, outcome, move |wire| {
            wire.send(&sent);
            end(wire);
        })
        .over_tls()
    };
    vec![
        sending("closed without an answer", "Reset", String::new(), |wire| wire.close()),
        sending("closed in order without an answer", "Reset", String::new(), Wire::close_tls),
        sending("reset without an answer", "Reset", String::new(), Wire::reset),
        sending("a body with a length, closed", "Truncated", of_length(), |wire| wire.close()),
        sending("a body with a length, closed in order", "Truncated", of_length(), Wire::close_tls),
        sending("half a body without a length, closed in order", "Decode", half(), Wire::close_tls),
        // An attacker who can cut the connection must not be able to shorten a body without a length. TLS has
        // close_notify to prevent that.
        sending("half a body without a length, cut", "Truncated", half(), |wire| wire.close()),
        sending("a whole body without a length, cut", "Truncated", whole(), |wire| wire.close()),
        sending("a whole body without a length, closed in order", "ok", whole(), Wire::close_tls),
        sending("a whole body without a length, reset", "Truncated", whole(), Wire::reset),
        Row::answering("plain text in place of an answer", "Tls", |wire| {
            wire.send_past_tls("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
            wire.wait_for_the_end();
        })
        .over_tls(),
        Row::answering("plain text in place of a body", "Truncated", |wire| {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 75\r\n\r\n");
            thread::sleep(Duration::from_millis(50));
            wire.send_past_tls(OVERVIEW);
            wire.wait_for_the_end();
        })
        .over_tls(),
        Row::answering("a body that drips past the bound", "Timeout", |wire| {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 75\r\n\r\n");
            wire.drip(OVERVIEW, Duration::from_millis(50));
        })
        .over_tls()
        .within(500),
    ]
}

/// Builds the first message of a server that chose this version and this cipher, in one record.
fn server_hello(version: [u8; 2], cipher: [u8; 2]) -> Vec<u8> {
    let body = [&version[..], &[7; 32], &[0], &cipher, &[0], &[0, 0]].concat();
    let length = u8::try_from(body.len()).expect("a short message");
    [&[22, version[0], version[1], 0, length + 4, 2, 0, 0, length][..], &body].concat()
}
