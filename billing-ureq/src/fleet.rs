//! A run over many organisations, on a few worker threads.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use billing_core::fleet::{self, Aborted, FleetPlan, FleetProgress, FleetStep, FleetUpdate, RequestHandle};
use billing_core::history::PeriodResult;
use billing_core::{Event, Reply, Request};

use crate::Client;
use crate::client::ClientInner;
use crate::clock::time_until;
use crate::session::LockedSession;

/// A run over many organisations; see [`Client::fleet`].
///
/// The run and its callbacks stay on the calling thread. Worker threads perform the requests and end with
/// the run.
///
/// A run with a journal can be continued after it was killed:
///
/// ```no_run
/// use std::fs::OpenOptions;
/// use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
/// use std::ops::ControlFlow;
/// use std::time::SystemTime;
///
/// use billing_core::fleet::journal::{JournalEntry, Journal, JournalReader};
/// use billing_core::fleet::FleetPlan;
/// use billing_core::{OrgId, PeriodSelection};
/// use billing_ureq::Client;
///
/// fn year(client: &Client, organizations: Vec<OrgId>) -> Result<(), Box<dyn std::error::Error>> {
///     let (api, now) = (client.environment().api().clone(), SystemTime::now().into());
///     let plan = FleetPlan::new(organizations, PeriodSelection::year(2026)?, api, now);
///     let mut fleet = client.fleet(&plan);
///
///     // What an earlier run has found, if there was one. (It is about customers: let nobody else read the file.)
///     let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open("2026.journal")?;
///     file.try_lock()?; // The lines of two runs would spoil it.
///     let (mut reader, mut lines, mut line) = (JournalReader::default(), BufReader::new(&file), Vec::new());
///     while lines.read_until(b'\n', &mut line)? > 0 {
///         match reader.read_line(&line)? {
///             Some(JournalEntry::Plan(of)) => of.check_resumable_as(&plan)?,
///             Some(JournalEntry::Result(result)) => fleet.restore(&result),
///             None => {}
///         }
///         line.clear();
///     }
///     let (mut journal, first, good) = match reader.finish() {
///         Some((journal, good)) => (journal, String::new(), good),
///         None => {
///             let (journal, first) = Journal::create(&plan);
///             (journal, first, 0)
///         }
///     };
///     file.set_len(good)?;
///     file.seek(SeekFrom::End(0))?;
///     file.write_all(first.as_bytes())?;
///     file.sync_data()?;
///
///     let mut broken = None;
///     let progress = fleet.run(|update| {
///         let line = update.result.as_ref().and_then(|result| journal.line_for(result));
///         if let Some(Err(error)) = line.map(|line| file.write_all(line.as_bytes()).and_then(|()| file.sync_data())) {
///             broken = Some(error);
///             return ControlFlow::Break(());
///         }
///         eprintln!("{}", update.progress);
///         ControlFlow::Continue(())
///     })?;
///     broken.map_or(Ok(()), |error| Err(error.into()))
/// }
/// ```
#[derive(Debug)]
#[must_use = "it does nothing unless it is run"]
pub struct Fleet {
    fleet: fleet::Fleet<LockedSession>,
    client: Client,
    threads: usize,
}

impl Fleet {
    /// The default number of requests in flight; each has a thread of its own.
    pub const AT_ONCE: usize = fleet::Fleet::<LockedSession>::DEFAULT_IN_FLIGHT;

    pub(crate) fn new(client: Client, plan: &FleetPlan) -> Self {
        let fleet = fleet::Fleet::new(plan, client.policy_with_new_seed(), client.parts().session.clone());
        Self { fleet, client, threads: Self::AT_ONCE }.at_once(Self::AT_ONCE)
    }

    /// Sets the number of requests in flight, at least one, and the number of worker threads to match.
    pub fn at_once(self, requests: usize) -> Self {
        let threads = requests.max(1);
        Self { fleet: self.fleet.max_in_flight(threads), threads, ..self }
    }

    /// Adds a result from a journal, so that its period is not requested again.
    pub fn restore(&mut self, finding: &PeriodResult) {
        self.fleet.restore(finding);
    }

    /// Runs until every organisation is done. Calls `on_update` on this thread with each result, and before
    /// each wait in which no request is in flight. Return quickly from `on_update`: a slow callback leaves
    /// part of the quota unused. [`ControlFlow::Break`] stops the run: it waits for the requests in flight
    /// and reports none of their results.
    ///
    /// # Errors
    /// Returns an error if a failure concerns every organisation. A failure of a single organisation is one
    /// of the results.
    pub fn run(
        self,
        on_update: impl FnMut(FleetUpdate) -> ControlFlow<()>,
    ) -> Result<FleetProgress, Aborted> {
        self.run_watched(on_update, |_| ())
    }

