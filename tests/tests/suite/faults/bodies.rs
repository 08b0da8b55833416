//! Faults in the framing, the length and the encoding of a body.

use std::io::Write;
use std::thread;
use std::time::Duration;

use billing_tests::raw_server::{OVERVIEW, Wire};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use crate::faults::table::Row;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = lost();
    rows.extend(lengths());
    rows.extend(chunks());
    rows.extend(versions());
    rows.extend(encodings());
    rows
}

const LEN: usize = OVERVIEW.len();

/// Builds an answer with these headers, each with its line end, and this body.
fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

fn chunked(body: &str) -> String {
    answer("transfer-encoding: chunked\r\n", body)
}

fn lost() -> Vec<Row> {
    let half = &OVERVIEW[..30];
    let begun = |headers: &str| answer(headers, half);
    let of_length = || begun(&format!("content-length: {LEN}\r\n"));
    let in_chunks = || chunked(&format!("1e\r\n{half}\r\n"));
    let cut = |name: &str, sent: String, reset: bool| {
        Row::answering(name, "Truncated", move |wire| {
            wire.send(&sent);
            if reset { wire.reset() } else { wire.close() }
        })
    };
    let stalled = |name: &str, sent: String| {
        Row::answering(name, "Timeout", move |wire| {
            wire.send(&sent);
            wire.wait_for_the_end();
        })
        .within(300)
    };
    vec![
        cut("a body with a length, closed", of_length(), false),
        cut("a body with a length, reset", of_length(), true),
        cut("a body in chunks, closed", in_chunks(), false),
        cut("a body in chunks, reset", in_chunks(), true),
        cut("a body without a length, reset", begun(""), true),
        // JSON marks its own end, so that half an object is recognized even without a length.
        Row::bytes("half a body without a length, closed", "Decode", begun("")),
        Row::bytes("a body without a length, closed", "ok", answer("", OVERVIEW)),
        Row::answering("a whole body without a length, reset", "Truncated", |wire| {
            wire.send(answer("", OVERVIEW));
            wire.reset();
        }),
        stalled("a body with a length, stalled", of_length()),
        stalled("a body in chunks, stalled", in_chunks()),
        stalled("a body without a length, stalled", begun("")),
        Row::answering("a body that drips past the bound", "Timeout", |wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LEN}\r\n\r\n"));
            wire.drip(OVERVIEW, Duration::from_millis(50));
        })
        .within(400),
        Row::answering("chunks that drip past the bound", "Timeout", |wire| {
            wire.drip(chunked(&"1\r\n \r\n".repeat(100)), Duration::from_millis(50));
        })
        .within(400),
        Row::answering("a body that drips, in time", "ok", |wire| {
            wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LEN}\r\n\r\n"));
            wire.drip(OVERVIEW, Duration::from_millis(2));
        }),
        Row::answering("the server ends sending after a whole answer", "ok", |wire| {
            wire.respond(200, "", OVERVIEW);
            wire.end_sending();
            wire.wait_for_the_end();
        }),
        Row::answering("reset after a whole answer", "ok", |wire| {
            wire.respond(200, "", OVERVIEW);
            wire.reset();
        }),
    ]
}

fn lengths() -> Vec<Row> {
    let of = |lengths: &[&str]| {
        let headers: String = lengths.iter().map(|n| format!("content-length: {n}\r\n")).collect();
        answer(&headers, OVERVIEW)
    };
    let whole = LEN.to_string();
    vec![
        Row::bytes("a length that is too short", "Decode", of(&["30"])),
        Row::bytes("a length that is too long", "Truncated", of(&["1000"])),
        Row::bytes("the same length twice", "ok", of(&[&whole, &whole])),
        Row::bytes("the same length twice in one header", "ok", of(&[&format!("{whole}, {whole}")])),
        Row::bytes("two different lengths", "Malformed", of(&[&whole, "30"])),
        Row::bytes("two different lengths in one header", "Malformed", of(&[&format!("{whole}, 30")])),
        Row::bytes("a negative length", "Malformed", of(&["-1"])),
        Row::bytes("a length with a sign", "Malformed", of(&["+75"])),
        Row::bytes("a length in hexadecimal", "Malformed", of(&["0x4b"])),
        Row::bytes("a length that is no number", "Malformed", of(&["many"])),
        Row::bytes("an empty length", "Malformed", of(&[""])),
        Row::bytes("a length over the bound", "TooLarge", of(&["1048577"])),
        Row::bytes("a length of 2^63", "TooLarge", of(&["9223372036854775808"])),
        Row::bytes("a length beyond 64 bits", "Malformed", of(&["99999999999999999999"])),
        Row::bytes(
            "204 with a body",
            "UnexpectedStatus",
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
        ),
        Row::bytes(
            "304 with a body",
            "UnexpectedStatus",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello",
        ),
        Row::bytes("an empty body", "Decode", answer("content-length: 0\r\n", "")),
    ]
}

