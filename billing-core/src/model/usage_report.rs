//! The billable-usage report: the resources that were billable in a period.

use super::{Resources, model, open_enum};
use crate::{Amount, Timestamp};

model! {
    /// The billable usage of an organisation in a period.
    pub struct UsageReport {
        /// The id of the report; a real report had none.
        "id" => pub id: String,
        /// The name of the report; a real report had none.
        "name" => pub name: String,
        /// The start of the period.
        "startDate" => pub start_date: Timestamp,
        /// The end of the period.
        "endDate" => pub end_date: Timestamp,
        /// The status.
        "status" => pub status: ReportStatus,
        /// The usages.
        "usages" => pub usages: Vec<Usage>,
        /// The path of the report.
        "selfUri" => pub self_uri: String,
    }
}

impl UsageReport {
    /// Returns the usages; empty if the server sent no list.
    pub fn usages(&self) -> &[Usage] {
        self.usages.as_deref().unwrap_or_default()
    }
}

open_enum! {
    /// The status of a report. There is no status for a failure.
    pub enum ReportStatus {
        /// The server is still building the report: poll again.
        InProgress = "InProgress",
        /// The report is complete.
        Complete = "Complete",
    }
}

model! {
    /// A usage, such as a licence, with the resources that it is billed for.
    pub struct Usage {
        /// The name of the usage.
        "name" => pub name: String,
        /// The total quantity; a real report had none.
        "totalUsage" => pub total_usage: Amount,
        /// The resources.
        "resources" => pub resources: Resources,
    }
}

impl Usage {
    /// Returns the resources; empty if the server sent no list.
    pub fn resources(&self) -> &Resources {
        self.resources.as_ref().unwrap_or(&NO_RESOURCES)
    }
}

model! {
    /// A resource, such as a user, a device or a message, with the time at which it became billable.
    pub struct UsageResource {
        /// The name; for a user, the e-mail address.
        "name" => pub name: String,
        /// The time at which the resource was first billable in the period.
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
