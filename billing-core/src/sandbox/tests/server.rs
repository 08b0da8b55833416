//! Tests of the server without faults.

use std::collections::BTreeSet;

use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use serde_json::json;

use super::*;
use crate::model::ReportStatus;

#[test]
fn a_login_gives_a_token_for_a_while_and_another_the_next_time() {
    let mut sandbox = Sandbox::new(1).token_lifetime(seconds(90));
    let response = whole(sandbox.respond(&login(), start()));
    let body = json_of(&response);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(90)));
    assert!(response.headers().contains_key("inin-correlation-id"));
    assert_eq!(response.headers()["date"], "Mon, 02 Nov 2026 09:00:00 GMT");

    let first = body["access_token"].as_str().unwrap();
    let second = token(&mut sandbox, start());
    assert_ne!(first, second);
    let path = format!("{USAGE}{OCTOBER}");
    for token in [first, &second] {
        assert_eq!(verdict(&mut sandbox, &get(&path, token), later(89)).0, 200);
        let expired = (401, "credentials.expired".to_owned());
        assert_eq!(verdict(&mut sandbox, &get(&path, token), later(90)), expired);
    }
    let bad = (401, "bad.credentials".to_owned());
    assert_eq!(verdict(&mut sandbox, &get(&path, "never-issued"), start()), bad);
    let none = (401, "authentication.required".to_owned());
    assert_eq!(verdict(&mut sandbox, &request(Method::GET, &path, &[], ""), start()), none);
}

#[test]
fn a_login_that_is_not_as_it_should_be_is_refused() {
    let good = login();
    let without = |name: &str| {
        let mut request = good.clone();
        request.headers_mut().remove(name);
        request
    };
    let mut stranger = good.clone();
    stranger.headers_mut().insert(AUTHORIZATION, "Basic YTpi".parse().unwrap());
    let mut get = good.clone();
    *get.method_mut() = Method::GET;
    let mut password = good.clone();
    *password.body_mut() = "grant_type=password".into();
    for (request, status, error) in [
        (without("authorization"), 401, "invalid_client"),
        (stranger, 400, "invalid_client"),
        (without("content-type"), 400, "invalid_request"),
        (get, 405, "invalid_request"),
        (password, 400, "unsupported_grant_type"),
    ] {
        let mut sandbox = Sandbox::new(1);
        assert_eq!(verdict(&mut sandbox, &request, start()), (status, error.to_owned()));
    }
}

#[test]
fn a_report_takes_its_time_and_is_the_same_ever_after() {
    let mut sandbox = Sandbox::new(1).report_duration(seconds(30));
    let token = token(&mut sandbox, start());
    let request = get(&format!("{USAGE}{OCTOBER}"), &token);
    for now in [0, 29] {
        let body = json_of(&whole(sandbox.respond(&request, later(now))));
        assert_eq!((&body["status"], body.get("usages")), (&json!("InProgress"), None));
    }
    let first = whole(sandbox.respond(&request, later(30)));
    let again = whole(sandbox.respond(&request, later(3000)));
    assert_eq!(first.body(), again.body());

    let report: UsageReport = serde_json::from_slice(first.body()).unwrap();
    assert_eq!(report.status, Some(ReportStatus::Complete));
    assert!(report.unknown.is_empty());
    let resources: Vec<_> = report.usages().iter().flat_map(|usage| usage.resources()).collect();
    assert!(resources.len() > 20);
    let names: BTreeSet<_> = resources.iter().map(|resource| &resource.name).collect();
    assert_eq!(names.len(), resources.len());
    for resource in resources {
        let date = resource.date.unwrap();
        assert!(october().start() <= date && date < october().end(), "{date}");
    }
    let text = String::from_utf8(first.body().to_vec()).unwrap();
    assert!(text.contains(".com\"") && text.contains("\"totalUsage\":\""));
}

#[test]
fn a_report_can_take_a_number_of_answers() {
    let mut sandbox = Sandbox::new(1).pending_answers(2);
    let token = token(&mut sandbox, start());
    let request = get(&format!("{USAGE}{OCTOBER}"), &token);
    let statuses = [0; 4].map(|_| verdict(&mut sandbox, &request, start()).1);
    assert_eq!(statuses, ["InProgress", "InProgress", "Complete", "Complete"]);
    // A report for another period starts from the beginning.
    let september = get(&format!("{USAGE}{}", OCTOBER.replace("2026-10", "2026-09")), &token);
    assert_eq!(verdict(&mut sandbox, &september, start()).1, "InProgress");
}

#[test]
fn dates_have_milliseconds_or_not_as_wanted() {
    let body = |mixed: bool| {
        let mut sandbox = Sandbox::new(1).report_duration(Duration::ZERO).mixed_dates(mixed);
        let report = run_poll(&mut sandbox).unwrap();
        let token = token(&mut sandbox, start());
        let response = whole(sandbox.respond(&get(&format!("{USAGE}{OCTOBER}"), &token), start()));
        assert_eq!(serde_json::from_slice::<UsageReport>(response.body()).unwrap(), report);
        json_of(&response)["usages"].to_string()
    };
    // A date without milliseconds has its last colon 5 characters before the quotation mark.
    let whole_seconds =
        |text: &str| text.match_indices("Z\"").filter(|(i, _)| &text[i - 3..i - 2] == ":").count();
    assert!(whole_seconds(&body(true)) > 3);
    assert_eq!(whole_seconds(&body(false)), 0);
}

