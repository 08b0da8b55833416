//! `fetch URL COUNT`: whole calls against a server, one after the other.

use std::time::Instant;

use crate::bare;
use crate::sum::Sum;
use crate::target::{Asked, Target, Via};
use crate::{Result, print};

pub(crate) fn run(target: &Target, count: usize, via: Via) -> Result<()> {
    match via {
        Via::Ureq => {
            let client = target.ureq()?;
            blocking(count, || by_ureq(&client, &target.asked))
        }
        Via::BareUreq => {
            let client = bare::Ureq::new(target)?;
            blocking(count, || client.call())
        }
        Via::Hyper => runtime()?.block_on(async {
            let client = target.hyper()?;
            tasks(count, async || by_hyper(&client, &target.asked).await).await
        }),
        Via::BareHyper => runtime()?.block_on(async {
            let client = bare::Hyper::new(target).await?;
            tasks(count, async || client.call().await).await
        }),
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

pub(crate) async fn by_hyper(client: &billing_hyper::Client, asked: &Asked) -> Result<Sum> {
    Ok(match asked {
        Asked::Overview(trustor, period) => {
            Sum::from(&client.trustee_overview(trustor.clone(), *period).await?)
        }
        Asked::Report(period) => Sum::from(&client.usage_report(*period).await?),
    })
}

fn by_ureq(client: &billing_ureq::Client, asked: &Asked) -> Result<Sum> {
    Ok(match asked {
        Asked::Overview(trustor, period) => Sum::from(&client.trustee_overview(trustor.clone(), *period)?),
        Asked::Report(period) => Sum::from(&client.usage_report(*period)?),
    })
}

fn blocking(count: usize, call: impl Fn() -> Result<Sum>) -> Result<()> {
    let mut sum = Sum::default();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        sum = call()?;
        took.push(begun.elapsed().as_nanos());
    }
    sum.print();
    print("call_ns", &took);
    Ok(())
}

async fn tasks(count: usize, call: impl AsyncFn() -> Result<Sum>) -> Result<()> {
    let mut sum = Sum::default();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        sum = call().await?;
        took.push(begun.elapsed().as_nanos());
    }
    sum.print();
    print("call_ns", &took);
    Ok(())
}
