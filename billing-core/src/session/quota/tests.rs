use super::*;

fn at(seconds: f64) -> DateTime<Utc> {
    saturating_add(DateTime::UNIX_EPOCH, Duration::from_secs_f64(seconds))
}

fn headers(allowed: u32, count: u32, reset: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("inin-ratelimit-allowed", allowed.into());
    headers.insert("inin-ratelimit-count", count.into());
    headers.insert("inin-ratelimit-reset", reset.into());
    headers
}

fn send(quota: &mut Quota, now: f64) -> Ticket {
    quota.admit(at(now)).unwrap()
}

/// Sends as many requests as are admitted at `now`.
fn burst(quota: &mut Quota, now: f64) -> Vec<Ticket> {
    std::iter::from_fn(|| quota.admit(at(now)).ok()).take(1000).collect()
}

fn observe(
    quota: &mut Quota,
    ticket: Ticket,
    status: StatusCode,
    headers: &HeaderMap,
    now: f64,
) -> Option<NotBefore> {
    let retry_after = crate::machine::retry_after::retry_after(headers, at(now));
    quota.on_response(ticket, status, headers, retry_after, ErrorContext::default, at(now))
}

fn ok(quota: &mut Quota, ticket: Ticket, headers: &HeaderMap, now: f64) {
    assert!(observe(quota, ticket, StatusCode::OK, headers, now).is_none());
}

fn throttle(quota: &mut Quota, ticket: Ticket, headers: &HeaderMap, now: f64) -> f64 {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let not_before = observe(quota, ticket, status, headers, now).unwrap();
    between(at(now), not_before.until).as_secs_f64()
}

fn retry_after(seconds: u32) -> HeaderMap {
    [(http::header::RETRY_AFTER, seconds.into())].into_iter().collect()
}

fn without_pacing() -> Quota {
    Quota::new(Pacing { min_interval: None }, 1)
}

#[test]
fn a_window_is_used_to_the_full_and_then_awaited() {
    let mut quota = Quota::new(Pacing::default(), 1);
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.5);
    let rest = burst(&mut quota, 1.0);
    assert_eq!(rest.len(), 9);
    let hold = quota.admit(at(1.0)).unwrap_err();
    let until = between(at(0.0), hold.not_before.until).as_secs_f64();
    assert!((60.5..=61.5).contains(&until) && hold.wait_reason == WaitReason::QuotaExhausted, "{until}");
    assert_eq!(hold.not_before.server_time, Some(at(60.5)));
    // The nine requests have no response, but they were sent long ago and belong to the window before.
    assert_eq!(burst(&mut quota, 61.2).len(), 10);
}

#[test]
fn what_is_sent_at_the_edge_counts_on_both_sides() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    for _ in 0..4 {
        send(&mut quota, 59.0);
    }
    assert_eq!(burst(&mut quota, 60.5).len(), 6);
}

#[test]
fn a_late_answer_of_the_old_window_does_not_spoil_the_new_one() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let slow = send(&mut quota, 58.9);
    let new = burst(&mut quota, 60.5);
    assert_eq!(new.len(), 9);
    ok(&mut quota, slow, &headers(10, 10, 1), 61.0);
    ok(&mut quota, new[0], &headers(10, 1, 60), 61.1);
    // The slow request may count in this window, so it takes a place; the next window is whole.
    assert_eq!(burst(&mut quota, 62.0).len(), 0);
    assert_eq!(burst(&mut quota, 122.0).len(), 10);
}

#[test]
fn out_of_order_answers_never_lower_what_is_used() {
    let mut quota = without_pacing();
    let four: Vec<_> = (0..4).map(|_| send(&mut quota, 0.0)).collect();
    ok(&mut quota, four[3], &headers(10, 4, 60), 0.1);
    ok(&mut quota, four[1], &headers(10, 2, 60), 0.2);
    assert_eq!(burst(&mut quota, 0.3).len(), 6);
}

#[test]
fn earlier_usage_counts_but_is_not_extrapolated() {
    for (allowed, count, free) in [(300, 77, 223), (300, 200, 100), (180, 50, 130), (5, 2, 3), (2, 2, 0)] {
        let mut quota = without_pacing();
        let first = send(&mut quota, 0.0);
        ok(&mut quota, first, &headers(allowed, count, 60), 0.1);
        assert_eq!(burst(&mut quota, 0.2).len(), free, "{allowed} {count}");
    }
}

