//! The outcomes of one attempt of billing-hyper.

use std::sync::LazyLock;

use billing_core::Error;
use billing_core::model::TrusteeOverview;
use billing_hyper as driver;
use tokio::runtime::Runtime;

#[path = "attempts.rs"]
#[expect(clippy::duplicate_mod, reason = "both drivers pass the same tests")]
mod attempts;
use attempts::{ELSEWHERE, client, elsewhere, overview, proxy_url};
use billing_tests::loopback::{self, OVERVIEW, Server, TRUSTOR, respond};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn get_overview(client: &driver::Client) -> Result<TrusteeOverview, Error> {
    RUNTIME.block_on(client.trustee_overview(TRUSTOR.parse().expect("an id"), None))
}

#[test]
fn plain_http_is_forwarded_by_the_proxy() {
    let proxy = Server::http(|_, wire| respond(wire, 200, "", OVERVIEW));
    overview(client(elsewhere("/base")).proxy(proxy_url(proxy.address()))).expect("an overview");
    let head = proxy.requests().remove(0);
    let line =
        format!("GET http://{ELSEWHERE}/base/api/v2/billing/trusteebillingoverview/{TRUSTOR} HTTP/1.1\r\n");
    assert!(head.starts_with(&line), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nproxy-authorization: basic dxnlcjpzm2nyzxq=\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {ELSEWHERE}\r\n")), "{head}");
}

#[test]
fn a_socks_proxy_is_spoken_to_as_one() {
    let proxy = Server::raw(|mut stream| {
        let mut greeting = [0; 3];
        std::io::Read::read_exact(&mut stream, &mut greeting).ok();
        assert_eq!(greeting, [5, 1, 0]);
        std::io::Write::write_all(&mut stream, &[5, 0xff]).ok();
    });
    let error = overview(
        client(loopback::environment("https://127.0.0.1:1")).proxy(format!("socks5h://{}", proxy.address())),
    )
    .expect_err("a refusal");
    let connect = billing_core::TransportErrorKind::Connect;
    assert_eq!(*error.kind(), billing_core::ErrorKind::Transport(connect), "{error}");
}
