//! A headless Chromium, driven through chromedriver.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one window, with a profile of its own. It ends with the value.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

impl Browser {
    /// Starts it. `None`, with a word on standard error, where Chromium or its driver is not installed and
    /// `BILLING_BROWSER` does not say that it must be.
    ///
    /// # Panics
    /// Panics if it is installed but does not start, or is required but not installed.
    pub fn start() -> Option<Self> {
        let Some((driver, browser)) = on_path("chromedriver").zip(on_path("chromium")) else {
            assert!(
                std::env::var_os("BILLING_BROWSER").is_none(),
                "chromium and chromedriver are not installed: apt-get install chromium chromium-driver"
            );
            eprintln!("NOTE: chromium and chromedriver are not installed: the pages were not looked at");
            return None;
        };
        let profile =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for the profile: {error}"));
        let mut driver = Command::new(driver)
            .args(["--port=0", "--log-level=SEVERE"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver does not start: {error}"));
        let said = driver.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let port = said
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_suffix('.')?.split_once("successfully on port ")?.1.parse::<u16>().ok()
            })
            .unwrap_or_else(|| panic!("chromedriver names no port"));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut this = Self { driver, session: format!("http://127.0.0.1:{port}"), agent, _profile: profile };
        let arguments = FLAGS
            .iter()
            .map(|flag| (*flag).to_owned())
            .chain([format!("--user-data-dir={}", this._profile.path().display())]);
        let session = this.post(
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "binary": browser, "args": arguments.collect::<Vec<_>>() },
                "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            } } }),
        );
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}"));
        this.session = format!("{}/session/{id}", this.session);
        Some(this)
    }

    /// Opens a file.
    ///
    /// # Panics
    /// Panics if the browser fails.
    pub fn open(&self, file: &Path) {
        self.post("/url", &json!({ "url": format!("file://{}", file.display()) }));
    }

    /// A command of the browser's protocol for developers.
    ///
    /// # Panics
    /// Panics if the browser fails.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Runs a script and returns its result. The page's content policy does not apply to it.
    ///
    /// # Panics
    /// Panics if the browser fails.
    pub fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Returns the log entries since the last call. `browser` has the console, `performance` the network
    /// events.
    ///
    /// # Panics
    /// Panics if the browser fails.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("/se/log", &json!({ "type": kind }));
        entries.as_array().cloned().unwrap_or_else(|| panic!("no log: {entries}"))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self
            .agent
            .post(format!("{}{path}", self.session))
            .header("Content-Type", "application/json")
            .send(body.to_string());
        let text =
            answer.and_then(|mut answer| answer.body_mut().with_config().limit(1 << 30).read_to_string());
        let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        assert!(answer["value"]["error"].is_null(), "{path}: {}", answer["value"]);
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser first, so that nothing of it stays.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

const FLAGS: [&str; 10] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