#[test]
fn a_slow_answer_makes_no_new_window_of_the_old_one() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(2, 1, 60), 0.1);
    let slow = send(&mut quota, 0.2);
    // The server responded at once, and the response took 24 s to arrive.
    ok(&mut quota, slow, &headers(2, 2, 60), 24.2);
    assert_eq!(burst(&mut quota, 24.3).len(), 0);
}

#[test]
fn a_new_token_has_windows_of_its_own() {
    let mut quota = without_pacing();
    let old = send(&mut quota, 0.0);
    ok(&mut quota, old, &headers(2, 1, 60), 0.0);
    quota.on_new_token(at(2.0));
    let new = send(&mut quota, 2.0);
    ok(&mut quota, new, &headers(2, 1, 60), 2.0);
    assert_eq!(burst(&mut quota, 62.2).len(), 0);
    assert_eq!(burst(&mut quota, 62.3).len(), 2);
}

#[test]
fn an_answer_with_the_token_before_says_nothing_of_the_new_ones_window() {
    // If the response for the old token is the first with headers, it gives the number allowed but not the
    // end of the window.
    let mut quota = without_pacing();
    let old = send(&mut quota, 0.0);
    quota.on_new_token(at(2.0));
    let new = send(&mut quota, 2.0);
    ok(&mut quota, old, &headers(2, 2, 30), 3.0);
    assert_eq!(burst(&mut quota, 3.1).len(), 0);
    ok(&mut quota, new, &headers(2, 1, 60), 3.5);
    assert_eq!(burst(&mut quota, 63.7).len(), 0);
    assert_eq!(burst(&mut quota, 63.8).len(), 2);
    // It is ignored if a window is known, even if its own window lasts much longer.
    let mut quota = without_pacing();
    let (first, slow) = (send(&mut quota, 0.0), send(&mut quota, 0.0));
    ok(&mut quota, first, &headers(9, 1, 60), 0.0);
    quota.on_new_token(at(2.0));
    ok(&mut quota, slow, &headers(5, 5, 50), 3.0);
    assert_eq!(burst(&mut quota, 3.1).len(), 7);
    // Without headers it is ignored as well.
    let mut quota = without_pacing();
    let (first, slow) = (send(&mut quota, 0.0), send(&mut quota, 0.0));
    ok(&mut quota, first, &headers(2, 2, 60), 0.0);
    quota.on_new_token(at(2.0));
    let mut own = HeaderMap::new();
    own.insert("inin-correlation-id", http::HeaderValue::from_static("c"));
    ok(&mut quota, slow, &own, 3.0);
    assert_eq!(burst(&mut quota, 61.0).len(), 2, "the quota is not forgotten");
}

#[test]
fn a_slow_answer_tells_that_the_window_goes_on_which_the_clock_thought_was_over() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let rest = burst(&mut quota, 1.0);
    for ticket in &rest[1..] {
        ok(&mut quota, *ticket, &headers(10, 9, 59), 1.0);
    }
    // By the clock a new window has begun; by the server the old one lasts for another half minute.
    ok(&mut quota, rest[0], &headers(10, 10, 30), 61.0);
    assert_eq!(burst(&mut quota, 61.1).len(), 10, "a minute on its way, it may have been made long ago");

    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(3, 1, 60), 0.0);
    let (second, slow) = (send(&mut quota, 1.0), send(&mut quota, 59.0));
    ok(&mut quota, second, &headers(3, 2, 59), 1.0);
    ok(&mut quota, slow, &headers(3, 3, 30), 61.0);
    assert_eq!(burst(&mut quota, 61.1).len(), 0);
    assert_eq!(burst(&mut quota, 92.3).len(), 3);
    // Information from a response about the new window stays.
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(3, 1, 60), 0.0);
    let slow = send(&mut quota, 59.0);
    let new = send(&mut quota, 60.5);
    ok(&mut quota, new, &headers(3, 1, 60), 60.6);
    ok(&mut quota, slow, &headers(3, 3, 30), 61.0);
    assert_eq!(burst(&mut quota, 61.1).len(), 1);
}

