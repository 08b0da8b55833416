//! Checks of the end of an operation.

use billing_core::values::is_printable;

use super::super::trace::{Next, Says};
use super::table::alike;
use super::*;

impl Operation {
    pub(super) fn ends(
        &mut self,
        outcome: &Outcome,
        session: Option<&Session>,
        terms: &Terms,
        at: i64,
    ) -> Result<(), Violation> {
        ensure(self.phase == Phase::Idle, "D2", || "an end while a request is out".to_owned())?;
        ensure(
            self.jumps() || self.may_be_late || at <= self.deadline.saturating_add(terms.late),
            "deadline",
            || format!("it ends {} ms after its deadline", at - self.deadline),
        )?;
        match outcome {
            Outcome::Good { complete, more, kept } => {
                let says = self.last.as_ref().map(|reply| &reply.says);
                ensure(matches!(self.expect, Expect::Good | Expect::Anything), "D3", || {
                    format!("a good end, where {:?} is expected", self.expect)
                })?;
                let said = self.kind != Kind::Report || (says == Some(&Says::Complete) && *complete);
                ensure(said, "D3", || format!("a good end of a report that says {says:?}"))?;
                // Check rules D12 and D15 only where the content of the answer is certain.
                let odd = self.expect == Expect::Good && self.last.as_ref().is_some_and(|reply| reply.odd);
                ensure(*kept || !odd, "D12", || "what no schema has is lost".to_owned())?;
                if let (Some(Says::Page(next)), Expect::Good) = (says, &self.expect) {
                    ensure(*more == (*next == Next::On), "D10", || format!("more: {more} after {next:?}"))?;
                }
            }
            Outcome::Failed { kind, login, attempts, retry_at, .. } => {
                self.fails(kind, *login, session, at)?;
                if matches!(kind, ErrorKind::Deferred(_)) {
                    self.puts_off(*retry_at, session, at)?;
                }
                self.tells(outcome, session)?;
                let counted = *attempts == self.sent || (self.restored && *attempts < self.sent);
                ensure(counted, "D11", || format!("{attempts} requests in the error of {}", self.sent))?;
                self.calm(kind, session, terms, at)?;
            }
        }
        self.phase = Phase::Over;
        Ok(())
    }

    /// Checks that the error is the one that the decision table names.
    fn fails(
        &self,
        kind: &ErrorKind,
        login: bool,
        session: Option<&Session>,
        at: i64,
    ) -> Result<(), Violation> {
        let unexpected = |text: &str| Violation { rule: "table", text: format!("{kind:?} {text}") };
        match (&self.expect, kind) {
            (Expect::Fails(expected), _) if !login && alike(expected, kind) => Ok(()),
            (Expect::FailsByLogin, _) if login => Ok(()),
            // The login failed, but the deadline had passed as well.
            (Expect::FailsByLogin, ErrorKind::DeadlineExceeded(_))
                if at >= self.deadline || !self.deadline_known =>
            {
                Ok(())
            }
            (Expect::Good | Expect::Fails(_) | Expect::FailsByLogin, _) => {
                Err(unexpected(&format!("where {:?} is expected", self.expect)))
            }
            (
                Expect::Anything,
                ErrorKind::Decode(_) | ErrorKind::BadLink(_) | ErrorKind::UnknownStatus(_),
            ) => Ok(()),
            // If the meaning of an earlier answer is in doubt, so is the number of failures in a row.
            (Expect::Anything, ErrorKind::Server | ErrorKind::Transport(_)) => Ok(()),
            (_, ErrorKind::DeadlineExceeded(_)) => self.has_no_time(session, at),
            // `puts_off` checks the time of a deferral.
            (_, ErrorKind::Deferred(_)) => Ok(()),
            _ if login => {
                let failed = session.is_some_and(|session| session.given.is_some());
                ensure(failed, "table", || "the failure of a login that has not failed".to_owned())
            }
            _ => Err(unexpected("where it should have gone on")),
        }
    }

    /// Checks rule D11: the fields of the error and its message name the operation and the last answer.
    fn tells(&self, outcome: &Outcome, session: Option<&Session>) -> Result<(), Violation> {
        let Outcome::Failed { kind, login, status, code, message, correlation, text, .. } = outcome else {
            return Ok(());
        };
        let title = if *login { billing_core::calls::LOGIN.title() } else { title(self.kind) };
        ensure(text.starts_with(title), "D11", || format!("another operation than {title}: {text}"))?;
        // Another operation of the session may have received the blocking answer, and a restored operation
        // has forgotten its last one.
        let of_time = matches!(kind, ErrorKind::DeadlineExceeded(_) | ErrorKind::Deferred(_));
        if of_time && (self.session.is_some() || self.restored) {
            return Ok(());
        }
        let last =
            if *login { session.and_then(|session| session.given.as_ref()) } else { self.last.as_ref() };
        let Some(last) = last else { return Ok(()) };
        ensure(last.status == *status, "D11", || format!("status {status:?} instead of {:?}", last.status))?;
        ensure(last.correlation == *correlation, "D11", || {
            format!("correlation id {correlation:?} instead of {:?}", last.correlation)
        })?;
        // The error of a login response that looks successful keeps none of its content, because it may
        // hold a token.
        let kept_back = *login && last.status.is_some_and(|status| status < 300) && code.is_none();
        ensure(kept_back || same(&last.code, code), "D11", || {
            format!("code {code:?} instead of {:?}", last.code)
        })?;
        ensure(kept_back || same(&last.message, message), "D11", || {
            format!("message {message:?} instead of {:?}", last.message)
        })?;
        let Some(status) = status else { return Ok(()) };
        let status = format!("({status}");
        let told = [Some(&*status), code.as_deref(), message.as_deref(), correlation.as_deref()];
        let untold = told.into_iter().flatten().find(|part| !text.contains(part));
        ensure(untold.is_none(), "D11", || format!("{untold:?} is not in the line: {text}"))
    }

    /// Checks that an operation succeeds if it had enough time after the faults stopped.
    fn calm(
        &self,
        kind: &ErrorKind,
        session: Option<&Session>,
        terms: &Terms,
        at: i64,
    ) -> Result<(), Violation> {
        // A permanent refusal from before stays, and a list with a bad next link is not a fault that
        // stops.
        let for_good = session.is_some_and(|session| session.refused || session.lost_its_token)
            || matches!(kind, ErrorKind::BadLink(_));
        ensure(for_good || !self.has_calm(terms, at), "calm", || {
            format!("{kind:?}, though there were no faults any more and time enough")
        })
    }

    /// Returns true if the operation had enough time without faults. An operation that ended before the
    /// calm had its faults.
    pub(super) fn has_calm(&self, terms: &Terms, at: i64) -> bool {
        terms.calm.is_some_and(|(from, need)| {
            let since = self.began.max(from.saturating_add(SETTLED));
            at >= since && self.deadline.saturating_sub(since) >= need
        })
    }
}

/// Returns true if an error contains a text of the server: unchanged, redacted where it repeats
/// credentials, or without control characters.
fn same(said: &Option<Rc<str>>, held: &Option<Rc<str>>) -> bool {
    let is_rewritten = said.as_deref().is_some_and(|text| !text.chars().all(is_printable));
    said == held || held.as_deref().is_some_and(|text| is_rewritten || text.contains("[secret]"))
}

/// Returns the name of an operation of this kind.
fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Report => "billable usage report: ",
        Kind::Overview => "trustee billing overview: ",
        Kind::List => "numbers: ",
    }
}

/// The time in milliseconds after which no answer that a fault has affected is in flight.
const SETTLED: i64 = 65_000;
