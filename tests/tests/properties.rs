//! Properties, by proptest. A failure prints the seed and the smallest case that it found.

use billing_core::calls::{BillableUsage, Call};
use billing_core::model::{
    NamedEntity, OverviewUsage, ReportStatus, SubscriptionType, TrusteeOverview, Usage, UsageReport,
    UsageResource,
};
use billing_core::{
    Amount, Environment, Machine, OrgId, Period, Policy, Poll, Secret, Step, Timestamp, TransportError,
    TransportErrorKind,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::option::of;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    // The years 1 to 9999, to the nanosecond.
    (-62_135_596_800_i64..253_402_300_800, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    instant().prop_map(Timestamp::from)
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        decimal().prop_map(Amount::from),
        any::<String>().prop_map(|text| Amount::from(text.as_str())),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
            .prop_map(|number| serde_json::from_str(&number).unwrap()),
    ]
}

fn decimal() -> impl Strategy<Value = Decimal> {
    // At most 28 digits, wherever the point stands.
    (-9_999_999_999_999_999_999_999_999_999_i128..=9_999_999_999_999_999_999_999_999_999, 0_u32..=28)
        .prop_map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale))
}

fn status() -> impl Strategy<Value = ReportStatus> {
    prop_oneof![
        Just(ReportStatus::InProgress),
        Just(ReportStatus::Complete),
        any::<String>().prop_map(|text| ReportStatus::from(text.as_str())),
    ]
}

prop_compose! {
    fn resource()(name in of(any::<String>()), date in of(timestamp())) -> UsageResource {
        make(|resource: &mut UsageResource| {
            resource.name = name;
            resource.date = date;
        })
    }
}

prop_compose! {
    fn usage()(
        name in of(any::<String>()),
        total_usage in of(amount()),
        resources in of(prop::collection::vec(resource(), 0..4)),
    ) -> Usage {
        make(|usage: &mut Usage| {
            usage.name = name;
            usage.total_usage = total_usage;
            usage.resources = resources;
        })
    }
}

prop_compose! {
    fn report()(
        id in of(any::<String>()),
        dates in (of(timestamp()), of(timestamp())),
        status in of(status()),
        usages in of(prop::collection::vec(usage(), 0..4)),
    ) -> UsageReport {
        make(|report: &mut UsageReport| {
            report.id = id;
            (report.start_date, report.end_date) = dates;
            report.status = status;
            report.usages = usages;
        })
    }
}

prop_compose! {
    fn row()(
        texts in (of(any::<String>()), of(any::<String>()), of(any::<String>()), of(any::<String>())),
        amounts in (of(amount()), of(amount()), of(amount()), of(amount()), of(amount())),
        flags in (any::<Option<bool>>(), any::<Option<bool>>()),
    ) -> OverviewUsage {
        make(|row: &mut OverviewUsage| {
            (row.name, row.part_number, row.grouping, row.unit_of_measure_type) = texts;
            (row.usage_quantity, row.overage_price, row.prepay_quantity, row.prepay_price, row.bundle_quantity) = amounts;
            (row.is_cancellable, row.is_third_party) = flags;
        })
    }
}

prop_compose! {
    fn overview()(
        organization in of((of(any::<String>()), of(any::<String>()))),
        currency in of("[A-Z]{3}"),
        subscription in of(any::<String>()),
        dates in (of(timestamp()), of(timestamp())),
        usages in of(prop::collection::vec(row(), 0..6)),
        minimum in of(amount()),
    ) -> TrusteeOverview {
        make(|overview: &mut TrusteeOverview| {
        overview.organization = organization
            .map(|(id, name)| make(|entity: &mut NamedEntity| (entity.id, entity.name) = (id, name)));
        overview.currency = currency;
        overview.subscription_type = subscription.map(|text| SubscriptionType::from(text.as_str()));
        (overview.billing_period_start_date, overview.billing_period_end_date) = dates;
        overview.usages = usages;
        overview.minimum_monthly_amount = minimum;
        })
    }
}

