//! Checkpoints: saves and restores parked machines.
//!
//! The saved form has a format name, a version, the operation, and a checksum over the state. Restoring
//! refuses data of another program or version, and edited data. The checksum only detects accidents. Against
//! an attacker who can write the file, the session checks the API's address, so that a token is never sent to
//! a host that a checkpoint names.

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::Operation;

/// A format of saved data. Its version changes whenever its layout changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
}

impl Format {
    /// Saves `state`, with the operation that it belongs to if the format covers several.
    pub(crate) fn save<T: Serialize, S: Serializer>(
        self,
        operation: Option<Operation>,
        state: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Self { name: format, version } = self;
        let operation = operation.map(|operation| operation.id());
        let checksum = checksum_of(operation, state).map_err(S::Error::custom)?;
        Checkpoint { format, version, operation, state, checksum }.serialize(serializer)
    }

    /// Restores data that [`Format::save`] wrote. `operation` returns the operation that a state belongs to.
    pub(crate) fn restore<'de, T: Serialize + DeserializeOwned, D: Deserializer<'de>>(
        self,
        operation: impl Fn(&T) -> Option<Operation>,
        deserializer: D,
    ) -> Result<T, D::Error> {
        let Self { name, version } = self;
        // The version is checked first, because another version may have any layout.
        let all = Map::deserialize(deserializer)?;
        let found = all.get("version").and_then(Value::as_u64);
        let Some(found) = found.filter(|_| all.get("format").and_then(Value::as_str) == Some(name)) else {
            return Err(D::Error::custom(format_args!("this is not a saved {name:?}")));
        };
        if found != u64::from(version) {
            return Err(D::Error::custom(format_args!(
                "it was saved in version {found} of the format, this program reads version {version}"
            )));
        }
        let RawCheckpoint { operation: of, state, checksum, .. } =
            serde_json::from_value(Value::Object(all)).map_err(D::Error::custom)?;
        let state: T = serde_json::from_value(state).map_err(|error| match &of {
            Some(of) => D::Error::custom(format_args!("{error}, in a saved {of:?}")),
            None => D::Error::custom(error),
        })?;
        let expected = operation(&state).map(|operation| operation.id());
        if of.as_deref() != expected {
            let [of, expected] = [of.as_deref(), expected].map(Option::unwrap_or_default);
            return Err(D::Error::custom(format_args!("a saved {of:?} is not a {expected:?}")));
        }
        if checksum != checksum_of(expected, &state).map_err(D::Error::custom)? {
            return Err(D::Error::custom("it was changed since it was saved: its checksum is wrong"));
        }
        Ok(state)
    }
}

#[derive(Serialize)]
struct Checkpoint<'a, T> {
    format: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    state: &'a T,
    checksum: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheckpoint {
    #[serde(rename = "format")]
    _format: IgnoredAny,
    #[serde(rename = "version")]
    _version: IgnoredAny,
    operation: Option<String>,
    state: Value,
    checksum: String,
}

/// Returns the checksum of the saved state, which does not depend on the file's whitespace or key order.
fn checksum_of(operation: Option<&str>, saved: &impl Serialize) -> Result<String, serde_json::Error> {
    let text = serde_json::to_string(&(operation, saved))?;
    Ok(format!("{:08x}", crc32(0, text.as_bytes())))
}

