//! The fake server: wiremock on the loopback, answering with the sandbox.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use billing_core::sandbox::{Sandbox, SimulatedResponse};
use billing_core::{Environment, InvalidInput};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate, matchers};

use crate::wire;

/// A server that speaks HTTP/1.1 on a loopback port as Genesys Cloud would, with every fault that the sandbox has.
pub struct FakeServer {
    sandbox: Arc<Mutex<Sandbox>>,
    address: SocketAddr,
    gate: wire::Gate,
    server: MockServer,
    /// Runs the server and the wire, in threads of its own, so that blocking tests can use it too. Dropped last.
    runtime: Runtime,
}

impl FakeServer {
    /// Starts a server that answers with `sandbox`, at the time that `clock` shows when a request comes. Documents are at
    /// another port, and so at another origin.
    ///
    /// # Panics
    /// Panics if no loopback port is available.
    pub fn start(sandbox: Sandbox, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        let runtime =
            Runtime::new().unwrap_or_else(|error| panic!("no runtime for the fake server: {error}"));
        let gate = wire::Gate::new();
        let (server, address, documents) = runtime.block_on(async {
            let server = MockServer::start().await;
            let listen = async || {
                let address = wire::listen(*server.address(), gate.clone()).await;
                address.unwrap_or_else(|error| panic!("no port for the fake server: {error}"))
            };
            let (address, documents) = (listen().await, listen().await);
            (server, address, documents)
        });
        let documents = format!("http://{documents}").parse();
        let documents = documents.unwrap_or_else(|error| panic!("loopback addresses are allowed: {error}"));
        let sandbox = Arc::new(Mutex::new(sandbox.document_base_url(documents)));
        let responder = Responder { sandbox: Arc::clone(&sandbox), clock: Box::new(clock) };
        runtime.block_on(Mock::given(matchers::any()).respond_with(responder).mount(&server));
        Self { sandbox, address, gate, server, runtime }
    }

    /// Returns its base address: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment that has the API and the login service here.
    ///
    /// # Errors
    /// Never, as loopback addresses are allowed.
    pub fn environment(&self) -> Result<Environment, InvalidInput> {
        Ok(Environment::new(self.url().parse()?, self.url().parse()?))
    }

    /// The sandbox behind it, to queue faults and to read the log.
    pub fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the next request whose path holds `needle` on its way here.
    pub fn hold(&self, needle: &str) {
        self.gate.hold(needle);
    }

    /// Waits until the request to hold has been sent.
    pub fn await_held(&self) {
        self.runtime.block_on(self.gate.arrival());
    }

    /// Lets it go.
    pub fn release(&self) {
        self.gate.release();
    }

    /// Every request as wiremock saw it on the wire, headers and bodies included.
    pub fn received(&self) -> Vec<wiremock::Request> {
        self.runtime.block_on(self.server.received_requests()).unwrap_or_default()
    }
}

struct Responder {
    sandbox: Arc<Mutex<Sandbox>>,
    clock: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl Respond for Responder {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let mut plain = http::Request::new(Bytes::copy_from_slice(&request.body));
        *plain.method_mut() = request.method.clone();
        *plain.headers_mut() = request.headers.clone();
        match request.url.as_str().parse() {
            Ok(uri) => *plain.uri_mut() = uri,
            Err(_) => return ResponseTemplate::new(400),
        }
        let answer =
            self.sandbox.lock().unwrap_or_else(PoisonError::into_inner).respond(&plain, (self.clock)());
        match answer {
            SimulatedResponse::Response(response) => template(response),
            SimulatedResponse::Truncated(response, sent) => {
                template(response).insert_header(wire::CUT, sent.to_string())
            }
            SimulatedResponse::NoResponse => ResponseTemplate::new(200).insert_header(wire::CUT, "never"),
            _ => ResponseTemplate::new(200).insert_header(wire::CUT, "reset"),
        }
    }
}

fn template(response: http::Response<Bytes>) -> ResponseTemplate {
    let (head, body) = response.into_parts();
    let mut template = ResponseTemplate::new(head.status).set_body_bytes(body);
    for (name, value) in &head.headers {
        template = template.append_header(name, value);
    }
    template
}