/// A model with some of its fields set; they are open to new fields and so cannot be written out here.
fn make<T: Default>(set: impl FnOnce(&mut T)) -> T {
    let mut value = T::default();
    set(&mut value);
    value
}

/// One reply of a server that may do anything, and how many milliseconds it takes.
fn reply() -> impl Strategy<Value = (billing_core::Reply, u32)> {
    let status = prop_oneof![
        4 => Just(200_u16), 1 => Just(202), 1 => Just(429), 2 => Just(503), 1 => Just(401), 1 => 200_u16..600,
    ];
    let body = prop_oneof![
        5 => Just(r#"{"status":"InProgress"}"#.to_owned()),
        1 => Just(r#"{"status":"Complete"}"#.to_owned()),
        1 => Just(r#"{"status":"Paused"}"#.to_owned()),
        1 => any::<String>(),
    ];
    let response = (status, body, of(0_u32..200)).prop_map(|(status, body, retry_after)| {
        let mut response = http::Response::builder().status(status);
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        Ok(response.body(body.into()).unwrap())
    });
    let failure = prop_oneof![
        Just(TransportErrorKind::Reset),
        Just(TransportErrorKind::Timeout),
        Just(TransportErrorKind::Truncated),
        Just(TransportErrorKind::Connect),
    ]
    .prop_map(|kind| Err(TransportError::new(kind, "by chance")));
    (prop_oneof![5 => response, 1 => failure], 0_u32..60_000)
}

proptest! {
    #[test]
    fn a_report_survives_json(report in report()) {
        let json = serde_json::to_vec(&report).unwrap();
        prop_assert_eq!(serde_json::from_slice::<UsageReport>(&json).unwrap(), report);
    }

    #[test]
    fn an_overview_survives_json(overview in overview()) {
        let json = serde_json::to_vec(&overview).unwrap();
        prop_assert_eq!(serde_json::from_slice::<TrusteeOverview>(&json).unwrap(), overview);
    }

    #[test]
    fn rule_15_amounts_are_exact_to_28_digits(value in decimal()) {
        let amount: Amount = serde_json::from_str(&format!("{:?}", value.to_string())).unwrap();
        prop_assert_eq!(amount.text(), value.to_string());
        prop_assert_eq!(amount.decimal().unwrap().to_string(), value.to_string());
        let number: Amount = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(number.decimal(), Some(value));
    }

    #[test]
    fn every_rfc_3339_form_is_the_same_instant(instant in instant(), hours in -23_i32..=23, minutes in 0_i32..60) {
        let offset = chrono::FixedOffset::east_opt(hours * 3600 + minutes * 60).unwrap();
        let local = instant.with_timezone(&offset);
        prop_assume!(local.format("%Y").to_string().len() == 4);
        let read = |text: String| text.parse::<Timestamp>().map(Timestamp::instant);
        prop_assert_eq!(read(local.to_rfc3339()), Ok(instant));
        prop_assert_eq!(read(instant.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)), Ok(instant));
        prop_assert_eq!(read(local.to_rfc3339().replace('T', "t")), Ok(instant));
        prop_assert_eq!(Timestamp::from(instant).to_string().parse::<Timestamp>().unwrap().instant(), instant);
    }

    #[test]
    fn rule_13_an_id_stays_one_segment_and_survives(id in any::<String>()) {
        let Ok(org) = id.parse::<OrgId>() else {
            prop_assert!(id.is_empty() || id == "." || id == ".." || id.chars().any(char::is_control));
            return Ok(());
        };
        let call = billing_core::calls::TrusteeOverviewCall::new(org);
        let Ok(request) = call.request(Environment::default().api()) else {
            prop_assert!(id.len() > 5000);
            return Ok(());
        };
        let segments: Vec<_> = request.uri().path().split('/').collect();
        prop_assert_eq!(segments.len(), 6);
        prop_assert_eq!(request.uri().query(), None);
        let decoded = percent_decode(segments[5]);
        prop_assert_eq!(decoded, id);
    }

    #[test]
    fn a_period_goes_out_as_it_is(start in instant(), length in 1_i64..100_000_000_000) {
        let end = start + TimeDelta::milliseconds(length);
        let Ok(period) = Period::new(start, end) else {
            prop_assert!(end.format("%Y").to_string().len() != 4);
            return Ok(());
        };
        let request = BillableUsage::new(period).request(Environment::default().api()).unwrap();
        let query = percent_decode(request.uri().query().unwrap());
        let dates: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        prop_assert_eq!(dates.iter().map(|(k, _)| *k).collect::<Vec<_>>(), ["startDate", "endDate"]);
        for ((_, text), instant) in dates.iter().zip([period.start(), period.end()]) {
            prop_assert_eq!(text.len(), "2026-10-01T00:00:00.000Z".len());
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), instant);
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        let _ = BillableUsage::new(period).parse(&http::Response::new(bytes.into()));
    }

    #[test]
    fn rule_9_a_secret_is_in_no_rendering(text in "[!-~]{8,40}") {
        let secret = Secret::new(text.clone());
        let credentials = billing_core::Credentials::client("id", secret.clone()).unwrap();
        let session = billing_core::Session::new(Environment::default(), credentials.clone());
        let shown = format!("{secret} {secret:?} {credentials:?} {session:?}");
        prop_assume!(!"Session { environment, generation, logged_in, secret, Credentials Client id".contains(&text));
        prop_assert!(!shown.contains(&text));
    }

    /// Rules 1 to 5 and 8, whatever the server does; and a poll that is saved and restored at every wait differs in nothing.
    #[test]
    fn a_poll_keeps_its_rules(
        replies in prop::collection::vec(reply(), 1..60),
        seed in any::<u64>(),
        overall in 1_u64..2000,
    ) {
        let begin: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let deadline = begin + TimeDelta::seconds(overall.try_into().unwrap());
        let policy = Policy { seed, overall: std::time::Duration::from_secs(overall), ..Policy::default() };
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        let poll = || {
            Poll::new(BillableUsage::new(period), Environment::default().api().clone(), policy.clone())
        };
        let run = |restore: bool| {
            let mut trace = Vec::new();
            let (mut now, mut answered, mut requests) = (begin, None, 0_u64);
            let mut script = replies.iter().cycle();
            let mut step = poll().step(now);
            loop {
                step = match step {
                    Step::Send(request, sent) => {
                        requests += 1;
                        assert!(now < deadline && requests <= overall / 2 + 1);
                        assert!(answered.is_none_or(|last| now - last >= TimeDelta::seconds(2)));
                        assert!(request.timeout(now) <= (deadline - now).to_std().unwrap());
                        trace.push(format!("{now} {:?}", request.http()));
                        let (reply, millis) = script.next().unwrap();
                        now += TimeDelta::milliseconds((*millis).into()).min(TimeDelta::from_std(request.timeout(now)).unwrap());
                        answered = Some(now);
                        sent.receive(reply.clone(), now)
                    }
                    Step::Wait(until, poll) => {
                        assert!(until > now && until <= deadline);
                        now = until;
                        if restore {
                            let saved = serde_json::to_string(&poll).unwrap();
                            serde_json::from_str::<Poll<BillableUsage>>(&saved).unwrap().step(now)
                        } else {
                            poll.step(now)
                        }
                    }
                    Step::Done(result) => {
                        assert!(now <= deadline);
                        if let Ok(report) = &result {
                            assert_eq!(report.status, Some(ReportStatus::Complete));
                        }
                        trace.push(format!("{now} {:?}", result.map_err(|error| error.kind().clone())));
                        return trace;
                    }
                }
            }
        };
        let trace = run(false);
        prop_assert_eq!(&run(false), &trace);
        prop_assert_eq!(&run(true), &trace);
        // Rule 1: all requests are the same but for their time.
        let requests: Vec<_> = trace[..trace.len() - 1].iter().map(|line| line.split_once("UTC ").unwrap().1).collect();
        prop_assert!(requests.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

fn percent_decode(text: &str) -> String {
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
