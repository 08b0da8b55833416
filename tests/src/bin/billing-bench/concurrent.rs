//! `concurrent URL COUNT`: many whole calls at once, of one client in one thread.

use std::time::Instant;

use futures_util::future::try_join_all;

use crate::fetch::{by_hyper, runtime};
use crate::sum::Sum;
use crate::target::{Target, Via};
use crate::{Result, bare, print};

pub(crate) fn run(target: &Target, count: usize, via: Via) -> Result<()> {
    runtime()?.block_on(async {
        match via {
            Via::Hyper => {
                let client = target.hyper()?;
                by_hyper(&client, &target.asked).await?;
                rounds(count, async || by_hyper(&client, &target.asked).await).await
            }
            Via::BareHyper => {
                let client = bare::Hyper::new(target).await?;
                rounds(count, async || client.call().await).await
            }
            Via::Ureq | Via::BareUreq => Err("at once is for hyper: --via hyper or --via bare-hyper".into()),
        }
    })
}

async fn rounds(count: usize, call: impl AsyncFn() -> Result<Sum>) -> Result<()> {
    let mut sum = Sum::default();
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let sums = try_join_all((0..count).map(|_| call())).await?;
        took.push(begun.elapsed().as_nanos());
        sum = sums.last().copied().unwrap_or_default();
    }
    sum.print();
    print("round_ns", &took);
    Ok(())
}

const ROUNDS: usize = 20;
