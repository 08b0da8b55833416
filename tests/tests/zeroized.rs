//! Rule D9 in memory: after every value with a secret is dropped, the memory of the process does not contain the secret.
//!
//! A child process of this test program searches its own memory through `/proc/self/mem`, which needs no unsafe code. The texts
//! that it searches for are stored enciphered and compared byte by byte, so that the search does not find itself.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::Command;
use std::rc::Rc;
use std::{env, fs};

use billing_cli::profile;
use billing_core::calls::TrusteeOverviewCall;
use billing_core::{
    Authorized, Credentials, Environment, Exchange, Machine, Policy, Reply, Request, Secret, Session, Step,
};
use bytes::Bytes;
use chrono::DateTime;

#[test]
fn d09_secrets_are_overwritten_when_they_are_dropped() {
    assert_eq!(found_when("nothing"), "[]");
    // Check that the search finds texts that are still in memory.
    for (kept, text) in [
        ("the secret", SECRET),
        ("the login", BASIC),
        ("the call", TOKEN),
        ("the session", TOKEN),
        ("the profile", SECRET),
    ] {
        let found = found_when(kept);
        assert!(found.contains(&format!("{:?}", text.name)), "{kept} is kept, and found is {found}");
    }
}

/// Runs the child and returns the list of texts that it found.
fn found_when(kept: &str) -> String {
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "the_child", "--nocapture"])
        .env(TASK, kept)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let found = said.split_once("found: ").and_then(|(_, rest)| rest.lines().next());
    found.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// Uses and drops sessions in a process of its own. It does nothing without a task in the environment.
#[test]
fn the_child() {
    let Ok(kept) = env::var(TASK) else { return };
    // Freed memory is reused, which can hide a secret that was left in it. Many sessions make that unlikely.
    let mut lives: Vec<Life> = (0..LIVES).map(|_| Life::new()).collect();
    for life in &mut lives {
        life.drop_all_but(&kept);
    }
    let found = [SECRET, BASIC, TOKEN].into_iter().filter(|text| text.is_in_memory());
    println!("found: {:?}", found.map(|text| text.name).collect::<Vec<_>>());
    drop(lives);
}

/// The values that remain after a session has logged in and made a call, and the profile with its secret.
struct Life {
    profile: Option<profile::Profile>,
    secret: Option<Secret>,
    session: Option<Rc<RefCell<Session>>>,
    login: Option<Box<Request>>,
    call: Option<Box<Request>>,
}

