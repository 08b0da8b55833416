//! One request in flight to the server and back.

use billing_core::{Request, TransportErrorKind};
use bytes::Bytes;
use chrono::TimeDelta;

use super::checker::Violation;
use super::fault::Fault;
use super::life::Out;
use super::network::{Arriving, encoded, instead, upon};
use super::server::Served;
use super::trace::{Event, Kind, Next, Origin, Says, What, text};
use super::world::{Act, BARE, State, World, base};
use super::{network, reading};

/// A request in flight.
pub(super) struct Flight {
    request: Box<Request>,
    /// The request as sent on the wire.
    http: http::Request<Bytes>,
    to: Origin,
    /// The digests of its token and of the rest of it.
    digest: (u64, u64),
    fault: Option<Fault>,
    /// The time that the answer takes, in milliseconds.
    back: i64,
    /// The time at which the driver gives up.
    until: i64,
    /// The arriving answer, and its next link if it is a page.
    arriving: Option<(Arriving, Option<Next>)>,
}

impl<W: FnMut(&Event)> World<W> {
    /// Sends a request. Its delays and faults are drawn here; only the server's answer is not.
    pub(super) fn send(
        &mut self,
        slot: usize,
        request: Box<Request>,
        out: Box<dyn Out>,
    ) -> Result<(), Violation> {
        let timeout = i64::try_from(request.timeout(self.local(slot)).as_millis()).unwrap_or(i64::MAX);
        let mut http = request.http().clone();
        if self.slots[slot].process.is_none() {
            self.token_for_bare(slot, &mut http);
        }
        let about = (self.slots[slot].kind, self.slots[slot].organization);
        let shown = reading::request(&http, &self.environment, about, timeout);
        let (to, digest) = (shown.to, (text(shown.authorization.as_deref()), shown.digest));
        self.see(slot, What::Sends(shown))?;
        let fault = self.fault(slot, to);
        let (there, mut back) =
            (self.chance.millis(self.scenario.delay), self.chance.millis(self.scenario.delay));
        if fault == Some(Fault::Slow) {
            back += self.chance.millis(70_000);
        }
        let until = self.now.saturating_add(timeout);
        let failure = fault.and_then(Fault::before);
        let arriving = failure.map(|kind| (Arriving::from(kind), None));
        let flight = Flight { request, http, to, digest, fault, back, until, arriving };
        self.slots[slot].state = State::Out(out, Box::new(flight));
        match failure {
            // The connection closes before the request arrives, so the server never sees it.
            _ if there >= timeout => self.due(until, slot, Act::Deliver),
            Some(_) => self.due(self.now + there, slot, Act::Deliver),
            None => self.due(self.now + there, slot, Act::Arrive),
        }
        if self.chance.permille(self.scenario.dropped) {
            let patience = self.chance.millis(timeout.min(2 * self.scenario.delay + 10));
            self.due(self.now + patience, slot, Act::Drop);
        }
        Ok(())
    }

    /// Returns the fault of the next exchange, if any.
    fn fault(&mut self, slot: usize, to: Origin) -> Option<Fault> {
        if self.scenario.calm.is_some_and(|calm| self.now >= calm) {
            return None;
        }
        let fault = match self.burst {
            Some((fault, left)) if left > 0 => {
                self.burst = Some((fault, left - 1));
                fault
            }
            _ => {
                if !self.chance.permille(self.scenario.faults) {
                    return None;
                }
                let fault = self.chance.pick(&self.scenario.kinds);
                let left = self.chance.below(self.scenario.burst + 1);
                self.burst = (!fault.is_final()).then_some((fault, left));
                fault
            }
        };
        // Faults that end an operation or a session are rarer, because they would hide everything else.
        let rare = match (fault, to) {
            (Fault::InvalidClient, _)
            | (Fault::Refused | Fault::Unauthorized | Fault::Echo, Origin::Login) => 50,
            _ if fault.is_final() => 250,
            _ => 1_000,
        };
        // The core does not know the token of an operation without a session, so it cannot renew it.
        let strikes =
            self.chance.permille(rare) && (fault != Fault::Echo || self.slots[slot].process.is_some());
        if strikes {
            self.tally.strike(fault);
        }
        strikes.then_some(fault)
    }

