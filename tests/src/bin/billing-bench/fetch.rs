//! `fetch URL COUNT`: whole calls against a server, by one of the drivers.

use std::error::Error;
use std::str::FromStr;
use std::time::Instant;

use billing_core::{BaseUrl, Credentials, Environment, OrgId, Pacing, Period, PeriodIndex};
use http::Uri;

use crate::sum::Sum;
use crate::{USAGE, is_overview, print};

/// A driver of the core.
#[derive(Clone, Copy)]
pub(crate) enum Driver {
    Ureq,
    Hyper,
}

impl FromStr for Driver {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "ureq" => Ok(Self::Ureq),
            "hyper" => Ok(Self::Hyper),
            _ => Err(USAGE),
        }
    }
}

pub(crate) fn run(url: &str, count: usize, driver: Driver) -> Result<(), Box<dyn Error>> {
    let Target { environment, asked } = url.parse()?;
    let credentials = Credentials::client("bench-client", "bench-secret")?;
    let mut sum = Sum::default();
    let mut calls = Vec::with_capacity(count);
    match driver {
        Driver::Ureq => {
            let client =
                billing_ureq::Client::builder(environment, credentials).pacing(UNPACED).no_proxy().build()?;
            for _ in 0..count {
                let begun = Instant::now();
                sum = by_ureq(&client, &asked)?;
                calls.push(begun.elapsed().as_nanos());
            }
        }
        Driver::Hyper => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let client = billing_hyper::Client::builder(environment, credentials)
                    .pacing(UNPACED)
                    .no_proxy()
                    .build()?;
                for _ in 0..count {
                    let begun = Instant::now();
                    sum = by_hyper(&client, &asked).await?;
                    calls.push(begun.elapsed().as_nanos());
                }
                Ok::<(), Box<dyn Error>>(())
            })?;
        }
    }
    sum.print();
    print("call_ns", &calls);
    Ok(())
}

/// What a URL names: where to ask, and for what.
struct Target {
    environment: Environment,
    asked: Asked,
}

enum Asked {
    Overview(OrgId, Option<PeriodIndex>),
    Report(Period),
}

impl FromStr for Target {
    type Err = Box<dyn Error>;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let uri: Uri = url.parse()?;
        let (scheme, authority) =
            uri.scheme_str().zip(uri.authority()).ok_or("an address has a scheme and a host")?;
        let base: BaseUrl = format!("{scheme}://{authority}").parse()?;
        let query = |wanted: &str| {
            let pairs = uri.query().unwrap_or_default().split('&');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        let asked = if is_overview(uri.path()) {
            let trustor = uri.path().rsplit('/').next().unwrap_or_default().parse()?;
            Asked::Overview(trustor, query("billingPeriodIndex").map(str::parse).transpose()?)
        } else {
            let day = |name| query(name).ok_or("a report's address has a startDate and an endDate");
            Asked::Report(Period::from_user(day("startDate")?, day("endDate")?)?)
        };
        Ok(Self { environment: Environment::new(base.clone(), base), asked })
    }
}

fn by_ureq(client: &billing_ureq::Client, asked: &Asked) -> Result<Sum, billing_core::Error> {
    match asked {
        Asked::Overview(trustor, period) => {
            client.trustee_overview(trustor.clone(), *period).map(|overview| Sum::from(&overview))
        }
        Asked::Report(period) => client.usage_report(*period).map(|report| Sum::from(&report)),
    }
}

async fn by_hyper(client: &billing_hyper::Client, asked: &Asked) -> Result<Sum, billing_core::Error> {
    match asked {
        Asked::Overview(trustor, period) => {
            client.trustee_overview(trustor.clone(), *period).await.map(|overview| Sum::from(&overview))
        }
        Asked::Report(period) => client.usage_report(*period).await.map(|report| Sum::from(&report)),
    }
}

/// The spacing while the server announces no quota would be all that is measured.
const UNPACED: Pacing = Pacing { unannounced: None };
