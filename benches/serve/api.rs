//! What the page asks of the server, asked as fast as it answers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::browser::http::Connection;
use crate::browser::server::Server;
use crate::figures::Figures;
use crate::program::Random;

/// Of each kind of request.
const ROUNDS: usize = 200;
/// Lines that a screen shows, and some.
const LINES: u64 = 80;
/// States of nodes that a link still holds.
const OPEN: usize = 4000;
/// What is frequent, what is rare, and what isn't there.
const WANTED: [&str; 5] = ["softmax", "adapter", "batch 96 has", "1234567", "nowhere"];

struct Asker {
    connection: Connection,
    random: Random,
    largest: usize,
}

impl Asker {
    fn ask(&mut self, path: &str, times: &mut Vec<Duration>) -> Result<Value> {
        let start = Instant::now();
        let answer = self.connection.get(path)?;
        times.push(start.elapsed());
        let said = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 200, "{path}: {}", said());
        self.largest = self.largest.max(answer.body.len());
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end.max(1))
    }
}

pub(crate) fn measure(server: &Server, figures: &mut Figures) -> Result<()> {
    let mut asker = Asker {
        connection: Connection::open(server.port)?,
        random: Random::new(),
        largest: 0,
    };
    let mut first = Vec::new();
    let trace = asker.ask("/api/trace", &mut first)?;
    let rows = asker.ask(&rows_path("", 0), &mut first)?;
    let total: Duration = first.iter().sum();
    figures.add("first paint data, ms", total.as_secs_f64() * 1e3);

    let opened = rows["open"].as_str().context("what is open")?.to_owned();
    expand(&mut asker, &rows, figures)?;
    scroll(&mut asker, figures)?;
    search(&mut asker, &trace, figures)?;
    timeline(&mut asker, &trace, figures)?;
    calls(&mut asker, &trace, &opened, figures)?;
    tables(&mut asker, figures)?;
    figures.add("largest answer, kB", asker.largest as f64 / 1e3);
    Ok(())
}

fn rows_path(open: &str, from: u64) -> String {
    // A `+` in a query is a blank.
    let open = open.replace('+', "%2B");
    format!("/api/rows?thread=0&open={open}&from={from}&count={LINES}")
}

/// Opens one node after the other, some with all below them, as far as a link holds it.
fn expand(asker: &mut Asker, first: &Value, figures: &mut Figures) -> Result<()> {
    let mut times = Vec::new();
    let start = first["open"].as_str().context("what is open")?;
    let mut open = start.to_owned();
    let mut rows = first.clone();
    for round in 0..ROUNDS {
        let closed: Vec<&str> = rows["rows"]
            .as_array()
            .context("rows")?
            .iter()
            .filter(|row| row["has"] == true && row["open"] == false)
            .filter_map(|row| row["id"].as_str())
            .collect();
        if closed.is_empty() || open.len() > OPEN {
            start.clone_into(&mut open);
        } else {
            let id = closed[asker.random.below(closed.len() as u64) as usize];
            let state = if round % 5 == 4 { '*' } else { '+' };
            let separator = if open.is_empty() { "" } else { "," };
            open = format!("{open}{separator}{id}{state}");
        }
        let total = rows["total"].as_u64().context("a number of rows")?;
        let from = asker.below(total);
        rows = asker.ask(&rows_path(&open, from), &mut times)?;
    }
    figures.spread("expand, ms", &mut times);
    Ok(())
}

/// Goes anywhere in a tree of which all is open.
fn scroll(asker: &mut Asker, figures: &mut Figures) -> Result<()> {
    let mut first = Vec::new();
    let rows = asker.ask(&rows_path("all", 0), &mut first)?;
    figures.spread("open everything, ms", &mut first);
    let total = rows["total"].as_u64().context("a number of rows")?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let from = asker.below(total);
        asker.ask(&rows_path("all", from), &mut times)?;
    }
    figures.spread("scroll, ms", &mut times);

    let ungrouped = |from| format!("{}&grouping=none", rows_path("all", from));
    let mut first = Vec::new();
    let rows = asker.ask(&ungrouped(0), &mut first)?;
    figures.spread("without patterns, first, ms", &mut first);
    let total = rows["total"].as_u64().context("a number of rows")?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let from = asker.below(total);
        asker.ask(&ungrouped(from), &mut times)?;
    }
    figures.spread("scroll without patterns, ms", &mut times);
    Ok(())
}

/// From anywhere to the next hit, which may take several answers.
fn search(asker: &mut Asker, trace: &Value, figures: &mut Figures) -> Result<()> {
    let (mut answers, mut hits) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS / 2 {
        let wanted = WANTED[round % WANTED.len()].replace(' ', "%20");
        let calls = trace["threads"][0]["calls"].as_u64().context("calls")?;
        let mut at = format!("0.{}", asker.below(calls));
        let start = Instant::now();
        loop {
            let path = format!("/api/search?q={wanted}&after={at}&direction=next&limit=1");
            let answer = asker.ask(&path, &mut answers)?;
            let found = answer["hits"]
                .as_array()
                .is_some_and(|hits| !hits.is_empty());
            if found || answer["done"] == true {
                break;
            }
            at = answer["at"].as_str().context("how far it came")?.to_owned();
        }
        hits.push(start.elapsed());
    }
    figures.spread("search, an answer, ms", &mut answers);
    figures.spread("search, to a hit or the end, ms", &mut hits);
    Ok(())
}

fn timeline(asker: &mut Asker, trace: &Value, figures: &mut Figures) -> Result<()> {
    let end = trace["end"].as_u64().context("an end")?;
    let threads = trace["threads"].as_array().context("threads")?.len().min(8);
    let threads: Vec<String> = (0..threads).map(|index| index.to_string()).collect();
    let path = |from, to| {
        format!(
            "/api/timeline?from={from}&to={to}&width=1200&depth=0&levels=40&threads={}",
            threads.join(",")
        )
    };
    let mut whole = Vec::new();
    asker.ask(&path(0, end), &mut whole)?;
    asker.ask(&path(0, end), &mut whole)?;
    figures.spread("timeline, everything, ms", &mut whole);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        // From all to a part in a hundred thousand.
        let part = end >> (round % 17);
        let from = asker.below(end - part);
        asker.ask(&path(from, from + part.max(1)), &mut times)?;
    }
    figures.spread("timeline, a stretch, ms", &mut times);
    Ok(())
}

fn calls(asker: &mut Asker, trace: &Value, opened: &str, figures: &mut Figures) -> Result<()> {
    let calls = trace["threads"][0]["calls"].as_u64().context("calls")?;
    let opened = opened.replace('+', "%2B");
    let (mut reveals, mut details) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let row = asker.below(calls);
        asker.ask(
            &format!("/api/reveal?thread=0&row={row}&open={opened}"),
            &mut reveals,
        )?;
        asker.ask(&format!("/api/call?thread=0&row={row}"), &mut details)?;
    }
    figures.spread("reveal a call, ms", &mut reveals);
    figures.spread("details of a call, ms", &mut details);
    Ok(())
}

fn tables(asker: &mut Asker, figures: &mut Figures) -> Result<()> {
    for (what, path) in [
        ("functions", "/api/functions?thread=all&sort=self"),
        ("flame graph", "/api/flame?thread=all&least=0.0005"),
        ("patterns", "/api/patterns?thread=all"),
    ] {
        for (when, rounds) in [("first", 1), ("again", 20)] {
            let mut times = Vec::new();
            for _ in 0..rounds {
                asker.ask(path, &mut times)?;
            }
            figures.spread(&format!("{what}, {when}, ms"), &mut times);
        }
    }
    Ok(())
}
