//! Contracts: who has agreed to what, for how long, at which prices.

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
        /// The number by which people know it.
        "externalNumber" => pub external_number: String,
        /// Whether it is in force.
        "status" => pub status: ContractStatus,
        /// The commercial model, in the vendor's words.
        "commercialModel" => pub commercial_model: String,
        /// The customer's purchase orders.
        "purchaseOrderNumbers" => pub purchase_order_numbers: Vec<String>,
        /// Who gets the invoices.
        "billToCustomer" => pub bill_to_customer: Customer,
        /// Who has bought.
        "soldToCustomer" => pub sold_to_customer: Customer,
        /// Who uses it.
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
        /// What was agreed.
        "plans" => pub plans: Vec<Plan>,
    }
}

impl Contract {
    /// The billing periods; none where the server sent no list.
    pub fn billing_periods(&self) -> &[ContractPeriod] {
        self.billing_periods.as_deref().unwrap_or_default()
    }

    /// The plans; none where the server sent no list.
    pub fn plans(&self) -> &[Plan] {
        self.plans.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// Whether a contract is in force.
    pub enum ContractStatus {
        /// It is.
        Active = "Active",
        /// It is not.
        Inactive = "Inactive",
    }
}

model! {
    /// A billing period of a contract, without what it holds; for that see
    /// [`ContractPeriodDetail`](super::ContractPeriodDetail). **Preview:** the vendor may change its shape.
    pub struct ContractPeriod {
        /// Its id.
        "id" => pub id: String,
        /// Its first day.
        "dateStart" => pub date_start: Date,
        /// Its last day.
        "dateEnd" => pub date_end: Date,
        /// Whether it is still running.
        "status" => pub status: ContractPeriodStatus,
    }
}

open_enum! {
    /// Whether a billing period is still running.
    pub enum ContractPeriodStatus {
        /// It is: its figures may still change.
        Open = "Open",
        /// It is not.
        Closed = "Closed",
    }
}

model! {
    /// One thing that was agreed in a contract. **Preview:** the vendor may change its shape.
    pub struct Plan {
        /// Its id.
        "id" => pub id: String,
        /// Its name.
        "name" => pub name: String,
        /// The organisations that it is for.
        "organizations" => pub organizations: Vec<NamedEntity>,
        /// The product.
        "product" => pub product: Product,
        /// Its prices and quantities.
        "items" => pub items: Vec<PlanItem>,
    }
}

impl Plan {
    /// The prices and quantities; none where the server sent no list.
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
        /// Its type, in the vendor's words.
        "type" => pub kind: String,
        /// Its function, in the vendor's words.
        "function" => pub function: String,
        /// What it is, in the vendor's words.
        "description" => pub description: String,
        /// Up to which day it has been charged.
        "dateChargedThrough" => pub date_charged_through: Date,
        /// The currency of its prices, as an ISO 4217 code.
        "currencyIsoCode" => pub currency_iso_code: String,
        /// The discount.
        "discountAmount" => pub discount_amount: Amount,
        /// Its first day.
        "dateEffectiveStart" => pub date_effective_start: Date,
        /// Its last day.
        "dateEffectiveEnd" => pub date_effective_end: Date,
        /// The price of one unit over the quantity.
        "overagePrice" => pub overage_price: Amount,
        /// The price of one unit of the quantity.
        "price" => pub price: Amount,
        /// The quantity.
        "quantity" => pub quantity: Amount,
        /// The unit of the quantity.
        "unitOfMeasure" => pub unit_of_measure: UnitOfMeasure,
    }
}