#[test]
fn what_was_lost_may_be_counted_after_the_first_answer_was_made() {
    let mut quota = without_pacing();
    let tickets: Vec<_> = (0..3).map(|_| send(&mut quota, 0.0)).collect();
    quota.mark_unanswered(tickets[1], at(1.0));
    ok(&mut quota, tickets[0], &headers(5, 1, 60), 2.0);
    // One request is counted, one is in flight, and one without a response may still be counted.
    assert_eq!(burst(&mut quota, 3.0).len(), 2);
}

#[test]
fn unanswered_request_may_have_started_the_window() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(1, 1, 60), 0.0);
    let lost = send(&mut quota, 61.0);
    quota.mark_unanswered(lost, at(64.0));
    assert_eq!(burst(&mut quota, 124.2).len(), 0);
    assert_eq!(burst(&mut quota, 124.3).len(), 1);
}

#[test]
fn unanswered_request_at_the_edge_counts_in_the_new_window() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let [early, late] = [50.0, 59.0].map(|now| send(&mut quota, now));
    quota.mark_unanswered(early, at(59.5));
    quota.mark_unanswered(late, at(59.5));
    assert_eq!(burst(&mut quota, 60.5).len(), 9);
}

#[test]
fn a_window_that_is_full_says_nothing_of_the_pace_of_others() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(100, 1, 60), 0.1);
    let mut ours: Vec<Ticket> = (0..49).map(|_| send(&mut quota, 1.0)).collect();
    // A burst of other clients has taken all that was left. The number of their refused requests is unknown.
    ok(&mut quota, ours.remove(0), &headers(100, 100, 59), 5.0);
    assert_eq!(burst(&mut quota, 5.1).len(), 0);
    let next = burst(&mut quota, 61.0).len();
    assert_eq!(
        next, 75,
        "as many as may come at once are left to them, and not as many as would come at that pace"
    );
}

#[test]
fn what_others_have_taken_of_this_window_is_not_ours_in_the_next() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(300, 101, 60), 0.1);
    let second = send(&mut quota, 10.0);
    // Other clients had sent a hundred requests before our first one, and twenty since.
    ok(&mut quota, second, &headers(300, 122, 50), 10.1);
    let Throughput::Window { usable_per_window: usable, .. } = quota.throughput(at(10.2)) else {
        panic!("a window")
    };
    assert_eq!(usable, 280);
}

#[test]
fn unanswered_requests_are_forgotten_when_uncountable() {
    let mut quota = without_pacing();
    for second in 0..1000 {
        let ticket = send(&mut quota, second.into());
        quota.mark_unanswered(ticket, at(f64::from(second) + 0.5));
    }
    assert_eq!(quota.unanswered.len(), 61);
}

#[test]
fn other_clients_rate_is_reserved_and_released_towards_the_window_end() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(100, 1, 60), 0.0);
    let second = send(&mut quota, 10.0);
    // Other clients have sent ten requests in ten seconds: fifty more are expected.
    ok(&mut quota, second, &headers(100, 12, 50), 10.0);
    let sent = burst(&mut quota, 10.0).len();
    assert!((36..=38).contains(&sent), "{sent}");
    let hold = quota.admit(at(10.0)).unwrap_err();
    assert_eq!((hold.not_before.until, hold.not_before.server_time), (at(11.0), None));
    assert!(burst(&mut quota, 35.0).len() > 20);
    // In the next window their rate is expected from the start: ten requests in 20 s, because that is the
    // shortest time for a rate.
    let sent = burst(&mut quota, 60.5).len();
    assert!((68..=72).contains(&sent), "{sent}");
}

#[test]
fn requests_in_flight_do_not_hide_other_clients() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(300, 1, 60), 0.5);
    let second = send(&mut quota, 9.0);
    assert_eq!((0..100).map(|_| send(&mut quota, 10.0)).count(), 100);
    // Other clients have sent twenty requests in ten seconds: none of our hundred can have reached the server
    // yet.
    ok(&mut quota, second, &headers(300, 22, 50), 10.2);
    let sent = burst(&mut quota, 10.2).len();
    assert!((90..=100).contains(&sent), "{sent}");
}

