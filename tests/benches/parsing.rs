//! Parsing of bodies: into models, into packed reports, and without this library.
//!
//! Run `cargo bench -p billing-tests --bench parsing`. Compare only within one run. The reference is `by_serde`: the same
//! models by derived `serde_json` and chrono's own date parser, as a Rust program would do it by hand. Allocations are
//! counted too.

use billing_core::calls::{BillableUsageCall, Call, PackedBillableUsageCall, TrusteeOverviewCall};
use billing_core::model::{PackedReport, TrusteeOverview, UsageReport};
use billing_core::{Amount, Period, Timestamp};
use billing_tests::bodies;
use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use http::Response;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// The numbers of resources in the reports: a small one, one of the usual size, and one that fits in no processor cache.
const RESOURCES: [usize; 3] = [100, 10_000, 200_000];
/// The number of rows of the overview.
const ROWS: usize = 140;

#[divan::bench_group(sample_count = 20)]
mod report {
    use super::*;

    #[divan::bench(args = RESOURCES)]
    fn kept_whole(bencher: Bencher<'_, '_>, resources: usize) {
        let call = BillableUsageCall::new(period());
        over(bencher, bodies::report(resources), |body| call.parse(body).unwrap());
    }

    #[divan::bench(args = RESOURCES)]
    fn passed_by(bencher: Bencher<'_, '_>, resources: usize) {
        let call = PackedBillableUsageCall(BillableUsageCall::new(period()));
        over(bencher, bodies::report(resources), |body| sum(&call.parse(body).unwrap()));
    }

    #[divan::bench(args = RESOURCES)]
    fn by_serde(bencher: Bencher<'_, '_>, resources: usize) {
        over(bencher, bodies::report(resources), |body| {
            serde_json::from_slice::<by_serde::Report>(body.body()).unwrap()
        });
    }

    /// Measures the same models, read through `serde` like any other format.
    #[divan::bench(args = RESOURCES)]
    fn models_by_serde(bencher: Bencher<'_, '_>, resources: usize) {
        over(bencher, bodies::report(resources), |body| {
            serde_json::from_slice::<UsageReport>(body.body()).unwrap()
        });
    }

    #[divan::bench]
    fn in_progress(bencher: Bencher<'_, '_>) {
        let body = r#"{"startDate":"2026-10-03T07:00:00.000Z","endDate":"2026-11-03T06:59:59.999Z","status":"InProgress"}"#;
        let call = BillableUsageCall::new(period());
        over(bencher, body.to_owned(), |body| call.parse(body).unwrap());
    }
}

#[divan::bench_group]
mod overview {
    use super::*;

    #[divan::bench]
    fn kept_whole(bencher: Bencher<'_, '_>) {
        let call = TrusteeOverviewCall::new("org".parse().unwrap());
        over(bencher, bodies::overview(ROWS), |body| call.parse(body).unwrap());
    }

    #[divan::bench]
    fn by_serde(bencher: Bencher<'_, '_>) {
        over(bencher, bodies::overview(ROWS), |body| {
            serde_json::from_slice::<by_serde::Overview>(body.body()).unwrap()
        });
    }

    #[divan::bench]
    fn models_by_serde(bencher: Bencher<'_, '_>) {
        over(bencher, bodies::overview(ROWS), |body| {
            serde_json::from_slice::<TrusteeOverview>(body.body()).unwrap()
        });
    }
}

#[divan::bench_group]
mod values {
    use super::*;

    #[divan::bench(args = ["2026-10-03T07:00:00.000Z", "2026-10-03T07:00:00Z", "2026-10-03T09:00:00+02:00"])]
    fn timestamp(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[divan::bench(args = ["12.000000", "1.5e3", "unlimited"])]
    fn decimal(bencher: Bencher<'_, '_>, text: &str) {
        let amount = Amount::from(text);
        bencher.bench(|| black_box(&amount).decimal());
    }
}

/// Measures reading the body. Dropping the result is not measured.
fn over<T>(bencher: Bencher<'_, '_>, body: String, read: impl Fn(&Response<Bytes>) -> T + Sync) {
    let body = Response::new(Bytes::from(body));
    bencher.counter(BytesCount::new(body.body().len())).bench(|| read(black_box(&body)));
}

/// Returns a sum over every resource, so that each one is read.
fn sum(report: &PackedReport) -> (usize, i64) {
    report.usages().flat_map(|usage| usage.resources()).fold((0, 0), |(names, dates), resource| {
        let date = resource.date().map_or(0, |date| date.instant().timestamp());
        (names + resource.name().map_or(0, |name| name.len()), dates + date)
    })
}

fn period() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").unwrap()
}

/// The models that a program without this library would have.
mod by_serde {
    #![expect(dead_code, reason = "nothing is done with what is read")]

    use chrono::{DateTime, Utc};
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Report {
        id: Option<String>,
        name: Option<String>,
        start_date: DateTime<Utc>,
        end_date: DateTime<Utc>,
        status: String,
        #[serde(default)]
        usages: Vec<Usage>,
        self_uri: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Usage {
        name: String,
        total_usage: Option<String>,
        #[serde(default)]
        resources: Vec<Resource>,
    }

    #[derive(Deserialize)]
    struct Resource {
        name: String,
        date: DateTime<Utc>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Overview {
        id: Option<String>,
        name: Option<String>,
        organization: Option<Organization>,
        currency: String,
        enabled_products: Vec<String>,
        subscription_type: String,
        ramp_period_start_date: DateTime<Utc>,
        ramp_period_end_date: DateTime<Utc>,
        billing_period_start_date: DateTime<Utc>,
        billing_period_end_date: DateTime<Utc>,
        usages: Vec<Row>,
        contract_amendment_date: DateTime<Utc>,
        contract_effective_date: DateTime<Utc>,
        contract_end_date: DateTime<Utc>,
        minimum_monthly_amount: Option<String>,
        in_ramp_period: Option<bool>,
        self_uri: Option<String>,
    }

    #[derive(Deserialize)]
    struct Organization {
        id: Option<String>,
        name: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        name: String,
        part_number: String,
        grouping: Option<String>,
        unit_of_measure_type: Option<String>,
        usage_quantity: Option<String>,
        overage_price: Option<String>,
        prepay_quantity: Option<String>,
        prepay_price: Option<String>,
        usage_notes: Option<String>,
        is_cancellable: Option<bool>,
        bundle_quantity: Option<String>,
        is_third_party: Option<bool>,
    }
}
