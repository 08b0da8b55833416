//! The billing period of a contract: usage, charges and prepaid balances.

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
        /// The status.
        "status" => pub status: ContractPeriodStatus,
        /// The charges.
        "charges" => pub charges: Vec<PeriodCharge>,
        /// The prepaid balances.
        "wallets" => pub wallets: Vec<Wallet>,
    }
}

impl ContractPeriodDetail {
    /// Returns the charges; empty if the server sent no list.
    pub fn charges(&self) -> &[PeriodCharge] {
        self.charges.as_deref().unwrap_or_default()
    }

    /// Returns the wallets; empty if the server sent no list.
    pub fn wallets(&self) -> &[Wallet] {
        self.wallets.as_deref().unwrap_or_default()
    }
}

model! {
    /// The usage of a product in a billing period, with its charge. **Preview:** the vendor may change its shape.
    pub struct PeriodCharge {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// The product.
        "product" => pub product: Product,
        /// The organisations that used it.
        "organizations" => pub organizations: Vec<NamedEntity>,
        /// The prepaid quantity.
        "prepaidQuantity" => pub prepaid_quantity: Amount,
        /// The included quantity (fair use).
        "fairuseQuantity" => pub fairuse_quantity: Amount,
        /// The used quantity.
        "actualQuantity" => pub actual_quantity: Amount,
        /// The overage: the used quantity beyond the prepaid and the included quantity.
        "overageQuantity" => pub overage_quantity: Amount,
        /// The price of one unit of overage.
        "overageRate" => pub overage_rate: Amount,
        /// The charge for the overage.
        "overageCharge" => pub overage_charge: Amount,
        /// The currency of rate and charge, as an ISO 4217 code.
        "overageCurrency" => pub overage_currency: String,
        /// The number of tokens that the quantity was converted to.
        "convertedTokenCount" => pub converted_token_count: Amount,
        /// The number of tokens per unit.
        "tokenConversionRate" => pub token_conversion_rate: Amount,
    }
}

model! {
    /// A prepaid balance, with its changes in a billing period. **Preview:** the vendor may change its shape.
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
        /// The amount that was added.
        "balanceIncrease" => pub balance_increase: Amount,
        /// The amount that was removed without being used.
        "balanceDecrease" => pub balance_decrease: Amount,
        /// The amount that was used.
        "balanceConsumption" => pub balance_consumption: Amount,
        /// The overage: usage beyond the balance.
        "balanceOverage" => pub balance_overage: Amount,
        /// The price of one unit of overage.
        "balanceOverageRate" => pub balance_overage_rate: Amount,
        /// The charge for the overage.
        "balanceOverageCharge" => pub balance_overage_charge: Amount,
        /// The currency of rate and charge, as an ISO 4217 code.
        "balanceOverageCurrency" => pub balance_overage_currency: String,
        /// The unit of the balances.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
    }
}
