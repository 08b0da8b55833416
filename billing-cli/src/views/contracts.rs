//! The views of contracts: the list, one contract, and one billing period.

use billing_core::Amount;
use billing_core::model::{
    Contract, ContractPeriodDetail, Customer, NamedEntity, PeriodCharge, Plan, PlanItem, Product,
    UnitOfMeasure, Wallet,
};
use billing_core::statement::is_over;

use super::sums::by_currency;
use crate::format::document::{
    Cell, Chart, ChartData, Column, Document, Emphasis, Fact, Formats, Group, NO_NAME, Note, Row, Sheet,
};
use crate::text::count;

/// Builds one row per contract.
pub(crate) fn contracts(contracts: &[Contract]) -> Document {
    let columns = vec![
        Column::text("externalNumber", "Number"),
        // The id is the argument of the command `contract`.
        Column::text("id", "Id"),
        Column::text("status", "Status"),
        Column::text("commercialModel", "Model").drop_rank(5),
        Column::text("endCustomer", "End customer").drop_rank(1),
        Column::text("billToCustomer", "Billed to").drop_rank(4),
        Column::date("dateStart", "Start").drop_rank(2),
        Column::date("dateEnd", "End").drop_rank(3),
        Column::text("purchaseOrderNumbers", "Purchase orders").drop_rank(6),
    ];
    let rows = contracts.iter().map(|contract| {
        Row::new(vec![
            Cell::name(contract.external_number.as_deref()),
            Cell::optional_text(contract.id.as_deref()),
            Cell::optional_text(contract.status.as_ref().map(|status| status.as_str())),
            Cell::optional_text(contract.commercial_model.as_deref()),
            Cell::optional_text(customer(contract.end_customer.as_ref())),
            Cell::optional_text(customer(contract.bill_to_customer.as_ref())),
            Cell::day(contract.date_start),
            Cell::day(contract.date_end),
            Cell::optional_text(
                contract.purchase_order_numbers.as_ref().map(|all| all.join(", ")).as_deref(),
            ),
        ])
    });
    let sheet = Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        notes: vec![Note::new(Emphasis::Strong, count(contracts.len(), "contract", "contracts"))],
        ..Sheet::new("Contracts", columns)
    };
    Document { title: "Contracts".to_owned(), facts: Vec::new(), sheets: vec![sheet] }
}

/// Builds one contract: its billing periods and plans.
pub(crate) fn contract(contract: &Contract) -> Document {
    let number = contract.external_number.as_deref().or(contract.id.as_deref()).unwrap_or(NO_NAME);
    let day = |day: Option<billing_core::Date>| day.map_or_else(|| "?".to_owned(), |day| day.to_string());
    let mut facts =
        vec![Fact::new("Term", format!("{} to {}", day(contract.date_start), day(contract.date_end)))];
    let mut fact = |label, value: Option<&str>| facts.extend(value.map(|value| Fact::new(label, value)));
    fact("Status", contract.status.as_ref().map(|status| status.as_str()));
    fact("Model", contract.commercial_model.as_deref());
    fact("End customer", customer(contract.end_customer.as_ref()));
    fact("Billed to", customer(contract.bill_to_customer.as_ref()));
    fact("Contract id", contract.id.as_deref());
    Document { title: format!("Contract {number}"), facts, sheets: vec![periods(contract), items(contract)] }
}

fn periods(contract: &Contract) -> Sheet {
    let columns = vec![
        Column::text("id", "Id"),
        Column::date("dateStart", "Start"),
        Column::date("dateEnd", "End"),
        Column::text("status", "Status"),
    ];
    let rows = contract.billing_periods().iter().map(|period| {
        Row::new(vec![
            Cell::optional_text(period.id.as_deref()),
            Cell::day(period.date_start),
            Cell::day(period.date_end),
            Cell::optional_text(period.status.as_ref().map(|status| status.as_str())),
        ])
    });
    Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        notes: vec![Note::new(
            Emphasis::Strong,
            count(contract.billing_periods().len(), "billing period", "billing periods"),
        )],
        ..Sheet::new("Billing periods", columns)
    }
}

