//! `parse FILE REPEAT`: the body of a file to models, again and again. `visit FILE REPEAT`: a report by its resources.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use billing_core::calls::{BillableUsageCall, Call, PackedBillableUsageCall, TrusteeOverviewCall};
use billing_core::{DecodeError, OrgId, Period};
use bytes::Bytes;
use http::Response;

use crate::sum::Sum;
use crate::{Result, is_overview, print};

pub(crate) fn run(file: &str, repeat: usize) -> Result<()> {
    let body = Response::new(Bytes::from(std::fs::read(file)?));
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    if is_overview(&name) {
        let trustor: OrgId = "any".parse()?;
        let call = TrusteeOverviewCall::new(trustor);
        measure(|| call.parse(&body), |overview| Sum::from(overview), repeat)
    } else {
        let call = usage()?;
        measure(|| call.parse(&body), |report| Sum::from(report), repeat)
    }
}

/// The sums are within the times: what a resource says is read when it is asked for.
pub(crate) fn visit(file: &str, repeat: usize) -> Result<()> {
    let body = Response::new(Bytes::from(std::fs::read(file)?));
    let call = PackedBillableUsageCall(usage()?);
    measure(|| call.parse(&body).map(|report| Sum::from(&report)), |sum| *sum, repeat)
}

fn usage() -> Result<BillableUsageCall> {
    Ok(BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01")?))
}

fn measure<T>(
    read: impl Fn() -> std::result::Result<T, DecodeError>,
    sum_of: impl Fn(&T) -> Sum,
    repeat: usize,
) -> Result<()> {
    let mut sum = Sum::default();
    let (mut parsing, mut dropping) = (Vec::with_capacity(repeat), Vec::with_capacity(repeat));
    for _ in 0..repeat {
        let (model, took) = timed(|| black_box(read()));
        let model = model?;
        parsing.push(took.as_nanos());
        sum = sum_of(&model);
        dropping.push(timed(|| drop(model)).1.as_nanos());
    }
    sum.print();
    print_heap(read);
    print("pass_ns", &parsing);
    print("drop_ns", &dropping);
    Ok(())
}

/// Counts the allocations in a separate pass, so that the timed passes need not count.
#[cfg(feature = "heap")]
fn print_heap<T>(read: impl Fn() -> T) {
    let counted = allocation_counter::measure(|| drop(black_box(read())));
    print("allocs", &[counted.count_total]);
    print("alloc_bytes", &[counted.bytes_total]);
    print("heap_peak", &[counted.bytes_max]);
}

#[cfg(not(feature = "heap"))]
fn print_heap<T>(_: impl Fn() -> T) {}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let value = f();
    (value, begun.elapsed())
}
