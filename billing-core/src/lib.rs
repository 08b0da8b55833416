//! The Genesys Cloud Billing API as a sans-IO protocol core.
//!
//! This crate builds the requests, parses the responses and holds the state machines. It performs no I/O: it opens no socket,
//! reads no clock, never sleeps and draws no random numbers. Requests come out as [`http::Request`] values, responses go in as
//! bytes, and time is an argument. A driver does the rest: `billing-ureq` for blocking programs, `billing-hyper` for async
//! services, or a loop of about twenty lines of your own.
//!
//! # Architecture
//!
//! ```text
//!   values                       models                     errors
//!   OrgId  Period  Environment   UsageReport  Amount        Error  DecodeError  InvalidInput
//!   Credentials  Secret          TrusteeOverview            TransportError
//!        │                            ▲                          ▲
//!        ▼                            │                          │
//!   ┌─ calls ── one file per operation: request() and parse() ───┴──────────────┐
//!   │  BillableUsageCall   TrusteeOverviewCall   TrustorsCall   …   (login)     │
//!   └───────┬───────────────────────────────────────────────────────────────────┘
//!           ▼
//!   ┌─ machines ── step(now) ─► Send(request) | Wait(until) | Done(result) ─────┐
//!   │  Exchange<Call>     one call with its retries, by the decision table      │
//!   │  Poll<Call>         repeats a call until the report is complete           │
//!   │  Pages<Call>        an exchange for each page of a list                   │
//!   │  History            an exchange for each billing period, back in time     │
//!   │  Download<Call>     gets the URL of a document, then fetches the document │
//!   │  Authorized<M>      any machine under a session                           │
//!   │  Fleet              histories of many organisations, side by side         │
//!   │                        │                                                  │
//!   │                     Session   token, login and rate limit, shared         │
//!   └───────┬───────────────────────────────────────────────────────────▲───────┘
//!           │ Request (timeout, bound)                                  │ Reply
//!           ▼                                                           │
//!      a driver: transport, waiting, configuration ── BodyReader decompresses and bounds the body
//! ```
//!
//! [`Statement`] computes charges and totals of one overview, from the model alone. [`Trend`] shows the totals of several periods,
//! and [`Comparison`] their rows side by side. The feature `sandbox` adds a simulated Genesys Cloud, in the module `sandbox`, to
//! try the client and to test your own code.
//!
//! The module [`guide`] has the design rules, the billing rules and recipes to start from.
//!
//! # Example: a report from login to completion
//!
//! The example needs no network; its server gives three answers:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use billing_core::calls::BillableUsageCall;
//! use billing_core::{Authorized, Credentials, Environment, Machine, Period, Policy, Poll, Session, Step};
//! use chrono::{DateTime, Utc};
//!
//! let environment = Environment::from("eu-central-1".parse::<billing_core::Region>()?);
//! let october = Period::from_user("2026-10-01", "2026-11-01")?;
//! let poll = Poll::new(BillableUsageCall::new(october), environment.api().clone(), Policy::default());
//! let session = Session::new(environment, Credentials::client("client-id", "client-secret")?);
//!
//! let mut answers = [
//!     r#"{"access_token":"a token","token_type":"bearer","expires_in":86400}"#,
//!     r#"{"status":"InProgress"}"#,
//!     r#"{"status":"Complete","usages":[{"name":"Genesys Cloud CX 1","totalUsage":"2"}]}"#,
//! ]
//! .into_iter();
//! let mut asked = Vec::new();
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let mut step = Authorized::new(poll, Rc::new(RefCell::new(session))).step(now);
//! let report = loop {
//!     step = match step {
//!         // A driver sends the request here, with the time limit `request.timeout(now)`.
//!         Step::Send(request, sent) => {
//!             asked.push(request.http().uri().path().to_owned());
//!             let response = http::Response::new(answers.next().unwrap_or_default().into());
//!             sent.receive(Ok(response), now)
//!         }
//!         // A driver sleeps here.
//!         Step::Wait(until, machine) => {
//!             now = until;
//!             machine.step(now)
//!         }
//!         // The operation has ended.
//!         Step::Done(result) => break result?,
//!     };
//! };
//! let path = "/api/v2/billing/reports/billableusage";
//! assert_eq!(asked, ["/oauth/token", path, path]);
//! assert_eq!(report.usages()[0].total_usage.as_ref().and_then(|n| n.decimal()), Some(2.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Sources
//!
//! Field names and models come from the vendor's published OpenAPI description. Behaviour that the vendor does not publish was
//! measured on its own clients, or is treated as unknown: every field may be missing, every enum may have new values, every
//! header may be absent.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod calls;
pub mod error;
pub mod fleet;
pub mod guide;
pub mod history;
pub mod machine;
pub mod model;
pub mod poll;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod session;
pub mod statement;
#[cfg(test)]
mod testing;
pub mod values;

pub use calls::Operation;
pub use error::{DecodeError, Error, ErrorKind};
pub use fleet::Fleet;
pub use history::{History, PeriodSelection};
pub use machine::{
    Download, Event, Exchange, Machine, Pages, Policy, Progress, Reply, Request, Sent, Step, TransportError,
    TransportErrorKind,
};
pub use poll::Poll;
pub use session::{Authorized, Credentials, Session};
pub use statement::{Charge, Comparison, Line, Section, Statement, Total, Trend};
pub use values::{
    Amount, BaseUrl, ContractId, ContractPeriodId, Date, DateRange, Environment, InvalidInput, InvoiceId,
    OrgId, Period, PeriodIndex, Region, Secret, Timestamp, proxy,
};

/// The examples in the README of this crate, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
