//! Properties of all answers of the API, tested by proptest: any answer of the right shape is read as `serde_json` reads it,
//! and what is written reads back as the same value, with numbers digit for digit. A failure prints the seed and the
//! smallest failing case.

use std::collections::BTreeMap;
use std::fmt::Debug;

use billing_core::calls::{
    BillableUsageCall, Call, ContractCall, ContractPeriodCall, ContractsCall, InvoiceDocumentCall,
    InvoiceLinesCall, InvoicesCall, OrganizationCall, TrusteeOverviewCall, TrustorsCall,
};
use billing_core::values::Cursor;
use billing_core::{BaseUrl, DateRange, Environment, Period};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_report_survives_json(body in like(include_str!("../../samples/schema/usage-report.json"))) {
        let october = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        survives(&BillableUsageCall::new(october), &body)?;
    }

    #[test]
    fn an_overview_survives_json(body in like(include_str!("../../samples/schema/trustee-overview.json"))) {
        survives(&TrusteeOverviewCall::new("o".parse().unwrap()), &body)?;
    }

    #[test]
    fn trustors_survive_json(body in like(include_str!("../../samples/schema/trustors.json"))) {
        survives(&TrustorsCall::new(), &body)?;
    }

    #[test]
    fn an_organization_survives_json(body in like(include_str!("../../samples/schema/organization.json"))) {
        survives(&OrganizationCall::new(), &body)?;
    }

    #[test]
    fn contracts_survive_json(body in like(include_str!("../../samples/schema/contract-list.json"))) {
        survives(&ContractsCall::new(), &body)?;
    }

    #[test]
    fn a_billing_period_survives_json(body in like(include_str!("../../samples/schema/contract-period.json"))) {
        survives(&ContractPeriodCall::new("c".parse().unwrap(), "p".parse().unwrap()), &body)?;
    }

    #[test]
    fn invoices_survive_json(body in like(include_str!("../../samples/schema/invoice-list.json"))) {
        survives(&InvoicesCall::new(), &body)?;
    }

    #[test]
    fn the_lines_of_an_invoice_survive_json(body in like(include_str!("../../samples/schema/invoice-lines.json"))) {
        survives(&InvoiceLinesCall::new("i".parse().unwrap()), &body)?;
    }

    #[test]
    fn d13_ids_stay_in_their_segments(contract in any::<String>(), period in any::<String>()) {
        let (Ok(contract_id), Ok(period_id)) = (contract.parse(), period.parse()) else { return Ok(()) };
        let call = ContractPeriodCall::new(contract_id, period_id);
        let segments = path(&call);
        let [.., "contracts", one, "billingperiods", two] = &segments.iter().map(|s| &**s).collect::<Vec<_>>()[..] else {
            return Err(TestCaseError::fail(format!("{segments:?}")));
        };
        prop_assert_eq!((decode(one), decode(two)), (contract.clone(), period));
        let alone = path(&ContractCall::new(contract.parse().unwrap()));
        prop_assert_eq!((alone.len(), decode(&alone[5])), (6, contract.clone()));
        let lines = path(&InvoiceLinesCall::new(contract.parse().unwrap()));
        prop_assert_eq!((lines.len(), decode(&lines[6])), (8, contract.clone()));
        let document = path(&InvoiceDocumentCall::new(contract.parse().unwrap()));
        prop_assert_eq!((document.len(), decode(&document[6])), (8, contract));
    }

    #[test]
    fn d13_filters_stay_in_their_parameters(number in any::<String>(), cursor in any::<String>()) {
        let (Ok(call), Ok(after)) = (ContractsCall::new().external_number(&*number), cursor.parse::<Cursor>()) else {
            prop_assert!([&number, &cursor].iter().any(|text| text.is_empty() || text.contains(char::is_control)));
            return Ok(());
        };
        let call = call.after(after).dates(DateRange::starting("2026-01-01".parse().unwrap()));
        let request = call.request(&api()).unwrap();
        let pairs: Vec<(String, String)> = request.uri().query().unwrap().split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), decode(value))
        }).collect();
        let expected = [("dateStart", "2026-01-01"), ("externalNumber", &*number), ("after", &*cursor), ("pageSize", "100")];
        prop_assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        // The restored call equals the saved one.
        let saved: ContractsCall = serde_json::from_str(&serde_json::to_string(&call).unwrap()).unwrap();
        prop_assert_eq!(saved, call);
    }
}

fn survives<C>(call: &C, body: &str) -> Result<(), TestCaseError>
where
    C: Call<Output: Serialize + DeserializeOwned + PartialEq + Debug>,
{
    let plain: C::Output =
        serde_json::from_str(body).map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
    match call.parse(&http::Response::new(body.to_owned().into())) {
        Ok(model) => {
            prop_assert_eq!(&model, &plain);
            let written = serde_json::to_string(&model).unwrap();
            prop_assert_eq!(&serde_json::from_str::<C::Output>(&written).unwrap(), &model);
            // Only nulls of known fields are lost, and no digit is changed.
            prop_assert_eq!(values(&written), values(body), "{}", body);
        }
        Err(error) => prop_assert_eq!(error.location(), "entities", "{}", body),
    }
    Ok(())
}

