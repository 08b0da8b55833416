//! One way to run a machine through each of the transports.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::sandbox::{Logged, Sandbox};
use billing_core::{Authorized, BaseUrl, Credentials, Environment, Error, Machine, Pacing, Policy, Session};

use crate::{FakeServer, VirtualTime};

/// The transports that must behave alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// No transport: the sandbox is called as a function.
    Memory,
    /// The blocking driver, over real HTTP.
    Ureq,
    /// The async driver, over real HTTP.
    Hyper,
}

/// What came of running a machine.
#[derive(Debug)]
pub struct Driven<T> {
    /// Its outcome.
    pub result: Result<T, Error>,
    /// What the server saw.
    pub log: Vec<Logged>,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Ureq, Self::Hyper];

    /// Runs the machine that `make` makes for an API address and a policy, against `sandbox`, in virtual time from `time`
    /// on. `elsewhere` puts the client's environment to another place than the server's.
    ///
    /// # Panics
    /// When no client or server can be made.
    pub fn drive<M>(
        self,
        sandbox: Sandbox,
        time: &VirtualTime,
        credentials: Credentials,
        policy: Policy,
        elsewhere: Option<Environment>,
        make: impl Fn(BaseUrl, Policy) -> M,
    ) -> Driven<M::Output>
    where
        M: Machine + Send,
        M::Output: Send,
    {
        let pacing = Pacing::default();
        if self == Self::Memory {
            let mut sandbox = sandbox;
            let environment = sandbox.environment();
            let machine = make(environment.api().clone(), policy);
            let session = Session::with(environment, credentials, pacing, SEED);
            let mut now = time.now();
            let result =
                sandbox.run(Authorized::new(machine, Rc::new(RefCell::new(session))), &mut now, |_| {});
            time.advance_to(now);
            return Driven { result, log: sandbox.log().to_vec() };
        }
        let clock = time.clone();
        let server = FakeServer::start(sandbox, move || clock.now());
        let environment = elsewhere
            .or_else(|| server.environment().ok())
            .unwrap_or_else(|| panic!("loopback addresses are allowed"));
        let machine = make(environment.api().clone(), policy.clone());
        let result = match self {
            Self::Ureq => billing_ureq::Client::builder(environment, credentials)
                .policy(policy)
                .pacing(pacing)
                .seed(SEED)
                .clock(time.clone())
                .build()
                .unwrap_or_else(|error| panic!("no client: {error}"))
                .run(machine),
            _ => {
                let runtime =
                    tokio::runtime::Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}"));
                runtime.block_on(async {
                    billing_hyper::Client::builder(environment, credentials)
                        .policy(policy)
                        .pacing(pacing)
                        .seed(SEED)
                        .clock(time.clone())
                        .build()
                        .unwrap_or_else(|error| panic!("no client: {error}"))
                        .run(machine)
                        .await
                })
            }
        };
        let log = server.sandbox().log().to_vec();
        Driven { result, log }
    }
}

/// The seed of the sessions, so that all transports wait alike.
const SEED: u64 = 7;
