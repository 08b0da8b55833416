//! Models of the API's answers, one file per resource.
//!
//! Every field may be missing or null on the wire; it is then `None`. A real report had no `id`, `name` or `totalUsage`. Fields that
//! the published schema does not have are kept in `unknown`; unknown enum values stay readable.

mod contract;
mod contract_period;
mod customer;
mod error_body;
mod invoice;
mod invoice_line;
mod json;
mod list;
mod named_entity;
mod organization;
mod packed;
mod product;
mod resources;
mod trustee_overview;
mod trustor;
mod unknown;
mod usage_report;

pub use contract::{
    Contract, ContractList, ContractPeriod, ContractPeriodStatus, ContractStatus, Plan, PlanItem,
};
pub use contract_period::{ContractPeriodDetail, PeriodCharge, Wallet};
pub use customer::Customer;
pub(crate) use error_body::ErrorBody;
pub use invoice::{AddressType, Invoice, InvoiceAddress, InvoiceList, PaymentStatus};
pub use invoice_line::{InvoiceLine, InvoiceLineList};
pub(crate) use json::scanner::{Scan, ScanError, Scanner};
pub use named_entity::NamedEntity;
pub use organization::{Organization, OrganizationState};
pub use packed::{PackedReport, PackedResource, PackedResources, PackedUsage};
pub use product::{Product, UnitOfMeasure};
pub use resources::{ResourceRef, Resources, ResourcesIter};
pub use trustee_overview::{OverviewUsage, SubscriptionType, TrusteeOverview};
pub use trustor::{Trustor, TrustorList};
pub use unknown::UnknownFields;
pub use usage_report::{ReportStatus, Usage, UsageReport, UsageResource};

/// Parses a whole body as a model, with the scanner if it can.
pub(crate) fn decode_model<T>(body: &[u8]) -> Result<T, crate::DecodeError>
where
    T: for<'a> Scan<'a> + serde::de::DeserializeOwned,
{
    decode_or_else(body, decode_json)
}

/// Parses a whole body with the scanner. If the scanner gives up, `otherwise` finds the error; it reads no further than the scanner
/// did.
pub(crate) fn decode_or_else<T: for<'a> Scan<'a>>(
    body: &[u8],
    otherwise: impl FnOnce(&[u8]) -> Result<T, crate::DecodeError>,
) -> Result<T, crate::DecodeError> {
    let gave_up = match std::str::from_utf8(body) {
        Ok(text) => match Scanner::scan_body(text) {
            Ok(model) => return Ok(model),
            Err(gave_up) => gave_up,
        },
        Err(_) => ScanError::Invalid,
    };
    match gave_up {
        ScanError::Invalid => otherwise(body),
        ScanError::MemoryLimit { position: at } => Err(crate::DecodeError::new(
            format!("byte {at}"),
            "there is more in it than an answer of its length can hold",
        )),
    }
}

/// Parses a whole body as one JSON value.
///
/// The location of an error is a path of field names. To find it, the body is parsed a second time; only failures cost that.
pub(crate) fn decode_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, crate::DecodeError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        crate::DecodeError::new(format!("byte {}", error.valid_up_to()), "the text is not UTF-8")
    })?;
    serde_json::from_str(text).map_err(|first| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let within = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err();
        within
            .map(|error| crate::DecodeError::new(error.path().to_string(), error.inner().to_string()))
            // A field can have an empty name, and a path of empty names is useless.
            .filter(|error| error.location().contains(|c| c != '.' && c != ' '))
            .unwrap_or_else(|| {
                let place = format!("line {} column {}", first.line(), first.column());
                crate::DecodeError::new(place, first.to_string())
            })
    })
}

/// Parses a body that is an object with a secret. Its error has only `reason` and a location without field names: a quote of the
/// parser, or even a field name, could be the secret.
pub(crate) fn decode_secret<T: serde::de::DeserializeOwned>(
    body: &[u8],
    reason: &'static str,
) -> Result<T, crate::DecodeError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| crate::DecodeError::new(format!("byte {}", error.valid_up_to()), reason))?;
    // A derived `Deserialize` also accepts an array of the values.
    if !text.trim_start().starts_with('{') {
        return Err(crate::DecodeError::new("line 1 column 1", reason));
    }
    serde_json::from_str(text).map_err(|error| {
        crate::DecodeError::new(format!("line {} column {}", error.line(), error.column()), reason)
    })
}

