//! The login service's answers.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::calls::TrusteeOverviewCall;
use billing_core::{Authorized, Credentials, Environment, Exchange, Machine, Policy, Session, Step};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

/// Checks that, for any login response, a token is used unchanged, only for the API and only after a 200,
/// and that no rendering shows the client's secret or a possible token, even if the service repeats it.
///
/// The first byte says the status, the rest is the body.
pub fn login(data: &[u8]) {
    let Some((status, body)) = data.split_first() else { return };
    let status = [200, 200, 200, 201, 302, 400, 401, 403, 429, 500, 503][usize::from(*status) % 11];
    let environment = Environment::default();
    let api = environment.api().clone();
    let call = TrusteeOverviewCall::new("org".parse().expect("a valid id"));
    let credentials = Credentials::client("clientid", SECRET).expect("valid texts");
    let session = Rc::new(RefCell::new(Session::new(environment, credentials)));
    let exchange = Authorized::new(Exchange::new(call, api.clone(), Policy::default()), session.clone());

    let Step::Send(request, sent) = exchange.step(now()) else { panic!("the login's request") };
    assert_eq!(request.http().uri().path(), "/oauth/token");
    let response =
        Response::builder().status(status).body(Bytes::copy_from_slice(body)).expect("valid parts");
    let mut shown = format!("{request:?} {sent:?}");
    match sent.receive(Ok(response), now()) {
        Step::Send(request, sent) => {
            let token = serde_json::from_slice::<serde_json::Value>(body).expect("it was read");
            let token = token["access_token"].as_str().expect("it holds a token");
            let http = request.http();
            assert_eq!(http.headers()["authorization"].as_bytes(), format!("Bearer {token}").as_bytes());
            assert!(status == 200 && http.uri().to_string().starts_with(&format!("{api}/api/v2/")));
            shown += &format!("{request:?} {sent:?}");
        }
        Step::Wait(until, machine) => {
            assert!(until > now());
            shown += &format!("{machine:?} {:?}", machine.progress());
        }
        Step::Done(Err(error)) => {
            let line = error.to_string();
            assert!(line.starts_with("login: ") && !line.contains(char::is_control), "{line}");
            shown += &format!("{line} {error:?} {:?} {:?}", error.body_start(), error.code());
        }
        Step::Done(Ok(overview)) => panic!("nothing has asked for {overview:?}"),
    }
    shown += &format!("{:?}", session.borrow());
    assert!(!shown.contains(SECRET) && !shown.contains(BASIC), "{shown}");
    assert!(status > 299 || !shown.contains(TOKEN), "{shown}");
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

const SECRET: &str = "s3cret-s3cret";
/// `clientid:s3cret-s3cret` in Base64.
const BASIC: &str = "Y2xpZW50aWQ6czNjcmV0LXMzY3JldA";
/// The token in the seed corpus.
const TOKEN: &str = "t0ken-t0ken";
