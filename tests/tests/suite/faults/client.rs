//! The two drivers behind one interface.

use std::sync::LazyLock;
use std::time::Duration;

use billing_core::calls::TrusteeOverviewCall;
use billing_core::machine::RetrySchedule;
use billing_core::session::Pacing;
use billing_core::{Credentials, Environment, Error, Exchange, Policy};
use tokio::runtime::Runtime;

use billing_tests::VirtualTime;
use billing_tests::raw_server::TRUSTOR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Ureq,
    Hyper,
}

/// A client of either driver.
#[derive(Clone)]
pub(crate) enum Client {
    Ureq(billing_ureq::Client),
    Hyper(billing_hyper::Client),
}

/// The settings of a client.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) environment: Environment,
    pub(crate) credentials: Credentials,
    pub(crate) policy: Policy,
    /// The certificate authority that the client trusts.
    pub(crate) pem: Option<Vec<u8>>,
    pub(crate) proxy: Proxy,
}

/// The proxy between a client and its server.
#[derive(Clone)]
pub(crate) enum Proxy {
    Nobody,
    /// The proxy that the process environment names.
    OfTheEnvironment,
    At(String),
}

impl Setup {
    /// Returns settings for a client with a token that makes one attempt.
    pub(crate) fn new(environment: Environment) -> Self {
        let credentials = Credentials::access_token("tok-0").expect("a token");
        Self { environment, credentials, policy: once(), pem: None, proxy: Proxy::Nobody }
    }

    /// Changes the settings: the client logs in instead of using a given token.
    pub(crate) fn with_login(self) -> Self {
        Self { credentials: Credentials::client("id", "s3cret").expect("credentials"), ..self }
    }

    pub(crate) fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    pub(crate) fn trusting(self, pem: &[u8]) -> Self {
        Self { pem: Some(pem.to_vec()), ..self }
    }

    pub(crate) fn through(self, proxy: Proxy) -> Self {
        Self { proxy, ..self }
    }

    pub(crate) fn ureq(self) -> billing_ureq::Client {
        self.ureq_builder().build().expect("a client")
    }

    fn ureq_builder(self) -> billing_ureq::Builder {
        let builder = billing_ureq::Client::builder(self.environment, self.credentials)
            .policy(self.policy)
            .pacing(UNPACED)
            .seed(1);
        let builder = match self.proxy {
            Proxy::Nobody => builder.no_proxy(),
            Proxy::OfTheEnvironment => builder,
            Proxy::At(url) => builder.proxy(url),
        };
        match self.pem {
            Some(pem) => builder.roots(billing_ureq::TlsRoots::Pem(pem)),
            None => builder,
        }
    }

    pub(crate) fn hyper(self) -> billing_hyper::Client {
        self.hyper_builder().build().expect("a client")
    }

    /// Builds a billing-hyper client in virtual time.
    pub(crate) fn hyper_at(self, time: VirtualTime) -> billing_hyper::Client {
        self.hyper_builder().clock(time).build().expect("a client")
    }

    fn hyper_builder(self) -> billing_hyper::Builder {
        let builder = billing_hyper::Client::builder(self.environment, self.credentials)
            .policy(self.policy)
            .pacing(UNPACED)
            .seed(1);
        let builder = match self.proxy {
            Proxy::Nobody => builder.no_proxy(),
            Proxy::OfTheEnvironment => builder,
            Proxy::At(url) => builder.proxy(url),
        };
        match self.pem {
            Some(pem) => builder.roots(billing_hyper::TlsRoots::Pem(pem)),
            None => builder,
        }
    }
}

impl Driver {
    pub(crate) const ALL: [Self; 2] = [Self::Ureq, Self::Hyper];

    pub(crate) fn client(self, setup: Setup) -> Client {
        match self {
            Self::Ureq => Client::Ureq(setup.ureq()),
            Self::Hyper => Client::Hyper(setup.hyper()),
        }
    }

    /// The same, or how the error of the builder reads.
    pub(crate) fn try_client(self, setup: Setup) -> Result<Client, String> {
        match self {
            Self::Ureq => setup.ureq_builder().build().map(Client::Ureq).map_err(|e| e.to_string()),
            Self::Hyper => setup.hyper_builder().build().map(Client::Hyper).map_err(|e| e.to_string()),
        }
    }
}

impl Client {
    /// Requests an overview under the client's policy and returns its [`outcome`].
    pub(crate) fn ask(&self) -> String {
        outcome(&self.overview(self.policy().clone()))
    }

    /// Requests an overview under another policy and returns its currency.
    pub(crate) fn overview(&self, policy: Policy) -> Result<Option<String>, Error> {
        let overview = match self {
            Self::Ureq(client) => client.run(overview(client.environment(), policy)),
            Self::Hyper(client) => RUNTIME.block_on(client.run(overview(client.environment(), policy))),
        };
        overview.map(|overview| overview.currency)
    }

    pub(crate) fn policy(&self) -> &Policy {
        match self {
            Self::Ureq(client) => client.policy(),
            Self::Hyper(client) => client.policy(),
        }
    }
}

/// Builds the machine that requests an overview.
pub(crate) fn overview(environment: &Environment, policy: Policy) -> Exchange<TrusteeOverviewCall> {
    Exchange::new(call(), environment.api().clone(), policy)
}

pub(crate) fn call() -> TrusteeOverviewCall {
    TrusteeOverviewCall::new(TRUSTOR.parse().expect("an id"))
}

/// Returns `ok`, or the name of the error's kind; for a transport error, the name of its own kind.
pub(crate) fn outcome<T>(result: &Result<T, Error>) -> String {
    let Err(error) = result else { return "ok".to_owned() };
    let told = format!("{error} {error:?}");
    assert!(!told.contains("tok-0") && !told.contains("s3cret"), "{told}");
    let kind = match error.transport() {
        Some(transport) => format!("{:?}", transport.kind()),
        None => format!("{:?}", error.kind()),
    };
    kind.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// Returns a policy of one attempt. The bound of a body is small, so that a test reaches it quickly.
pub(crate) fn once() -> Policy {
    let retries = RetrySchedule { max_retries: 0, ..at_once() };
    Policy { retry: retries, max_decode_retries: 0, max_body: 1 << 20, ..Policy::default() }
}

/// Returns a policy of one attempt with this timeout in milliseconds.
pub(crate) fn once_within(millis: u64) -> Policy {
    Policy { attempt_timeout: Some(Duration::from_millis(millis)), ..once() }
}

/// Returns that policy with two retries without a pause. A server that closes a connection after its answer can cross the
/// next request, so that the second attempt may be lost too.
pub(crate) fn retrying_within(millis: u64) -> Policy {
    Policy {
        retry: RetrySchedule { max_retries: 2, ..at_once() },
        max_decode_retries: 1,
        ..once_within(millis)
    }
}

/// Returns a retry schedule without pauses.
pub(crate) fn at_once() -> RetrySchedule {
    RetrySchedule { initial_delay: Duration::ZERO, ..RetrySchedule::default() }
}

const UNPACED: Pacing = Pacing { min_interval: None };

/// The runtime for the table's billing-hyper calls.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});
