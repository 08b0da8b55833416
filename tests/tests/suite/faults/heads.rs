//! Faults before and within the head of an answer.

use std::thread;
use std::time::Duration;

use billing_tests::raw_server::{OVERVIEW, Wire};

use crate::faults::table::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = lost();
    rows.extend(cut_at_each_byte());
    rows.extend(nonsense());
    rows.extend(informational());
    rows.extend(floods());
    rows
}

/// Builds an answer with these headers, each with its line end, and an overview as the body.
fn with_headers(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{OVERVIEW}", OVERVIEW.len())
}

fn lost() -> Vec<Row> {
    let partial = "HTTP/1.1 200 OK\r\ncontent-le";
    vec![
        Row::raw("closed after accept", "Reset", |wire| wire.close()),
        Row::raw("reset after accept", "Reset", Wire::reset),
        Row::answering("closed after the request", "Reset", |wire| wire.close()),
        Row::answering("reset after the request", "Reset", Wire::reset),
        Row::raw("does not read, and ends sending", "Reset", |wire| {
            wire.end_sending();
            thread::sleep(Duration::from_millis(50));
        }),
        Row::answering("ends listening, and answers", "ok", |wire| {
            wire.end_listening();
            wire.respond(200, "", OVERVIEW);
        }),
        Row::answering("ends sending, and goes on listening", "Reset", |wire| {
            wire.end_sending();
            wire.wait_for_the_end();
        }),
        Row::answering("closed in the head", "Reset", move |wire| {
            wire.send(partial);
            wire.close();
        }),
        Row::answering("reset in the head", "Reset", move |wire| {
            wire.send(partial);
            wire.reset();
        }),
        Row::answering("silent after the request", "Timeout", Wire::wait_for_the_end).within(300),
        Row::answering("silent in the head", "Timeout", move |wire| {
            wire.send(partial);
            wire.wait_for_the_end();
        })
        .within(300),
        Row::answering("a head that drips past the bound", "Timeout", |wire| {
            wire.drip(with_headers(""), Duration::from_millis(50));
        })
        .within(400),
        Row::answering("a head that drips, in time", "ok", |wire| {
            wire.drip(with_headers(""), Duration::from_millis(2));
        }),
    ]
}

fn cut_at_each_byte() -> Vec<Row> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", OVERVIEW.len());
    // The last cut is after the complete head, so that only the body is missing.
    let cut =
        |n: usize| Row::bytes(format!("cut after {n} bytes"), outcome(n, head.len()), head[..n].to_owned());
    fn outcome(n: usize, whole: usize) -> &'static str {
        if n < whole { "Reset" } else { "Truncated" }
    }
    (0..=head.len()).map(cut).collect()
}

fn nonsense() -> Vec<Row> {
    let instead = |name: &str, line: &str| {
        Row::bytes(name, "Malformed", with_headers("").replacen("HTTP/1.1 200 OK", line, 1))
    };
    vec![
        instead("another protocol", "220 mail.example.com ESMTP ready"),
        instead("HTTP/0.9", "<html>200 OK</html>"),
        instead("HTTP/3.7", "HTTP/3.7 200 OK"),
        instead("ICY", "ICY 200 OK"),
        instead("a status of two digits", "HTTP/1.1 20 OK"),
        instead("a status of four digits", "HTTP/1.1 2000 OK"),
        instead("a status that is no number", "HTTP/1.1 abc OK"),
        instead("a status below 100", "HTTP/1.1 099 OK"),
        instead("a negative status", "HTTP/1.1 -20 OK"),
        Row::bytes(
            "a status of no class",
            "UnexpectedStatus",
            "HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        Row::bytes("no reason", "ok", with_headers("").replacen("200 OK", "200", 1)),
        Row::bytes("a reason in Latin 1", "ok", {
            let mut bytes = with_headers("").into_bytes();
            bytes[14] = 0xe9;
            bytes
        }),
        Row::bytes(
            "lines that end with a bare line feed",
            "ok",
            with_headers("a: b\r\n").replace("\r\n", "\n"),
        ),
        Row::bytes("bytes of a TLS alert", "Malformed", [21, 3, 1, 0, 2, 2, 40]),
        Row::bytes("zeros", "Malformed", vec![0; 4096]),
        Row::bytes("a header without a colon", "Malformed", with_headers("nonsense\r\n")),
        Row::bytes("a space before the colon", "Malformed", with_headers("a : b\r\n")),
        Row::bytes("a header with a zero byte", "Malformed", with_headers("a: b\0c\r\n")),
        Row::bytes("an obsolete folded line", "Malformed", with_headers("a: b\r\n c\r\n")),
        Row::bytes("an HTTP/2 preface", "Malformed", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ]
}

fn informational() -> Vec<Row> {
    let before = |interim: &str| format!("{interim}{}", with_headers(""));
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    vec![
        Row::bytes("100 before the answer", "ok", before("HTTP/1.1 100 Continue\r\n\r\n")),
        Row::bytes("102 and 103 before the answer", "ok", before(&format!("HTTP/1.1 102 P\r\n\r\n{hints}"))),
        Row::bytes("many of them before the answer", "ok", before(&hints.repeat(50))),
        Row::bytes("100 and no answer", "Reset", "HTTP/1.1 100 Continue\r\n\r\n"),
        Row::answering("100 without end", "Timeout", |wire| {
            while wire.send("HTTP/1.1 100 Continue\r\n\r\n") {
                thread::sleep(Duration::from_millis(5));
            }
        })
        .within(300),
        Row::bytes("100 with a header", "ok", before("HTTP/1.1 100 Continue\r\na: b\r\n\r\n"))
            .but_ureq("Malformed", "ureq-proto wants none there; no request of ours asks for a 100"),
        Row::bytes(
            "101, which was not asked for",
            "UnexpectedStatus",
            "HTTP/1.1 101 S\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        ),
    ]
}

fn floods() -> Vec<Row> {
    let many = |n: usize| (0..n).map(|n| format!("a-{n}: b\r\n")).collect::<String>();
    vec![
        Row::bytes("90 headers", "ok", with_headers(&many(90))),
        Row::bytes("110 headers", "ok", with_headers(&many(110))),
        Row::bytes("1,000 headers", "Malformed", with_headers(&many(1_000))),
        Row::bytes("10,000 headers", "Malformed", with_headers(&many(10_000))),
        Row::bytes("a header of 32 KiB", "ok", with_headers(&format!("a: {}\r\n", "b".repeat(32 << 10)))),
        Row::bytes(
            "a header of 200 KiB",
            "Malformed",
            with_headers(&format!("a: {}\r\n", "b".repeat(200 << 10))),
        ),
        Row::bytes(
            "a header of 1 MiB",
            "Malformed",
            with_headers(&format!("a: {}\r\n", "b".repeat(1 << 20))),
        ),
        Row::answering("a header line without end", "Malformed", |wire| {
            wire.send("HTTP/1.1 200 OK\r\na: ");
            while wire.send([b'b'; 4096]) {}
        }),
        Row::answering("headers without end", "Malformed", |wire| {
            wire.send("HTTP/1.1 200 OK\r\n");
            while wire.send("a: b\r\n".repeat(500)) {}
        }),
        Row::answering("a status line without end", "Malformed", |wire| {
            wire.send("HTTP/1.1 200 ");
            while wire.send([b'b'; 4096]) {}
        }),
        Row::answering("line ends before the head, without end", "Malformed", |wire| {
            while wire.send("\r\n".repeat(2000)) {}
        }),
    ]
}