    /// Delivers the request to the server.
    pub(super) fn arrive(&mut self, slot: usize) -> Result<(), Violation> {
        let State::Out(out, mut flight) = std::mem::replace(&mut self.slots[slot].state, State::Empty) else {
            return Ok(());
        };
        let now = base() + TimeDelta::milliseconds(self.now);
        let struck = flight.fault.and_then(|fault| instead(fault, &flight.http, now, &mut self.chance));
        let (mut arriving, next) = match struck {
            Some(arriving) => (arriving, None),
            None => {
                let owner = self.slots[slot].process.unwrap_or(BARE + slot);
                if flight.fault == Some(Fault::Revoked) {
                    self.server.revoke(owner);
                    self.see(slot, What::Meanwhile("the server forgets the tokens of its session"))?;
                }
                let mut served = self.server.serve(&flight.http, owner, self.now, now);
                if let Some(over) = served.over {
                    self.see(slot, What::Counts { over })?;
                }
                if flight.fault == Some(Fault::Twice) {
                    served = self.server.serve(&flight.http, owner, self.now, now);
                }
                if flight.to == Origin::Api {
                    let replayed = flight.fault == Some(Fault::Replayed);
                    self.replay(flight.digest, &mut served, replayed);
                }
                let next = served.next;
                match flight.fault {
                    Some(fault) => {
                        (upon(fault, served, flight.request.max_body(), now, &mut self.chance), next)
                    }
                    None => (Arriving::from(served.response), next),
                }
            }
        };
        if self.scenario.gzip && !self.scenario.sandbox {
            compress(&mut arriving);
        }
        let silent = matches!(arriving.response, Err(TransportErrorKind::Timeout));
        let at = if silent { flight.until } else { (self.now + flight.back).min(flight.until) };
        if at < flight.until {
            flight.arriving = Some((arriving, next));
        }
        self.slots[slot].state = State::Out(out, flight);
        self.due(at, slot, Act::Deliver);
        Ok(())
    }

    /// Replaces this answer by an earlier one, or stores it for later.
    fn replay(&mut self, digest: (u64, u64), served: &mut Served, replayed: bool) {
        let before = self.answers.get(&digest);
        if let Some((response, next)) = before.filter(|_| replayed) {
            (served.response, served.next) = (response.clone(), *next);
            self.tally.note("answers of before", 1);
        } else if before.is_none() || self.chance.fork(9).permille(300) {
            self.answers.insert(digest, (served.response.clone(), served.next));
        }
    }

    /// Delivers the answer, or its failure, to the client.
    pub(super) fn deliver(&mut self, slot: usize) -> Result<(), Violation> {
        let State::Out(out, flight) = std::mem::replace(&mut self.slots[slot].state, State::Empty) else {
            return Ok(());
        };
        let (arriving, next) = flight.arriving.unwrap_or_else(|| (TransportErrorKind::Timeout.into(), None));
        let place = &mut self.slots[slot];
        place.astray |= arriving.corrupted && place.kind == Kind::List;
        let corrupted = arriving.corrupted || place.astray;
        let reply = arriving.read(flight.request.max_body(), &mut self.chance);
        let local = self.local(slot);
        let read = reading::reply(&reply, (self.slots[slot].kind, flight.to), corrupted, next, local);
        if let Says::Token(token, _) = &read.says {
            self.checker.secret(token);
        }
        self.slots[slot].relies_on_session = flight.to == Origin::Login || read.status == Some(401);
        self.see(slot, What::Receives(read))?;
        let moved = out.receive(reply, local);
        self.moved(slot, moved)
    }
}

/// Compresses a body that is not encoded yet.
fn compress(arriving: &mut network::Arriving) {
    if let Ok(response) = &mut arriving.response {
        let headers = response.headers();
        if !headers.contains_key("content-encoding") && !headers.contains_key("content-length") {
            *response.body_mut() = encoded(response);
        }
    }
}