#[test]
fn unseen_clients_expected_rate_halves_each_window() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(100, 1, 60), 0.0);
    let second = send(&mut quota, 30.0);
    // Other clients have sent thirty requests within the 30 s since the last response: sixty a minute.
    ok(&mut quota, second, &headers(100, 32, 30), 30.0);
    let third = send(&mut quota, 61.0);
    ok(&mut quota, third, &headers(100, 1, 60), 61.0);
    // They sent nothing in the second window, but may return in the third.
    assert_eq!(burst(&mut quota, 122.0).len(), 70);
    // At its end the reserve still covers half of their burst.
    assert_eq!(burst(&mut quota, 181.7).len(), 14);
}

#[test]
fn without_headers_requests_are_spaced() {
    let mut quota = Quota::new(Pacing::default(), 1);
    send(&mut quota, 0.0);
    let hold = quota.admit(at(0.1)).unwrap_err();
    assert_eq!((hold.not_before.until, hold.wait_reason), (at(0.2), WaitReason::Spacing));
    send(&mut quota, 0.2);
    assert_eq!(burst(&mut without_pacing(), 0.0).len(), 1000);
}

#[test]
fn d07_a_429_parks_until_the_later_of_hint_and_window_and_a_little() {
    let mut quota = Quota::new(Pacing::default(), 1);
    let ticket = send(&mut quota, 0.0);
    let wait = throttle(&mut quota, ticket, &retry_after(42), 0.0);
    assert!((42.25..=42.5).contains(&wait), "{wait}");
    assert_eq!(quota.admit(at(10.0)).unwrap_err().wait_reason, WaitReason::Throttled);
    let ticket = send(&mut quota, 43.0);
    let mut both = headers(10, 10, 50);
    both.extend(retry_after(3));
    let wait = throttle(&mut quota, ticket, &both, 43.0);
    assert!((51.25..=51.5).contains(&wait), "50 s may be rounded down: {wait}");

    // The window is known from an earlier response, although this one has no headers.
    let mut quota = without_pacing();
    let (first, second) = (send(&mut quota, 0.0), send(&mut quota, 0.0));
    ok(&mut quota, first, &headers(10, 2, 60), 0.0);
    let wait = throttle(&mut quota, second, &retry_after(1), 0.0);
    assert!((60.25..=60.5).contains(&wait), "{wait}");
}

#[test]
fn while_a_429_parks_nothing_is_free_and_from_its_end_on_something_is() {
    let mut quota = without_pacing();
    let (first, second) = (send(&mut quota, 0.0), send(&mut quota, 0.0));
    ok(&mut quota, first, &headers(10, 2, 60), 0.0);
    let status = StatusCode::TOO_MANY_REQUESTS;
    let parked = observe(&mut quota, second, status, &retry_after(90), 0.0).unwrap().until;
    let free = |quota: &Quota, now| match quota.throughput(now) {
        Throughput::Window { remaining: free, ends_at: ends, .. } => (free, ends),
        other => panic!("{other:?}"),
    };
    assert_eq!(free(&quota, at(10.0)), (0, parked));
    assert_eq!(free(&quota, parked), (8, parked));
}

#[test]
fn a_429_without_headers_backs_off_by_itself() {
    let mut quota = Quota::new(Pacing::default(), 1);
    let mut now = 0.0;
    for wait in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
        let ticket = send(&mut quota, now);
        assert_eq!(throttle(&mut quota, ticket, &HeaderMap::new(), now), wait);
        now += wait;
    }
}

#[test]
fn a_burst_of_429s_is_one_event() {
    let mut quota = without_pacing();
    let tickets: Vec<_> = (0..10).map(|_| send(&mut quota, 0.0)).collect();
    for ticket in tickets {
        assert_eq!(throttle(&mut quota, ticket, &HeaderMap::new(), 0.5), 5.0);
    }
    let ticket = send(&mut quota, 5.5);
    assert_eq!(throttle(&mut quota, ticket, &HeaderMap::new(), 5.5), 10.0);

    // A 429 exactly at the end of the wait is a new event.
    let mut quota = without_pacing();
    let (first, late) = (send(&mut quota, 0.0), send(&mut quota, 0.0));
    assert_eq!(throttle(&mut quota, first, &HeaderMap::new(), 0.0), 5.0);
    assert_eq!(throttle(&mut quota, late, &HeaderMap::new(), 5.0), 10.0);
}

