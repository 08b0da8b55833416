//! Properties, tested by proptest. A failure prints the seed and the smallest failing case.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::calls::{BillableUsageCall, Call};
use billing_core::model::{
    NamedEntity, OverviewUsage, ReportStatus, Resources, SubscriptionType, TrusteeOverview, Usage,
    UsageReport, UsageResource,
};
use billing_core::{
    Amount, Authorized, Environment, Exchange, Machine, OrgId, Period, Policy, Poll, Secret, Session, Step,
    Timestamp, TransportError, TransportErrorKind,
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
    // At most 28 digits, with the decimal point at any place.
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
            usage.resources = resources.map(Resources::from_iter);
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

/// Builds a model with some of its fields set. The models are `non_exhaustive` and cannot be written as literals here.
fn make<T: Default>(set: impl FnOnce(&mut T)) -> T {
    let mut value = T::default();
    set(&mut value);
    value
}

/// Generates an arbitrary reply of a server and its delay in milliseconds.
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

/// Writes a text as a JSON string in one of the many equivalent forms.
fn written(text: &str, style: u8) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            _ if style % 3 == 1 => {
                let mut units = [0; 2];
                json.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")));
            }
            '/' if style % 3 == 2 => json.push_str("\\/"),
            _ => {
                let plain = serde_json::to_string(&c).unwrap();
                json.push_str(&plain[1..plain.len() - 1]);
            }
        }
    }
    json.push('"');
    json
}

/// Returns white space that JSON allows.
fn space(style: u8) -> &'static str {
    ["", " ", "\n\t ", "\r\n"][usize::from(style / 3) % 4]
}

