//! Other ways to view the same trace.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pytrace::recording::Recording;

use crate::browser::Browser;
use crate::figures::Figures;
use crate::tab::tab_memory;

/// As long as somebody might wait.
const PATIENCE: Duration = Duration::from_secs(300);
/// What speedscope shows once a trace is open, and when it can't be opened.
const SPEEDSCOPE: [&str; 2] = ["Time Order", "Something went wrong"];

pub(crate) fn measure(trace: &Path, figures: &mut Figures) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let Some(release) = crate::given("SPEEDSCOPE") {
        let files = Files::serve(release, trace.to_owned())?;
        let url = format!("{0}/index.html#profileURL={0}/trace", files.origin);
        runtime.block_on(open("speedscope", &url, SPEEDSCOPE, figures))?;
    }
    if crate::given("SEED").is_some() {
        let directory = tempfile::tempdir()?;
        let start = Instant::now();
        write_page(trace, &directory.path().join("index.html"))?;
        figures.add("one page: written, s", start.elapsed().as_secs_f64());
        let size = fs::metadata(directory.path().join("index.html"))?.len();
        figures.add("one page: its size, MB", size as f64 / 1e6);
        let files = Files::serve(directory.path().to_owned(), trace.to_owned())?;
        let url = format!("{}/index.html", files.origin);
        let says = ["The end.", "nothing"];
        runtime.block_on(open("one page", &url, says, figures))?;
    }
    Ok(())
}

/// Waits until a page says the first of `says`, or fails with the second or in another way.
async fn open(name: &str, url: &str, says: [&str; 2], figures: &mut Figures) -> Result<()> {
    eprintln!("bench: {name}");
    let browser = Browser::open(1280, 800).await?;
    let start = Instant::now();
    let result = tokio::time::timeout(PATIENCE, look(&browser, url, says)).await;
    let result = result.unwrap_or_else(|_| Ok(Some("it does not answer".into())));
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(None) => {
            figures.add(&format!("{name}: usable, s"), seconds);
            let memory = tab_memory(&browser)?;
            figures.add(&format!("{name}: tab's memory, MB"), memory as f64 / 1e6);
        }
        Ok(Some(failure)) => {
            eprintln!("bench: {name}: after {seconds:.0} s: {failure}");
            figures.say(&format!("{name}: usable, s"), "fails".into());
        }
        Err(error) => {
            eprintln!("bench: {name}: after {seconds:.0} s: {error:#}");
            figures.say(&format!("{name}: usable, s"), "fails".into());
        }
    }
    Ok(())
}

/// How it failed, if it did.
async fn look(browser: &Browser, url: &str, says: [&str; 2]) -> Result<Option<String>> {
    const TAIL: &str = "
        const painted = new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
        const body = document.body;
        const last = body?.lastElementChild;
        return painted.then(() => last?.id === 'end' ? last.textContent : (body?.innerText ?? '').slice(0, 100000));";
    browser.client.goto(url).await?;
    loop {
        let text = browser.client.execute(TAIL, vec![]).await?;
        let text = text.as_str().unwrap_or_default();
        if text.contains(says[0]) {
            return Ok(None);
        }
        if text.contains(says[1]) {
            let console = browser.console()?;
            return Ok(Some(format!("{}: {}", says[1], console.join("\n"))));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every call as an element of one HTML file, nested as they called each other.
fn write_page(trace: &Path, page: &Path) -> Result<()> {
    let recording = pytrace::format::read(trace)?;
    let mut out = BufWriter::new(File::create(page)?);
    out.write_all(
        b"<!doctype html><meta charset=utf-8><title>trace</title>\
          <style>div{margin-left:1em;white-space:nowrap;font:13px monospace}</style>",
    )?;
    let mut line = String::new();
    for thread in &recording.threads {
        let mut open = 0;
        for row in &thread.calls {
            while open > row.depth {
                out.write_all(b"</div>")?;
                open -= 1;
            }
            line.clear();
            describe(&recording, row, &mut line);
            write!(out, "\n<div>{line}")?;
            open = row.depth + 1;
        }
        for _ in 0..open {
            out.write_all(b"</div>")?;
        }
    }
    out.write_all(b"<p id=end>The end.</p>\n")?;
    Ok(out.flush()?)
}

fn describe(recording: &Recording, row: &pytrace::recording::Row, line: &mut String) {
    let code = recording.code(row);
    escape(line, &code.name);
    line.push('(');
    for (name, value) in recording.arguments(row).iter().flat_map(|all| all.iter()) {
        escape(line, name);
        line.push('=');
        escape(line, value);
        line.push_str(", ");
    }
    line.push_str(") -> ");
    escape(line, recording.result(row).unwrap_or_default());
    let microseconds = row.duration as f64 / 1e3;
    let written = write!(line, " [line {}] {microseconds} µs", code.line);
    written.expect("text can be written to memory");
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            other => out.push(other),
        }
    }
}

/// A folder's files, and a trace, by HTTP; until the program ends.
struct Files {
    origin: String,
}

impl Files {
    fn serve(folder: PathBuf, trace: PathBuf) -> Result<Files> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, trace) = (folder.clone(), trace.clone());
                // A browser that goes away is no failure.
                std::thread::spawn(move || stream.map(|stream| answer(&stream, &folder, &trace)));
            }
        });
        Ok(Files {
            origin: format!("http://127.0.0.1:{port}"),
        })
    }
}

fn answer(stream: &TcpStream, folder: &Path, trace: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().context("no request")??;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let name = path.trim_start_matches('/');
    let file = match name {
        "trace" => trace.to_owned(),
        // One folder, no way out of it.
        _ => folder.join(
            Path::new(name)
                .file_name()
                .unwrap_or(OsStr::new("index.html")),
        ),
    };
    let mut stream = stream;
    let Ok(mut file) = File::open(&file) else {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        return Ok(());
    };
    let kind = match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        _ => "application/octet-stream",
    };
    let length = file.metadata()?.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    io::copy(&mut file, &mut stream)?;
    Ok(())
}