#[test]
fn an_answer_without_the_headers_says_nothing_of_the_window_after_its_own() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let second = send(&mut quota, 1.0);
    let mut own = HeaderMap::new();
    own.insert("inin-correlation-id", http::HeaderValue::from_static("c"));
    ok(&mut quota, second, &own, 1.0);
    // No response in the second window could show that the headers are gone.
    send(&mut quota, 61.0);
    assert_eq!(burst(&mut quota, 122.0).len(), 10);
}

#[test]
fn a_quota_that_is_no_longer_announced_is_forgotten() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(1, 1, 60), 0.0);
    // Without a response the guess stays; after a whole window of the server's responses without headers it
    // is dropped.
    assert_eq!(burst(&mut quota, 61.0).len(), 1);
    let gateways = send(&mut quota, 122.0);
    ok(&mut quota, gateways, &HeaderMap::new(), 122.0);
    let own = send(&mut quota, 183.0);
    let mut headers = HeaderMap::new();
    headers.insert("inin-correlation-id", http::HeaderValue::from_static("c"));
    ok(&mut quota, own, &headers, 183.0);
    assert_eq!(burst(&mut quota, 184.0).len(), 0);
    assert_eq!(burst(&mut quota, 244.0).len(), 1000);
}

#[test]
fn what_was_dropped_at_the_edge_does_not_count() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let dropped = send(&mut quota, 59.0);
    quota.cancel(dropped);
    assert_eq!(burst(&mut quota, 60.5).len(), 10);
}

#[test]
fn without_headers_the_pace_is_halved_at_a_429_and_creeps_up_again() {
    let mut quota = Quota::new(Pacing::default(), 1);
    let ticket = send(&mut quota, 0.0);
    throttle(&mut quota, ticket, &HeaderMap::new(), 0.0);
    let ticket = send(&mut quota, 5.0);
    assert_eq!(quota.admit(at(5.1)).unwrap_err().not_before.until, at(5.4));
    ok(&mut quota, ticket, &HeaderMap::new(), 5.1);
    send(&mut quota, 5.4);
    let next = quota.admit(at(5.5)).unwrap_err().not_before.until;
    assert_eq!(between(at(5.4), next).as_millis(), 392);
    for _ in 0..100 {
        let ticket = quota.admit(at(1000.0)).unwrap_or_default();
        ok(&mut quota, ticket, &HeaderMap::new(), 1000.0);
    }
    send(&mut quota, 2000.0);
    assert_eq!(quota.admit(at(2000.0)).unwrap_err().not_before.until, at(2000.2), "no faster than it began");
}

#[test]
fn a_later_429_can_only_lengthen_the_park() {
    for (hints, parked) in [([5, 50], 50.0), ([50, 5], 50.0)] {
        let mut quota = without_pacing();
        let tickets = [send(&mut quota, 0.0), send(&mut quota, 0.0)];
        let waits = [0, 1].map(|at| throttle(&mut quota, tickets[at], &retry_after(hints[at]), 0.0));
        assert!((parked..=parked + 0.5).contains(&waits[1]), "{waits:?}");
    }
}

#[test]
fn a_window_that_is_only_guessed_lengthens_no_park() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let ticket = send(&mut quota, 61.0);
    let wait = throttle(&mut quota, ticket, &retry_after(2), 61.0);
    assert!((2.25..=2.5).contains(&wait), "{wait}");
}

#[test]
fn the_first_answer_of_a_new_window_tells_of_it() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let ticket = send(&mut quota, 61.0);
    ok(&mut quota, ticket, &headers(10, 8, 60), 61.0);
    let left = burst(&mut quota, 120.9).len();
    assert_eq!(left, 2, "seven of others and one of ours are used");
}

#[test]
fn a_window_that_ends_earlier_than_thought_is_noticed() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let eight: Vec<_> = (0..8).map(|_| send(&mut quota, 1.0)).collect();
    for ticket in &eight {
        ok(&mut quota, *ticket, &headers(10, 9, 59), 1.0);
    }
    let ticket = send(&mut quota, 30.0);
    ok(&mut quota, ticket, &headers(10, 1, 60), 30.0);
    assert_eq!(burst(&mut quota, 30.0).len(), 9);
    // A difference of a few seconds is delay, and not a new window.
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(10, 1, 60), 0.0);
    let second = send(&mut quota, 2.0);
    ok(&mut quota, second, &headers(10, 2, 61), 2.0);
    assert_eq!(burst(&mut quota, 2.0).len(), 8);
}

