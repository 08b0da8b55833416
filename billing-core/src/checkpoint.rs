//! Checkpoints: a parked machine as it is saved and restored.
//!
//! The saved form names its format, a version and the operation, and carries a checksum over the rest: what another
//! program wrote, another version, or an editor is refused, never obeyed. The checksum guards against accidents; against
//! an enemy who can write your files the session's check of the address guards, so that a token never goes to a host that
//! a checkpoint names.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::Call;
use crate::exchange::Exchange;
use crate::poll::{Poll, Polls, Report, Tick};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<'a, E> {
    format: Cow<'a, str>,
    version: u32,
    operation: Cow<'a, str>,
    exchange: E,
    polls: Polls,
    check: String,
}

impl<C: Call<Output: Report> + Serialize> Serialize for Poll<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved {
            format: FORMAT.into(),
            version: VERSION,
            operation: self.exchange.operation().id().into(),
            exchange: &self.exchange,
            polls: self.polls.clone(),
            check: check(self).map_err(S::Error::custom)?,
        }
        .serialize(serializer)
    }
}

impl<'de, C: Call<Output: Report> + Serialize + DeserializeOwned> Deserialize<'de> for Poll<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::<Exchange<Tick<C>>>::deserialize(deserializer)?;
        if saved.format != FORMAT {
            return Err(D::Error::custom("this is no saved poll"));
        }
        if saved.version != VERSION {
            return Err(D::Error::custom(format_args!(
                "the poll was saved in version {} of the format, this program reads version {VERSION}",
                saved.version
            )));
        }
        let poll = Self { exchange: saved.exchange, polls: saved.polls };
        let operation = poll.exchange.operation().id();
        if saved.operation != operation {
            return Err(D::Error::custom(format_args!(
                "a saved {:?} is not a {operation:?}",
                saved.operation
            )));
        }
        if saved.check != check(&poll).map_err(D::Error::custom)? {
            return Err(D::Error::custom("the saved poll was changed since: its checksum is wrong"));
        }
        Ok(poll)
    }
}

/// The checksum of what a poll is, however it is laid out in the file.
fn check<C: Call<Output: Report> + Serialize>(poll: &Poll<C>) -> Result<String, serde_json::Error> {
    checksum_of(&(poll.exchange.operation().id(), &poll.exchange, &poll.polls))
}

/// Another machine, whose whole state is `value`, as it is saved under the name `format`.
pub(crate) fn seal<T: Serialize, S: Serializer>(
    format: &str,
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let check = checksum_of(value).map_err(S::Error::custom)?;
    Sealed { format: format.into(), version: VERSION, saved: value, check }.serialize(serializer)
}

/// What [`seal`] has saved under that name.
pub(crate) fn unseal<'de, T: Serialize + DeserializeOwned, D: Deserializer<'de>>(
    format: &str,
    deserializer: D,
) -> Result<T, D::Error> {
    let Sealed { format: found, version, saved, check } = Sealed::<T>::deserialize(deserializer)?;
    if found != format {
        return Err(D::Error::custom(format_args!("this is no saved {format:?}")));
    }
    if version != VERSION {
        return Err(D::Error::custom(format_args!(
            "it was saved in version {version} of the format, this program reads version {VERSION}"
        )));
    }
    if check != checksum_of(&saved).map_err(D::Error::custom)? {
        return Err(D::Error::custom("it was changed since it was saved: its checksum is wrong"));
    }
    Ok(saved)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a, T> {
    format: Cow<'a, str>,
    version: u32,
    saved: T,
    check: String,
}

fn checksum_of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(format!("{:016x}", checksum(CHECKSUM, serde_json::to_string(value)?.as_bytes())))
}

/// FNV-1a over `bytes`, going on from the checksum of what was before them, which is [`CHECKSUM`] where nothing was.
pub(crate) fn checksum(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(crate) const CHECKSUM: u64 = 0xcbf2_9ce4_8422_2325;
const FORMAT: &str = "billing-core poll";
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::calls::BillableUsage;
    use crate::{BaseUrl, Environment, Machine, Period, Policy, Step};

    fn parked() -> Poll<BillableUsage> {
        let now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let call = BillableUsage::new(Period::from_user("2026-10-01", "2026-11-01").unwrap());
        let poll = Poll::new(call, Environment::default().api().clone(), Policy::default());
        let Step::Send(_, sent) = poll.step(now) else { panic!("a request") };
        let reply = http::Response::new(r#"{"status":"InProgress","name":"s3cret"}"#.into());
        let Step::Wait(_, poll) = sent.receive(Ok(reply), now) else { panic!("a wait") };
        poll
    }

    fn restore(text: &str) -> Result<Poll<BillableUsage>, String> {
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
    fn foreign_edited_and_other_versions_are_refused() {
        let text = serde_json::to_string(&parked()).unwrap();
        for (from, to, why) in [
            ("\"version\":1", "\"version\":2", "version 2"),
            ("billing-core poll", "another poll", "no saved poll"),
            ("get_billing_reports_billableusage", "get_other", "is not a"),
            ("api.mypurecloud.com", "api.evil.example", "checksum"),
            ("\"unready\":1", "\"unready\":0", "checksum"),
            ("\"requests\":1", "\"requests\":1,\"more\":1", "unknown field"),
            ("2026-11-01T", "2026-09-01T", "not before"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let error = restore(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(why), "{to}: {error}");
        }
        for other in ["", "{}", "[]", "null", "{\"format\":\"billing-core poll\"}"] {
            assert!(restore(other).is_err());
        }
        let _: BaseUrl = "https://api.mypurecloud.com".parse().unwrap();
    }
}
