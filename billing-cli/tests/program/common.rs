//! Support code: the program as a process, and a server on loopback with scripted responses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Returns the program in an empty environment, so that no real account is used by mistake.
pub(crate) fn program(line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesys-billing"));
    command.args(line).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// The output and the exit status of a process.
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run(command: &mut Command) -> Ended {
    ended(command.output().unwrap())
}

pub(crate) fn ended(output: Output) -> Ended {
    let ended = Ended {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended
}

/// Runs the program on the sandbox with `--quiet`.
pub(crate) fn sandbox(line: &[&str]) -> Ended {
    run(program(&["--sandbox", "-q"]).args(line))
}

/// Returns the ids in a list, read from the field `id`.
pub(crate) fn ids(line: &[&str]) -> Vec<String> {
    let listed = sandbox(&[line, &["--format", "json"]].concat());
    assert_eq!(listed.status, 0, "{}", listed.stderr);
    let array: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    array.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// A server that sends `answers` in order and then repeats the last one. The request heads are available from
/// the receiver.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) requests: Receiver<String>,
}

impl Server {
    pub(crate) fn answering(answers: &[String]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let answers = answers.to_vec();
        thread::spawn(move || {
            let mut nth = 0;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(head) = read_request(&mut stream) else { continue };
                let _ = sender.send(head);
                match answers.get(nth).or(answers.last()) {
                    Some(answer) => {
                        let _ = stream.write_all(answer.as_bytes());
                    }
                    // An empty list of responses keeps the client waiting.
                    None => std::mem::forget(stream),
                }
                nth += 1;
            }
        });
        Self { url, requests }
    }

    /// Returns the program with the address of this server and an access token.
    pub(crate) fn program(&self, line: &[&str]) -> Command {
        let mut command = program(&["--api-url", &self.url, "--login-url", &self.url]);
        command.args(line).env("GENESYSCLOUD_ACCESS_TOKEN", TOKEN);
        command
    }
}

pub(crate) const TOKEN: &str = "t0ken-that-nobody-sees";

pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nConnection: close\r\n\
         ININ-Correlation-Id: corr-7\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}