/// Generates a JSON value for an unknown field.
fn foreign() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.50e+3".to_owned()),
        Just("123456789012345678901234567890.1234567890".to_owned()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,"))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|all| {
                let fields: Vec<_> = all
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap()))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    /// The server may choose the order of fields, white space, escapes, nulls and new fields.
    #[test]
    fn any_json_that_the_schema_allows_is_read(
        (name, total, resource) in (any::<String>(), amount(), any::<String>()),
        (date, hours) in (instant(), -12_i32..=12),
        style in any::<u8>(),
        order in Just(vec![0_usize, 1, 2, 3, 4, 5]).prop_shuffle(),
        (new_name, new_value) in ("new[A-Z][a-z]{0,5}", foreign()),
        status in status(),
    ) {
        let offset = chrono::FixedOffset::east_opt(hours * 3600).unwrap();
        let local = date.with_timezone(&offset);
        prop_assume!(local.format("%Y").to_string().len() == 4);
        let (s, text) = (space(style), |text: &str| written(text, style));
        let usage = format!(
            "{{{s}\"totalUsage\":{s}{},{s}{new_name:?}:{new_value},\"resources\":[{s}{{\"date\":{}{s},\"name\":{}}}{s}],\"name\":{}}}",
            serde_json::to_string(&total).unwrap(),
            text(&local.to_rfc3339()),
            text(&resource),
            text(&name),
        );
        let fields = [
            format!("\"status\"{s}:{s}{}", text(status.as_str())),
            format!("\"usages\":{s}[{usage}{s}]"),
            "\"id\":null".to_owned(),
            format!("{new_name:?}{s}:{s}{new_value}"),
            format!("{}:{}", text("startDate"), text(&date.to_rfc3339())),
            format!("\"selfUri\"{s}:{}", text("/api/v2/billing/reports/billableusage")),
        ];
        let body = order.iter().map(|at| fields[*at].as_str()).collect::<Vec<_>>().join(",");
        let body = format!("{s}{{{body}{s}}}{s}");
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        let report = BillableUsageCall::new(period).parse(&http::Response::new(body.clone().into()));
        let report = report.map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
        prop_assert_eq!(report.status.as_ref(), Some(&status));
        prop_assert_eq!(report.start_date.map(Timestamp::instant), Some(date));
        prop_assert_eq!(report.unknown.get(&new_name), Some(new_value.as_str()));
        let usage = &report.usages()[0];
        prop_assert_eq!((usage.name.as_ref(), usage.total_usage.as_ref()), (Some(&name), Some(&total)));
        prop_assert_eq!(usage.unknown.get(&new_name), Some(new_value.as_str()));
        let read = usage.resources().get(0).unwrap();
        prop_assert_eq!((read.name, read.date.map(Timestamp::instant)), (Some(resource.as_str()), Some(date)));
    }

    /// Covers every kind of failure: permanent, retries used up, no time left for the wait that the server asks for, and an
    /// answer that cannot be decoded.
    #[test]
    fn d11_an_error_names_what_the_server_gave(
        (status, retry_after, requests) in prop_oneof![
            prop_oneof![Just(400_u16), Just(403), Just(404), Just(409), Just(413), Just(501)].prop_map(|status| (status, None, 1)),
            prop_oneof![Just(500_u16), Just(502), Just(503), Just(504)].prop_map(|status| (status, None, 6)),
            (prop_oneof![Just(429_u16), Just(503)], 1000_u32..100_000).prop_map(|(status, hint)| (status, Some(hint), 1)),
            Just((200_u16, None, 3)),
        ],
        code in "[a-z]{2,10}(\\.[a-z]{2,10}){0,3}",
        message in "[ -~]{1,60}",
        correlation in "[0-9a-f]{8}-[0-9a-f]{4}",
        in_header in any::<bool>(),
        of in 0_usize..3,
    ) {
        let mut response = http::Response::builder().status(status);
        if in_header {
            response = response.header("ININ-Correlation-Id", &correlation);
        }
        if let Some(seconds) = retry_after {
            response = response.header("Retry-After", seconds);
        }
        // The login service has other names for these fields.
        let (code_field, message_field) = if of == 2 { ("error", "error_description") } else { ("code", "message") };
        let body = serde_json::json!({
            message_field: message, code_field: code, "status": status, "contextId": correlation, "usages": 7,
        });
        let reply: billing_core::Reply = Ok(response.body(body.to_string().into()).unwrap());
        let (api, policy) = (Environment::default().api().clone(), Policy::default());
        let overview = Exchange::new(billing_core::calls::TrusteeOverviewCall::new("org".parse().unwrap()), api.clone(), policy.clone());
        let error = match of {
            0 => failure(overview, &reply),
            1 => {
                let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
                failure(Poll::new(BillableUsageCall::new(period), api, policy), &reply)
            }
            _ => {
                let credentials = billing_core::Credentials::client("id", "s3cr3t").unwrap();
                let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
                failure(Authorized::new(overview, session), &reply)
            }
        };
        let operation = ["trustee billing overview", "billable usage report", "login"][of];
        // A login whose answer cannot be decoded is retried as often as one that fails.
        let requests = if (of, status) == (2, 200) { 6 } else { requests };
        let requests = if requests == 1 { "1 request".to_owned() } else { format!("{requests} requests") };
        let line = error.to_string();
        let mut named = vec![operation, &requests, &correlation];
        let status = status.to_string();
        // The error shows nothing of a login's answer that failed to parse: it may contain a token.
        if of < 2 || status != "200" {
            named.extend([&*status, &code, &message]);
        } else if !in_header {
            named.pop();
        }
        for named in named {
            prop_assert!(line.contains(named), "{:?} in {:?}", named, line);
        }
    }

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
    fn d15_amounts_are_exact_to_28_digits(value in decimal()) {
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
    fn d13_an_id_stays_one_segment_and_survives(id in any::<String>()) {
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
        let request = BillableUsageCall::new(period).request(Environment::default().api()).unwrap();
        let query = percent_decode(request.uri().query().unwrap());
        let dates: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        prop_assert_eq!(dates.iter().map(|(k, _)| *k).collect::<Vec<_>>(), ["startDate", "endDate"]);
        for ((_, text), instant) in dates.iter().zip([period.start(), period.end()]) {
            prop_assert_eq!(text.len(), "2026-10-01T00:00:00.000Z".len());
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), instant);
        }
    }

    /// Covers every operation and status. Every error can be printed.
    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), status in 200_u16..600) {
        use billing_core::calls::*;
        fn take(call: impl Call, bytes: &[u8], status: u16) {
            let response = || http::Response::builder().status(status).body(bytes.to_vec().into()).unwrap();
            let _ = call.parse(&response());
            let exchange = Exchange::new(call, Environment::default().api().clone(), Policy::default());
            let now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
            let Step::Send(_, sent) = exchange.step(now) else { panic!("a request") };
            if let Step::Done(Err(error)) = sent.receive(Ok(response()), now) {
                assert!(!format!("{error}").contains(char::is_control));
            }
        }
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        take(BillableUsageCall::new(period), &bytes, status);
        take(PackedBillableUsageCall(BillableUsageCall::new(period)), &bytes, status);
        take(TrusteeOverviewCall::new("o".parse().unwrap()), &bytes, status);
        take(TrustorsCall::new(), &bytes, status);
        take(OrganizationCall::new(), &bytes, status);
        take(ContractsCall::new(), &bytes, status);
        take(ContractCall::new("c".parse().unwrap()), &bytes, status);
        take(ContractPeriodCall::new("c".parse().unwrap(), "p".parse().unwrap()), &bytes, status);
        take(InvoicesCall::new(), &bytes, status);
        take(InvoiceLinesCall::new("i".parse().unwrap()), &bytes, status);
        take(InvoiceDocumentCall::new("i".parse().unwrap()), &bytes, status);
    }

    #[test]
    fn d09_a_secret_is_in_no_rendering(text in "[!-~]{8,40}") {
        let secret = Secret::new(text.clone());
        let credentials = billing_core::Credentials::client("id", secret.clone()).unwrap();
        let session = billing_core::Session::new(Environment::default(), credentials.clone());
        let shown = format!("{secret} {secret:?} {credentials:?} {session:?}");
        prop_assume!(!"Session { environment, generation, logged_in, secret, Credentials Client id".contains(&text));
        prop_assert!(!shown.contains(&text));
    }

    /// Rules D1 to D5 and D8 hold for any behaviour of the server. A poll that is saved and restored at every wait behaves the
    /// same.
    #[test]
    fn a_poll_keeps_its_rules(
        replies in prop::collection::vec(reply(), 1..60),
        seed in any::<u64>(),
        overall in 1_u64..2000,
    ) {
        let begin: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
        let deadline = begin + TimeDelta::seconds(overall.try_into().unwrap());
        let policy = Policy { seed, timeout: std::time::Duration::from_secs(overall), ..Policy::default() };
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        let poll = || {
            Poll::new(BillableUsageCall::new(period), Environment::default().api().clone(), policy.clone())
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
                            serde_json::from_str::<Poll<BillableUsageCall>>(&saved).unwrap().step(now)
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
        // Rule D1: all requests are identical except for their time.
        let requests: Vec<_> = trace[..trace.len() - 1].iter().map(|line| line.split_once("UTC ").unwrap().1).collect();
        prop_assert!(requests.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

/// Runs a machine that always gets this reply, and returns its error.
fn failure<M: Machine>(machine: M, reply: &billing_core::Reply) -> billing_core::Error {
    let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse().unwrap();
    let mut step = machine.step(now);
    loop {
        step = match step {
            Step::Send(_, sent) => sent.receive(reply.clone(), now),
            Step::Wait(until, machine) => {
                now = until;
                machine.step(now)
            }
            Step::Done(result) => return result.err().expect("an error"),
        };
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
