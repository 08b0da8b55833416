//! Many organisations, by a few threads.

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
/// All of it happens on the thread that runs it, but for the exchanges themselves: these have a few threads, which know
/// nothing else and end with the run.
///
/// With a journal a run that was killed goes on where it was:
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
    /// So many requests out at a time, each with a thread, are the default.
    pub const AT_ONCE: usize = fleet::Fleet::<LockedSession>::DEFAULT_IN_FLIGHT;

    pub(crate) fn new(client: Client, plan: &FleetPlan) -> Self {
        let fleet = fleet::Fleet::new(plan, client.policy_with_new_seed(), client.parts().session.clone());
        Self { fleet, client, threads: Self::AT_ONCE }.at_once(Self::AT_ONCE)
    }

    /// With so many requests out at a time, at least one, and as many threads.
    pub fn at_once(self, requests: usize) -> Self {
        let threads = requests.max(1);
        Self { fleet: self.fleet.max_in_flight(threads), threads, ..self }
    }

    /// Takes in what is known already, a finding of a journal: it is not asked for again.
    pub fn restore(&mut self, finding: &PeriodResult) {
        self.fleet.restore(finding);
    }

    /// Runs it. `on_update` is told, on this thread, of each finding as it comes and before each wait of all; it is to be
    /// quick, or else the quota is not used to the full. By [`ControlFlow::Break`] it stops the run: requests that are out are
    /// awaited, and nothing of them is told.
    ///
    /// # Errors
    /// When something concerns every organisation. What goes wrong with one is among the findings.
    pub fn run(
        self,
        on_update: impl FnMut(FleetUpdate) -> ControlFlow<()>,
    ) -> Result<FleetProgress, Aborted> {
        self.run_watched(on_update, |_| ())
    }

    /// The same; `watch` is told of requests and replies.
    ///
    /// # Errors
    /// As [`Fleet::run`].
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
            // Dropped when this ends, however it does: then the threads end too.
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

/// One exchange to perform.
struct Job {
    request: Box<Request>,
    flight: RequestHandle,
}

/// One exchange, performed.
struct CompletedRequest {
    job: Job,
    reply: Reply,
    elapsed: Duration,
}

/// The exchanges on their way through the threads.
struct WorkerPool<'a> {
    parts: &'a ClientInner,
    outgoing: Sender<Job>,
    done: Sender<WorkerResult>,
    replies: Receiver<WorkerResult>,
    threads: usize,
    in_flight: usize,
}

/// Or the panic that it ended in.
type WorkerResult = Result<CompletedRequest, Box<dyn Any + Send>>;

impl WorkerPool<'_> {
    fn begin(&mut self, job: Job) {
        self.in_flight += 1;
        // What receives these lives as long as this does.
        if self.threads > 0 {
            drop(self.outgoing.send(job));
        } else {
            // The system has no thread to spare.
            drop(self.done.send(Ok(perform(self.parts, job))));
        }
    }

    /// The next that is performed, or none within that time.
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

/// What a thread does: exchanges, as long as there are any.
fn worker_loop(parts: &ClientInner, jobs: &Mutex<Receiver<Job>>, done: &Sender<WorkerResult>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Without a word of a panic, whoever waits for the reply would wait for ever.
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