#[test]
fn what_cannot_be_answered_is_refused_as_the_api_does() {
    let mut sandbox = Sandbox::new(1);
    let token = token(&mut sandbox, start());
    let trustee = "/api/v2/billing/trusteebillingoverview";
    for (path, status, code) in [
        (format!("{USAGE}?startDate=2024-01-01+00%3A00%3A00+%2B0000+UTC&endDate=x"), 400, "invalid.date"),
        (format!("{USAGE}?startDate=2026-10-01T00:00:00Z&endDate=2026-10-01T00:00:00Z"), 400, "invalid.date"),
        (USAGE.to_owned(), 400, "bad.request"),
        (format!("{trustee}/{ORG_ID}?billingPeriodIndex=59"), 200, ""),
        (format!("{trustee}/{}", ORG_ID.replace('-', "%2D")), 200, ""),
        (format!("/gateway{trustee}/{ORG_ID}"), 200, ""),
        (format!("{trustee}/{ORG_ID}?billingPeriodIndex=60"), 404, "not.found"),
        (format!("{trustee}/{ORG_ID}?billingPeriodIndex=-1"), 400, "invalid.value"),
        (format!("{trustee}/{ORG_ID}?billingPeriodIndex=x"), 400, "invalid.value"),
        (format!("{trustee}/somebody-else"), 404, "not.found"),
        ("/api/v2/users/me".to_owned(), 404, "not.found"),
        ("/index.html".to_owned(), 404, "not.found"),
    ] {
        let got = verdict(&mut sandbox, &get(&path, &token), start());
        assert_eq!(got, (status, code.to_owned()), "{path}");
    }
    let headers = [("authorization", &*format!("Bearer {token}"))];
    let post = request(Method::POST, &format!("{USAGE}{OCTOBER}"), &headers, "");
    assert_eq!(verdict(&mut sandbox, &post, start()).0, 405);
}

#[test]
fn the_quota_is_announced_and_enforced() {
    let mut sandbox = Sandbox::new(1).quota(3, seconds(61));
    let [first, second] = [0, 1].map(|_| token(&mut sandbox, start()));
    let path = format!("{USAGE}{OCTOBER}");
    let mut ask = |token: &str, now: u64| {
        let response = whole(sandbox.respond(&get(&path, token), later(now)));
        let number = |name: &str| response.headers()[name].to_str().unwrap().parse::<u32>().unwrap();
        let announced = ["allowed", "count", "reset"].map(|what| number(&format!("inin-ratelimit-{what}")));
        (response.status().as_u16(), announced, response)
    };
    for (n, now) in [(1, 0), (2, 10), (3, 20)] {
        let (status, announced, _) = ask(&first, now);
        assert_eq!((status, announced), (200, [3, n, 61 - u32::try_from(now).unwrap()]));
    }
    let (status, announced, response) = ask(&first, 21);
    assert_eq!((status, announced), (429, [3, 3, 40]));
    assert_eq!(response.headers()["retry-after"], "40");
    let mut body = json_of(&response);
    assert_eq!(body["contextId"], response.headers()["inin-correlation-id"].to_str().unwrap());
    body.as_object_mut().unwrap().remove("contextId");
    let published = json!({
        "message": "Rate limit exceeded the maximum. Retry the request in [40] seconds",
        "code": "too.many.requests.retry.after", "status": 429, "details": [], "errors": [],
    });
    assert_eq!(body, published);
    // Another token has its own quota, and the next window starts a new count.
    assert_eq!(ask(&second, 22).1, [3, 1, 61]);
    assert_eq!(ask(&first, 61).1, [3, 1, 61]);

    // The seconds until the end of the window are rounded up or down.
    for (down, said) in [(false, "61"), (true, "60")] {
        let mut sandbox = Sandbox::new(1).quota(1, seconds(61)).round_reset_down(down);
        let token = token(&mut sandbox, start());
        let mut ask = |millis: u64| {
            let now = saturating_add(start(), Duration::from_millis(millis));
            whole(sandbox.respond(&get(&path, &token), now))
        };
        assert_eq!(ask(0).headers()["inin-ratelimit-reset"], "61");
        let refused = ask(1);
        assert_eq!(refused.status().as_u16(), 429);
        for header in ["inin-ratelimit-reset", "retry-after"] {
            assert_eq!(refused.headers()[header], said, "{down}");
        }
        assert_eq!(ask(61_000).status().as_u16(), 200);
    }

    let mut free = Sandbox::new(1).without_quota();
    let token = token(&mut free, start());
    let response = whole(free.respond(&get(&path, &token), start()));
    assert!(!response.headers().contains_key("inin-ratelimit-allowed"));
}

#[test]
fn bodies_are_compressed_for_whoever_accepts_it() {
    let ask = |gzip: bool, accept: &str| {
        let mut sandbox = Sandbox::new(1).gzip(gzip);
        let mut login = login();
        login.headers_mut().insert("accept-encoding", accept.parse().unwrap());
        whole(sandbox.respond(&login, start()))
    };
    let plain = ask(false, "gzip");
    assert_eq!(ask(true, "br").body(), plain.body());
    let packed = ask(true, "br, GZIP");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()[CONTENT_LENGTH], packed.body().len().to_string());
    assert_ne!(packed.body(), plain.body());
    let reply = SimulatedResponse::Response(packed).into_reply(1000).unwrap();
    assert_eq!(reply.body(), plain.body());
}
