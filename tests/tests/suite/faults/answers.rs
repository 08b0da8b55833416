//! A server that answers every request of a client in small pieces, so that the client has many awaits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use billing_tests::raw_server::{OVERVIEW, RawServer, Wire};

/// Starts a server that answers every request.
pub(crate) fn server() -> RawServer {
    let answers = Answers::default();
    RawServer::start(move |_, wire| answers.serve(wire))
}

/// The state of the answers. Each operation takes as many requests as it can: a report that is pending once and then
/// complete, lists of two pages, and so on. Only overviews have quota headers: five requests a minute, one of them used.
#[derive(Default)]
pub(crate) struct Answers {
    polls: AtomicUsize,
}

impl Answers {
    /// Answers requests until the client closes the connection.
    pub(crate) fn serve(&self, wire: &mut Wire) {
        while let Some(head) = wire.request() {
            self.answer(&head, wire);
        }
    }

    pub(crate) fn answer(&self, head: &str, wire: &mut Wire) {
        let quota = "inin-ratelimit-allowed: 5\r\ninin-ratelimit-count: 1\r\ninin-ratelimit-reset: 60\r\n";
        let headers = if head.contains("trusteebillingoverview") { quota } else { "" };
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let scheme = if wire.is_tls() { "https" } else { "http" };
        let target = head.split(' ').nth(1).unwrap_or_default();
        in_pieces(wire, headers, &self.body(target, &format!("{scheme}://{host}")));
    }

    /// Returns the body for a target. Document addresses begin with `here`.
    pub(crate) fn body(&self, target: &str, here: &str) -> String {
        let path = target.split('?').next().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "token" => r#"{"access_token":"tok-1","token_type":"bearer","expires_in":999999}"#.to_owned(),
            "billableusage" => {
                let complete = self.polls.fetch_add(1, Ordering::SeqCst) % 2 == 1;
                let status = if complete { "Complete" } else { "InProgress" };
                format!(r#"{{"status":"{status}","usages":[]}}"#)
            }
            "trustors" | "contracts" | "invoices" | "lines" if !target.contains("second") => {
                format!(r#"{{"entities":[{{}},{{}}],"nextUri":"{path}?second=page"}}"#)
            }
            "trustors" | "contracts" | "invoices" | "lines" => r#"{"entities":[{}]}"#.to_owned(),
            "document" => format!(r#"{{"url":"{here}/1.pdf?signature=s"}}"#),
            "1.pdf" => "%PDF-1.4 and the rest".to_owned(),
            _ if path.contains("trusteebillingoverview") => OVERVIEW.to_owned(),
            _ => r#"{"id":"one","name":"Some"}"#.to_owned(),
        }
    }
}

fn in_pieces(wire: &mut Wire, headers: &str, body: &str) {
    let (half, rest) = body.split_at(body.len() / 2);
    wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len()));
    for piece in [&format!("{headers}\r\n"), half, rest] {
        thread::sleep(A_LITTLE);
        wire.send(piece);
    }
}

/// The pause between two pieces.
pub(crate) const A_LITTLE: Duration = Duration::from_millis(2);
