//! The billing period of a contract: what was used, what it costs, and what became of prepaid balances.

use super::{ContractPeriodStatus, NamedEntity, Product, UnitOfMeasure, model};
use crate::{Amount, Date};

model! {
    /// A billing period of a contract. **Preview:** the vendor may change its shape.
    pub struct ContractPeriodDetail {
        /// Its id.
        "id" => pub id: String,
        /// Its first day.
        "dateStart" => pub date_start: Date,
        /// Its last day.
        "dateEnd" => pub date_end: Date,
        /// Whether it is still running.
        "status" => pub status: ContractPeriodStatus,
        /// What was used, and what it costs.
        "charges" => pub charges: Vec<PeriodCharge>,
        /// The prepaid balances.
        "wallets" => pub wallets: Vec<Wallet>,
    }
}

impl ContractPeriodDetail {
    /// The charges; none where the server sent no list.
    pub fn charges(&self) -> &[PeriodCharge] {
        self.charges.as_deref().unwrap_or_default()
    }

    /// The wallets; none where the server sent no list.
    pub fn wallets(&self) -> &[Wallet] {
        self.wallets.as_deref().unwrap_or_default()
    }
}

model! {
    /// What was used of a product in a period, and what it costs. **Preview:** the vendor may change its shape.
    pub struct PeriodCharge {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// The product.
        "product" => pub product: Product,
        /// The organisations that used it.
        "organizations" => pub organizations: Vec<NamedEntity>,
        /// How much was paid for in advance.
        "prepaidQuantity" => pub prepaid_quantity: Amount,
        /// How much is included.
        "fairuseQuantity" => pub fairuse_quantity: Amount,
        /// How much was used.
        "actualQuantity" => pub actual_quantity: Amount,
        /// How much was used beyond what was paid for and what is included.
        "overageQuantity" => pub overage_quantity: Amount,
        /// The price of one unit of it.
        "overageRate" => pub overage_rate: Amount,
        /// What it costs.
        "overageCharge" => pub overage_charge: Amount,
        /// The currency of rate and charge, as an ISO 4217 code.
        "overageCurrency" => pub overage_currency: String,
        /// How many tokens the quantity was converted to.
        "convertedTokenCount" => pub converted_token_count: Amount,
        /// How many tokens a unit is.
        "tokenConversionRate" => pub token_conversion_rate: Amount,
    }
}

model! {
    /// A prepaid balance and what became of it in a period. **Preview:** the vendor may change its shape.
    pub struct Wallet {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// The organisations that draw on it.
        "organizations" => pub organizations: Vec<NamedEntity>,
        /// The product.
        "product" => pub product: Product,
        /// The balance at the beginning.
        "startingBalance" => pub starting_balance: Amount,
        /// The balance at the end.
        "endingBalance" => pub ending_balance: Amount,
        /// What was added.
        "balanceIncrease" => pub balance_increase: Amount,
        /// What was taken away without being used.
        "balanceDecrease" => pub balance_decrease: Amount,
        /// What was used.
        "balanceConsumption" => pub balance_consumption: Amount,
        /// What was used beyond the balance.
        "balanceOverage" => pub balance_overage: Amount,
        /// The price of one unit of it.
        "balanceOverageRate" => pub balance_overage_rate: Amount,
        /// What it costs.
        "balanceOverageCharge" => pub balance_overage_charge: Amount,
        /// The currency of rate and charge, as an ISO 4217 code.
        "balanceOverageCurrency" => pub balance_overage_currency: String,
        /// The unit of the balances.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
    }
}
