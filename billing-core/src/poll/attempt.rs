//! One attempt of a poll: a call that accepts a report that is not complete.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::DecodeError;
use crate::calls::{Call, forward_call};
use crate::model::ReportStatus;
use crate::poll::Report;

/// A call for one poll: the original call, but a report that is not complete is accepted too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PollAttempt<C>(pub(crate) C);

/// The response to one poll.
pub(crate) enum PollAnswer<T> {
    /// The complete report.
    Complete(T),
    /// A report that is not complete, with its status, or `None` after a 202.
    Pending(Option<ReportStatus>),
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call<Output: Report>> Call for PollAttempt<C> {
    type Output = PollAnswer<C::Output>;

    forward_call!(0, own accepts);

    fn parse(&self, response: &Response<Bytes>) -> Result<Self::Output, DecodeError> {
        if response.status() == StatusCode::ACCEPTED {
            return Ok(PollAnswer::Pending(None));
        }
        let report = self.0.parse(response)?;
        match report.status() {
            Some(ReportStatus::Complete) => Ok(PollAnswer::Complete(report)),
            Some(status) => Ok(PollAnswer::Pending(Some(status.clone()))),
            // Rule D3: a report is complete only if it says so.
            None => Err(DecodeError::new("status", "the report has no status")),
        }
    }

    fn accepts(&self, status: StatusCode) -> bool {
        status == StatusCode::ACCEPTED || self.0.accepts(status)
    }
}
