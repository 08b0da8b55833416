//! What becomes of one attempt.

#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use billing_core::Error;
use billing_core::model::TrusteeOverview;
use billing_ureq as driver;

#[path = "support/attempts.rs"]
mod attempts;
mod support;
use attempts::{ELSEWHERE, assert_tunnelled, client, elsewhere, overview, proxy_url};
use support::{OVERVIEW, Server, TRUSTOR, respond};

fn get_overview(client: &driver::Client) -> Result<TrusteeOverview, Error> {
    client.trustee_overview(TRUSTOR.parse().expect("an id"), None)
}

#[test]
fn plain_http_goes_through_the_tunnel_of_the_proxy_too() {
    let server = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    let proxy = support::tunnel_to(server.address());
    overview(client(elsewhere("")).proxy(proxy_url(proxy.address()))).expect("an overview");
    assert_tunnelled(&proxy, ELSEWHERE);
}
