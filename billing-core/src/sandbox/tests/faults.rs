//! Checks that each fault does what its documentation says.

use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::*;
use crate::TransportErrorKind;

#[test]
fn faults_with_a_status_look_as_documented() {
    let head = |fault: Fault| {
        let response = struck(fault, 1 << 20).unwrap();
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        (response.status().as_u16(), response.headers().clone(), text)
    };
    let (status, headers, body) = head(Fault::Status(503));
    assert_eq!(status, 503);
    assert!(body.contains("\"code\":\"service.unavailable\""));
    assert!(headers.contains_key("inin-correlation-id") && !headers.contains_key("retry-after"));

    let (status, headers, body) = head(Fault::StatusRetryAfter(429, RetryAfter::Seconds(42)));
    assert_eq!((status, &headers["retry-after"]), (429, &"42".parse().unwrap()));
    assert!(body.contains("too.many.requests.retry.after"));

    let date = RetryAfter::Date { in_seconds: 30, clock_skew: -3600 };
    let (_, headers, _) = head(Fault::StatusRetryAfter(503, date));
    assert_eq!(headers["date"], "Mon, 02 Nov 2026 08:00:00 GMT");
    assert_eq!(headers["retry-after"], "Mon, 02 Nov 2026 08:00:30 GMT");

    let (status, headers, body) = head(Fault::Html(502));
    assert_eq!((status, &headers["content-type"]), (502, &"text/html".parse().unwrap()));
    assert!(body.starts_with("<html>") && body.contains("502 Bad Gateway"));

    assert_eq!(head(Fault::ThrottleBare), (429, HeaderMap::new(), String::new()));
    let (status, headers, _) = head(Fault::Redirect("https://elsewhere.invalid/\r\nX: y".into()));
    assert_eq!((status, &headers["location"]), (302, &"https://elsewhere.invalid/X: y".parse().unwrap()));

    let (status, _, body) = head(Fault::InvalidClient);
    assert_eq!(status, 400);
    assert!(body.contains("\"error\":\"invalid_client\"") && body.contains("\"error_description\""));

    assert_eq!(head(Fault::OtherSuccess(204)).2, "");
    assert_eq!(head(Fault::OtherSuccess(204)).0, 204);
    let (status, headers, body) = head(Fault::Accepted(Some(RetryAfter::Seconds(3))));
    assert_eq!((status, &headers["retry-after"], &*body), (202, &"3".parse().unwrap(), ""));

    let (status, _, body) = head(Fault::ReportStatus("Paused".into()));
    assert!(status == 200 && body.contains("\"status\":\"Paused\"") && !body.contains("usages"));
    let (_, headers, body) = head(Fault::ReportStatusRetryAfter("InProgress".into(), RetryAfter::Seconds(9)));
    assert!(headers["retry-after"] == "9" && body.contains("\"status\":\"InProgress\""));
    let (_, _, body) = head(Fault::NoReportStatus);
    assert!(body.contains("\"startDate\"") && !body.contains("status"));
}

#[test]
fn faults_of_the_body_look_as_documented() {
    let body = |fault: Fault| struck(fault, 1 << 20).map(|response| response.into_body());
    let decoded = |fault: Fault| crate::model::decode_json::<UsageReport>(&body(fault).unwrap());
    let place = |fault: Fault| decoded(fault).unwrap_err().to_string();
    assert!(place(Fault::NotJson).contains("line 1"));
    assert!(place(Fault::TruncatedJson).contains("EOF"));
    assert!(place(Fault::NotUtf8).contains("UTF-8"));
    assert!(place(Fault::TooDeep).contains("new"));
    assert!(place(Fault::WrongShape).contains("UsageReport"));
    assert_eq!(body(Fault::TruncatedBody), Err(TransportErrorKind::Truncated));
    assert_eq!(body(Fault::GzipCut), Err(TransportErrorKind::Truncated));

    for fault in [Fault::Huge(1 << 20), Fault::GzipBomb(1 << 20)] {
        assert_eq!(body(fault.clone()).unwrap().len(), 1 << 20);
        assert!(decoded(fault).is_ok());
    }
    let limit = 1 << 20;
    for fault in [Fault::Huge(limit + 1), Fault::GzipBomb(limit + 1)] {
        assert_eq!(body(fault), Err(TransportErrorKind::TooLarge { limit }));
    }
}

#[test]
fn a_cut_body_announces_all_of_it() {
    let mut sandbox = Sandbox::new(1);
    sandbox.inject(FaultTarget::Any, Fault::TruncatedBody);
    let SimulatedResponse::Truncated(response, sent) = sandbox.respond(&login(), start()) else {
        panic!("a truncated answer")
    };
    assert_eq!(response.headers()[CONTENT_LENGTH], response.body().len().to_string());
    assert!(0 < sent && sent < response.body().len());
}

#[test]
fn faults_of_the_network_look_as_documented() {
    let kind = |fault: Fault| struck(fault, 1 << 20).unwrap_err();
    assert_eq!(kind(Fault::Reset), TransportErrorKind::Reset);
    assert_eq!(kind(Fault::ResetAfterActing), TransportErrorKind::Reset);
    assert_eq!(kind(Fault::Silence), TransportErrorKind::Timeout);
    assert_eq!(kind(Fault::Transport(TransportErrorKind::Tls)), TransportErrorKind::Tls);
}

#[test]
fn only_a_reset_after_acting_leaves_traces() {
    for (fault, acted) in [(Fault::Reset, false), (Fault::ResetAfterActing, true)] {
        let mut sandbox = Sandbox::new(1).pending_answers(1);
        let token = token(&mut sandbox, start());
        sandbox.inject(FaultTarget::UsageReport, fault);
        let request = get(&format!("{USAGE}{OCTOBER}"), &token);
        sandbox.respond(&request, start());
        let (_, status) = verdict(&mut sandbox, &request, start());
        assert_eq!(status == "Complete", acted);
    }
}

#[test]
fn faults_wait_in_line_for_a_request_that_they_are_meant_for() {
    let mut sandbox = Sandbox::new(1);
    let token = token(&mut sandbox, start());
    sandbox.inject(FaultTarget::Overview, Fault::Status(500));
    sandbox.inject(FaultTarget::UsageReport, Fault::Status(502));
    sandbox.inject(FaultTarget::Api, Fault::Status(503));
    sandbox.inject(FaultTarget::UsageReport, Fault::NotUtf8);
    let request = get(&format!("{USAGE}{OCTOBER}"), &token);
    assert_eq!(verdict(&mut sandbox, &request, start()).0, 502);
    assert_eq!(verdict(&mut sandbox, &login(), start()).0, 200);
    assert_eq!(verdict(&mut sandbox, &request, start()).0, 503);
    // The answer is not successful, so the fault cannot change it and stays in the queue.
    assert_eq!(verdict(&mut sandbox, &get(USAGE, "nobody"), start()).0, 401);
    assert!(std::str::from_utf8(whole(sandbox.respond(&request, start())).body()).is_err());
    assert_eq!(verdict(&mut sandbox, &request, start()).0, 200);
}

/// Returns the reply to a request for a complete report that meets `fault`.
fn struck(fault: Fault, max_body: usize) -> Result<Response<Bytes>, TransportErrorKind> {
    let mut sandbox = Sandbox::new(1).report_duration(Duration::ZERO);
    let token = token(&mut sandbox, start());
    sandbox.inject(FaultTarget::UsageReport, fault);
    let request = get(&format!("{USAGE}{OCTOBER}"), &token);
    sandbox.respond(&request, start()).into_reply(max_body).map_err(|error| error.kind())
}
