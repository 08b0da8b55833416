//! One way to run a machine, or whatever else a client does, through each of the transports.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::sandbox::{LogEntry, Sandbox};
use billing_core::session::Pacing;
use billing_core::{Authorized, BaseUrl, Credentials, Environment, Error, Machine, Policy, Session};

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

/// The result of running a machine.
#[derive(Debug)]
pub struct Driven<T> {
    /// Its outcome.
    pub result: Result<T, Error>,
    /// The requests that the server received.
    pub log: Vec<LogEntry>,
}

/// The stage for something that a client does.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The server.
    pub sandbox: Sandbox,
    /// The time of client and server.
    pub time: VirtualTime,
    /// The client's credentials.
    pub credentials: Credentials,
    /// The client's policy.
    pub policy: Policy,
    /// The environment that the client uses, if it differs from the server's.
    pub elsewhere: Option<Environment>,
}

/// A client of the sandbox without a transport.
#[derive(Debug)]
pub struct Memory {
    sandbox: Sandbox,
    session: Rc<RefCell<Session>>,
    time: VirtualTime,
    policy: Policy,
}

impl Memory {
    /// The address of the API.
    pub fn api(&self) -> BaseUrl {
        self.sandbox.environment().api().clone()
    }

    /// The policy of whatever it does.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Runs a machine to its end.
    ///
    /// # Errors
    /// Returns the error of the machine.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, Error> {
        let mut now = self.time.now();
        let machine = Authorized::new(machine, Rc::clone(&self.session));
        let result = self.sandbox.run(machine, &mut now, |_| {});
        self.time.advance_to(now);
        result
    }
}

impl Transport {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Ureq, Self::Hyper];

    /// Runs the machine that `make` makes for an API address and a policy, against `sandbox`, in virtual time from `time`
    /// on. `elsewhere` puts the client's environment to another place than the server's.
    ///
    /// # Panics
    /// Panics if a client or server cannot be started.
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
        let stage = Stage { sandbox, time: time.clone(), credentials, policy: policy.clone(), elsewhere };
        let (result, log) = self.act(
            stage,
            |memory| memory.run(make(memory.api(), memory.policy())),
            |client| client.run(make(client.environment().api().clone(), policy.clone())),
            async |client| client.run(make(client.environment().api().clone(), policy.clone())).await,
        );
        Driven { result, log }
    }

    /// Does one thing through this transport, and gives what came of it and what the server saw.
    ///
    /// # Panics
    /// Panics if a client or server cannot be started.
    pub fn act<T>(
        self,
        stage: Stage,
        in_memory: impl FnOnce(&mut Memory) -> T,
        blocking: impl FnOnce(billing_ureq::Client) -> T,
        in_tasks: impl AsyncFnOnce(billing_hyper::Client) -> T,
    ) -> (T, Vec<LogEntry>) {
        let Stage { sandbox, time, credentials, policy, elsewhere } = stage;
        let pacing = Pacing::default();
        if self == Self::Memory {
            let session = Session::with_pacing(sandbox.environment(), credentials, pacing, SEED);
            let mut memory = Memory { sandbox, session: Rc::new(RefCell::new(session)), time, policy };
            let result = in_memory(&mut memory);
            return (result, memory.sandbox.log().to_vec());
        }
        let clock = time.clone();
        let server = FakeServer::start(sandbox, move || clock.now());
        let environment = elsewhere
            .or_else(|| server.environment().ok())
            .unwrap_or_else(|| panic!("loopback addresses are allowed"));
        let result = match self {
            Self::Ureq => blocking(
                billing_ureq::Client::builder(environment, credentials)
                    .no_proxy()
                    .policy(policy)
                    .pacing(pacing)
                    .seed(SEED)
                    .clock(time)
                    .build()
                    .unwrap_or_else(|error| panic!("no client: {error}")),
            ),
            _ => {
                let runtime =
                    tokio::runtime::Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}"));
                runtime.block_on(async {
                    let client = billing_hyper::Client::builder(environment, credentials)
                        .no_proxy()
                        .policy(policy)
                        .pacing(pacing)
                        .seed(SEED)
                        .clock(time)
                        .build()
                        .unwrap_or_else(|error| panic!("no client: {error}"));
                    in_tasks(client).await
                })
            }
        };
        let log = server.sandbox().log().to_vec();
        (result, log)
    }
}

/// The seed of the sessions, so that all transports wait alike.
const SEED: u64 = 7;