/// Defines a model: a struct of optional public fields, each with its name on the wire, and the unknown fields.
///
/// It replaces a serde derive with `flatten`, which would buffer every object and convert every unknown number to a binary float.
macro_rules! model {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $wire:literal => pub $field:ident: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: Option<$type>, )*
            /// Fields that the published schema does not have, unchanged.
            pub unknown: $crate::model::UnknownFields,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object, ", stringify!($name)))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        $( let mut $field: Option<Option<$type>> = None; )*
                        let mut unknown = $crate::model::UnknownFields::default();
                        while let Some(key) = map.next_key::<$crate::model::unknown::Key<'de>>()? {
                            match key.as_str() {
                                $( $wire => match $field {
                                    None => $field = Some(map.next_value()?),
                                    Some(_) => return Err(serde::de::Error::duplicate_field($wire)),
                                }, )*
                                _ => unknown.read_field(key, &mut map)?,
                            }
                        }
                        unknown.sort_and_dedup();
                        Ok($name { $( $field: $field.flatten(), )* unknown })
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }

        const _: () = {
            use $crate::model::json::scanner::{ScanFields, Scan, Scanner};

            #[derive(Default)]
            pub(crate) struct Seen {
                $( $field: bool, )*
            }

            impl ScanFields for $name {
                type Seen = Seen;

                #[inline]
                fn scan_field(
                    &mut self,
                    name: &str,
                    seen: &mut Seen,
                    scanner: &mut Scanner<'_>,
                ) -> Option<()> {
                    match name {
                        $( $wire => {
                            // A field that occurs twice is an error.
                            if std::mem::replace(&mut seen.$field, true) {
                                return None;
                            }
                            self.$field = Option::scan(scanner)?;
                            Some(())
                        } )*
                        _ => self.unknown.scan_field(name, scanner),
                    }
                }

                fn finish(&mut self) {
                    self.unknown.sort_and_dedup();
                }
            }

            impl<'a> Scan<'a> for $name {
                fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
                    let (mut model, mut seen) = <(Self, Seen)>::default();
                    scanner.object(|scanner, name| model.scan_field(name, &mut seen, scanner))?;
                    model.finish();
                    Some(model)
                }
            }
        };

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $( if let Some(value) = &self.$field { map.serialize_entry($wire, value)?; } )*
                for (name, value) in self.unknown.iter_raw() {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    };
}

/// Defines an enum of texts that keeps unknown values.
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $wire:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
            /// A value that the published schema does not have, unchanged.
            Unknown(Box<str>),
        }

        impl $name {
            /// Returns the value as it is on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $wire, )*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $wire => Self::$variant, )*
                    _ => Self::Unknown(text.into()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::model::unknown::Key::deserialize(deserializer).map(|text| text.as_str().into())
            }
        }

        impl<'a> $crate::model::Scan<'a> for $name {
            fn scan(scanner: &mut $crate::model::Scanner<'a>) -> Option<Self> {
                scanner.string().map(|text| (&*text.decoded()).into())
            }
        }
    };
}

pub(crate) use {model, open_enum};

#[cfg(test)]
mod tests {
    use super::*;

    fn place(body: &[u8]) -> String {
        decode_model::<UsageReport>(body).unwrap_err().to_string()
    }

    #[test]
    fn d12_errors_say_where() {
        let bad_date =
            br#"{"usages":[{"name":"a"},{"resources":[{"date":"2025-07-01T00:00:00Z"},{"date":"soon"}]}]}"#;
        let text = place(bad_date);
        assert!(text.starts_with("at usages[1].resources[1].date: ") && text.contains("soon"), "{text}");
        assert!(place(br#"{"usages":{"#).starts_with("at usages: "), "{}", place(br#"{"usages":{"#));
        assert!(place(b"").contains("line 1 column 0"), "{}", place(b""));
        assert!(place(b"<html>").contains("line 1 column 1"), "{}", place(b"<html>"));
        assert!(place(b"{\"name\":\"\xff\"}").contains("byte 9"));
        assert!(place(br#"{"status":"Complete"} {}"#).contains("trailing"));
        assert!(place(br#"{"status":"Complete","status":"InProgress"}"#).contains("duplicate"));
        assert!(place(br#"{"status":7}"#).starts_with("at status: "));
        assert!(place(br#"[]"#).contains("UsageReport"));
        assert!(place(br#"{"":x}"#).starts_with("at line 1"), "{}", place(br#"{"":x}"#));
    }

    #[test]
    fn d12_the_place_is_of_the_servers_words_and_cannot_steer_a_terminal() {
        let text = place(b"{\"\\u001b[2J\\r\\nfake\\u202e\":tru}");
        assert!(text.starts_with("at [2J fake: "), "{text:?}");
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        // If no printable name is left, the location is line and column.
        let text = place(b"{\"\\u001b\\u0000\":tru}");
        assert!(text.starts_with("at line 1 column "), "{text:?}");
    }

    #[test]
    fn d12_too_deep_is_an_error_and_not_a_crash() {
        let deep = |open: &str, n: usize| format!("{{\"new\":{}", open.repeat(n));
        assert!(place(deep("[", 1_000_000).as_bytes()).starts_with("at "));
        let closed = format!("{}{}}}", deep("[", 100_000), "]".repeat(100_000));
        assert!(place(closed.as_bytes()).contains("nested"), "{}", place(closed.as_bytes()));
        assert!(place("[".repeat(1_000_000).as_bytes()).starts_with("at "));
    }
}
