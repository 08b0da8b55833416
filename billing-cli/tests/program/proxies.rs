//! Tests of proxies in the environment: plain HTTP to a loopback address uses none.

use billing_tests::raw_server::{RawServer, TRUSTOR};

use crate::process::{program, stderr};

#[test]
fn d09_what_stays_on_this_machine_is_not_shown_to_a_proxy() {
    for variable in ["http_proxy", "ALL_PROXY"] {
        let proxy = RawServer::start(|_, _| ());
        let server = RawServer::start(|_, wire| wire.serve_well());
        let here = format!("http://{}", server.address());
        let output = program()
            .env(variable, format!("http://{}", proxy.address()))
            .env("GENESYSCLOUD_OAUTHCLIENT_ID", "id")
            .env("GENESYSCLOUD_OAUTHCLIENT_SECRET", "s3cret")
            .env("GENESYSCLOUD_API_URL", &here)
            .env("GENESYSCLOUD_LOGIN_URL", &here)
            .args(["overview", TRUSTOR])
            .output()
            .expect("the program");
        assert!(output.status.success(), "{variable}: {}", stderr(&output));
        let seen = (server.count("/oauth/token"), server.count(TRUSTOR), proxy.connections());
        assert_eq!(seen, (1, 1, 0), "{variable}");
    }
}

#[test]
fn d09_a_variable_that_is_nonsense_is_named_and_its_value_is_not() {
    let output = program()
        .env("HTTPS_PROXY", "gopher://user:s3cret@proxy")
        .env("GENESYSCLOUD_ACCESS_TOKEN", "tok-0")
        .args(["overview", TRUSTOR])
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert!(told.contains("HTTPS_PROXY") && !told.contains("s3cret"), "{told}");
}
