use super::*;
use crate::Secret;

#[test]
fn credentials_that_cannot_be_sent_are_refused() {
    for (id, secret) in [("", "s"), ("a:b", "s"), ("a\nb", "s"), ("id", "")] {
        assert!(Credentials::client(id, secret).is_err(), "{id:?} {secret:?}");
    }
    assert!(Credentials::client("id", "any: thing\n").is_ok(), "a secret goes out encoded");
    for token in ["", "a\r\nx-evil: 1", "a\0"] {
        assert!(Credentials::access_token(token).is_err(), "{token:?}");
    }
    assert!(Credentials::access_token("t0ken").is_ok());
}

#[test]
fn a_session_says_where_it_sends() {
    let environment = Environment::new("https://a.test".parse().unwrap(), "https://b.test".parse().unwrap());
    let session = Session::new(environment.clone(), Credentials::access_token("t").unwrap());
    assert_eq!(session.environment(), &environment);
    assert!(format!("{session:?}").contains("logged_in: false"));
    let permit = Permit { generation: 7, ticket: 0, bearer: Bearer::new(Secret::new("t0ken")).unwrap() };
    assert_eq!(format!("{permit:?}"), "Permit { generation: 7, .. }");
}