fn items(contract: &Contract) -> Sheet {
    let sheets = Formats::SPREADSHEETS;
    let columns = vec![
        Column::text("plan", "Plan").only(sheets),
        Column::text("organizations", "Organisations").only(sheets.and(Formats::HTML)).aside(),
        Column::text("name", "Item"),
        Column::text("itemNumber", "Item number").drop_rank(9).aside(),
        Column::text("sku", "SKU").drop_rank(6).aside(),
        Column::text("type", "Type").drop_rank(7),
        Column::text("function", "Function").drop_rank(10),
        Column::number("quantity", "Quantity").drop_rank(2),
        Column::text("unitOfMeasure", "Unit").drop_rank(5),
        Column::number("price", "Price").drop_rank(1),
        Column::number("overagePrice", "Overage price").drop_rank(3),
        Column::number("discountAmount", "Discount").drop_rank(8),
        Column::text("currencyIsoCode", "Currency").drop_rank(4),
        Column::date("dateEffectiveStart", "From").drop_rank(11),
        Column::date("dateEffectiveEnd", "To").drop_rank(12),
        Column::date("dateChargedThrough", "Charged through").drop_rank(13),
        Column::text("description", "Description").only(sheets.and(Formats::HTML)).aside(),
    ];
    let group = |plan: &Plan| Group {
        heading: Some(plan.name.as_deref().unwrap_or(NO_NAME).to_owned()),
        rows: plan.items().iter().map(|item| self::item(plan, item)).collect(),
    };
    let items = contract.plans().iter().map(|plan| plan.items().len()).sum();
    let counted =
        format!("{} in {}", count(items, "item", "items"), count(contract.plans().len(), "plan", "plans"));
    Sheet {
        groups: contract.plans().iter().map(group).collect(),
        notes: vec![Note::new(Emphasis::Strong, counted)],
        ..Sheet::new("Plans", columns)
    }
}

fn item(plan: &Plan, item: &PlanItem) -> Row {
    let sku = plan.product.as_ref().and_then(|product| product.sku.as_deref());
    Row::new(vec![
        Cell::name(plan.name.as_deref()),
        Cell::optional_text(names(plan.organizations.as_deref()).as_deref()),
        Cell::name(item.name.as_deref()),
        Cell::optional_text(item.item_number.as_deref()),
        Cell::optional_text(sku),
        Cell::optional_text(item.kind.as_deref()),
        Cell::optional_text(item.function.as_deref()),
        Cell::optional_quantity(item.quantity.as_ref()),
        Cell::optional_text(unit(item.unit_of_measure.as_ref(), plan.product.as_ref())),
        Cell::optional_price(item.price.as_ref()),
        Cell::optional_price(item.overage_price.as_ref()),
        Cell::optional_price(item.discount_amount.as_ref()),
        Cell::optional_text(item.currency_iso_code.as_deref()),
        Cell::day(item.date_effective_start),
        Cell::day(item.date_effective_end),
        Cell::day(item.date_charged_through),
        Cell::optional_text(item.description.as_deref()),
    ])
}

/// Builds one billing period of a contract: usage, charges and wallet balances.
pub(crate) fn contract_period(period: &ContractPeriodDetail) -> Document {
    let day = |day: Option<billing_core::Date>| day.map_or_else(|| "?".to_owned(), |day| day.to_string());
    let mut facts =
        vec![Fact::new("Billing period", format!("{} to {}", day(period.date_start), day(period.date_end)))];
    if let Some(status) = &period.status {
        facts.push(Fact::new("Status", status.as_str()));
    }
    let id = period.id.as_deref().unwrap_or(NO_NAME);
    Document {
        title: format!("Billing period {id} of a contract"),
        facts,
        sheets: vec![charges(period.charges()), wallets(period.wallets())],
    }
}

