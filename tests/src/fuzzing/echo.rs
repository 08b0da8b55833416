//! Servers that send back what they were sent.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::calls::TrusteeOverviewCall;
use billing_core::{
    Authorized, Credentials, Environment, Error, Exchange, Machine, Policy, Reply, Session, Step,
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::{HeaderValue, Response};

use super::script::Script;

/// Whatever the secret of a client or the token is, and however a server spells it when it sends it back (as it is, escaped as JSON
/// may be, percent-encoded, or each character as it likes), in the body, in a text of it or in the
/// header with the correlation id: no error shows it, in none of these spellings.
///
/// The bytes say which of the two it is, the status, the secret, and then how each character is spelled and where.
pub fn echo(data: &[u8]) {
    let mut script = Script(data);
    let (of_login, status) = (script.byte() % 2 == 0, script.byte());
    let alphabet = ALPHABETS[usize::from(script.byte()) % ALPHABETS.len()];
    let letters = script.bytes();
    let secret: String =
        letters.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect();
    if secret.len() < SHORTEST {
        return;
    }
    let mut spelled = |times: usize| -> String {
        (0..times)
            .map(|_| secret.chars().map(|c| spell(c, script.byte())).collect::<String>() + " ")
            .collect()
    };
    let (code, message, header) = (spelled(1), spelled(2), spelled(1));
    let body = format!("{{\"code\":\"{code}\",\"message\":\"Bearer {message}\",\"contextId\":\"{header}\"}}");
    let body = match script.byte() % 4 {
        // A message that is itself JSON.
        0 => format!("{{\"message\":{}}}", serde_json::Value::from(body)),
        1 => format!("<pre>{body}"),
        2 => body[..body.len() / 2].to_owned(),
        _ => body,
    };
    let status = [301, 400, 401, 403, 404, 500, 501][usize::from(status) % 7];
    let mut response = Response::builder().status(status);
    if let Some(header) = HeaderValue::from_str(&header).ok().filter(|_| script.byte() % 2 == 0) {
        response = response.header("inin-correlation-id", header);
    }
    let response = response.body(Bytes::from(body)).expect("valid parts");
    let error = failed(of_login, &secret, &Ok(response));
    let mut shown = format!("{error} {error:?}");
    for text in [error.code(), error.server_message(), error.correlation_id(), error.body_start()] {
        shown += &format!(" {}", text.unwrap_or_default());
    }
    assert!(!shows(&shown, &secret), "{secret} in {shown}");
}

/// Returns true if the text contains the secret in any spelling.
pub(super) fn shows(text: &str, secret: &str) -> bool {
    let plain = |text: &[u8]| text.windows(secret.len()).any(|part| part == secret.as_bytes());
    plain(text.as_bytes()) || plain(&read(text))
}

/// The text with each character as it is meant, where it is spelled otherwise.
fn read(text: &str) -> Vec<u8> {
    let (mut meant, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let unescaped = rest.trim_start_matches('\\');
        let is_escaped = unescaped.len() < rest.len();
        let (c, length) = match (is_escaped, unescaped.as_bytes()) {
            (true, [b'u', hex @ ..]) if number(hex, 4).is_some() => (number(hex, 4), 5),
            (false, [b'%', hex @ ..]) if number(hex, 2).is_some() => {
                // A byte, which may be a part of a character.
                meant.extend(number(hex, 2).map(|c| c as u8));
                rest = &unescaped[3..];
                continue;
            }
            _ => {
                let c = unescaped.chars().next();
                (c.map(u32::from), c.map_or(0, char::len_utf8))
            }
        };
        let c = c.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        meant.extend(c.to_string().bytes());
        rest = &unescaped[length..];
    }
    meant
}

fn number(hex: &[u8], digits: usize) -> Option<u32> {
    let hex = hex.get(..digits).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

fn spell(c: char, how: u8) -> String {
    let code = u32::from(c);
    match how % 8 {
        0 if c.is_ascii_punctuation() => format!("\\{c}"),
        1 => format!("\\u{code:04x}"),
        2 => format!("\\u{code:04X}"),
        3 => format!("%{code:02x}"),
        4 => format!("%{code:02X}"),
        _ => c.to_string(),
    }
}

/// Returns the error of a call with this reply, or of its login with the client's secret.
fn failed(of_login: bool, secret: &str, reply: &Reply) -> Error {
    let environment = Environment::default();
    let credentials = match of_login {
        true => Credentials::client("clientid", secret),
        false => Credentials::access_token(secret),
    };
    let call = TrusteeOverviewCall::new("org".parse().expect("a valid id"));
    let exchange = Exchange::new(call, environment.api().clone(), Policy::default());
    let session = Session::new(environment, credentials.expect("a valid text"));
    let mut now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let mut step = Authorized::new(exchange, Rc::new(RefCell::new(session))).step(now);
    for _ in 0..100 {
        step = match step {
            Step::Send(_, sent) => sent.receive(reply.clone(), now),
            Step::Wait(until, machine) => {
                now = until;
                machine.step(now)
            }
            Step::Done(Err(error)) => return error,
            Step::Done(Ok(overview)) => panic!("no answer is an overview, but {overview:?} came"),
        };
    }
    panic!("it does not end")
}

/// Shorter ones are no secrets, and may stand in any text.
const SHORTEST: usize = 12;
/// Base64, its form for addresses with what joins the parts of a token, and hexadecimal digits.
const ALPHABETS: [&[u8]; 3] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.",
    b"0123456789abcdef",
];