#[test]
fn what_was_there_before_us_is_forgotten_with_its_window() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(100, 51, 60), 0.0);
    let second = send(&mut quota, 61.0);
    ok(&mut quota, second, &headers(100, 1, 60), 61.0);
    let third = send(&mut quota, 71.0);
    // Other clients have sent ten requests in ten seconds, as in the other tests.
    ok(&mut quota, third, &headers(100, 12, 50), 71.0);
    let sent = burst(&mut quota, 71.0).len();
    assert!((36..=40).contains(&sent), "{sent}");
}

#[test]
fn windows_of_hours_are_windows() {
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(2, 2, 7200), 0.0);
    assert!(quota.admit(at(7201.2)).is_err() && quota.admit(at(7201.3)).is_ok());
}

#[test]
fn seconds_that_are_rounded_down_make_no_window_shorter() {
    // The server's windows follow its clock; 30.9 s are left at the first response.
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(1, 1, 30), 0.0);
    assert_eq!(burst(&mut quota, 31.2).len(), 0);
    let second = burst(&mut quota, 31.5);
    assert_eq!(second.len(), 1);
    // This window began with the request, so its 60 s are not rounded and the wait is no longer than that.
    ok(&mut quota, second[0], &headers(1, 1, 60), 31.5);
    assert_eq!(burst(&mut quota, 91.7).len(), 0);
    assert_eq!(burst(&mut quota, 92.0).len(), 1);
    // If windows are longer, a remaining minute is rounded like any other time.
    let mut quota = without_pacing();
    let first = send(&mut quota, 0.0);
    ok(&mut quota, first, &headers(2, 1, 100), 0.0);
    let second = send(&mut quota, 40.5);
    ok(&mut quota, second, &headers(2, 2, 60), 40.5);
    assert_eq!(burst(&mut quota, 101.2).len(), 0);
    assert_eq!(burst(&mut quota, 101.5).len(), 2);
}

#[test]
fn the_pace_is_by_windows_as_long_as_the_server_shows_them() {
    let length = |quota: &Quota| match quota.throughput(at(0.0)) {
        Throughput::Window { length, .. } => length.as_secs(),
        other => panic!("{other:?}"),
    };
    let mut quota = without_pacing();
    let tickets = [send(&mut quota, 0.0), send(&mut quota, 0.0)];
    ok(&mut quota, tickets[0], &headers(9, 1, 7200), 0.0);
    ok(&mut quota, tickets[1], &headers(9, 2, 7100), 100.0);
    assert_eq!(length(&quota), 7200);
    // In a new window the first response shows the length again.
    let next = send(&mut quota, 7202.0);
    assert_eq!(length(&quota), 7200);
    ok(&mut quota, next, &headers(9, 1, 59), 7203.0);
    assert_eq!(length(&quota), 60);
}

#[test]
fn shift_back_equals_everything_earlier() {
    // A multiple of the jitter's period, so that the jitter stays the same.
    let by = Duration::from_millis(1 << 31);
    let lived = |from: f64| {
        let mut quota = Quota::new(Pacing::default(), 1);
        let first = send(&mut quota, from);
        quota.on_new_token(at(from + 1.0));
        let [second, third] = [2.0, 3.0].map(|seconds| send(&mut quota, from + seconds));
        ok(&mut quota, second, &headers(300, 7, 60), from + 4.0);
        send(&mut quota, from + 5.0);
        quota.mark_unanswered(first, at(from + 6.0));
        throttle(&mut quota, third, &retry_after(90), from + 7.0);
        quota
    };
    let mut set_back = lived(10_000_000.0);
    set_back.shift_back(by);
    assert_eq!(format!("{set_back:?}"), format!("{:?}", lived(10_000_000.0 - by.as_secs_f64())));
}

#[test]
fn nonsense_in_headers_is_ignored() {
    let mut quota = without_pacing();
    for nonsense in [headers(0, 0, 0), headers(1, 1, u32::MAX)] {
        let ticket = send(&mut quota, 0.0);
        ok(&mut quota, ticket, &nonsense, 0.0);
        assert!(quota.window.is_none());
    }
}