fn chunks() -> Vec<Row> {
    let one = format!("{LEN:x}\r\n{OVERVIEW}\r\n");
    let whole = |end: &str| chunked(&format!("{one}{end}"));
    let sized = |name: &str, size: &str| {
        Row::bytes(name, "Truncated", chunked(&format!("{size}\r\n{OVERVIEW}\r\n0\r\n\r\n")))
    };
    let tiny: String = OVERVIEW.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    vec![
        Row::bytes("chunks", "ok", whole("0\r\n\r\n")),
        Row::bytes("chunks of a byte", "ok", chunked(&format!("{tiny}0\r\n\r\n"))),
        Row::bytes("chunks with trailers", "ok", whole("0\r\nexpires: never\r\ncontent-length: 7\r\n\r\n")),
        Row::bytes(
            "chunks with an extension",
            "ok",
            chunked(&format!("{LEN:x};a=b\r\n{OVERVIEW}\r\n0\r\n\r\n")),
        ),
        Row::bytes("chunks with trailers cut short", "Truncated", whole("0\r\nexpires: ne")),
        Row::bytes("chunks without the last line", "Truncated", whole("0\r\n"))
            .but_ureq("ok", "the last chunk is there, and so the whole body"),
        Row::bytes("chunks without a last chunk", "Truncated", whole("")),
        Row::bytes("a chunk cut short", "Truncated", chunked(&format!("ff\r\n{OVERVIEW}"))),
        Row::bytes(
            "a chunk longer than its size",
            "Truncated",
            chunked(&format!("a\r\n{OVERVIEW}\r\n0\r\n\r\n")),
        ),
        sized("a chunk size that is no number", "zz"),
        sized("an empty chunk size", ""),
        sized("a negative chunk size", "-4b"),
        sized("a chunk size with a sign", "+4b")
            .but_ureq("ok", "ureq-proto reads it as Rust does; the connection carries nobody else's answers"),
        sized("a chunk size with a prefix", "0x4b"),
        sized("a chunk size beyond 64 bits", "1000000000000004b"),
        sized("a chunk size of 2^64 - 1", "ffffffffffffffff"),
        Row::answering("a chunk size without end", "Truncated", |wire| {
            wire.send(chunked(""));
            // The line is longer than ureq's limit for a line.
            wire.send([b'0'; 256 << 10]);
            while wire.send([b'0'; 512]) {
                thread::sleep(Duration::from_millis(5));
            }
        })
        .within(3_000)
        .but_hyper("Timeout", "zeros before a number change nothing of it, and are not kept"),
        Row::answering("a chunk extension without end", "Truncated", |wire| {
            wire.send(chunked("5;"));
            while wire.send([b'a'; 4096]) {}
        }),
        Row::answering("a trailer without end", "Truncated", |wire| {
            wire.send(chunked("0\r\na: "));
            while wire.send([b'a'; 4096]) {}
        }),
        Row::answering("trailers without end", "Truncated", |wire| {
            wire.send(chunked("0\r\n"));
            while wire.send("a: b\r\n".repeat(50)) {
                thread::sleep(Duration::from_millis(5));
            }
        })
        .within(3_000)
        .but_ureq("Timeout", "ureq reads over them and keeps none"),
        Row::answering("chunks of a megabyte without end", "TooLarge", |wire| {
            wire.send(chunked(""));
            let chunk = [b"100000\r\n", &[b' '; 1 << 20][..], b"\r\n"].concat();
            while wire.send(&chunk) {}
        }),
        Row::answering("a body without a length and without end", "TooLarge", |wire| {
            wire.send(answer("", ""));
            while wire.send([b' '; 1 << 16]) {}
        }),
        Row::bytes("both a coding and a length", "ok", {
            answer("transfer-encoding: chunked\r\ncontent-length: 3\r\n", &format!("{one}0\r\n\r\n"))
        }),
        Row::bytes("both a coding and a huge length", "ok", {
            answer(
                "transfer-encoding: chunked\r\ncontent-length: 99999999999\r\n",
                &format!("{one}0\r\n\r\n"),
            )
        }),
        Row::bytes("a coding that is not known", "Malformed", answer("transfer-encoding: zip\r\n", OVERVIEW)),
        Row::bytes("chunked that is not the last coding", "Malformed", {
            answer("transfer-encoding: chunked, gzip\r\n", &format!("{one}0\r\n\r\n"))
        }),
    ]
}

