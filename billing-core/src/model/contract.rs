//! Contracts: parties, plans, prices and billing periods.

use super::{Customer, NamedEntity, Product, UnitOfMeasure, model, open_enum};
use crate::model::list::cursor_list;
use crate::{Amount, Date};

cursor_list! {
    /// A page of contracts. **Preview:** the vendor may change its shape.
    pub struct ContractList of Contract
}

model! {
    /// A contract. **Preview:** the vendor may change its shape.
    pub struct Contract {
        /// Its id.
        "id" => pub id: String,
        /// The contract number that is used outside the API.
        "externalNumber" => pub external_number: String,
        /// The status.
        "status" => pub status: ContractStatus,
        /// The commercial model, as the vendor names it.
        "commercialModel" => pub commercial_model: String,
        /// The customer's purchase orders.
        "purchaseOrderNumbers" => pub purchase_order_numbers: Vec<String>,
        /// The customer that gets the invoices.
        "billToCustomer" => pub bill_to_customer: Customer,
        /// The customer that bought.
        "soldToCustomer" => pub sold_to_customer: Customer,
        /// The customer that uses the product.
        "endCustomer" => pub end_customer: Customer,
        /// Its first day.
        "dateStart" => pub date_start: Date,
        /// Its last day.
        "dateEnd" => pub date_end: Date,
        /// The first day of the ramp period.
        "dateRampStart" => pub date_ramp_start: Date,
        /// The last day of the ramp period.
        "dateRampEnd" => pub date_ramp_end: Date,
        /// Its billing periods.
        "billingPeriods" => pub billing_periods: Vec<ContractPeriod>,
        /// The plans.
        "plans" => pub plans: Vec<Plan>,
    }
}

impl Contract {
    /// Returns the billing periods; empty if the server sent no list.
    pub fn billing_periods(&self) -> &[ContractPeriod] {
        self.billing_periods.as_deref().unwrap_or_default()
    }

    /// Returns the plans; empty if the server sent no list.
    pub fn plans(&self) -> &[Plan] {
        self.plans.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// The status of a contract.
    pub enum ContractStatus {
        /// In force.
        Active = "Active",
        /// No longer in force or running.
        Inactive = "Inactive",
    }
}

model! {
    /// A billing period of a contract, without its charges; for those see
    /// [`ContractPeriodDetail`](super::ContractPeriodDetail). **Preview:** the vendor may change its shape.
    pub struct ContractPeriod {
        /// Its id.
        "id" => pub id: String,
        /// Its first day.
        "dateStart" => pub date_start: Date,
        /// Its last day.
        "dateEnd" => pub date_end: Date,
        /// The status.
        "status" => pub status: ContractPeriodStatus,
    }
}

open_enum! {
    /// The status of a billing period.
    pub enum ContractPeriodStatus {
        /// Still running: its figures may change.
        Open = "Open",
        /// No longer in force or running.
        Closed = "Closed",
    }
}

model! {
    /// A plan of a contract: a product with its prices and quantities. **Preview:** the vendor may change its shape.
    pub struct Plan {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// The organisations that it applies to.
        "organizations" => pub organizations: Vec<NamedEntity>,
        /// The product.
        "product" => pub product: Product,
        /// Its prices and quantities.
        "items" => pub items: Vec<PlanItem>,
    }
}

impl Plan {
    /// Returns the prices and quantities; empty if the server sent no list.
    pub fn items(&self) -> &[PlanItem] {
        self.items.as_deref().unwrap_or_default()
    }
}

model! {
    /// A price and a quantity of a plan. **Preview:** the vendor may change its shape.
    pub struct PlanItem {
        /// Its number.
        "itemNumber" => pub item_number: String,
        /// Its name.
        "name" => pub name: String,
        /// The type, as the vendor names it.
        "type" => pub kind: String,
        /// The function, as the vendor names it.
        "function" => pub function: String,
        /// The description of the vendor.
        "description" => pub description: String,
        /// The last day that has been charged.
        "dateChargedThrough" => pub date_charged_through: Date,
        /// The currency of its prices, as an ISO 4217 code.
        "currencyIsoCode" => pub currency_iso_code: String,
        /// The discount.
        "discountAmount" => pub discount_amount: Amount,
        /// Its first day.
        "dateEffectiveStart" => pub date_effective_start: Date,
        /// Its last day.
        "dateEffectiveEnd" => pub date_effective_end: Date,
        /// The price of one unit beyond the quantity.
        "overagePrice" => pub overage_price: Amount,
        /// The price of one unit of the quantity.
        "price" => pub price: Amount,
        /// The quantity.
        "quantity" => pub quantity: Amount,
        /// The unit of the quantity.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
    }
}
