//! The page in a browser.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::browser::server::Server;
use crate::figures::Figures;

const SCROLLS: usize = 60;
/// Resolves with the milliseconds until rows stand where there were none, and are painted.
const FIRST_ROWS: &str = "
    const done = arguments[0];
    const look = () => {
        if (document.querySelector('#panel-tree [role=row][aria-level]')) {
            requestAnimationFrame(() => setTimeout(() => done(performance.now())));
        } else {
            setTimeout(look, 4);
        }
    };
    look();";
/// Scrolls to a part of the tree, and resolves with the milliseconds until rows are there.
const SCROLL: &str = "
    const [part, done] = arguments;
    const row = document.querySelector('#panel-tree [role=row][aria-level]');
    let scroller = row;
    while (scroller.scrollHeight <= scroller.clientHeight + 1 || getComputedStyle(scroller).overflowY === 'visible') {
        scroller = scroller.parentElement;
        if (!scroller) { done(null); return; }
    }
    const start = performance.now();
    scroller.scrollTop = part * (scroller.scrollHeight - scroller.clientHeight);
    const box = scroller.getBoundingClientRect();
    const look = () => {
        const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
        const row = at?.closest('[role=row][aria-level]');
        if (row && row.getAttribute('aria-busy') !== 'true' && row.textContent.trim()) {
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
        } else if (performance.now() - start > 10000) {
            done(null);
        } else {
            setTimeout(look, 2);
        }
    };
    requestAnimationFrame(look);";

pub(crate) async fn measure(server: &Server, figures: &mut Figures) -> Result<()> {
    let browser = Browser::open(1280, 800).await?;
    let client = &browser.client;
    client.goto(&server.origin()).await?;
    let first = client.execute_async(FIRST_ROWS, vec![]).await?;
    figures.add("tab: first rows painted, ms", milliseconds(&first)?);

    client.goto("about:blank").await?;
    client
        .goto(&format!("{}/#open=all", server.origin()))
        .await?;
    client.execute_async(FIRST_ROWS, vec![]).await?;
    let mut times = Vec::new();
    for step in 0..SCROLLS {
        // All over the place.
        let part = (step * 37 % SCROLLS) as f64 / SCROLLS as f64;
        let painted = client.execute_async(SCROLL, vec![json!(part)]).await?;
        times.push(Duration::from_secs_f64(milliseconds(&painted)? / 1e3));
    }
    figures.spread("tab: scroll to painted rows, ms", &mut times);

    for view in ["timeline", "flame", "functions", "patterns", "tree"] {
        let start = Instant::now();
        let tab = format!("document.getElementById('tab-{view}').click()");
        client.execute(&tab, vec![]).await?;
        while start.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let memory = tab_memory(&browser)?;
    figures.add("tab: memory (PSS of its process), MB", memory as f64 / 1e6);
    let heap = browser.devtools("Runtime.getHeapUsage", json!({}))?;
    let heap = heap["usedSize"].as_f64().context("a heap")?;
    figures.add("tab: its JavaScript's heap, MB", heap / 1e6);
    Ok(())
}

fn milliseconds(value: &Value) -> Result<f64> {
    value.as_f64().context("no rows were painted")
}

/// The memory of the browser's process that renders the page, its share of what it shares included;
/// in bytes.
pub(crate) fn tab_memory(browser: &Browser) -> Result<u64> {
    let mut largest = 0;
    for pid in browser.renderers()? {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kilobytes = pss.context("a PSS")?.trim().trim_end_matches(" kB");
        largest = largest.max(kilobytes.parse::<u64>()? * 1024);
    }
    Ok(largest)
}