/// Generates JSON of the shape of `sample` with other values: missing, null and new fields, lists of any length, unknown
/// texts and any numbers.
fn like(sample: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u32>(), 1..300).prop_map(|choices| {
        let mut choices = Choices { choices, at: 0 };
        let mut out = String::new();
        vary(serde_json::from_str(sample).unwrap(), &mut choices, &mut out);
        out
    })
}

struct Choices {
    choices: Vec<u32>,
    at: usize,
}

impl Choices {
    /// Returns a number below `n`. Once the choices are used up, they repeat in a changed form.
    fn below(&mut self, n: u32) -> u32 {
        let round = u32::try_from(self.at / self.choices.len()).unwrap();
        let choice = self.choices[self.at % self.choices.len()].rotate_left(7 * (round % 5));
        self.at += 1;
        choice % n
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(u32::try_from(all.len()).unwrap())).unwrap()]
    }
}

type Object<'a> = Vec<(String, &'a RawValue)>;

/// Returns the fields of an object, in their order.
fn fields(object: &RawValue) -> Object<'_> {
    struct Fields<'a>(Object<'a>);
    impl<'de> serde::Deserialize<'de> for Fields<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Fields<'de>;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Self::Value, A::Error> {
                    let mut fields = Vec::new();
                    while let Some(field) = map.next_entry()? {
                        fields.push(field);
                    }
                    Ok(Fields(fields))
                }
            }
            deserializer.deserialize_map(Visit)
        }
    }
    serde_json::from_str::<Fields<'_>>(object.get()).unwrap().0
}

fn vary(value: &RawValue, choices: &mut Choices, out: &mut String) {
    let text = value.get();
    match text.as_bytes()[0] {
        b'{' => {
            let mut written = Vec::new();
            for (name, value) in fields(value) {
                let mut field = format!("{}:", serde_json::to_string(&name).unwrap());
                match choices.below(12) {
                    0 => continue,
                    1 => field += "null",
                    _ => vary(value, choices, &mut field),
                }
                written.push(field);
            }
            if choices.below(4) == 0 {
                let new = choices.of(&["null", "[1.10]", r#"{"a":{}}"#, "-0.0e-5", r#""x""#, "true"]);
                written.insert(0, format!("\"new\":{new}"));
            }
            let comma = choices.of(&[",", " , ", ",\n"]);
            *out += &format!("{{{}}}", written.join(comma));
        }
        b'[' => {
            let [element]: [&RawValue; 1] = serde_json::from_str::<Vec<_>>(text).unwrap().try_into().unwrap();
            let elements = (0..choices.below(4)).map(|_| {
                let mut varied = String::new();
                vary(element, choices, &mut varied);
                varied
            });
            *out += &format!("[{}]", elements.collect::<Vec<_>>().join(","));
        }
        b'"' => {
            let is = |shape: &str| {
                let digits: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                digits.starts_with(shape)
            };
            *out += match () {
                () if is("\"0000-00-00T") => {
                    choices.of(&["\"2026-02-28T23:59:59.999Z\"", "\"2024-02-29T00:00:00+02:00\"", text])
                }
                () if is("\"0000-00-00\"") => {
                    choices.of(&["\"2024-02-29\"", "\"0000-01-01\"", "\"9999-12-31\"", text])
                }
                () => choices.of(&[
                    text,
                    "\"\"",
                    r#""\u00e9\ud83d\ude00\\\"""#,
                    "\"Ünheard öf\"",
                    "\"</x>=1+1\"",
                    "\"7\"",
                ]),
            };
        }
        b't' | b'f' => *out += choices.of(&["true", "false"]),
        // Fields that are integers in the schema are counts and stay integers.
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 3 => {
            *out += choices.of(&["0", "1", "7", "18446744073709551615"]);
        }
        _ => {
            *out += choices.of(&[
                text,
                "0",
                "-0.0",
                "12345678901234567890123456789012345",
                "1e400",
                "-1.5E-7",
                "0.1000000000000000055511151231",
            ]);
        }
    }
}

/// Collects the values of a JSON text by path, without nulls and empty lists.
fn values(json: &str) -> BTreeMap<String, String> {
    fn collect(at: &str, value: &RawValue, all: &mut BTreeMap<String, String>) {
        let text = value.get();
        match text.as_bytes()[0] {
            b'{' => {
                fields(value).iter().for_each(|(name, value)| collect(&format!("{at}.{name}"), value, all))
            }
            b'[' => {
                all.insert(at.to_owned(), "a list".to_owned());
                let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap();
                for (n, element) in elements.iter().enumerate() {
                    collect(&format!("{at}[{n}]"), element, all);
                }
            }
            b'"' => {
                let said: String = serde_json::from_str(text).unwrap();
                // A timestamp is written in UTC, whatever its offset was.
                let instant = said.parse::<billing_core::Timestamp>().map(|instant| instant.to_string());
                all.insert(at.to_owned(), format!("text {}", instant.unwrap_or(said)));
            }
            b'n' => {}
            _ => {
                all.insert(at.to_owned(), text.to_owned());
            }
        }
    }
    let mut all = BTreeMap::new();
    collect("", serde_json::from_str(json).unwrap(), &mut all);
    all
}

fn api() -> BaseUrl {
    Environment::default().api().clone()
}

fn path(call: &impl Call) -> Vec<String> {
    let request = call.request(&api()).unwrap();
    request.uri().path().split('/').map(str::to_owned).collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