fn charges(charges: &[PeriodCharge]) -> Sheet {
    let columns = vec![
        Column::text("id", "Id").only(Formats::SPREADSHEETS),
        Column::text("name", "Charge"),
        Column::text("sku", "SKU").drop_rank(6).aside(),
        Column::text("unitOfMeasure", "Unit").drop_rank(5).aside(),
        Column::text("organizations", "Organisations").drop_rank(8).aside(),
        Column::number("actualQuantity", "Used").drop_rank(1),
        Column::number("prepaidQuantity", "Prepaid").drop_rank(2),
        Column::number("fairuseQuantity", "Fair use").drop_rank(3),
        Column::number("overageQuantity", "Overage"),
        Column::number("overageRate", "Overage rate").drop_rank(4),
        Column::money("overageCharge", "Overage charge"),
        Column::text("overageCurrency", "Currency").drop_rank(7),
        Column::number("convertedTokenCount", "Tokens").drop_rank(9),
        Column::number("tokenConversionRate", "Tokens per unit").drop_rank(10),
    ];
    let rows = charges.iter().map(|charge| {
        let product = charge.product.as_ref();
        Row::new(vec![
            Cell::optional_text(charge.id.as_deref()),
            Cell::name(charge.name.as_deref()),
            Cell::optional_text(product.and_then(|product| product.sku.as_deref())),
            Cell::optional_text(unit(None, product)),
            Cell::optional_text(names(charge.organizations.as_deref()).as_deref()),
            Cell::quantity(charge.actual_quantity.as_ref()),
            Cell::optional_quantity(charge.prepaid_quantity.as_ref()),
            Cell::optional_quantity(charge.fairuse_quantity.as_ref()),
            overage(charge.overage_quantity.as_ref()),
            Cell::optional_price(charge.overage_rate.as_ref()),
            Cell::sent_money(charge.overage_charge.as_ref(), charge.overage_currency.as_deref()),
            Cell::optional_text(charge.overage_currency.as_deref()),
            Cell::optional_quantity(charge.converted_token_count.as_ref()),
            Cell::optional_price(charge.token_conversion_rate.as_ref()),
        ])
    });
    let amounts = charges.iter().map(|charge| {
        (charge.name.as_deref(), charge.overage_charge.as_ref(), charge.overage_currency.as_deref())
    });
    Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums: by_currency("Overage charges", amounts, ("overageCharge", "overageCurrency")),
        notes: vec![Note::new(Emphasis::Strong, count(charges.len(), "charge", "charges"))],
        charts: vec![Chart {
            title: "Usage compared with the agreed quantity",
            label: "name",
            shows: ChartData::UsageVsAgreed {
                used: "actualQuantity",
                committed: "prepaidQuantity",
                included: "fairuseQuantity",
                about: ["unitOfMeasure", "sku"],
            },
        }],
        ..Sheet::new("Charges", columns)
    }
}

