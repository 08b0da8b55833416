//! The outcomes of one attempt of billing-ureq.

use billing_core::Error;
use billing_core::model::TrusteeOverview;
use billing_ureq as driver;

#[path = "attempts.rs"]
#[expect(clippy::duplicate_mod, reason = "both drivers pass the same tests")]
mod attempts;
use attempts::{ELSEWHERE, assert_tunnelled, client, elsewhere, overview, proxy_url};
use billing_tests::loopback::{self, OVERVIEW, Server, TRUSTOR, respond};

fn get_overview(client: &driver::Client) -> Result<TrusteeOverview, Error> {
    client.trustee_overview(TRUSTOR.parse().expect("an id"), None)
}

#[test]
fn plain_http_goes_through_the_tunnel_of_the_proxy_too() {
    let server = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    let proxy = loopback::tunnel_to(server.address());
    overview(client(elsewhere("")).proxy(proxy_url(proxy.address()))).expect("an overview");
    assert_tunnelled(&proxy, ELSEWHERE);
}
