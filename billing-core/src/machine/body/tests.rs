use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Read;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(headers: &HeaderMap, limit: usize, chunks: &[&[u8]]) -> Result<Bytes, TransportErrorKind> {
    let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
    for chunk in chunks {
        body.push(chunk).map_err(|e| e.kind())?;
    }
    body.finish().map_err(|e| e.kind())
}

/// Reads the body with `push_bytes`.
fn owned(headers: &HeaderMap, limit: usize, chunks: &[&[u8]]) -> Result<Bytes, TransportErrorKind> {
    let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
    for chunk in chunks {
        body.push_bytes(Bytes::copy_from_slice(chunk)).map_err(|e| e.kind())?;
    }
    body.finish().map_err(|e| e.kind())
}

/// Reads the body with `spare_mut` and `advance`.
fn through_room(headers: &HeaderMap, limit: usize, chunks: &[&[u8]]) -> Result<Bytes, TransportErrorKind> {
    let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
    for chunk in chunks {
        let mut left = *chunk;
        while !left.is_empty() {
            let n = left.read(body.spare_mut()).unwrap();
            body.advance(n).map_err(|e| e.kind())?;
        }
    }
    assert!(!body.spare_mut().is_empty());
    body.advance(0).map_err(|e| e.kind())?;
    body.finish().map_err(|e| e.kind())
}

#[test]
fn push_push_bytes_and_spare_mut_agree() {
    let long: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let zipped = gzip(&long);
    let (plain, encoded) = (headers(&[]), headers(&[("content-encoding", "gzip")]));
    let said = headers(&[("content-length", "200000")]);
    let too_little = headers(&[("content-length", "7")]);
    let bodies: [(&HeaderMap, &[u8]); 4] =
        [(&plain, &long), (&said, &long), (&too_little, &long), (&encoded, &zipped)];
    for (headers, bytes) in bodies {
        for size in [1_000, 8 << 10, 70_000, 1 << 20] {
            let chunks: Vec<_> = bytes.chunks(size).collect();
            for limit in [200_000, 200_001, usize::MAX] {
                assert_eq!(read(headers, limit, &chunks).unwrap(), long);
                assert_eq!(owned(headers, limit, &chunks).unwrap(), long);
                assert_eq!(through_room(headers, limit, &chunks).unwrap(), long);
            }
            for limit in [0, 1, 8 << 10, 199_999] {
                let full = Err(TransportErrorKind::TooLarge { limit });
                assert_eq!(read(headers, limit, &chunks), full);
                assert_eq!(owned(headers, limit, &chunks), full);
                assert_eq!(through_room(headers, limit, &chunks), full);
            }
        }
    }
}

#[test]
fn the_ways_of_taking_bytes_can_be_mixed() {
    let mut body = BodyReader::new(&headers(&[]), 100).unwrap();
    body.push_bytes(Bytes::from_static(b"one ")).unwrap();
    body.spare_mut()[..4].copy_from_slice(b"two ");
    body.advance(4).unwrap();
    body.push(b"three ").unwrap();
    body.push_bytes(Bytes::from_static(b"four")).unwrap();
    assert_eq!(body.finish().unwrap(), "one two three four");
}

#[test]
fn a_body_in_one_piece_is_not_copied() {
    let piece = Bytes::from(vec![b' '; 1000]);
    let mut body = BodyReader::new(&headers(&[]), 1000).unwrap();
    body.push_bytes(piece.clone()).unwrap();
    body.push_bytes(Bytes::new()).unwrap();
    assert_eq!(body.finish().unwrap().as_ptr(), piece.as_ptr());
}

#[test]
fn the_buffer_is_as_large_as_what_was_announced_and_came() {
    let capacity = |announced: usize, came: usize| {
        let said = headers(&[("content-length", announced.to_string().as_str())]);
        let mut body = BodyReader::new(&said, 1 << 30).unwrap();
        for chunk in vec![b' '; came].chunks(40_000) {
            body.push(chunk).unwrap();
        }
        let Decoder::Identity(_, sink) = body.decoder else { panic!("not encoded") };
        sink.bytes.capacity()
    };
    assert_eq!(capacity(50_000, 50_000), 50_001);
    assert_eq!(capacity(5 << 20, 5 << 20), (5 << 20) + 1);
    // A wrong length allocates at most `MAX_PREALLOCATION`, or in proportion to the received bytes.
    assert_eq!(capacity(1 << 29, 1), MAX_PREALLOCATION);
    assert!(capacity(1 << 29, 5 << 20) <= 10 << 20);
    assert!(capacity(1, 5 << 20) <= 10 << 20);
}