fn versions() -> Vec<Row> {
    let old = |headers: &str, body: &str| format!("HTTP/1.0 200 OK\r\n{headers}\r\n{body}");
    let length = format!("content-length: {LEN}\r\n");
    vec![
        Row::bytes("HTTP/1.0 with a length", "ok", old(&length, OVERVIEW)),
        Row::bytes("HTTP/1.0 without a length", "ok", old("", OVERVIEW)),
        Row::bytes("HTTP/1.0, cut short", "Truncated", old(&length, &OVERVIEW[..30])),
        Row::answering("HTTP/1.0 that keeps the connection", "ok", {
            let answer = old(&format!("connection: keep-alive\r\n{length}"), OVERVIEW);
            move |wire: &mut Wire| while wire.send(&answer) && wire.request().is_some() {}
        }),
        Row::answering("HTTP/1.0 that does not, and stays open", "ok", {
            let answer = old(&length, OVERVIEW);
            move |wire: &mut Wire| {
                wire.send(&answer);
                wire.wait_for_the_end();
            }
        }),
        Row::answering("HTTP/1.1 that closes, and stays open", "ok", |wire| {
            wire.respond(200, "connection: close\r\n", OVERVIEW);
            wire.wait_for_the_end();
        }),
    ]
}

fn encodings() -> Vec<Row> {
    let encoded = |encoding: &str, body: &[u8]| {
        let head = answer(&format!("content-encoding: {encoding}\r\ncontent-length: {}\r\n", body.len()), "");
        [head.as_bytes(), body].concat()
    };
    let whole = gzip(OVERVIEW.as_bytes());
    let (a, b) = OVERVIEW.as_bytes().split_at(30);
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let deflate = {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(OVERVIEW.as_bytes()).expect("deflate");
        encoder.finish().expect("deflate")
    };
    let two = answer(
        &format!("content-encoding: gzip\r\ncontent-encoding: br\r\ncontent-length: {}\r\n", whole.len()),
        "",
    );
    vec![
        Row::bytes("gzip", "ok", encoded("gzip", &whole)),
        Row::bytes("gzip in two members", "ok", encoded("gzip", &[gzip(a), gzip(b)].concat())),
        Row::bytes(
            "gzip with garbage behind it",
            "Truncated",
            encoded("gzip", &[&whole[..], b"garbage"].concat()),
        ),
        Row::bytes("gzip cut short", "Truncated", encoded("gzip", &whole[..whole.len() - 9])),
        Row::bytes("gzip with a wrong checksum", "Truncated", encoded("gzip", &wrong_sum)),
        Row::bytes("gzip that is none", "Truncated", encoded("gzip", OVERVIEW.as_bytes())),
        Row::bytes("gzip that is not said", "Decode", encoded("identity", &whole)),
        Row::bytes("gzip twice", "Malformed", encoded("gzip, gzip", &gzip(&whole))),
        Row::bytes("two encodings in two headers", "Malformed", [two.as_bytes(), &whole].concat()),
        Row::bytes("deflate, which was not asked for", "Malformed", encoded("deflate", &deflate)),
        Row::bytes("an encoding that nobody knows", "Malformed", encoded("\"\\x1b[2J", OVERVIEW.as_bytes())),
    ]
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}
