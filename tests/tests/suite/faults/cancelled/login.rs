//! Calls are dropped that wait for another call's login, or whose login other calls wait for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use billing_tests::raw_server::RawServer;
use futures_util::future::join_all;
use futures_util::poll;
use tokio::sync::Notify;

use super::operations::OPERATIONS;
use super::{Drop, client, drop_after, fresh, report};
use crate::faults::answers::Answers;

#[tokio::test]
async fn hyper_whoever_waits_for_a_login_and_is_dropped_costs_nobody_anything() {
    join_all(OPERATIONS.map(|(name, begin)| async move {
        let mut cases = vec![(Drop::Pending, None)];
        for when in [Drop::Pending, Drop::Woken] {
            cases.extend((0..AFTER_THE_LOGIN).map(|n| (when, Some(n))));
        }
        for (when, after_release) in cases {
            let case = format!("{name}, {when:?}, {after_release:?}");
            let (server, login) = held_at_the_login();
            let client = client(&server);
            let first = tokio::spawn(report(client.clone()));
            login.asked.notified().await;
            let mut second = begin(client.clone());
            for _ in 0..3 {
                assert!(poll!(&mut second).is_pending(), "{case}");
            }
            assert_eq!(server.requests().len(), 1, "{case}: it waits for the login of the first");
            match after_release {
                None => drop(second),
                Some(n) => {
                    login.release();
                    drop_after(n, when, second).await;
                }
            }
            login.release();
            first.await.expect("a task").unwrap_or_else(|error| panic!("{case}: {error}"));
            fresh(&client).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(server.count("/oauth/token"), 1, "{case}");
        }
    }))
    .await;
}

#[tokio::test]
async fn hyper_a_login_that_is_dropped_is_taken_over_by_who_waits_for_it() {
    join_all(OPERATIONS.map(|(name, begin)| async move {
        let (server, login) = held_at_the_login();
        let client = client(&server);
        let mut first = Box::pin(report(client.clone()));
        tokio::select! {
            _ = &mut first => panic!("{name}: the login is held"),
            () = login.asked.notified() => {}
        }
        let mut second = begin(client.clone());
        assert!(poll!(&mut second).is_pending(), "{name}");
        drop(first);
        login.release();
        second.await;
        assert_eq!(server.count("/oauth/token"), 2, "{name}");
    }))
    .await;
}

/// A login whose answer the server holds back.
#[derive(Default)]
struct Login {
    asked: Notify,
    released: Mutex<bool>,
    release: Condvar,
}

impl Login {
    fn release(&self) {
        *self.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.release.notify_all();
    }

    fn hold(&self) {
        self.asked.notify_one();
        let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.release.wait_while(released, |released| !*released));
    }
}

fn held_at_the_login() -> (RawServer, Arc<Login>) {
    let (answers, login) = (Answers::default(), Arc::<Login>::default());
    let holding = Arc::clone(&login);
    let server = RawServer::start(move |_, wire| {
        while let Some(head) = wire.request() {
            if head.starts_with("POST") {
                holding.hold();
            }
            answers.answer(&head, wire);
        }
    });
    (server, login)
}

/// The number of polls to try: one of them sees the login's answer.
const AFTER_THE_LOGIN: usize = 4;