#[test]
fn d14_the_bound_holds_while_reading() {
    let full = Err(TransportErrorKind::TooLarge { limit: 4 });
    assert_eq!(read(&headers(&[]), 4, &[b"12", b"34"]).unwrap(), "1234");
    assert_eq!(read(&headers(&[]), 4, &[b"12", b"345"]), full);
    assert_eq!(read(&headers(&[("content-length", "5")]), 4, &[]), full);
    assert_eq!(read(&headers(&[("content-length", "99999999999999999999")]), 4, &[b"1"]).unwrap(), "1");
}

#[test]
fn d14_a_bomb_is_stopped_at_the_bound() {
    let bomb = gzip(&vec![0; 8 << 20]);
    let encoded = headers(&[("content-encoding", "gzip")]);
    let mut body = BodyReader::new(&encoded, 1 << 20).unwrap();
    let stopped = bomb.chunks(64).find_map(|chunk| body.push(chunk).err()).unwrap();
    assert_eq!(stopped.kind(), TransportErrorKind::TooLarge { limit: 1 << 20 });
    let Decoder::Gzip(decoder, _) = &body.decoder else { panic!("a gzip body") };
    assert!(decoder.get_ref().bytes.capacity() <= 1 << 20);
}

#[test]
fn gzip_is_undone_and_its_end_is_checked() {
    let encoded = headers(&[("content-encoding", "GZIP")]);
    let whole = gzip(b"hello, hello, hello");
    for cut in 0..whole.len() {
        let (a, b) = whole.split_at(cut);
        assert_eq!(read(&encoded, 100, &[a, b]).unwrap(), "hello, hello, hello");
        if cut > 0 {
            assert_eq!(read(&encoded, 100, &[a]), Err(TransportErrorKind::Truncated), "cut at {cut}");
        }
    }
    assert_eq!(read(&encoded, 100, &[]).unwrap(), "");
    assert_eq!(read(&encoded, 100, &[b"<html>"]), Err(TransportErrorKind::Truncated));
    let twice = [gzip(b"one"), gzip(b"two")].concat();
    assert_eq!(read(&encoded, 100, &[&twice]).unwrap(), "onetwo");
}

#[test]
fn an_encoding_that_was_not_asked_for_is_an_error() {
    for odd in ["br", "deflate", "gzip, gzip", "br, gzip", "\u{e9}"] {
        let odd = headers(&[("content-encoding", odd)]);
        assert_eq!(read(&odd, 9, &[]), Err(TransportErrorKind::Malformed), "{odd:?}");
    }
    let whole = gzip(b"hello");
    for same in ["gzip", "x-gzip", "identity, GZIP", "gzip,"] {
        assert_eq!(read(&headers(&[("content-encoding", same)]), 9, &[&whole]).unwrap(), "hello", "{same}");
    }
}

#[test]
fn a_second_header_with_another_encoding_is_not_overlooked() {
    let mut two = headers(&[("content-encoding", "gzip")]);
    two.append(CONTENT_ENCODING, "br".parse().unwrap());
    assert_eq!(read(&two, 9, &[&gzip(b"hello")]), Err(TransportErrorKind::Malformed));
}

#[test]
fn a_transfer_coding_that_nobody_undoes_is_an_error() {
    for odd in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked"] {
        let odd = headers(&[("transfer-encoding", odd)]);
        assert_eq!(read(&odd, 9, &[b"hello"]), Err(TransportErrorKind::Malformed), "{odd:?}");
    }
}

#[test]
fn content_length_is_ignored_with_chunked_encoding() {
    let both = headers(&[("transfer-encoding", "Chunked"), ("content-length", "99999999999")]);
    assert_eq!(read(&both, 9, &[b"hello"]).unwrap(), "hello");
}
