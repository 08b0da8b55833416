//! The trustee billing overview: commitment, usage and prices of a trustor for a billing period.

use super::{NamedEntity, model, open_enum};
use crate::{Amount, Timestamp};

model! {
    /// The billing overview of one trustor organisation for one billing period, as its trustee reads it.
    ///
    /// [`Statement`](crate::Statement) computes its charges and totals.
    pub struct TrusteeOverview {
        /// The overview's id; a published one had none.
        "id" => pub id: String,
        /// The overview's name; a published one had none.
        "name" => pub name: String,
        /// The trustor.
        "organization" => pub organization: NamedEntity,
        /// The currency of all prices, as an ISO 4217 code.
        "currency" => pub currency: String,
        /// The enabled products.
        "enabledProducts" => pub enabled_products: Vec<String>,
        /// The type of subscription.
        "subscriptionType" => pub subscription_type: SubscriptionType,
        /// The start of the ramp period.
        "rampPeriodStartDate" => pub ramp_period_start_date: Timestamp,
        /// The end of the ramp period, inclusive (`…T23:59:59Z`).
        "rampPeriodEndDate" => pub ramp_period_end_date: Timestamp,
        /// The start of the billing period: on the day of the contract, often not the first of a month.
        "billingPeriodStartDate" => pub billing_period_start_date: Timestamp,
        /// The end of the billing period, inclusive (`…T23:59:59Z`).
        "billingPeriodEndDate" => pub billing_period_end_date: Timestamp,
        /// The rows.
        "usages" => pub usages: Vec<OverviewUsage>,
        /// The time of the last amendment of the contract.
        "contractAmendmentDate" => pub contract_amendment_date: Timestamp,
        /// The time at which the contract took effect.
        "contractEffectiveDate" => pub contract_effective_date: Timestamp,
        /// The end of the contract.
        "contractEndDate" => pub contract_end_date: Timestamp,
        /// The minimum commitment per month, in `currency`.
        "minimumMonthlyAmount" => pub minimum_monthly_amount: Amount,
        /// True if the organisation is in its ramp period.
        "inRampPeriod" => pub in_ramp_period: bool,
        /// The path of the overview.
        "selfUri" => pub self_uri: String,
    }
}

impl TrusteeOverview {
    /// Returns the rows; empty if the server sent no list.
    pub fn usages(&self) -> &[OverviewUsage] {
        self.usages.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// The type of subscription of an organisation.
    pub enum SubscriptionType {
        /// Internal to the vendor.
        Inin = "ININ",
        /// Month to month.
        MonthToMonth = "MONTH_TO_MONTH",
        /// A free trial, month to month.
        FreeTrialMonthToMonth = "FREE_TRIAL_MONTH_TO_MONTH",
        /// Prepaid, with a monthly commitment.
        PrepayMonthlyCommitment = "PREPAY_MONTHLY_COMMITMENT",
        /// Prepaid.
        Prepay = "PREPAY",
        /// A development organisation, month to month.
        DevOrgMonthToMonth = "DEV_ORG_MONTH_TO_MONTH",
        /// A development organisation, prepaid, with a monthly commitment.
        DevOrgPrepayMonthlyCommitment = "DEV_ORG_PREPAY_MONTHLY_COMMITMENT",
        /// A development organisation, prepaid.
        DevOrgPrepay = "DEV_ORG_PREPAY",
    }
}

model! {
    /// One row of an overview: a licence, a device, a resource, or an allowance on one.
    pub struct OverviewUsage {
        /// The name of the product or allowance.
        "name" => pub name: String,
        /// The vendor's part number.
        "partNumber" => pub part_number: String,
        /// The grouping, which decides the section; see [`Section`](crate::Section).
        "grouping" => pub grouping: String,
        /// The unit of the quantities, such as `seat`.
        "unitOfMeasureType" => pub unit_of_measure_type: String,
        /// The used quantity.
        "usageQuantity" => pub usage_quantity: Amount,
        /// The price of one unit of overage.
        "overagePrice" => pub overage_price: Amount,
        /// The committed quantity.
        "prepayQuantity" => pub prepay_quantity: Amount,
        /// The price of one committed unit.
        "prepayPrice" => pub prepay_price: Amount,
        /// Remarks of the vendor.
        "usageNotes" => pub usage_notes: String,
        /// True if the row can be cancelled.
        "isCancellable" => pub is_cancellable: bool,
        /// A multiplier, by the schema. It is not a commitment, and nothing is computed with it (B9).
        "bundleQuantity" => pub bundle_quantity: Amount,
        /// True if a third party bills the row.
        "isThirdParty" => pub is_third_party: bool,
    }
}