/// Returns the CRC-32 of `bytes`, continued from the checksum `before` of the preceding bytes; start with 0.
pub(crate) fn crc32(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::calls::{BillableUsageCall, Call, ContractsCall, InvoiceLinesCall};
    use crate::testing::{reply, run_script};
    use crate::{
        BaseUrl, Environment, Exchange, History, Machine, Pages, Period, PeriodSelection, Policy, Poll, Step,
    };

    fn parked() -> Poll<BillableUsageCall> {
        let now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let call = BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01").unwrap());
        let poll = Poll::new(call, Environment::default().api().clone(), Policy::default());
        let Step::Send(_, sent) = poll.step(now) else { panic!("a request") };
        let reply = http::Response::new(r#"{"status":"InProgress","name":"s3cret"}"#.into());
        let Step::Wait(_, poll) = sent.receive(Ok(reply), now) else { panic!("a wait") };
        poll
    }

    fn restore(text: &str) -> Result<Poll<BillableUsageCall>, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_saved_is_restored_in_any_layout() {
        let poll = parked();
        let text = serde_json::to_string(&poll).unwrap();
        assert!(!text.contains("s3cret"));
        assert_eq!(serde_json::to_string(&restore(&text).unwrap()).unwrap(), text);
        let pretty = serde_json::to_string_pretty(&poll).unwrap();
        assert_eq!(restore(&pretty).unwrap().progress(), poll.progress());
    }

    #[test]
    fn foreign_edited_and_other_version_checkpoints_are_refused() {
        let text = serde_json::to_string(&parked()).unwrap();
        for (from, to, why) in [
            ("\"version\":3", "\"version\":1", "version 1"),
            ("billing-core poll", "another poll", "not a saved \"billing-core poll\""),
            // Another version may have any layout, inside and outside the state.
            ("\"version\":3", "\"version\":4,\"more\":1", "version 4"),
            ("get_billing_reports_billableusage", "get_other", "is not a"),
            ("api.mypurecloud.com", "api.evil.example", "checksum"),
            ("\"pending_answers\":1", "\"pending_answers\":0", "checksum"),
            ("\"requests\":1", "\"requests\":1,\"more\":1", "unknown field"),
            ("2026-11-01T", "2026-09-01T", "not before"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let error = restore(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(why), "{to}: {error}");
        }
        let later = text
            .replace("\"version\":3", "\"version\":4")
            .replace("\"pending_answers\":1", "\"pending_answers\":[1]");
        assert!(restore(&later).unwrap_err().contains("version 3"));
        let before = r#"{"format":"billing-core poll","version":1,"operation":"x","exchange":{},"polls":{},"checksum":"0"}"#;
        assert!(restore(before).unwrap_err().contains("version 1"));
        for other in ["", "{}", "[]", "null", "{\"format\":\"billing-core poll\"}", "{\"version\":3}"] {
            assert!(restore(other).is_err());
        }
        let _: BaseUrl = "https://api.mypurecloud.com".parse().unwrap();
    }

    /// Returns `saved` with `from` replaced by `to` and a valid checksum, as an attacker could forge it.
    fn forged(saved: &str, from: &str, to: &str) -> String {
        let edited = saved.replacen(from, to, 1);
        assert_ne!(edited, saved, "{from}");
        let (head, state) = edited.split_once(",\"state\":").unwrap();
        let (state, _) = state.rsplit_once(",\"checksum\":").unwrap();
        let operation = head.split_once("\"operation\":").map_or("null", |(_, operation)| operation);
        let check = crc32(0, format!("[{operation},{state}]").as_bytes());
        format!("{head},\"state\":{state},\"checksum\":\"{check:08x}\"}}")
    }

    #[test]
    fn a_poll_whose_counters_are_at_their_ends_goes_on() {
        let saved = serde_json::to_string(&parked()).unwrap();
        for counter in ["pending_answers\":1", "unknown_statuses\":0", "requests\":1", "throttles\":0"] {
            let (name, _) = counter.split_once(':').unwrap();
            let poll = restore(&forged(&saved, counter, &format!("{name}:{}", u32::MAX))).unwrap();
            for (status, body) in [(200, r#"{"status":"Paused"}"#), (429, "")] {
                let run = run_script(poll.clone(), &[reply(status, "", body)]);
                assert!(run.result.is_err(), "{counter}");
            }
        }
    }

    #[test]
    fn history_with_saturated_counters_goes_on() {
        let api = Environment::default().api().clone();
        let year = PeriodSelection::year(2026).unwrap();
        let walk = History::new("org".parse().unwrap(), year, api, Policy::default());
        let period = |start: &str, end: &str| {
            let dates = format!(r#"{{"billingPeriodStartDate":"{start}","billingPeriodEndDate":"{end}"}}"#);
            reply(200, "", &dates)
        };
        let october = period("2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z");
        let visit = run_script(walk, std::slice::from_ref(&october)).result.unwrap();
        let saved = serde_json::to_string(&visit.rest.unwrap()).unwrap();
        for (counter, reply) in [
            ("found_count\":1", period("2026-09-01T00:00:00Z", "2026-09-30T23:59:59Z")),
            ("before_range\":0", period("2025-09-01T00:00:00Z", "2025-09-30T23:59:59Z")),
            ("failures\":0", reply(400, "", "")),
            ("repeats\":0", october),
        ] {
            let (name, _) = counter.split_once(':').unwrap();
            let forged = forged(&saved, counter, &format!("{name}:{}", u32::MAX));
            let walk: History = serde_json::from_str(&forged).unwrap();
            assert!(run_script(walk, &[reply]).result.is_ok(), "{counter}");
        }
    }

    /// A call with the same fields as the one for an invoice's lines, but another operation.
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Other(InvoiceLinesCall);

    impl Call for Other {
        type Output = <InvoiceLinesCall as Call>::Output;

        fn operation(&self) -> Operation {
            Operation::new("get_other", "other", &[])
        }

        fn request(&self, api: &BaseUrl) -> Result<http::Request<bytes::Bytes>, http::Error> {
            self.0.request(api)
        }

        fn parse(&self, response: &http::Response<bytes::Bytes>) -> Result<Self::Output, crate::DecodeError> {
            self.0.parse(response)
        }
    }

    #[test]
    fn a_call_and_a_list_are_refused_when_they_are_foreign_edited_or_of_another_version() {
        fn refuses<M: Machine + Serialize + DeserializeOwned>(saved: &str, edits: &[(&str, &str, &str)]) {
            let restored: M = serde_json::from_str(saved).unwrap();
            assert_eq!(serde_json::to_string(&restored).unwrap(), saved);
            for (from, to, why) in edits {
                assert!(saved.contains(from), "{from} in {saved}");
                let error =
                    serde_json::from_str::<M>(&saved.replacen(from, to, 1)).err().unwrap().to_string();
                assert!(error.contains(why), "{to}: {error}");
            }
        }
        let api = Environment::default().api().clone();
        let lines = InvoiceLinesCall::new("inv-1".parse().unwrap());
        let call = serde_json::to_string(&Exchange::new(lines, api.clone(), Policy::default())).unwrap();
        refuses::<Exchange<InvoiceLinesCall>>(
            &call,
            &[
                ("\"version\":2", "\"version\":3", "version 3"),
                ("billing-core exchange", "billing-core list", "not a saved"),
                ("inv-1", "inv-2", "checksum"),
                ("api.mypurecloud.com", "api.evil.example", "checksum"),
                ("\"requests\":0", "\"requests\":9", "checksum"),
            ],
        );
        let error = serde_json::from_str::<Exchange<Other>>(&call).unwrap_err().to_string();
        assert!(error.contains("is not a"), "{error}");

        let page = reply(200, "", r#"{"entities":[],"nextUri":"/api/v2/billing/contracts?after=c2"}"#);
        let list = run_script(Pages::new(ContractsCall::new(), api, Policy::default()), &[page]);
        let rest = serde_json::to_string(&list.result.unwrap().rest.unwrap()).unwrap();
        refuses::<Pages<ContractsCall>>(
            &rest,
            &[
                ("\"version\":2", "\"version\":3", "version 3"),
                ("billing-core list", "billing-core poll", "not a saved"),
                ("after=c2", "after=c3", "checksum"),
                ("\"visited\":[", "\"visited\":[\"/x\",", "checksum"),
            ],
        );
    }
}