impl Life {
    fn new() -> Self {
        let now = DateTime::UNIX_EPOCH;
        let secret = Secret::new(SECRET.within_margins());
        let credentials = Credentials::client("our-client", secret.clone()).expect("credentials");
        let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
        let call = TrusteeOverviewCall::new("org-1".parse().expect("an id"));
        let api = Environment::default().api().clone();
        let machine = Authorized::new(Exchange::new(call, api, Policy::default()), Rc::clone(&session));
        let token = Secret::new(TOKEN.within_margins());
        let body = |rest: &str| [r#"{"access_token":""#, token.expose(), rest].concat();
        let Step::Send(_, sent) = machine.step(now) else { panic!("a login") };
        // This body is longer than the next one, so that the next one cannot overwrite all of it.
        let broken = body(&[&".".repeat(400), r#"","expires_in":"#].concat());
        let Step::Wait(now, machine) = sent.receive(answer(broken), now) else { panic!("unreadable") };
        let Step::Send(login, sent) = machine.step(now) else { panic!("another login") };
        let body = body(r#"","expires_in":86400}"#);
        let Step::Send(call, sent) = sent.receive(answer(body), now) else { panic!("a call") };
        let Step::Done(Ok(_)) = sent.receive(answer("{}".to_owned()), now) else { panic!("an end") };
        Self {
            profile: Some(profile()),
            secret: Some(secret),
            session: Some(session),
            login: Some(login),
            call: Some(call),
        }
    }

    fn drop_all_but(&mut self, kept: &str) {
        let Self { profile, secret, session, login, call } = self;
        profile.take_if(|_| kept != "the profile");
        secret.take_if(|_| kept != "the secret");
        session.take_if(|_| kept != "the session");
        login.take_if(|_| kept != "the login");
        call.take_if(|_| kept != "the call");
    }
}

/// Writes a profile, reads it and reads its secret.
fn profile() -> profile::Profile {
    let secret = Secret::new(SECRET.within_margins());
    let secret = secret.expose();
    let table = ["client_secret = \"", secret, "\"\n"].concat();
    let pair = ["list = [{ name = [\"", secret, "\"] }]\n"].concat();
    let (table, pair) = (Secret::new(table), Secret::new(pair));
    let whole =
        Secret::new(["[DEFAULT]\n", table.expose(), pair.expose(), "[other]\n", table.expose()].concat());
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&file, whole.expose()).expect("a file");
    let profile = profile::Profile::read(Some(file.path()), None).expect("TOML").expect("a profile");
    let text = profile.get("client_secret").expect("a text").expect("a text");
    assert!(text.expose() == secret);
    profile
}

fn answer(body: String) -> Reply {
    Ok(http::Response::new(Bytes::from(body)))
}

/// A text that must not stay in memory.
#[derive(Clone, Copy)]
struct Text {
    name: &'static str,
    enciphered: &'static [u8],
}

impl Text {
    /// Returns the deciphered text between two margins, in an allocation of exactly this length.
    fn within_margins(self) -> String {
        let mut text = String::with_capacity(2 * MARGIN + self.enciphered.len());
        text.extend(std::iter::repeat_n('.', MARGIN));
        text.extend(self.enciphered.iter().map(|byte| char::from(byte ^ KEY)));
        text.extend(std::iter::repeat_n('.', MARGIN));
        text
    }

    /// Returns true if the text is anywhere in the writable memory of this process.
    fn is_in_memory(self) -> bool {
        let mut memory = File::open("/proc/self/mem").expect("a Linux");
        let maps = fs::read_to_string("/proc/self/maps").expect("a Linux");
        for map in maps.lines() {
            let mut columns = map.split_whitespace();
            let (range, permissions) =
                (columns.next().expect("a range"), columns.next().expect("permissions"));
            if !permissions.starts_with("rw") {
                continue;
            }
            let (begin, end) = range.split_once('-').expect("two addresses");
            let address = |text| u64::from_str_radix(text, 16).expect("an address");
            if self.is_between(&mut memory, address(begin), address(end)) {
                return true;
            }
        }
        false
    }

    fn is_between(self, memory: &mut File, begin: u64, end: u64) -> bool {
        let (mut piece, mut at) = (vec![0; PIECE], begin);
        while at < end {
            memory.seek(SeekFrom::Start(at)).expect("a place");
            let wanted = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
            // Some mapped memory cannot be read.
            let Ok(n) = memory.read(&mut piece[..wanted]) else { return false };
            let is_it = |window: &[u8]| window.iter().zip(self.enciphered).all(|(a, b)| a ^ KEY == *b);
            if piece[..n].windows(self.enciphered.len()).any(is_it) {
                return true;
            }
            // The pieces overlap, so that a text across the end of one is complete in the next.
            let overlap = if at + (n as u64) < end { self.enciphered.len() - 1 } else { 0 };
            at += n.saturating_sub(overlap).max(1) as u64;
        }
        false
    }
}

const TASK: &str = "BILLING_TESTS_ZEROIZED";
const KEY: u8 = 0x5a;
const PIECE: usize = 1 << 16;
const LIVES: usize = 16;
/// The length of the margin around a text. The allocator overwrites the beginning and the end of freed memory, which would
/// hide a secret there.
const MARGIN: usize = 49;

const SECRET: Text = Text { name: "client secret", enciphered: b")?);7?wj*?4w)?);7?wj*?4{" };
/// The Base64 form of the secret, which starts at a multiple of three bytes in the client's credentials.
const BASIC: Text = Text {
    name: "client secret in Basic",
    enciphered: b"9h\x0c \x03\x0dk6\x16\x0e\x18-\x00\x0dn.9h\x0c \x03\x0dk6\x16\x0e\x18-\x00\x0dn2",
};
const TOKEN: Text = Text { name: "token", enciphered: b".j1?4w.j1?4w5<w.2?w9236>" };
