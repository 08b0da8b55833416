//! `parse FILE REPEAT`: the body of a file to models, again and again.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use billing_core::calls::{BillableUsage, Call, TrusteeOverviewCall};
use billing_core::{OrgId, Period};
use bytes::Bytes;
use http::Response;

use crate::sum::Sum;
use crate::{Result, is_overview, print};

pub(crate) fn run(file: &str, repeat: usize) -> Result<()> {
    let body = Response::new(Bytes::from(std::fs::read(file)?));
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    if is_overview(&name) {
        let trustor: OrgId = "any".parse()?;
        measure(&TrusteeOverviewCall::new(trustor), &body, repeat)
    } else {
        let period = Period::from_user("2026-10-01", "2026-11-01")?;
        measure(&BillableUsage::new(period), &body, repeat)
    }
}

fn measure<C>(call: &C, body: &Response<Bytes>, repeat: usize) -> Result<()>
where
    C: Call,
    for<'a> Sum: From<&'a C::Output>,
{
    let mut sum = Sum::default();
    let (mut parsing, mut dropping) = (Vec::with_capacity(repeat), Vec::with_capacity(repeat));
    for _ in 0..repeat {
        let (model, took) = timed(|| black_box(call.parse(body)));
        let model = model?;
        parsing.push(took.as_nanos());
        sum = Sum::from(&model);
        dropping.push(timed(|| drop(model)).1.as_nanos());
    }
    sum.print();
    print_heap(call, body);
    print("pass_ns", &parsing);
    print("drop_ns", &dropping);
    Ok(())
}

/// What a pass of its own allocates, so that the others need not count.
#[cfg(feature = "heap")]
fn print_heap<C: Call>(call: &C, body: &Response<Bytes>) {
    let counted = allocation_counter::measure(|| drop(black_box(call.parse(body))));
    print("allocs", &[counted.count_total]);
    print("alloc_bytes", &[counted.bytes_total]);
    print("heap_peak", &[counted.bytes_max]);
}

#[cfg(not(feature = "heap"))]
fn print_heap<C: Call>(_: &C, _: &Response<Bytes>) {}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = f();
    (value, begun.elapsed())
}