fn wallets(wallets: &[Wallet]) -> Sheet {
    let columns = vec![
        Column::text("id", "Id").only(Formats::SPREADSHEETS),
        Column::text("name", "Wallet"),
        Column::text("sku", "SKU").drop_rank(8).aside(),
        Column::text("unitOfMeasure", "Unit").drop_rank(4).aside(),
        Column::text("organizations", "Organisations").drop_rank(10).aside(),
        Column::number("startingBalance", "Start").drop_rank(2),
        Column::number("balanceIncrease", "Added").drop_rank(5),
        Column::number("balanceDecrease", "Removed").drop_rank(6),
        Column::number("balanceConsumption", "Used").drop_rank(1),
        Column::number("endingBalance", "End"),
        Column::number("balanceOverage", "Overage"),
        Column::number("balanceOverageRate", "Overage rate").drop_rank(7),
        Column::money("balanceOverageCharge", "Overage charge").drop_rank(3),
        Column::text("balanceOverageCurrency", "Currency").drop_rank(9),
    ];
    let rows = wallets.iter().map(|wallet| {
        let product = wallet.product.as_ref();
        Row::new(vec![
            Cell::optional_text(wallet.id.as_deref()),
            Cell::name(wallet.name.as_deref()),
            Cell::optional_text(product.and_then(|product| product.sku.as_deref())),
            Cell::optional_text(unit(wallet.unit_of_measure.as_ref(), product)),
            Cell::optional_text(names(wallet.organizations.as_deref()).as_deref()),
            Cell::optional_quantity(wallet.starting_balance.as_ref()),
            Cell::optional_quantity(wallet.balance_increase.as_ref()),
            Cell::optional_quantity(wallet.balance_decrease.as_ref()),
            Cell::optional_quantity(wallet.balance_consumption.as_ref()),
            Cell::optional_quantity(wallet.ending_balance.as_ref()),
            overage(wallet.balance_overage.as_ref()),
            Cell::optional_price(wallet.balance_overage_rate.as_ref()),
            Cell::sent_money(
                wallet.balance_overage_charge.as_ref(),
                wallet.balance_overage_currency.as_deref(),
            ),
            Cell::optional_text(wallet.balance_overage_currency.as_deref()),
        ])
    });
    let amounts = wallets.iter().map(|wallet| {
        let currency = wallet.balance_overage_currency.as_deref();
        (wallet.name.as_deref(), wallet.balance_overage_charge.as_ref(), currency)
    });
    Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums: by_currency("Wallet overage", amounts, ("balanceOverageCharge", "balanceOverageCurrency")),
        notes: vec![Note::new(Emphasis::Strong, count(wallets.len(), "wallet", "wallets"))],
        ..Sheet::new("Wallets", columns)
    }
}

fn overage(quantity: Option<&Amount>) -> Cell {
    Cell::quantity(quantity).over_if(is_over(quantity.and_then(Amount::decimal)))
}

pub(super) fn customer(customer: Option<&Customer>) -> Option<&str> {
    customer.and_then(|customer| customer.name.as_deref().or(customer.number.as_deref()))
}

pub(super) fn unit<'a>(own: Option<&'a UnitOfMeasure>, product: Option<&'a Product>) -> Option<&'a str> {
    own.or_else(|| product?.unit_of_measure.as_ref()).map(UnitOfMeasure::as_str)
}

/// Joins the names of organisations, or their ids if they have no names.
fn names(organizations: Option<&[NamedEntity]>) -> Option<String> {
    let name = |organization: &NamedEntity| organization.name.clone().or_else(|| organization.id.clone());
    organizations.map(|all| all.iter().filter_map(name).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ColorWhen;
    use crate::format::grid::TableStyle;
    use crate::format::paint::UseColor;
    use crate::format::table;

    #[test]
    fn a_usual_terminal_shows_the_id_that_the_next_command_wants() {
        let contract: Contract = serde_json::from_str(
            r#"{"id":"db1fa071-6cbe-4a54-bf31-1d4c37eeaf64","externalNumber":"Q-100482","status":"Inactive",
                "commercialModel":"Prepay","endCustomer":{"name":"Contoso Contact Centres"},
                "dateStart":"2019-04-01","dateEnd":"2034-03-31","purchaseOrderNumbers":["PO-7781"]}"#,
        )
        .unwrap();
        let paint = UseColor::new(ColorWhen::Never, true, None, None);
        let table = table::render(&contracts(&[contract]), TableStyle { width: Some(80), color: paint });
        for said in [
            "Q-100482",
            "db1fa071-6cbe-4a54-bf31-1d4c37eeaf64",
            "Inactive",
            "Columns hidden, the terminal is too narrow",
        ] {
            assert!(table.contains(said), "{said}\n{table}");
        }
    }
}
