//! The catalogue: the rows of an overview, with at least one row for each billing rule about rows.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::draws::SeededRandom;
use super::organizations::Organization;

/// The template of a row, for an organisation of the usual size.
#[derive(Debug)]
struct Product {
    name: &'static str,
    part: &'static str,
    grouping: &'static str,
    unit: &'static str,
    used: Used,
    /// The committed quantity, in units.
    committed: u64,
    prepay: Option<&'static str>,
    overage: Option<&'static str>,
    extra: RowExtra,
}

/// The source of the quantity of a row. Numbers are in the smallest part of the unit: `scale` decimals.
#[derive(Debug)]
enum Used {
    Between {
        low: u64,
        high: u64,
        scale: u32,
    },
    /// The sum of all rows of `rollup-usage`.
    Parts,
}

/// The features that only some rows have.
#[derive(Debug, PartialEq)]
enum RowExtra {
    Nothing,
    /// A multiplier. It is not a commitment (B9).
    Bundle(&'static str),
    Note(&'static str),
    ThirdParty,
    /// The allowance on AI tokens. Only some organisations have it.
    AiAllowance,
}

/// Returns the rows of an organisation for one period; `draws` is the source of that period.
pub(super) fn rows(organization: &Organization, draws: SeededRandom) -> Value {
    let used: Vec<Decimal> =
        CATALOGUE.iter().zip(0..).map(|(product, n)| product.drawn(organization, draws, n)).collect();
    let parts = CATALOGUE
        .iter()
        .zip(&used)
        .filter(|(product, _)| product.grouping == ROLLUP_USAGE)
        .map(|(_, used)| used)
        .sum();
    CATALOGUE
        .iter()
        .zip(used)
        .filter(|(product, _)| organization.allowance || product.extra != RowExtra::AiAllowance)
        .map(|(product, used)| {
            let used = match product.used {
                Used::Parts => parts,
                Used::Between { .. } => used,
            };
            product.row(organization, used)
        })
        .collect()
}

impl Product {
    fn drawn(&self, organization: &Organization, draws: SeededRandom, n: u32) -> Decimal {
        match self.used {
            Used::Parts => Decimal::ZERO,
            Used::Between { low, high, scale } => {
                let drawn = draws.in_range(n, low, high).saturating_mul(organization.size) / 100;
                Decimal::try_from_i128_with_scale(drawn.into(), scale).unwrap_or_default()
            }
        }
    }

    fn row(&self, organization: &Organization, used: Decimal) -> Value {
        let quantity = |mut number: Decimal| {
            if number.scale() < organization.decimals {
                number.rescale(organization.decimals);
            }
            number.to_string()
        };
        let price = |text: Option<&str>| Some(organization.price(text?)?.to_string());
        let committed = match organization.commits {
            true => self.committed.saturating_mul(organization.size) / 100,
            false => 0,
        };
        let mut row = Map::new();
        let mut put = |name: &str, value: Value| row.insert(name.to_owned(), value);
        put("name", self.name.into());
        put("partNumber", self.part.into());
        put("grouping", self.grouping.into());
        put("unitOfMeasureType", self.unit.into());
        if organization.uncounted == Some(self.part) {
            put("usageQuantity", "pending".into());
        } else {
            put("usageQuantity", quantity(used).into());
        }
        put("prepayQuantity", quantity(committed.into()).into());
        if let Some(price) = price(self.prepay) {
            put("prepayPrice", price.into());
        }
        if let Some(price) = price(self.overage).filter(|_| organization.unpriced != Some(self.part)) {
            put("overagePrice", price.into());
        }
        put("isCancellable", false.into());
        put("isThirdParty", (self.extra == RowExtra::ThirdParty).into());
        match self.extra {
            RowExtra::Bundle(quantity) => put("bundleQuantity", quantity.into()),
            RowExtra::Note(note) => put("usageNotes", note.into()),
            RowExtra::Nothing | RowExtra::ThirdParty | RowExtra::AiAllowance => None,
        };
        row.into()
    }
}

const ROLLUP_USAGE: &str = "rollup-usage";

const fn between(low: u64, high: u64, scale: u32) -> Used {
    Used::Between { low, high, scale }
}

/// Returns the template of an allowance with a fixed quantity.
const fn allowance(name: &'static str, part: &'static str, unit: &'static str, quantity: u64) -> Product {
    Product {
        name,
        part,
        grouping: "fair-use",
        unit,
        used: between(quantity, quantity, 0),
        committed: 0,
        prepay: None,
        overage: None,
        extra: RowExtra::Nothing,
    }
}

static CATALOGUE: [Product; 20] = [
    Product {
        name: "Genesys Cloud CX 3",
        part: "GC-170-NV-CX3",
        grouping: "user-license",
        unit: "seat",
        used: between(105, 150, 0),
        committed: 120,
        prepay: Some("155.00"),
        overage: Some("170.50"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "Genesys Cloud CX 1 Concurrent",
        part: "GC-170-NV-CX1CC",
        grouping: "billable-app-concurrent-license",
        unit: "seat",
        used: between(20, 60, 0),
        committed: 40,
        prepay: Some("110.00"),
        overage: Some("121.00"),
        extra: RowExtra::Note("Peak of concurrent users"),
    },
    Product {
        name: "Genesys Cloud for Salesforce",
        part: "GC-120-NV-SFDC",
        grouping: "billable-app-usage-license",
        unit: "seat",
        used: between(0, 60, 0),
        committed: 20,
        prepay: Some("21.58"),
        overage: Some("23.74"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "Acme Wallboards",
        part: "AF-900-AC-WALL",
        grouping: "billable-app-usage-license",
        unit: "seat",
        used: between(20, 40, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("4.99"),
        extra: RowExtra::ThirdParty,
    },
    Product {
        name: "Predictive Engagement",
        part: "GC-120-NV-PE",
        // White space and capitals in a grouping must make no difference to a client.
        grouping: "Billable-App-Org-License ",
        unit: "organization",
        used: between(100, 100, 2),
        committed: 0,
        prepay: Some("0"),
        overage: Some("900.00"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "Hardware Phone",
        part: "GC-200-HW-PHONE",
        grouping: "device",
        unit: "device",
        used: between(30, 50, 0),
        committed: 40,
        prepay: Some("6.25"),
        overage: Some("7.00"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "Edge Bundle",
        part: "GC-200-HW-EDGE",
        grouping: "device",
        unit: "device",
        used: between(20, 60, 0),
        committed: 20,
        prepay: Some("49.00"),
        overage: Some("55.00"),
        extra: RowExtra::Bundle("10"),
    },
    Product {
        name: "IVR Minutes",
        part: "GC-120-NV-IVRMIN",
        grouping: "resource",
        unit: "minute",
        used: between(150_000, 450_000, 0),
        committed: 100_000,
        prepay: Some("0.0150"),
        overage: Some("0.0175"),
        extra: RowExtra::Nothing,
    },
    allowance("IVR Minutes", "GC-120-NV-IVRMIN-FU", "minute", 120_000),
    Product {
        name: "SMS Segments",
        part: "GC-120-NV-SMS",
        grouping: "messaging",
        unit: "segment",
        used: between(40_000, 90_000, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("0.00645"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "WhatsApp Conversations",
        part: "GC-120-NV-WAPP",
        grouping: "messaging-usage",
        unit: "conversation",
        used: between(2_000, 9_000, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("0.0001"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "Data Storage",
        part: "GC-120-NV-STOR",
        grouping: "storage",
        unit: "GB",
        used: between(90_000, 260_000, 3),
        committed: 100,
        prepay: Some("0.08"),
        overage: Some("0.12"),
        extra: RowExtra::Nothing,
    },
    allowance("Data Storage", "GC-120-NV-STOR-FU", "GB", 25),
    Product {
        name: "Recording Storage",
        part: "GC-120-NV-RECSTOR",
        grouping: "storage-category",
        unit: "GB",
        used: between(10_000, 30_000, 3),
        committed: 0,
        prepay: Some("0"),
        overage: Some("0.05"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "AI Tokens",
        part: "GC-170-NV-AITC",
        grouping: "rollup",
        unit: "token",
        used: Used::Parts,
        committed: 1_000,
        prepay: Some("0.90"),
        overage: Some("1.00"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "AI Tokens: Agent Copilot",
        part: "GC-170-NV-AITCAC",
        grouping: ROLLUP_USAGE,
        unit: "token",
        used: between(900, 2_400, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("1.00"),
        extra: RowExtra::Nothing,
    },
    Product {
        name: "AI Tokens: Virtual Agent",
        part: "GC-170-NV-AITCVA",
        grouping: ROLLUP_USAGE,
        unit: "token",
        used: between(20_000, 150_000, 2),
        committed: 0,
        prepay: Some("0"),
        overage: Some("1.00"),
        extra: RowExtra::Nothing,
    },
    Product { extra: RowExtra::AiAllowance, ..allowance("AI Tokens", "GC-170-NV-AITC", "token", 350) },
    Product {
        name: "Journey Events",
        part: "GC-120-NV-JRNY",
        // An unknown grouping.
        grouping: "journey-event",
        unit: "event",
        used: between(1_000, 5_000, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("0.002"),
        extra: RowExtra::Note("Preview"),
    },
    Product {
        name: "Genesys Cloud CX 2",
        part: "GC-170-NV-CX2",
        grouping: "user-license",
        unit: "seat",
        used: between(0, 20, 0),
        committed: 0,
        prepay: Some("0"),
        overage: Some("121.00"),
        extra: RowExtra::Nothing,
    },
];
