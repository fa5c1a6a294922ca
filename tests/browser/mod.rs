//! A headless Chromium, and a server for it to look at.

#![allow(dead_code, reason = "not every user uses everything")]

pub(crate) mod http;
pub(crate) mod server;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use http::Connection;

const MISSING: &str = "needs Chromium and its driver: scripts/setup.sh test, or apt-get install chromium chromium-driver";

/// A browser with a profile of its own, which is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    /// What it is driven by.
    pub(crate) client: Client,
    session: String,
    driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Starts one whose page is so large, in CSS pixels.
    pub(crate) async fn open(width: u32, height: u32) -> Result<Browser> {
        let driver = Driver::start()?;
        let profile = tempfile::tempdir()?;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".into(),
            "--disable-quic".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--disable-dev-shm-usage".into(),
            "--force-device-scale-factor=1".into(),
            format!("--user-data-dir={}", profile.path().display()),
            format!("--window-size={width},{height}"),
        ];
        if nix::unistd::geteuid().is_root() {
            // Chromium refuses to start as root with it.
            arguments.push("--no-sandbox".into());
        }
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            bail!("capabilities are an object");
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .context("the driver starts no browser")?;
        let session = client.session_id().await?.context("a session has an id")?;
        let browser = Browser {
            client,
            session,
            driver,
            _profile: profile,
        };
        browser.resize(width, height)?;
        // The page that it begins with has asked for much.
        browser.client.goto("about:blank").await?;
        browser.requests()?;
        browser.console()?;
        Ok(browser)
    }

    /// Makes the page so large: narrower, too, than a window can be.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        )?;
        Ok(())
    }

    /// Lets the page see that its user prefers the `light` or the `dark`.
    pub(crate) fn prefer(&self, scheme: &str) -> Result<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))?;
        Ok(())
    }

    /// Runs a command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        self.post(
            "goog/cdp/execute",
            json!({"cmd": command, "params": parameters}),
        )
    }

    /// What the page's console has said since the last time.
    pub(crate) fn console(&self) -> Result<Vec<String>> {
        let lines = self.log("browser")?;
        Ok(lines.iter().map(Value::to_string).collect())
    }

    /// The URLs that the page has asked for since the last time.
    pub(crate) fn requests(&self) -> Result<Vec<String>> {
        let mut urls = Vec::new();
        for entry in self.log("performance")? {
            let message = entry["message"].as_str().context("a message")?;
            let message: Value = serde_json::from_str(message)?;
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = &message["params"]["request"]["url"];
                urls.push(url.as_str().context("a URL")?.to_owned());
            }
        }
        Ok(urls)
    }

    /// Its processes that render pages.
    pub(crate) fn renderers(&self) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        let mut below = vec![self.driver.process.id()];
        while let Some(pid) = below.pop() {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            // Its words need not be apart by zeros: it has written over them.
            if String::from_utf8_lossy(&command).contains("--type=renderer") {
                found.push(pid);
            }
            // Each may have gone meanwhile.
            for thread in fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
            {
                let children = fs::read_to_string(thread?.path().join("children"));
                let children = children.unwrap_or_default();
                below.extend(
                    children
                        .split_whitespace()
                        .filter_map(|pid| pid.parse::<u32>().ok()),
                );
            }
        }
        Ok(found)
    }

    fn log(&self, kind: &str) -> Result<Vec<Value>> {
        match self.post("se/log", json!({"type": kind}))? {
            Value::Array(entries) => Ok(entries),
            other => bail!("no log: {other}"),
        }
    }

    /// What fantoccini has no words for.
    fn post(&self, command: &str, body: Value) -> Result<Value> {
        let path = format!("/session/{}/{command}", self.session);
        let answer = self.driver.ask("POST", &path, &body.to_string())?;
        Ok(answer["value"].clone())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Else the browser would outlive its driver.
        let _ = self
            .driver
            .ask("DELETE", &format!("/session/{}", self.session), "");
    }
}

#[derive(Debug)]
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// It takes a port that is free for IPv6 and then wants the same one for IPv4; where somebody has
    /// just that, as tests that run beside this one may, it gives up instead of trying another.
    fn start() -> Result<Driver> {
        let mut said = String::new();
        for _ in 0..5 {
            match Driver::try_start()? {
                Ok(driver) => return Ok(driver),
                Err(last_words) => said = last_words,
            }
            if !said.contains("port not available") {
                break;
            }
        }
        bail!("{MISSING}: the driver did not start: {said}");
    }

    /// Starts one, or has what it said before it ended.
    fn try_start() -> Result<Result<Driver, String>> {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = spawned.context(MISSING)?;
        let output = process.stdout.take().context("its output")?;
        let mut driver = Driver { process, port: 0 };
        let mut lines = BufReader::new(output).lines();
        let mut said = String::new();
        for line in &mut lines {
            let line = line?;
            // ChromeDriver was started successfully on port 40123.
            if let Some((_, port)) = line.rsplit_once("successfully on port ") {
                driver.port = port.trim_end_matches('.').parse()?;
                // Whatever else it says must not block it.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Ok(driver));
            }
            said += &line;
            said.push('\n');
        }
        Ok(Err(said))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let answer = Connection::open(self.port)?.ask(method, path, body)?;
        let body: Value = serde_json::from_slice(&answer.body)?;
        if answer.status != 200 {
            bail!("{path}: {}", body["value"]["message"]);
        }
        Ok(body)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
