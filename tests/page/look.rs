//! A trace, served and looked at.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fantoccini::Locator;
use fantoccini::actions::{Actions, InputSource as _, KeyAction, KeyActions};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::browser::server::Server;
use crate::trace::Trace;

pub(crate) const PYTRACE: &str = env!("CARGO_BIN_EXE_pytrace");
/// As long as the page may take to show something, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lines of the tree that are drawn, each behind as many dots as it has levels above it.
const ROWS: &str = "
    return [...document.querySelectorAll('#tree .stage [role=row]')].map((row) => {
        const text = (name) => row.querySelector(`.main ${name}`)?.textContent ?? '';
        const words = [text('.times'), text('.heading') || text('.name')].filter(Boolean);
        return '.'.repeat(Number(row.getAttribute('aria-level') ?? 1) - 1) + words.join(' ');
    });";

pub(crate) struct Page {
    pub(crate) browser: Browser,
    pub(crate) server: Rc<Server>,
}

/// Serves a trace, opens its page at a part of its address, and does something with it; after which
/// its console has to be empty, and nothing must have been asked of anybody but its server.
pub(crate) fn look_at(trace: &Trace, hash: &str, look: impl AsyncFnOnce(&Page)) {
    look_at_file(&trace.save(), hash, look);
}

pub(crate) fn look_at_file(trace: &Path, hash: &str, look: impl AsyncFnOnce(&Page)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let server = Server::start(Path::new(PYTRACE), trace, &[]).expect("a server");
    runtime.block_on(async {
        let browser = Browser::open(1280, 800).await.expect("a browser");
        let page = Page {
            browser,
            server: Rc::new(server),
        };
        page.go(hash).await;
        look(&page).await;
        page.check_silence();
    });
}

impl Page {
    /// Opens the page at a part of its address.
    pub(crate) async fn go(&self, hash: &str) {
        let client = &self.browser.client;
        // Else only the part behind # would change, and the page would stay.
        client.goto("about:blank").await.expect("a blank page");
        let address = format!("{}/{hash}", self.server.origin());
        client.goto(&address).await.expect("the page");
        self.settle().await;
    }

    /// Waits until nothing is being asked and drawn.
    pub(crate) async fn settle(&self) {
        let quiet = "
            return !document.querySelector('#tree .stage .waiting') && document.querySelector('#header h1') !== null
                && !document.querySelector('[aria-busy=true]') && document.querySelector('#busy')?.hidden !== false;";
        let mut rows = Value::Null;
        for _ in 0..2 {
            self.until("the page is at rest", quiet).await;
            loop {
                tokio::time::sleep(Duration::from_millis(120)).await;
                let now = self.run("return document.body.innerText").await;
                if now == rows {
                    break;
                }
                rows = now;
            }
        }
    }

    /// The value of a script.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let result = self.browser.client.execute(script, vec![]).await;
        result.unwrap_or_else(|error| panic!("{error}: {script}"))
    }

    /// Waits for a script to return true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let start = Instant::now();
        while self.run(script).await != true {
            assert!(start.elapsed() < PATIENCE, "{what}: not so, {script}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn rows(&self) -> Vec<String> {
        self.settle().await;
        let rows = self.run(ROWS).await;
        serde_json::from_value(rows).expect("a list of strings")
    }

    /// The text of the first element that a selector finds.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let script = format!(
            "return document.querySelector({})?.textContent",
            json!(selector)
        );
        match self.run(&script).await {
            Value::String(text) => text,
            _ => panic!("no {selector}"),
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.browser.client.find(Locator::Css(selector)).await;
        let element = element.unwrap_or_else(|error| panic!("{selector}: {error}"));
        let clicked = element.click().await;
        clicked.unwrap_or_else(|error| panic!("{selector}: {error}"));
        self.settle().await;
    }

    /// Clicks something in the row of that text, as [`Page::rows`] has it without dots.
    pub(crate) async fn click_in_row(&self, text: &str, selector: &str) {
        let rows = self.rows().await;
        let found = rows
            .iter()
            .position(|row| row.trim_start_matches('.') == text);
        let index = found.unwrap_or_else(|| panic!("no {text} in {rows:?}"));
        let rows = "#tree .stage [role=row]";
        let id = format!("return document.querySelectorAll('{rows}')[{index}].id");
        let id = self.run(&id).await;
        let id = id.as_str().expect("a row has an id").to_owned();
        self.click(&format!("#{id} {selector}")).await;
    }

    /// Types into whatever has the focus.
    pub(crate) async fn press(&self, keys: &str) {
        for key in keys.chars() {
            let actions = KeyActions::new("keys".into())
                .then(KeyAction::Down { value: key })
                .then(KeyAction::Up { value: key });
            let pressed = self
                .browser
                .client
                .perform_actions(Actions::from(actions))
                .await;
            pressed.expect("keys can be pressed");
        }
        self.settle().await;
    }

    /// What is selected in the tree, as [`Page::rows`] has it without dots.
    pub(crate) async fn selected(&self) -> Option<String> {
        self.settle().await;
        let script = ROWS.replace("[role=row]')", "[aria-selected=true]')");
        let rows = self.run(&script).await;
        let row = rows[0].as_str()?;
        Some(row.trim_start_matches('.').to_owned())
    }

    /// The page's console is empty, and only its own server was asked for anything.
    pub(crate) fn check_silence(&self) {
        let said = self.browser.console().expect("a console");
        assert!(said.is_empty(), "the console says: {}", said.join("\n"));
        let origin = format!("{}/", self.server.origin());
        for url in self.browser.requests().expect("a log of requests") {
            let own = url.starts_with(&origin) || url == "about:blank" || url.starts_with("data:");
            assert!(own, "the page asked for {url}");
        }
    }
}
