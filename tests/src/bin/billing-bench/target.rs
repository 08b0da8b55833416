//! The target of a benchmark: the call, the URL, the driver and the trusted roots.

use std::str::FromStr;

use billing_core::calls::{BillableUsageCall, TrusteeOverviewCall};
use billing_core::session::Pacing;
use billing_core::{BaseUrl, Credentials, Environment, OrgId, Period, PeriodIndex};
use http::Uri;

use crate::{Result, USAGE, is_overview};

/// A parsed URL, and the certificates trusted there.
pub(crate) struct Target {
    pub(crate) environment: Environment,
    pub(crate) asked: Asked,
    pub(crate) roots: Roots,
}

/// A call and its arguments.
pub(crate) enum Asked {
    Overview(OrgId, Option<PeriodIndex>),
    Report(Period),
}

/// Whose certificates are trusted.
pub(crate) enum Roots {
    Bundled,
    Platform,
    Pem(Vec<u8>),
}

/// The program that makes the calls.
#[derive(Clone, Copy)]
pub(crate) enum Via {
    Ureq,
    Hyper,
    BareUreq,
    BareHyper,
}

impl Target {
    pub(crate) fn new(url: &str, roots: Roots) -> Result<Self> {
        let uri: Uri = url.parse()?;
        let (scheme, authority) =
            uri.scheme_str().zip(uri.authority()).ok_or("an address has a scheme and a host")?;
        let base: BaseUrl = format!("{scheme}://{authority}").parse()?;
        let query = |wanted: &str| {
            let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value).next()
        };
        let asked = if is_overview(uri.path()) {
            let trustor = uri.path().rsplit('/').next().unwrap_or_default().parse()?;
            Asked::Overview(trustor, query("billingPeriodIndex").map(str::parse).transpose()?)
        } else {
            let day = |name| query(name).ok_or("the address of a report has a startDate and an endDate");
            Asked::Report(Period::from_user(day("startDate")?, day("endDate")?)?)
        };
        Ok(Self { environment: Environment::new(base.clone(), base), asked, roots })
    }

    pub(crate) fn ureq(&self) -> Result<billing_ureq::Client> {
        use billing_ureq::{Client, TlsRoots};
        let roots = match &self.roots {
            Roots::Bundled => TlsRoots::Bundled,
            Roots::Platform => TlsRoots::Platform,
            Roots::Pem(pem) => TlsRoots::Pem(pem.clone()),
        };
        let builder = Client::builder(self.environment.clone(), credentials()?);
        Ok(builder.pacing(UNPACED).no_proxy().roots(roots).build()?)
    }

    pub(crate) fn hyper(&self) -> Result<billing_hyper::Client> {
        use billing_hyper::{Client, TlsRoots};
        let roots = match &self.roots {
            Roots::Bundled => TlsRoots::Bundled,
            Roots::Platform => TlsRoots::Platform,
            Roots::Pem(pem) => TlsRoots::Pem(pem.clone()),
        };
        let builder = Client::builder(self.environment.clone(), credentials()?);
        Ok(builder.pacing(UNPACED).no_proxy().roots(roots).build()?)
    }
}

impl Asked {
    pub(crate) fn overview(trustor: &OrgId, period: Option<PeriodIndex>) -> TrusteeOverviewCall {
        let latest = TrusteeOverviewCall::new(trustor.clone());
        match period {
            Some(index) => latest.period_index(index),
            None => latest,
        }
    }

    pub(crate) fn report(period: Period) -> BillableUsageCall {
        BillableUsageCall::new(period)
    }
}

impl FromStr for Via {
    type Err = &'static str;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        match name {
            "ureq" => Ok(Self::Ureq),
            "hyper" => Ok(Self::Hyper),
            "bare-ureq" => Ok(Self::BareUreq),
            "bare-hyper" => Ok(Self::BareHyper),
            _ => Err(USAGE),
        }
    }
}

fn credentials() -> Result<Credentials> {
    Ok(Credentials::client("bench-client", "bench-secret")?)
}

/// The spacing while the server announces no quota would be all that is measured.
const UNPACED: Pacing = Pacing { min_interval: None };
