//! Sums over models. They are printed so that no program can skip work.

use billing_core::Timestamp;
use billing_core::model::{PackedReport, TrusteeOverview, UsageReport};

use crate::print;

/// Sums over everything that was read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    resources: usize,
    names: usize,
    dates: i64,
}

impl Sum {
    pub(crate) fn print(self) {
        print("resources", &[self.resources]);
        print("names", &[self.names]);
        print("dates", &[self.dates]);
    }
}

impl From<&UsageReport> for Sum {
    fn from(report: &UsageReport) -> Self {
        let mut sum = Self::default();
        for resource in report.usages().iter().flat_map(|usage| usage.resources()) {
            sum.resources += 1;
            sum.names += resource.name.map_or(0, |name| name.len());
            sum.dates += seconds(resource.date);
        }
        sum
    }
}

impl From<&PackedReport> for Sum {
    fn from(report: &PackedReport) -> Self {
        let mut sum = Self::default();
        for resource in report.usages().flat_map(|usage| usage.resources()) {
            sum.resources += 1;
            sum.names += resource.name().map_or(0, |name| name.len());
            sum.dates += seconds(resource.date());
        }
        sum
    }
}

impl From<&TrusteeOverview> for Sum {
    fn from(overview: &TrusteeOverview) -> Self {
        let usages = overview.usages();
        let names = usages.iter().flat_map(|usage| [&usage.name, &usage.part_number]);
        let dates = [
            overview.ramp_period_start_date,
            overview.ramp_period_end_date,
            overview.billing_period_start_date,
            overview.billing_period_end_date,
            overview.contract_amendment_date,
            overview.contract_effective_date,
            overview.contract_end_date,
        ];
        Self {
            resources: usages.len(),
            names: names.flatten().map(|name| name.len()).sum(),
            dates: dates.into_iter().map(seconds).sum(),
        }
    }
}

fn seconds(date: Option<Timestamp>) -> i64 {
    date.map_or(0, |date| date.instant().timestamp())
}