    /// Does the same and calls `watch` with each request and each reply.
    ///
    /// # Errors
    /// See [`Fleet::run`].
    pub fn run_watched(
        self,
        mut on_update: impl FnMut(FleetUpdate) -> ControlFlow<()>,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<FleetProgress, Aborted> {
        let Self { mut fleet, client, threads } = self;
        let parts = client.parts();
        let (outgoing, jobs) = channel();
        let (done, replies) = channel();
        let jobs = Mutex::new(jobs);
        thread::scope(|scope| {
            let begin = |_: &usize| {
                let (jobs, done) = (&jobs, done.clone());
                thread::Builder::new().spawn_scoped(scope, move || worker_loop(parts, jobs, &done)).is_ok()
            };
            let threads = (0..threads).take_while(begin).count();
            // The pool is dropped however this scope ends, which closes the channel and ends the threads.
            let mut exchanges = WorkerPool { parts, outgoing, done, replies, threads, in_flight: 0 };
            loop {
                let seen = parts.session.revision();
                match fleet.step(parts.clock.now()) {
                    FleetStep::Send(request, flight) => {
                        watch(Event::Sending(&request));
                        exchanges.begin(Job { request, flight });
                    }
                    FleetStep::Result(finding) => {
                        let now = parts.clock.now();
                        if on_update(fleet.update(Some(finding), now)).is_break() {
                            return Ok(fleet.progress(now));
                        }
                    }
                    FleetStep::Wait(until) if exchanges.in_flight > 0 => {
                        let at_most = until.map(|until| time_until(parts.clock.now(), until));
                        if let Some(CompletedRequest { job, reply, elapsed }) = exchanges.next(at_most) {
                            watch(Event::from_reply(&job.request, &reply, elapsed));
                            fleet.receive(job.flight, reply, parts.clock.now());
                        }
                    }
                    FleetStep::Wait(until) => {
                        let now = parts.clock.now();
                        if on_update(fleet.update(None, now)).is_break() {
                            return Ok(fleet.progress(now));
                        }
                        let until = until.unwrap_or(now);
                        if fleet.awaits_login() {
                            parts.session.wait_past(seen, time_until(now, until));
                        } else {
                            parts.clock.sleep_until(until);
                        }
                    }
                    FleetStep::Done(result) => return result.map(|()| fleet.progress(parts.clock.now())),
                }
            }
        })
    }
}

/// A request to perform.
struct Job {
    request: Box<Request>,
    flight: RequestHandle,
}

/// A request that was performed, with its reply.
struct CompletedRequest {
    job: Job,
    reply: Reply,
    elapsed: Duration,
}

/// The worker threads and the channels to and from them.
struct WorkerPool<'a> {
    parts: &'a ClientInner,
    outgoing: Sender<Job>,
    done: Sender<WorkerResult>,
    replies: Receiver<WorkerResult>,
    threads: usize,
    in_flight: usize,
}

/// A completed request, or the panic payload of the worker that performed it.
type WorkerResult = Result<CompletedRequest, Box<dyn Any + Send>>;

impl WorkerPool<'_> {
    fn begin(&mut self, job: Job) {
        self.in_flight += 1;
        // Sending cannot fail: the receivers live as long as this pool.
        if self.threads > 0 {
            drop(self.outgoing.send(job));
        } else {
            // No worker thread could be started, so this thread performs the request itself.
            drop(self.done.send(Ok(perform(self.parts, job))));
        }
    }

    /// Waits for the next completed request, for at most `at_most`. Returns `None` when that time is over.
    fn next(&mut self, at_most: Option<Duration>) -> Option<CompletedRequest> {
        let answered = match at_most {
            Some(at_most) => self.replies.recv_timeout(at_most),
            None => self.replies.recv().map_err(RecvTimeoutError::from),
        };
        match answered {
            Ok(Ok(answered)) => {
                self.in_flight -= 1;
                Some(answered)
            }
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => None,
        }
    }
}

/// Performs jobs until the channel closes.
fn worker_loop(parts: &ClientInner, jobs: &Mutex<Receiver<Job>>, done: &Sender<WorkerResult>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Report a panic as a result: the run would otherwise wait forever for this reply.
        let performed = catch_unwind(AssertUnwindSafe(|| perform(parts, job)));
        if done.send(performed).is_err() {
            return;
        }
    }
}

fn perform(parts: &ClientInner, job: Job) -> CompletedRequest {
    let begun = Instant::now();
    let reply = parts.transport.perform(&job.request, parts.clock.now());
    CompletedRequest { job, reply, elapsed: begun.elapsed() }
}
