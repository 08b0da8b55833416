//! Edits of somebody who knows the form of what is saved, and its checksum.

use std::ops::Range;

use super::Script;

/// A saved machine in which a few values are others, sealed so that its checksum is right.
pub(super) fn sealed(saved: &str, script: &mut Script<'_>) -> String {
    let (head, mut state) = parts(saved);
    assert_eq!(seal(head, &state), saved, "the checksum is the one of the core");
    for _ in 0..script.byte() % 8 {
        let values = values(&state);
        let Some(place) = values.get(usize::from(script.byte()) % values.len().max(1)) else { break };
        let other = match EXTREMES.get(usize::from(script.byte())) {
            Some(extreme) => (*extreme).to_owned(),
            None => String::from_utf8_lossy(&script.bytes()).into_owned(),
        };
        state.replace_range(place.clone(), &other);
    }
    seal(head, &state)
}

/// Splits a saved text into the part before the state and the state.
fn parts(saved: &str) -> (&str, String) {
    let begin = saved.find(STATE).expect("a state") + STATE.len();
    let end = saved.rfind(CHECK).expect("a checksum");
    (&saved[..begin], saved[begin..end].to_owned())
}

fn seal(head: &str, state: &str) -> String {
    let operation = head.split("\"operation\":").nth(1).and_then(|rest| rest.split(',').next());
    let operation = operation.unwrap_or("null");
    let sum = crc32fast::hash(format!("[{operation},{state}]").as_bytes());
    format!("{head}{state}{CHECK}{sum:08x}\"}}")
}

/// Returns the ranges of all values in a JSON text, from texts and numbers to whole objects.
fn values(json: &str) -> Vec<Range<usize>> {
    let bytes = json.as_bytes();
    let (mut all, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        match byte {
            b'{' | b'[' => open.push(begin),
            b'}' | b']' => all.extend(open.pop().map(|begin| begin..at)),
            b'"' => {
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at = (at + 1).min(bytes.len());
                if bytes.get(at) != Some(&b':') && json.is_char_boundary(at) {
                    all.push(begin..at);
                }
            }
            b if b.is_ascii_alphanumeric() || *b == b'-' => {
                at += bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
                all.push(begin..at);
            }
            _ => {}
        }
    }
    all
}

const STATE: &str = ",\"state\":";
const CHECK: &str = ",\"checksum\":\"";

/// Values that are at the end of what their types can be, or lead elsewhere.
const EXTREMES: [&str; 48] = [
    "0",
    "1",
    "2",
    "999",
    "1199",
    "1200",
    "4294967294",
    "4294967295",
    "9223372036854775807",
    "18446744073709551614",
    "18446744073709551615",
    "-1",
    "null",
    "true",
    "[]",
    "{}",
    // `now` of the machines, around it, and the ends of the calendars.
    r#""2024-10-04T00:00:00Z""#,
    r#""2024-10-04T00:00:00.001Z""#,
    r#""2024-10-04T00:01:40Z""#,
    r#""2024-10-04T00:14:59.999Z""#,
    r#""2024-10-04T01:00:00Z""#,
    r#""2024-10-03T23:59:00Z""#,
    r#""1970-01-01T00:00:00Z""#,
    r#""0000-01-01T00:00:00Z""#,
    r#""0001-01-01T00:00:00Z""#,
    r#""9999-12-31T23:59:59Z""#,
    r#""9999-12-31T23:59:59.999999999Z""#,
    r#""+10000-01-01T00:00:00Z""#,
    r#""+262142-12-31T23:59:59.999999999Z""#,
    r#""-262143-01-01T00:00:00Z""#,
    r#"{"secs":0,"nanos":0}"#,
    r#"{"secs":18446744073709551615,"nanos":999999999}"#,
    r#"{"report_count":4294967295,"poll_ages":[0,0,4294967295]}"#,
    r#"{"Adaptive":{"reports":4294967295}}"#,
    r#"{"Retry":{"Status":65535}}"#,
    r#"{"Retry":{"Transport":"\n"}}"#,
    r#"{"ReportPending":"Paused"}"#,
    r#""Login""#,
    r#""Throttled""#,
    r#"{"latest":4294967295}"#,
    r#"{"nth":4294967295}"#,
    r#""all""#,
    r#""https://api.evil.example""#,
    r#""http://localhost""#,
    r#""https://api.mypurecloud.com/gateway""#,
    r#""//evil.example/""#,
    r#""@evil.example/""#,
    r#""/api/v2/billing/contracts?pageNumber=18446744073709551615""#,
];
