//! The trustee billing overview: what a trustor has committed to, used and owes for a billing period.

use super::{NamedEntity, model, open_enum};
use crate::{Amount, Timestamp};

model! {
    /// The billing overview of one trustor organisation for one billing period, as its trustee reads it.
    ///
    /// What the rows come to is computed by [`Statement`](crate::Statement), not here.
    pub struct TrusteeOverview {
        /// The overview's id; a published one had none.
        "id" => pub id: String,
        /// The overview's name; a published one had none.
        "name" => pub name: String,
        /// The trustor.
        "organization" => pub organization: NamedEntity,
        /// The currency of all prices, as an ISO 4217 code.
        "currency" => pub currency: String,
        /// The products that are switched on.
        "enabledProducts" => pub enabled_products: Vec<String>,
        /// The sort of subscription.
        "subscriptionType" => pub subscription_type: SubscriptionType,
        /// When the ramp period begins.
        "rampPeriodStartDate" => pub ramp_period_start_date: Timestamp,
        /// When the ramp period ends, inclusive (`…T23:59:59Z`).
        "rampPeriodEndDate" => pub ramp_period_end_date: Timestamp,
        /// When the billing period begins: on the contract's day, often not the first of a month.
        "billingPeriodStartDate" => pub billing_period_start_date: Timestamp,
        /// When the billing period ends, inclusive (`…T23:59:59Z`).
        "billingPeriodEndDate" => pub billing_period_end_date: Timestamp,
        /// What was committed to and used, row by row.
        "usages" => pub usages: Vec<OverviewUsage>,
        /// When the contract was last amended.
        "contractAmendmentDate" => pub contract_amendment_date: Timestamp,
        /// When the contract took effect.
        "contractEffectiveDate" => pub contract_effective_date: Timestamp,
        /// When the contract ends.
        "contractEndDate" => pub contract_end_date: Timestamp,
        /// What is charged in a month at least, in `currency`.
        "minimumMonthlyAmount" => pub minimum_monthly_amount: Amount,
        /// Whether the organisation is in its ramp period.
        "inRampPeriod" => pub in_ramp_period: bool,
        /// The path of the overview.
        "selfUri" => pub self_uri: String,
    }
}

impl TrusteeOverview {
    /// The rows; none where the server sent no list.
    pub fn usages(&self) -> &[OverviewUsage] {
        self.usages.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// The sort of subscription that an organisation has.
    pub enum SubscriptionType {
        /// Internal to the vendor.
        Inin = "ININ",
        /// Pays month by month.
        MonthToMonth = "MONTH_TO_MONTH",
        /// On a free trial of month by month.
        FreeTrialMonthToMonth = "FREE_TRIAL_MONTH_TO_MONTH",
        /// Prepaid by a monthly commitment.
        PrepayMonthlyCommitment = "PREPAY_MONTHLY_COMMITMENT",
        /// Prepaid.
        Prepay = "PREPAY",
        /// A development organisation, month by month.
        DevOrgMonthToMonth = "DEV_ORG_MONTH_TO_MONTH",
        /// A development organisation, prepaid by a monthly commitment.
        DevOrgPrepayMonthlyCommitment = "DEV_ORG_PREPAY_MONTHLY_COMMITMENT",
        /// A development organisation, prepaid.
        DevOrgPrepay = "DEV_ORG_PREPAY",
    }
}

model! {
    /// One row of an overview: a licence, a device, a resource, or an allowance on one.
    pub struct OverviewUsage {
        /// What it is.
        "name" => pub name: String,
        /// The vendor's part number.
        "partNumber" => pub part_number: String,
        /// Which sort of row it is; see [`Section`](crate::Section).
        "grouping" => pub grouping: String,
        /// The unit of the quantities, such as `seat`.
        "unitOfMeasureType" => pub unit_of_measure_type: String,
        /// How much was used.
        "usageQuantity" => pub usage_quantity: Amount,
        /// The price of one unit over the commitment.
        "overagePrice" => pub overage_price: Amount,
        /// How much was committed to.
        "prepayQuantity" => pub prepay_quantity: Amount,
        /// The price of one committed unit.
        "prepayPrice" => pub prepay_price: Amount,
        /// Remarks of the vendor.
        "usageNotes" => pub usage_notes: String,
        /// Whether it can be cancelled.
        "isCancellable" => pub is_cancellable: bool,
        /// A multiplier by the schema; it is no commitment, and nothing is computed with it.
        "bundleQuantity" => pub bundle_quantity: Amount,
        /// Whether others bill it.
        "isThirdParty" => pub is_third_party: bool,
    }
}
