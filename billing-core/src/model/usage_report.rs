//! The billable-usage report: which resources were billable in a period.

use super::{Resources, model, open_enum};
use crate::{Amount, Timestamp};

model! {
    /// The billable usage of an organisation in a period, by kind and resource.
    pub struct UsageReport {
        /// The report's id; a real report had none.
        "id" => pub id: String,
        /// The report's name; a real report had none.
        "name" => pub name: String,
        /// The start of the period.
        "startDate" => pub start_date: Timestamp,
        /// The end of the period.
        "endDate" => pub end_date: Timestamp,
        /// Whether the report is still being made.
        "status" => pub status: ReportStatus,
        /// What was used, by kind.
        "usages" => pub usages: Vec<Usage>,
        /// The path of the report.
        "selfUri" => pub self_uri: String,
    }
}

impl UsageReport {
    /// The usages; none where the server sent no list.
    pub fn usages(&self) -> &[Usage] {
        self.usages.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// How far a report is. There is no status for a failure.
    pub enum ReportStatus {
        /// It is still being made: ask again.
        InProgress = "InProgress",
        /// It is whole.
        Complete = "Complete",
    }
}

model! {
    /// One kind of usage, such as a licence, and the resources that it is billed for.
    pub struct Usage {
        /// What was used.
        "name" => pub name: String,
        /// How much of it; a real report had none.
        "totalUsage" => pub total_usage: Amount,
        /// The single resources.
        "resources" => pub resources: Resources,
    }
}

impl Usage {
    /// The resources; none where the server sent no list.
    pub fn resources(&self) -> &Resources {
        self.resources.as_ref().unwrap_or(&NO_RESOURCES)
    }
}

model! {
    /// One resource, such as a user, a device or a message, and when it became billable.
    pub struct UsageResource {
        /// Its name; of a user, the e-mail address.
        "name" => pub name: String,
        /// When it was first billable in the period.
        "date" => pub date: Timestamp,
    }
}

static NO_RESOURCES: Resources = Resources::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_null_and_unknown_are_kept_apart() {
        let json = r#"{"status":"Paused","usages":[{"name":null,"totalUsage":7,"x":[1.10]}],"zeta":null,"alpha":{"b":1}}"#;
        let report: UsageReport = serde_json::from_str(json).unwrap();
        assert_eq!(report.status, Some(ReportStatus::Unknown("Paused".into())));
        assert_eq!(report.id, None);
        let usage = &report.usages()[0];
        assert_eq!((usage.name.as_deref(), usage.total_usage.as_ref().unwrap().text()), (None, "7"));
        assert_eq!(usage.unknown.get("x"), Some("[1.10]"));
        assert_eq!(report.unknown.iter().collect::<Vec<_>>(), [("alpha", r#"{"b":1}"#), ("zeta", "null")]);

        let again = serde_json::to_string(&report).unwrap();
        assert_eq!(
            again,
            r#"{"status":"Paused","usages":[{"totalUsage":7,"x":[1.10]}],"alpha":{"b":1},"zeta":null}"#
        );
        assert_eq!(serde_json::from_str::<UsageReport>(&again).unwrap(), report);
    }
}
